"""Feature maps in which images are compared: networks of the library as differentiable functions of float images."""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.errors import InputError, unknown
from jaxgan.common.user_files import is_file, load_object
from jaxgan.metrics.features import dinov2, inception, mnist_cnn
from jaxgan.models.layers.fast import strided
from jaxgan.models.pretrained import efficientnet, weights
from jaxgan.models.projected import RANDOM, seen_size

MAPS = ("efficientnet_lite0", "inception", "dinov2_vits14", "dinov2_vitl14", "mnist_cnn", "random_cnn")
_SEEN = 128  # pixels to which EfficientNet gets smaller images enlarged


@dataclass(frozen=True)
class Maps:
    """A network that images are compared by.

    Attributes:
      look: (variables, float images [n, h, w, c] in [-1, 1]) -> arrays [n, ...]; gradients flow to the images.
      read: gives the variables, in NumPy. Raises InputError where the weights cannot be had.
      shapes: gives their shapes and types, and reads nothing that would have to be downloaded.
    """

    look: Callable[[Any, jax.Array], list[jax.Array]]
    read: Callable[[], Any]
    shapes: Callable[[], Any]


def maps_for(name: str, shape: tuple[int, ...], file: str = "", option: str = "--weights") -> Maps:
    """The network called `name`, for images of a shape.

    Args:
      name: one of MAPS, or "FILE.py:NAME" of a function of float images [n, h, w, c] in [-1, 1] to an array [n, ...] or
        several.
      shape: of one image.
      file: of the weights of a network that has published ones; "": they are downloaded once; "random", of
        efficientnet_lite0: untrained ones.
      option: what a user writes before the name of such a file, for messages.

    Raises:
      InputError: for an unknown name, images that the network does not take, or a file where there is none to be given.
    """
    if file and name.partition("_")[0] not in ("efficientnet", "inception", "dinov2"):
        raise InputError(f"weights: features {name!r} have none to be given")
    if name == "mnist_cnn":
        if shape != (28, 28, 1):
            raise InputError(f"features: mnist_cnn expects images (28, 28, 1), got {shape}")
        return _known(_look_at_digits, mnist_cnn.load()[0])
    if name == "random_cnn":
        if min(shape[:2]) < 4:
            raise InputError(f"features: random_cnn expects images of 4 pixels a side or more, got {shape}")
        return _known(_look_at_random, _random_kernels(shape[2]))
    if is_file(name):
        function = load_object("features", name, fits=callable)
        if not callable(function):
            raise InputError(
                f"features: expected a function images -> features, got {type(function).__name__} {name!r}"
            )
        return _known(lambda _, images: jax.tree.leaves(function(images)), {})
    if name not in MAPS:
        raise unknown("features", name, [*MAPS, "FILE.py:NAME"])
    if shape[2] not in (1, 3):
        raise InputError(f"features: {name} expects images of 1 or 3 channels, got {shape}")
    if name == "efficientnet_lite0":
        return _imagenet(shape, file, option)
    path = pathlib.Path(file).expanduser() if file else None
    return _inception(path, option) if name == "inception" else _dinov2(name, path, option)


def _known(look: Callable[[Any, jax.Array], list[jax.Array]], variables: Any) -> Maps:
    """A network whose variables are at hand."""
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), variables)
    return Maps(look, lambda: jax.tree.map(np.asarray, variables), lambda: shapes)


def _look_at_digits(variables: Any, images: jax.Array) -> list[jax.Array]:
    """What the digit classifier's normalisations give."""
    maps: list[jax.Array] = []

    def keep(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        given = call(*args, **kwargs)
        if context.method_name == "__call__" and "Norm" in (context.module.name or ""):
            maps.append(nn.relu(given))
        return given

    with nn.intercept_methods(keep):
        mnist_cnn.MNISTClassifier(parent=None).apply(variables, images)
    return maps


@lru_cache(maxsize=4)
def _random_kernels(channels: int) -> list[np.ndarray]:
    """Of three strided convolutions, as those of `metrics.features.random_cnn`."""
    draw = np.random.default_rng(0)
    return [
        (draw.standard_normal((4, 4, c, o)) * np.sqrt(2 / (16 * c))).astype(np.float32)
        for c, o in itertools.pairwise((channels, 32, 64, 128))
    ]


def _look_at_random(kernels: Any, images: jax.Array) -> list[jax.Array]:
    x, maps = images, []
    for kernel in kernels:
        if min(x.shape[1:3]) < 4:
            break
        x = jax.nn.relu(strided.down(x, jnp.asarray(kernel)))
        maps.append(x)
    return maps


def _imagenet(shape: tuple[int, ...], file: str, option: str) -> Maps:
    """The four maps of EfficientNet-Lite0, of images enlarged to 128 pixels where they are smaller."""
    size = seen_size(shape[0], shape[1], _SEEN)

    def look(variables: Any, images: jax.Array) -> list[jax.Array]:
        x = jnp.broadcast_to(images, (*images.shape[:3], 3))
        x = jax.image.resize(x, (len(x), *size, 3), "bilinear")
        maps: Any = efficientnet.EfficientNetLite0(parent=None).apply(variables, x)
        return list(maps[0])

    def untrained() -> Any:
        network = efficientnet.EfficientNetLite0(parent=None)
        made = jax.jit(network.init)(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
        return jax.tree.map(np.asarray, made)

    read = untrained if file == RANDOM else partial(efficientnet.pretrained, file, option=option)
    return Maps(look, read, efficientnet.shapes)


def _inception(file: pathlib.Path | None, option: str) -> Maps:
    """FID's features; grey levels are those of 8 bits, and not rounded."""

    read = partial(_inception_weights, file, option)

    def shapes() -> Any:
        images = jnp.zeros((1, inception.SIZE, inception.SIZE, 3))
        return jax.eval_shape(lambda: inception.InceptionV3(parent=None).init(jax.random.key(0), images))

    look = lambda variables, images: [
        inception.forward(variables, inception.preprocess(_levels(images))).features
    ]
    return Maps(look, read, shapes)


def _dinov2(name: str, file: pathlib.Path | None, option: str) -> Maps:
    """The class token; grey levels are those of 8 bits, and not rounded."""
    network, _ = dinov2.NETWORKS[name.removeprefix("dinov2_vit")[0]]

    read = partial(_dinov2_weights, name, file, option)

    def shapes() -> Any:
        images = jnp.zeros((1, network.patch, network.patch, 3))
        return jax.eval_shape(lambda: network.init(jax.random.key(0), images))["params"]

    return Maps(lambda params, images: [dinov2.embed(network, params, _levels(images))], read, shapes)


@lru_cache(maxsize=1)
def _inception_weights(file: pathlib.Path | None, option: str) -> Any:
    return _nested(weights.load(inception.WEIGHTS.named_by(option), inception.convert, file)[0])


@lru_cache(maxsize=1)
def _dinov2_weights(name: str, file: pathlib.Path | None, option: str) -> Any:
    network, source = dinov2.NETWORKS[name.removeprefix("dinov2_vit")[0]]
    return dinov2.unflatten(weights.load(source.named_by(option), partial(dinov2.convert, network), file)[0])


def _nested(arrays: Any) -> Any:
    import flax.traverse_util

    return flax.traverse_util.unflatten_dict(dict(arrays), sep="/")


def _levels(images: jax.Array) -> jax.Array:
    return (images + 1) * 127.5
