"""Feature networks: one interface for all of them, and the choice of one that fits the data."""

from __future__ import annotations

import pathlib

from jaxgan.common.errors import InputError, unknown
from jaxgan.data import Images
from jaxgan.metrics.features import classifier, dinov2, inception, mnist_cnn, own
from jaxgan.metrics.features.network import FeatureNetwork
from jaxgan.metrics.features.random_cnn import random_cnn


def features_for(source: Images) -> FeatureNetwork:
    """The best feature network at hand for `source`.

    For MNIST it is the shipped classifier, for other data the classifier that was trained on them; without
    one, convolutions with random weights.
    """
    is_mnist = source.name.split(":")[:2] in (["mnist", "train"], ["mnist", "test"], ["tfds", "mnist"])
    if is_mnist and source.shape == (28, 28, 1):
        return mnist_cnn.features()
    return classifier.features(source) or random_cnn(source.shape[2])


FEATURES = ("auto", "inception", "dinov2_vits14", "dinov2_vitl14", "mnist_cnn", "trained", "random_cnn")


def get_features(name: str, source: Images, weights: pathlib.Path | None = None) -> FeatureNetwork:
    """The feature network called `name`, for images such as those of `source`.

    Args:
      name: one of FEATURES, or "FILE.py:NAME" of a function uint8 images [n, h, w, c] -> features [n, d] or
        (features, logits [n, classes]). "auto" is the choice of `features_for`; "trained" is the classifier
        that `jaxgan metrics train-features` trained on these data.
      source: says what the images look like.
      weights: a file of pretrained weights, instead of the cached or downloaded one.

    Raises:
      InputError: for an unknown name, weights that are not there, or data that the network does not fit.
    """
    if weights is not None and name.partition("_")[0] not in ("inception", "dinov2"):
        raise InputError(f"weights: features {name!r} have none to be given")
    if name == "auto":
        return features_for(source)
    if name == "inception":
        return inception.features(weights)
    if name in ("dinov2_vits14", "dinov2_vitl14"):
        # resized as dgm-eval does by default, which published numbers are of
        return dinov2.features("s" if name == "dinov2_vits14" else "l", weights, clean_resize=False)
    if name == "mnist_cnn":
        if source.shape != (28, 28, 1):
            raise InputError(f"features: mnist_cnn expects images (28, 28, 1), got {source.shape}")
        return mnist_cnn.features()
    if name == "random_cnn":
        return random_cnn(source.shape[2])
    if name == "trained":
        if (network := classifier.features(source)) is None:
            raise InputError(
                f"features: no classifier was trained on {source.name!r}; run: jaxgan metrics train-features SOURCE"
            )
        return network
    if ".py:" in name:
        return own.load(name)
    raise unknown("features", name, [*FEATURES, "FILE.py:NAME"])


__all__ = ["FEATURES", "FeatureNetwork", "features_for", "get_features", "mnist_cnn", "random_cnn"]
