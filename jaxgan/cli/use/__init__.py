"""Verbs that put a trained run to use on images of one's own."""
