"""What numbers are: the precision of losses and penalties, and plain numbers against traced ones."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def at_least_float32(x: jax.Array) -> jax.Array:
    """bfloat16 and float16 become float32; float32 and float64 stay."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def is_number(value: Any) -> bool:
    """Whether `value` is a plain number, that can be checked now, and not traced or scheduled."""
    return isinstance(value, float | int)
