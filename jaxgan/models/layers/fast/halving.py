"""A convolution of stride 2, its transpose, and the gradient for its kernel, which are each other's derivatives.

JAX differentiates a transposed convolution for its kernel into a convolution whose kernel is a whole image with
zeros in between. XLA knows no fast routine for that: on an H100 it was a sixth of the step of a DCGAN at 64x64. The
same numbers are the gradient for the kernel of the convolution that is transposed, for which there is one. So all three
are primitives of JAX, and derivatives of any order and mode are again these three.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.interpreters import ad

from jaxgan.models.layers.fast.primitives import placed_by_type, primitive

Padding = tuple[tuple[int, int], tuple[int, int]]
Size = tuple[int, int]


def down(x: jax.Array, kernel: jax.Array, padding: Padding) -> jax.Array:
    """Convolution of stride 2: [n, h, w, c] * [k, l, c, o] -> [n, (h + sum(padding[0]) - k) // 2 + 1, ..., o]."""
    if placed_by_type(x, kernel):
        return _down_by_definition(x, kernel, padding)
    return _down.bind(x, kernel, padding=padding)


def up(y: jax.Array, kernel: jax.Array, padding: Padding, size: Size) -> jax.Array:
    """The transpose of `down` for images of `size`: [n, p, q, o] * [k, l, c, o] -> [n, *size, c]."""
    if placed_by_type(y, kernel):
        return _up_by_definition(y, kernel, padding, size)
    return _up.bind(y, kernel, padding=padding, size=size)


def _down_by_definition(x: jax.Array, kernel: jax.Array, padding: Padding) -> jax.Array:
    return lax.conv_general_dilated(x, kernel, (2, 2), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _up_by_definition(y: jax.Array, kernel: jax.Array, padding: Padding, size: Size) -> jax.Array:
    befores = [k - 1 - low for k, (low, _) in zip(kernel.shape[:2], padding, strict=True)]
    sides = zip(befores, size, y.shape[1:3], kernel.shape[:2], strict=True)
    around, numbers = [(low, h - 2 * p + k - low) for low, h, p, k in sides], ("NHWC", "HWIO", "NHWC")
    mirrored = jnp.swapaxes(jnp.flip(kernel, (0, 1)), 2, 3)
    return lax.conv_general_dilated(
        y, mirrored, (1, 1), around, lhs_dilation=(2, 2), dimension_numbers=numbers
    )


def _weights_by_definition(x: jax.Array, y: jax.Array, padding: Padding, sides: Size) -> jax.Array:
    """The gradient for the kernel of <down(x, kernel), y>: [k, l, c, o]."""
    kernel = jax.ShapeDtypeStruct((*sides, x.shape[3], y.shape[3]), y.dtype)
    return jax.linear_transpose(lambda kernel: _down_by_definition(x, kernel, padding), kernel)(y)[0]


def _primitive(name: str, known: tuple[str, ...], form: Any, *, of_images: bool) -> Any:
    return primitive(name, known, form, form, of_images=of_images)


_down = _primitive("conv_of_stride_2", ("padding",), _down_by_definition, of_images=True)
_up = _primitive("conv_of_stride_2_transposed", ("padding", "size"), _up_by_definition, of_images=True)
_weights = _primitive(
    "conv_of_stride_2_weights", ("padding", "sides"), _weights_by_definition, of_images=False
)

ad.defbilinear(
    _down,
    lambda y, x, kernel, *, padding: up(y, kernel, padding, x.aval.shape[1:3]),
    lambda y, x, kernel, *, padding: _weights.bind(x, y, padding=padding, sides=kernel.aval.shape[:2]),
)
ad.defbilinear(
    _up,
    lambda x, y, kernel, *, padding, size: down(x, kernel, padding),
    lambda x, y, kernel, *, padding, size: _weights.bind(x, y, padding=padding, sides=kernel.aval.shape[:2]),
)
ad.defbilinear(
    _weights,
    lambda kernel, x, y, *, padding, sides: up(y, kernel, padding, x.aval.shape[1:3]),
    lambda kernel, x, y, *, padding, sides: down(x, kernel, padding),
)
