"""Feature maps in which images are compared: a network of the library that fits them, differentiable."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.apps.attributes import is_mnist
from jaxgan.common.errors import InputError, unknown
from jaxgan.metrics.features import mnist_cnn
from jaxgan.models.layers.fast import strided
from jaxgan.models.pretrained import efficientnet
from jaxgan.models.projected import seen_size
from jaxgan.runs.opened import Run

Eyes = Callable[[jax.Array], list[jax.Array]]
EYES = ("auto", "efficientnet_lite0", "mnist_cnn", "random_cnn", "none")
_SEEN = 128  # pixels to which EfficientNet gets smaller images enlarged


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
    if name == "mnist_cnn":
        if shape != (28, 28, 1):
            raise InputError(f"features: mnist_cnn expects images (28, 28, 1), got {shape}")
        return name, _digits()
    if name == "random_cnn":
        return name, _random(shape[2])
    if name == "efficientnet_lite0":
        return name, _imagenet(shape, weights)
    raise unknown("features", name, EYES)


def _digits() -> Eyes:
    """What the digit classifier's normalisations give."""
    variables, _ = mnist_cnn.load()

    def look(images: jax.Array) -> list[jax.Array]:
        maps: list[jax.Array] = []

        def keep(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
            given = call(*args, **kwargs)
            if context.method_name == "__call__" and "Norm" in (context.module.name or ""):
                maps.append(nn.relu(given))
            return given

        with nn.intercept_methods(keep):
            mnist_cnn.MNISTClassifier().apply(variables, images)
        return maps

    return look


def _random(channels: int) -> Eyes:
    """Three strided convolutions with fixed random weights, as those of `metrics.features.random_cnn`."""
    widths = (channels, 32, 64, 128)
    draw = np.random.default_rng(0)
    kernels = [
        (draw.standard_normal((4, 4, c, o)) * np.sqrt(2 / (16 * c))).astype(np.float32)
        for c, o in itertools.pairwise(widths)
    ]

    def look(images: jax.Array) -> list[jax.Array]:
        x, maps = images, []
        for kernel in kernels:
            if min(x.shape[1:3]) < 4:
                break
            x = jax.nn.relu(strided.down(x, jnp.asarray(kernel)))
            maps.append(x)
        return maps

    return look


def _imagenet(shape: tuple[int, ...], weights: str) -> Eyes:
    """The four maps of EfficientNet-Lite0, of images enlarged to 128 pixels where they are smaller."""
    if shape[2] not in (1, 3):
        raise InputError(f"features: efficientnet_lite0 expects images of 1 or 3 channels, got {shape}")
    variables, size = efficientnet.pretrained(weights), seen_size(shape[0], shape[1], _SEEN)

    def look(images: jax.Array) -> list[jax.Array]:
        x = jnp.broadcast_to(images, (*images.shape[:3], 3))
        x = jax.image.resize(x, (len(x), *size, 3), "bilinear")
        maps: Any = efficientnet.EfficientNetLite0().apply(variables, x)
        return list(maps[0])

    return look
