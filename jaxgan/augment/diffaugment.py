"""DiffAugment: colour, translation and cutout of images, for training on little data."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgan.augment.base import Augmentation
from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError


def diffaugment(*, color: float = 1.0, translation: float = 0.125, cutout: float = 0.5) -> Augmentation:
    """Colour, translation and cutout of everything that the critic sees, all differentiable.

    Each example is changed in this order, by its own key: its colours (`recolored`), then its place
    (`translated`), then a square of it is cut out (`cut_out`). 0 turns any of the three off; with all three off,
    examples stay exactly as they are. The defaults are the authors' policy "color,translation,cutout".

    Args:
      color: strength of the changes of colour, finite; the authors' is 1.
      translation: the longest way, as a share of the side, less than 1.
      cutout: side of the square, as a share of the image's, less than 1.

    Raises:
      ValueError: for numbers out of range, and, where it is traced, for examples that are no images.

    References:
      Zhao et al. (2020), Differentiable augmentation for data-efficient GAN training, section 3.2.
    """
    for name, value, end in (
        ("color", color, math.inf),
        ("translation", translation, 1.0),
        ("cutout", cutout, 1.0),
    ):
        if isinstance(value, bool) or not isinstance(value, numbers.Real):  # NumPy's too
            raise InputError(f"{name}: expected a number, got {value!r}")
        check_range(name, float(value), at_least=0.0, below=end)
    changes: list[Callable[[jax.Array, jax.Array], jax.Array]] = []
    if color:
        changes.append(lambda key, image: recolored(key, image, color))
    if translation:
        changes.append(lambda key, image: translated(key, image, translation))
    if cutout:
        changes.append(lambda key, image: cut_out(key, image, cutout))

    def changed(key: jax.Array, image: jax.Array) -> jax.Array:
        for i, change in enumerate(changes):
            image = change(jax.random.fold_in(key, i), image)
        return image

    def see(memory: object, x: jax.Array, keys: jax.Array, step: jax.Array) -> jax.Array:
        if x.ndim != 4:
            raise InputError(
                f"diffaugment: expected images [n, h, w, c], got examples of shape {x.shape[1:]}"
            )
        return jax.vmap(changed)(keys, x) if changes else x

    return Augmentation(see)


def recolored(key: jax.Array, image: jax.Array, strength: float = 1.0) -> jax.Array:
    """Brightness, then saturation, then contrast of an image [h, w, c] in [-1, 1], which may leave this range.

    With u uniform in [-1, 1] for each: x + s u / 2; the distance of x from the mean of its pixel's colours, times
    1 + s u; the distance of x from the mean of the image, times 1 + s u / 2. Opacity, the last of 2 or 4 channels,
    stays.
    """
    colors = {2: 1, 4: 3}.get(image.shape[-1], image.shape[-1])
    x, rest = image[..., :colors], image[..., colors:]
    draws = jax.random.uniform(key, (3,), jnp.float32, -1, 1).astype(x.dtype)
    brightness, saturation, contrast = strength * draws
    x = x + brightness / 2
    grey = x.mean(axis=-1, keepdims=True)
    x = grey + (1 + saturation) * (x - grey)
    mean = x.mean()
    x = mean + (1 + contrast / 2) * (x - mean)
    return jnp.concatenate([x, rest], axis=-1)


def translated(key: jax.Array, image: jax.Array, share: float = 0.125) -> jax.Array:
    """Moves an image [h, w, c] by whole pixels, uniformly by up to `share` of each side; what comes in is 0."""
    for axis, own in enumerate(jax.random.split(key)):
        size = image.shape[axis]
        most = int(size * share + 0.5)
        index = jnp.arange(size) + jax.random.randint(own, (), -most, most + 1)
        moved = jnp.take(image, jnp.clip(index, 0, size - 1), axis=axis)
        image = jnp.where(_along(axis, (index >= 0) & (index < size)), moved, 0)
    return image


def cut_out(key: jax.Array, image: jax.Array, share: float = 0.5) -> jax.Array:
    """Sets a rectangle of an image [h, w, c], of `share` of each side, to 0; its centre is uniform in the image.

    What of the rectangle lies outside is lost, so that less than its area may be cut out.
    """
    inside = jnp.array(True)
    for axis, own in enumerate(jax.random.split(key)):
        size = image.shape[axis]
        length = int(size * share + 0.5)
        first = jax.random.randint(own, (), 0, size + 1 - length % 2) - length // 2
        index = jnp.arange(size)
        inside = inside & _along(axis, (index >= first) & (index < first + length))
    return jnp.where(inside, 0, image)


def _along(axis: int, row: jax.Array) -> jax.Array:
    """A row of the image's size along an axis, to be broadcast over [h, w, c]."""
    return row[:, None, None] if axis == 0 else row[None, :, None]
