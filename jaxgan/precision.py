"""The precision that losses and penalties are computed in."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def at_least_float32(x: jax.Array) -> jax.Array:
    """bfloat16 and float16 become float32; float32 and float64 stay."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))
