"""Feature maps in which images are compared: a network of the library that fits them, differentiable."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax

from jaxgan.apps.attributes import is_mnist
from jaxgan.common.errors import unknown
from jaxgan.metrics.features.maps import maps_for
from jaxgan.runs.opened import Run

Eyes = Callable[[jax.Array], list[jax.Array]]
EYES = ("auto", "efficientnet_lite0", "mnist_cnn", "random_cnn", "none")


def eyes_for(run: Run, name: str = "auto", weights: str = "") -> tuple[str, Eyes | None]:
    """The feature maps that images of a run are compared in.

    Args:
      run: of images.
      name: one of EYES. "auto" is the digit classifier for MNIST, and random convolutions for other data: the weights
        of EfficientNet are taken when they are asked for, which downloads them once. "none": pixels alone.

    Returns:
      The name, and a function of float images [n, h, w, c] in [-1, 1], or None.

    Raises:
      InputError: for an unknown name, a network that the images do not fit, or weights that cannot be had.
    """
    shape: tuple[int, ...] = run.spec.shape
    if name == "auto":
        name = "mnist_cnn" if is_mnist(str(run.data["name"]), shape) else "random_cnn"
    if name == "none":
        return name, None
    if name not in EYES:
        raise unknown("features", name, EYES)
    maps = maps_for(name, shape, weights if name == "efficientnet_lite0" else "")
    return name, partial(maps.look, maps.read())
