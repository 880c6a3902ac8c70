"""Dissection: what the units of a generator stand for, and what happens without them."""
