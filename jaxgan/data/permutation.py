"""Shuffling without a table: position in an epoch -> index of an example, computed on the spot.

A keyed permutation of 0 ... n - 1: a Feistel network over a power of two that holds n,
walked on until it lands below n (Black, Rogaway 2002, Ciphers with arbitrary finite domains).
Every position costs a few integer operations, on the host with NumPy and inside a compiled
step with JAX alike, and nothing needs storing to resume.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.errors import InputError

_ROUNDS = 16
MAX_POSITIONS = 2**32  # positions of one period of steps must fit a uint32


def shuffled_index(position: Any, n: int, *, seed: int, epoch: Any) -> Any:
    """Gives the index of the example at `position` of an epoch; each epoch has an order of its own.

    Args:
      position: integers in [0, n), NumPy or JAX.
      n: number of examples.
      seed: of the run; a traced one must be below 2^32.
      epoch: integers of the same shape as `position`, or a scalar.

    Returns:
      uint32 indices in [0, n), distinct for distinct positions, of the kind of `position`.
    """
    xp: Any = jnp if isinstance(position, jax.Array) or isinstance(epoch, jax.Array) else np
    bits = max(6, (n - 1).bit_length())  # small halves mix badly; walking is cheap
    low_bits = bits // 2
    low_mask, high_mask = np.uint32((1 << low_bits) - 1), np.uint32((1 << (bits - low_bits)) - 1)
    position = xp.asarray(position).astype(np.uint32)
    epoch = xp.broadcast_to(xp.asarray(epoch), position.shape).astype(np.uint32)
    if isinstance(seed, jax.Array):  # traced: a member of an ensemble; below 2^32
        seed_key: Any = seed.astype(jnp.uint32)[None]
    else:
        seed_key = np.asarray([(seed ^ (seed >> 32)) & 0xFFFFFFFF], np.uint32)
    key = _mixed(xp.asarray(_mixed(seed_key))[0] ^ epoch)

    def encrypt(value: Any) -> Any:
        low, high = value & low_mask, value >> np.uint32(low_bits)
        for r in range(_ROUNDS):
            key_r = key ^ np.uint32(0x9E3779B9 * (r + 1) & 0xFFFFFFFF)
            if r % 2:
                low = low ^ (_mixed(high ^ key_r) & low_mask)
            else:
                high = high ^ (_mixed(low ^ key_r) & high_mask)
        return (high << np.uint32(low_bits)) | low

    value = encrypt(position)
    outside = lambda value: value >= np.uint32(n)
    walk = lambda value: xp.where(outside(value), encrypt(value), value)
    if xp is jnp:
        return jax.lax.while_loop(lambda value: jnp.any(outside(value)), walk, value)
    while np.any(outside(value)):
        value = walk(value)
    return value


def _mixed(x: Any) -> Any:
    """MurmurHash3's 32-bit finaliser: every input bit reaches every output bit."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    x = (x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return x ^ (x >> np.uint32(16))


def positions(step: Any, n: int, per_step: int) -> tuple[Any, Any]:
    """Gives the epoch of every example of a step, and its position in the epoch.

    Steps of `per_step` examples follow each other. The numbers are exact for any step, as no product
    exceeds n * per_step.

    Args:
      step: a Python integer or an integer array of shape ().
      n: number of examples of the data.
      per_step: number of examples of a step.

    Returns:
      Two uint32 arrays of shape [per_step].

    Raises:
      ValueError: if n * per_step does not fit 32 bits.
    """
    if n * per_step >= MAX_POSITIONS:
        raise InputError(
            f"batch: expected fewer than {MAX_POSITIONS // n} examples a step for data of {n} examples, "
            f"got {per_step}"
        )
    xp: Any = jnp if isinstance(step, jax.Array) else np
    step = xp.asarray(step).astype(np.uint32)
    offset = (step % np.uint32(n)) * np.uint32(per_step) + xp.arange(per_step, dtype=np.uint32)
    epoch = (step // np.uint32(n)) * np.uint32(per_step) + offset // np.uint32(n)
    return epoch, offset % np.uint32(n)
