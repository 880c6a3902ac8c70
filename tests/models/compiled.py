"""Networks asked in one program, as flax alone compiles one an operation; answers are NumPy's."""

import contextlib
from functools import partial
from unittest import mock

import flax.linen as nn
import jax
import numpy as np

from jaxgan.common.keys import as_quick

_STATIC = ("train", "method", "mutable", "capture_intermediates", "classify")


def normal(seed, shape, size=1.0):
    """Normal float32 numbers of NumPy."""
    return (size * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


def start(module, key, *inputs, quick=True, **options):
    """`module.init`, from other random numbers than the key's own: those of `keys.quick`, unless these are wanted."""
    return jax.device_get(_start(module, as_quick(key) if quick else key, *inputs, **options))


def apply(module, variables, *inputs, **options):
    """`module.apply`; the names of collections that change are a tuple."""
    return jax.device_get(_apply(module, variables, *inputs, **options))


@partial(jax.jit, static_argnums=0, static_argnames=_STATIC)
def _start(module, key, *inputs, **options):
    return module.init(key, *inputs, **options)


@partial(jax.jit, static_argnums=0, static_argnames=_STATIC)
def _apply(module, variables, *inputs, **options):
    return module.apply(variables, *inputs, **options)


def moved(params, size=0.3):
    """Parameters that are nowhere 0."""
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda p: p + (size * rng.normal(size=p.shape)).astype(p.dtype), jax.device_get(params)
    )


@contextlib.contextmanager
def one_program_a_call():
    """`init`, `init_with_output` and `apply` of every module are one program each, and their answers are NumPy's.

    Called from within a program they are as they are.
    """
    with contextlib.ExitStack() as patches:
        for name in ("init", "init_with_output", "apply"):
            patches.enter_context(mock.patch.object(nn.Module, name, _compiled(getattr(nn.Module, name))))
        yield


def _compiled(method):
    @partial(jax.jit, static_argnums=(0, 1, 2))
    def program(module, structure, constants, arrays):
        given = iter(arrays)
        leaves = [next(given) if own is _ARRAY else own for own in constants]
        (first, *rest), options = jax.tree.unflatten(structure, leaves)
        is_key = isinstance(first, jax.Array) and jax.dtypes.issubdtype(first.dtype, jax.dtypes.prng_key)
        return method(module, as_quick(first) if is_key else first, *rest, **options)

    def call(module, *inputs, **options):
        leaves, structure = jax.tree.flatten((inputs, options))
        arrays = [leaf for leaf in leaves if isinstance(leaf, jax.Array | np.ndarray)]
        constants = tuple(_ARRAY if isinstance(leaf, jax.Array | np.ndarray) else leaf for leaf in leaves)
        if any(isinstance(leaf, jax.core.Tracer) for leaf in arrays):
            return method(module, *inputs, **options)
        answer = program(module, structure, constants, arrays)
        within = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(answer))
        return answer if within else jax.device_get(answer)

    return call


_ARRAY = "an array"
