"""What is told of a training as it goes on: the terminal, files, trackers."""

from jaxgan.common.packages import modules_of

__getattr__ = modules_of(__name__)
