"""A step compiled ahead of time for machines that are not here, and what it would cost there."""

from jaxgan.common.packages import modules_of

__getattr__ = modules_of(__name__)
