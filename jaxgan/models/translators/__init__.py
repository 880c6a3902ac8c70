"""Families of networks that take images where others take latents: one of each a file."""
