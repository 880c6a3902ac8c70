"""Editing: latents of real images, directions among latents, and what moves along them."""
