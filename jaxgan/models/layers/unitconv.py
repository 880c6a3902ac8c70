"""A convolution of stride 1 whose gradients for weights are fast on a CPU.

XLA's CPU backend computes a convolution of stride 1, and its gradient for images, about as fast as a matrix
product of as many operations, but the gradient for the kernel up to four times slower: it is one product whose
inner dimension is all pixels of the batch. Here it is the sum of such products over a few examples at a time,
which stay in the cache.

A derivative of a convolution is again a convolution or such a gradient, and the other way round; so the two are
made primitives of JAX that name each other as derivatives, and derivatives of any order and mode take this form.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

Padding = tuple[tuple[int, int], tuple[int, int]]

_PIXELS = 4096  # of the examples that are taken at a time


def conv(x: jax.Array, kernel: jax.Array, padding: Padding) -> jax.Array:
    """[n, h, w, c] * [k, l, c, o] -> [n, h + sum(padding[0]) - k + 1, w + sum(padding[1]) - l + 1, o].

    Padding of zeros, at each end less than the kernel's side.
    """
    return _conv.bind(x, kernel, padding=padding)


def by_definition(x: jax.Array, kernel: jax.Array, padding: Padding) -> jax.Array:
    """`conv` by XLA's own convolution, as it is differentiated by JAX."""
    return lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _all_at_once(x: jax.Array, y: jax.Array, padding: Padding) -> jax.Array:
    numbers = ("CHWN", "IHWO", "HWNC")
    return lax.conv_general_dilated(x, y, (1, 1), padding, dimension_numbers=numbers)


def _weights_form(x: jax.Array, y: jax.Array, padding: Padding) -> jax.Array:
    """The gradient for the kernel of <conv(x, kernel), y>: [n, h, w, c] and [n, p, q, o] -> [k, l, c, o]."""
    n, pixels = x.shape[0], math.prod(y.shape[1:3])
    parts = max((b for b in range(1, n + 1) if n % b == 0 and n // b * pixels >= _PIXELS), default=1)
    if parts == 1:
        return _all_at_once(x, y, padding)
    # Every so many examples, so that a batch which is split over devices stays where it is.
    split = lambda a: jnp.moveaxis(a.reshape(n // parts, parts, *a.shape[1:]), 1, 0)
    add = lambda total, part: (total + _all_at_once(part[0], part[1], padding), None)
    shape = jax.eval_shape(lambda x, y: _all_at_once(x, y, padding), x, y)
    return lax.scan(add, jnp.zeros(shape.shape, shape.dtype), (split(x), split(y)))[0]


def _primitive(name: str, form: Any) -> Primitive:
    primitive = Primitive(name)

    def shape(x: Any, y: Any, *, padding: Padding) -> Any:
        struct = lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype)
        out = jax.eval_shape(lambda x, y: form(x, y, padding), struct(x), struct(y))
        return ShapedArray(out.shape, out.dtype)

    primitive.def_abstract_eval(shape)
    primitive.def_impl(jax.jit(form, static_argnames="padding"))
    mlir.register_lowering(primitive, mlir.lower_fun(form, multiple_results=False))
    batching.primitive_batchers[primitive] = lambda operands, axes, *, padding: _one_by_one(
        primitive, operands, axes, padding
    )
    return primitive


def _one_by_one(primitive: Primitive, operands: Any, axes: Any, padding: Padding) -> tuple[jax.Array, int]:
    """Under `vmap`: a loop, as a convolution with many kernels is much slower; examples that share one are joined."""
    (x, y), (x_axis, y_axis) = operands, axes
    x = x if x_axis is None else jnp.moveaxis(x, x_axis, 0)
    y = y if y_axis is None else jnp.moveaxis(y, y_axis, 0)
    if primitive is _conv and y_axis is None:
        out = _conv.bind(x.reshape(-1, *x.shape[2:]), y, padding=padding)
        return out.reshape(*x.shape[:2], *out.shape[1:]), 0
    if x_axis is None:
        return lax.map(lambda y: primitive.bind(x, y, padding=padding), y), 0
    if y_axis is None:
        return lax.map(lambda x: primitive.bind(x, y, padding=padding), x), 0
    return lax.map(lambda both: primitive.bind(*both, padding=padding), (x, y)), 0


_conv = _primitive("conv_of_stride_1", by_definition)
_weights = _primitive("conv_of_stride_1_weights", _weights_form)


def _back(y: Any, kernel: Any, padding: Padding) -> jax.Array:
    """The transpose of `conv` for the images."""
    sides = kernel.shape[:2]
    mirrored = tuple((k - 1 - low, k - 1 - high) for k, (low, high) in zip(sides, padding, strict=True))
    return _conv.bind(y, jnp.swapaxes(jnp.flip(kernel, (0, 1)), 2, 3), padding=mirrored)


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
