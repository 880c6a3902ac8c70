"""Primitives of JAX for convolutions whose derivatives are written out: `primitive`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir
from jax.sharding import AxisType

from jaxgan.common.devices import platform

Form = Callable[..., jax.Array]


def placed_by_type(*arrays: jax.Array) -> bool:
    """Whether the types of arrays say how they lie on devices, which those of our primitives' results do not.

    They do within `jax.shard_map`, unless its `check_vma` is False, and on meshes with explicit axes.
    """
    explicit = AxisType.Explicit in jax.sharding.get_abstract_mesh().axis_types
    return explicit or any(map(_varies_by_type, map(jax.typeof, arrays)))


def _varies_by_type(aval: Any) -> bool:
    """Whether an array's type names axes of devices along which it differs, as several versions of JAX say it."""
    named = getattr(aval, "manual_axis_type", None)
    return not named.empty if named is not None else bool(getattr(aval, "vma", None))


UNROLLED = 16
"""How many members a mapped axis has at most for them to be computed one after another (on CPUs)."""


def primitive(
    name: str, known: tuple[str, ...], form: Form, definition: Form, *, of_images: bool = False
) -> Primitive:
    """A primitive of two arrays and of static arguments, which computes `form`.

    It has no derivatives until `jax.interpreters.ad.defbilinear` names them. Under `vmap` a few members are computed
    one by one on a CPU, as XLA's convolution in groups is much slower there.

    Args:
      name: of the primitive, as programs show it.
      known: names of the static arguments.
      form: computes it.
      definition: computes the same by XLA's own operations.
      of_images: whether the arrays are images and a kernel, for which members that share the kernel are one larger
        batch.
    """
    made = Primitive(name)

    def shape(x: Any, y: Any, **known: Any) -> ShapedArray:
        struct = lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype)
        out = jax.eval_shape(lambda x, y: definition(x, y, **known), struct(x), struct(y))
        return ShapedArray(out.shape, out.dtype)

    def batched(operands: Any, axes: Any, **known: Any) -> tuple[jax.Array, int]:
        if of_images and axes[1] is None:
            x, kernel = jnp.moveaxis(operands[0], axes[0], 0), operands[1]
            out = made.bind(x.reshape(-1, *x.shape[2:]), kernel, **known)
            return out.reshape(*x.shape[:2], *out.shape[1:]), 0
        size = next(a.shape[axis] for a, axis in zip(operands, axes, strict=True) if axis is not None)
        if size > UNROLLED or platform() != "cpu":
            return jax.vmap(lambda x, y: definition(x, y, **known), axes)(*operands), 0
        at = lambda a, axis, i: a if axis is None else lax.index_in_dim(a, i, axis, keepdims=False)
        each = [[at(a, axis, i) for a, axis in zip(operands, axes, strict=True)] for i in range(size)]
        return jnp.stack([made.bind(*one, **known) for one in each]), 0

    made.def_abstract_eval(shape)
    made.def_impl(jax.jit(form, static_argnames=known))
    mlir.register_lowering(made, mlir.lower_fun(form, multiple_results=False))
    batching.primitive_batchers[made] = batched
    return made
