"""Random numbers that belong to an example, not to a device.

Every draw of the training step is a function of (seed, step, global example index): with one
key for each example, how the batch is split over devices cannot change what is drawn.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.random import define_prng_impl

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
    """Derives the keys of the examples with these global indices [n] from a scalar key."""
    return jax.vmap(jax.random.fold_in, (None, 0))(key, numbers)


def quick(seed: int) -> jax.Array:
    """A typed key, as `jax.random.key` makes one, whose random numbers take a fraction of the time to compile.

    Threefry is most of a program that starts a small network. These numbers are hashes of 32 bits: good
    enough to try laws with, and not what a run is to be drawn from.
    """
    return as_quick(jax.random.key(seed))


def as_quick(key: jax.Array) -> jax.Array:
    """The quick key with the words of a usual one."""
    return jax.random.wrap_key_data(jax.random.key_data(key), impl=_QUICK)


def _mixed(x: jax.Array) -> jax.Array:
    """A hash whose every bit depends on all 32 of x: the finalizer of MurmurHash3."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x85EBCA6B)
    x = (x ^ (x >> 13)) * jnp.uint32(0xC2B2AE35)
    return x ^ (x >> 16)


def _hashed(key: jax.Array, count: jax.Array) -> jax.Array:
    return _mixed(_mixed(count * jnp.uint32(0x9E3779B9) + key[0]) ^ key[1])


def _two(key: jax.Array, count: jax.Array) -> jax.Array:
    return jnp.stack([_hashed(key, 2 * count), _hashed(key, 2 * count + 1)], -1)


def _counts(shape: tuple[int, ...]) -> jax.Array:
    return jnp.arange(math.prod(shape), dtype=jnp.uint32).reshape(shape)


def _bits(key: jax.Array, width: int, shape: tuple[int, ...]) -> jax.Array:
    if width == 64:
        pair = _two(key, _counts(shape)).astype(jnp.uint64)
        return (pair[..., 0] << 32) | pair[..., 1]
    return (_hashed(key, _counts(shape)) >> (32 - width)).astype(f"uint{width}")


_QUICK: Any = define_prng_impl(
    key_shape=(2,),
    seed=lambda seed: jnp.stack([jnp.uint32(0), seed.astype(jnp.uint32)]),
    split=lambda key, shape: _two(key, _counts(shape)),
    random_bits=_bits,
    fold_in=lambda key, data: _two(key + jnp.uint32(1), jnp.asarray(data, jnp.uint32)),
    name="quick",
    tag="quick",
)
