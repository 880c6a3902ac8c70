"""Flips and shifts of images by whole pixels."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

Augment = Callable[[jax.Array, jax.Array], jax.Array]


def flip_and_shift(keys: jax.Array, x: jax.Array) -> jax.Array:
    """The default augmentation of the consistency penalties; every example is drawn by its own key.

    Images [n, h, w, c] are mirrored left to right half of the time and moved by whole pixels, along
    each axis uniformly by up to 1/8 of its side (rounded down) either way; what comes in from
    outside is reflected at the border pixel, which is not repeated. To anything else noise from
    N(0, 0.05^2) is added.

    Args:
      keys: one for each example, [n].
      x: examples.

    Returns:
      Examples of the same shape and type.
    """
    if x.ndim != 4:
        return x + 0.05 * jax.vmap(lambda key: jax.random.normal(key, x.shape[1:], x.dtype))(keys)

    def moved(key: jax.Array, image: jax.Array) -> jax.Array:
        row_key, column_key, flip_key = jax.random.split(key, 3)
        rows = _shifted_indices(row_key, image.shape[0])
        columns = _shifted_indices(column_key, image.shape[1])
        columns = jnp.where(jax.random.bernoulli(flip_key), image.shape[1] - 1 - columns, columns)
        return image[rows[:, None], columns]

    return jax.vmap(moved)(keys, x)


def _shifted_indices(key: jax.Array, size: int) -> jax.Array:
    shift = jax.random.randint(key, (), -(size // 8), size // 8 + 1)
    return reflected(jnp.arange(size) + shift, size)


def reflected(index: jax.Array, size: int) -> jax.Array:
    """Indices less than `size` outside of [0, size), mirrored at the first and the last pixel."""
    return size - 1 - jnp.abs(size - 1 - jnp.abs(index))
