"""Editing: latents of real images, directions among latents, and what moves along them."""

from jaxgan.common.packages import modules_of

__getattr__ = modules_of(__name__)
