"""What numbers are: their precision, plain numbers against traced ones, and a root that has a gradient at 0."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def at_least_float32(x: jax.Array) -> jax.Array:
    """bfloat16 and float16 become float32; float32 and float64 stay."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def is_number(value: Any) -> bool:
    """Whether `value` is a plain number of Python or NumPy, that can be checked now, and not traced or scheduled."""
    return isinstance(value, float | int | np.integer | np.floating)


def safe_root(x: jax.Array, order: float = 2.0) -> jax.Array:
    """x^(1 / order) of non-negative numbers, with gradient 0 (and not infinity) at 0."""
    positive = x > 0
    safe = jnp.where(positive, x, 1.0)
    return jnp.where(positive, jnp.sqrt(safe) if order == 2 else jnp.power(safe, 1 / order), 0.0)
