"""Networks asked in one program, as flax alone compiles one an operation; answers are NumPy's."""

from functools import partial

import jax
import numpy as np

_STATIC = ("train", "method", "mutable", "capture_intermediates", "classify")


def start(module, key, *inputs, **options):
    """`module.init`."""
    return jax.device_get(_start(module, key, *inputs, **options))


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
