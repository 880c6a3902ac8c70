"""What a run leaves: its folder, checkpoints, samples, scores."""

from jaxgan.common.packages import modules_of

__getattr__ = modules_of(__name__)
