"""Feature networks: one interface for all, and the choice of one that fits the data."""

from __future__ import annotations

from jaxgan.data import Images
from jaxgan.metrics.features import mnist_cnn
from jaxgan.metrics.features.network import FeatureNetwork
from jaxgan.metrics.features.random_cnn import random_cnn


def features_for(source: Images) -> FeatureNetwork:
    """The best network at hand for the images of `source`."""
    is_mnist = source.name.split(":")[:2] in (["mnist", "train"], ["mnist", "test"], ["tfds", "mnist"])
    if is_mnist and source.shape == (28, 28, 1):
        return mnist_cnn.features()
    return random_cnn(source.shape[2])


__all__ = ["FeatureNetwork", "features_for", "mnist_cnn", "random_cnn"]
