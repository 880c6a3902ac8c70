"""Dissection: what the units of a generator stand for, and what happens without them."""

from jaxgan.common.packages import modules_of

__getattr__ = modules_of(__name__)
