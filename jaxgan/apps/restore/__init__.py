"""Restoration and translation of a person's own images: files in, files out, and what other methods make of them."""

from jaxgan.common.packages import modules_of

__getattr__ = modules_of(__name__)
