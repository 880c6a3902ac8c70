"""A product of examples with a kernel whose gradient for the kernel is fast on a CPU.

The gradient is x^T g, a sum over examples. XLA's CPU backend reads x with the wrong stride for it; with the transpose
made first, a wide layer's takes about two thirds of the time.

As in `unit`, the product and its gradient are primitives that name each other as derivatives, so that derivatives of
any order and mode take this form.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

Product = Callable[[jax.Array, jax.Array], jax.Array]


def product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """[n, inputs] * [inputs, outputs] -> [n, outputs]."""
    return _product.bind(x, kernel)


def by_definition(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`product` as XLA has it."""
    return jnp.matmul(x, kernel)


def _weights_by_definition(x: jax.Array, g: jax.Array) -> jax.Array:
    """The gradient for the kernel of <product(x, kernel), g>, [inputs, outputs]."""
    return jnp.matmul(x.T, g)


def _weights_transposed(x: jax.Array, g: jax.Array) -> jax.Array:
    return jnp.matmul(lax.optimization_barrier(x.T), g)


def _primitive(name: str, form: Product, definition: Product) -> Primitive:
    primitive = Primitive(name)

    def shape(x: Any, y: Any) -> ShapedArray:
        struct = lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype)
        out = jax.eval_shape(definition, struct(x), struct(y))
        return ShapedArray(out.shape, out.dtype)

    def batched(operands: Any, axes: Any) -> tuple[jax.Array, int]:
        return jax.vmap(definition, axes)(*operands), 0

    primitive.def_abstract_eval(shape)
    primitive.def_impl(jax.jit(form))
    mlir.register_lowering(primitive, mlir.lower_fun(form, multiple_results=False))
    batching.primitive_batchers[primitive] = batched
    return primitive


_product = _primitive("dense_product", by_definition, by_definition)
_weights = _primitive("dense_weights", _weights_transposed, _weights_by_definition)

ad.defbilinear(
    _product,
    lambda y, x, kernel: _product.bind(y, kernel.T),
    lambda y, x, kernel: _weights.bind(x, y),
)
ad.defbilinear(
    _weights,
    lambda w, x, g: _product.bind(g, w.T),
    lambda w, x, g: _product.bind(x, w),
)
