"""Random numbers that belong to an example, not to a device.

Every draw of the training step is a function of (seed, step, global example index): with one
key for each example, how the batch is split over devices cannot change what is drawn.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxgan.common.errors import InputError


def per_example(key: jax.Array, n: int, *, first: jax.Array | int = 0) -> jax.Array:
    """One key for each of `n` examples.

    Args:
      key: a scalar key, or keys of shape [n], which are returned as they are.
      n: number of examples.
      first: global index of the first one, where these `n` are one device's share of a batch.

    Returns:
      Keys of shape [n]; the one of example i depends on `key` and `first + i` only.

    Raises:
      ValueError: if `key` holds keys already, but not `n` of them.
    """
    if key.shape == (n,):
        return key
    if key.shape != ():
        raise InputError(f"key: expected one key or {n} of them, got keys of shape {key.shape}")
    return of_numbers(key, first + jnp.arange(n))


def of_numbers(key: jax.Array, numbers: jax.Array) -> jax.Array:
    """The keys of the examples with these global indices [n], of a scalar key."""
    return jax.vmap(jax.random.fold_in, (None, 0))(key, numbers)
