"""Anomalies: how unlike each image is to those that a run was trained on."""

from jaxgan.common.packages import modules_of

__getattr__ = modules_of(__name__)
