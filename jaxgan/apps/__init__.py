"""What trained networks are used for: restoring, finding anomalies, projecting, editing and dissecting images."""

from jaxgan.common.packages import modules_of

__getattr__ = modules_of(__name__)
