"""Restoration and translation of a person's own images: files in, files out, and what other methods make of them."""
