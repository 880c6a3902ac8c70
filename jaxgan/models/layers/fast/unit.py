"""A convolution of stride 1 whose gradients for kernels are fast on a CPU.

XLA's CPU backend computes a convolution of stride 1, and its gradient for images, about as fast as a matrix
product of as many operations. The gradient for the kernel, a sum over all pixels of the batch, takes three to
four times as long unless all fits the cache. Here it is the sum of the gradients of a few examples each.

A derivative of a convolution is again a convolution or such a gradient, and the other way round; so the two are
primitives of JAX, which name each other as derivatives, and derivatives of any order and mode take this form.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.interpreters import ad

from jaxgan.models.layers.fast.primitives import placed_by_type, primitive

Padding = tuple[tuple[int, int], tuple[int, int]]

NUMBERS = 2**18
"""How many numbers, pixels times channels, a part of a batch has at most."""
PIXELS = 1024
"""How many pixels a part of a batch has at least: with fewer, to add the parts takes longer than to compute them."""
PARTS = 32
"""How many parts a batch is split into at most: each takes 0.1 s to compile."""


def conv(x: jax.Array, kernel: jax.Array, padding: Padding) -> jax.Array:
    """[n, h, w, c] * [k, l, c, o] -> [n, h + sum(padding[0]) - k + 1, w + sum(padding[1]) - l + 1, o].

    Padding of zeros, at each end less than the kernel's side.
    """
    if placed_by_type(x, kernel):
        return by_definition(x, kernel, padding)
    return _conv.bind(x, kernel, padding=padding)


def by_definition(x: jax.Array, kernel: jax.Array, padding: Padding) -> jax.Array:
    """`conv` by XLA's own convolution, as it is differentiated by JAX."""
    return lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def weights_by_definition(x: jax.Array, y: jax.Array, padding: Padding) -> jax.Array:
    """The gradient for the kernel of <conv(x, kernel), y>, [k, l, c, o], by XLA's own convolution.

    The larger of the two images is the one that the other moves over: XLA would exchange them itself, and then
    not know the fast routine for it.
    """
    strides, numbers = (1, 1), ("CHWN", "IHWO", "NHWC")
    if math.prod(x.shape[1:3]) >= math.prod(y.shape[1:3]):
        return jnp.moveaxis(lax.conv_general_dilated(x, y, strides, padding, dimension_numbers=numbers), 0, 2)
    sides = [a + sum(pad) - b + 1 for a, b, pad in zip(x.shape[1:3], y.shape[1:3], padding, strict=True)]
    flipped = lax.conv_general_dilated(y, x, strides, _mirrored(sides, padding), dimension_numbers=numbers)
    return jnp.moveaxis(jnp.flip(flipped, (1, 2)), 0, 3)


def _mirrored(sides: Sequence[int], padding: Padding) -> Padding:
    """The padding of the transpose of a convolution with a kernel of these sides."""
    rows, columns = ((k - 1 - low, k - 1 - high) for k, (low, high) in zip(sides, padding, strict=True))
    return rows, columns


def _weights_by_parts(x: jax.Array, y: jax.Array, padding: Padding) -> jax.Array:
    """`weights_by_definition` as a sum over parts of the batch."""
    n, pixels, channels = y.shape[0], y.shape[1] * y.shape[2], max(x.shape[3], y.shape[3])
    most = max(1, min(n, PARTS, n * pixels // PIXELS))
    divisors = [b for b in range(1, most + 1) if n % b == 0]
    parts = next((b for b in divisors if n // b * pixels * channels <= NUMBERS), divisors[-1])
    if parts == 1:
        return weights_by_definition(x, y, padding)
    # Every so many examples, so that those of a batch which is split over devices stay where they are.
    x, y = (a.reshape(-1, parts, *a.shape[1:]) for a in (x, y))
    each = [weights_by_definition(x[:, i], y[:, i], padding) for i in range(parts)]
    return functools.reduce(jnp.add, each)


_conv = primitive("conv_of_stride_1", ("padding",), by_definition, by_definition, of_images=True)
_weights = primitive("conv_of_stride_1_weights", ("padding",), _weights_by_parts, weights_by_definition)


def _back(y: Any, kernel: Any, padding: Padding) -> jax.Array:
    """The transpose of `conv` for the images."""
    flipped = jnp.swapaxes(jnp.flip(kernel, (0, 1)), 2, 3)
    return _conv.bind(y, flipped, padding=_mirrored(kernel.shape[:2], padding))


ad.defbilinear(
    _conv,
    lambda y, x, kernel, *, padding: _back(y, kernel, padding),
    lambda y, x, kernel, *, padding: _weights.bind(x, y, padding=padding),
)
ad.defbilinear(
    _weights,
    lambda kernel, x, y, *, padding: _back(y, kernel, padding),
    lambda kernel, x, y, *, padding: _conv.bind(x, kernel, padding=padding),
)
