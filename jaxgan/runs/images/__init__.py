"""Runs that turn images into others: whole examples of their data, and images of any size."""

from jaxgan.common.packages import modules_of

__getattr__ = modules_of(__name__)
