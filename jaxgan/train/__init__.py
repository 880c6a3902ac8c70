"""Training: one loop, its set-up, resuming, progress."""

from jaxgan.common.packages import modules_of

__getattr__ = modules_of(__name__)
