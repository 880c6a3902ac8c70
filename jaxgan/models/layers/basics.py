"""Initialisers, activations, types: what layers of several families are made of."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError

Initializer = Callable[..., jax.Array]

# Radford, Metz, Chintala (2016), section 4: all weights from N(0, 0.02^2).
dcgan_init: Initializer = nn.initializers.normal(0.02)


def scale_init(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
    """N(1, 0.02^2), for the scales of batch normalisation in a DCGAN."""
    return 1.0 + dcgan_init(key, shape, dtype)


ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "relu": nn.relu,
    "leaky_relu": lambda x: nn.leaky_relu(x, 0.2),
    "silu": nn.silu,
    "tanh": jnp.tanh,
}


def recomputed(on: bool, block: Any, call: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """A block of a network; if `on`, what it computes inside is computed again on the way back, and not kept.

    The same values for less memory and about a third more time (`flax.linen.remat`). What is no array goes in by name.

    Args:
      on: whether to.
      block: a module that belongs to another one.
      call: (block, inputs, others by name) -> what is computed; None: what the block is called for.

    References:
      Chen et al. (2016), Training deep nets with sublinear memory cost.
    """
    whole = call or (lambda block, *inputs, **others: block(*inputs, **others))
    if not on:
        return partial(whole, block)

    def again(*inputs: Any, **others: Any) -> Any:
        return nn.remat(nn.compact(partial(whole, **others)))(block, *inputs)

    return again


def dtype_of(name: str) -> Any:
    """The type called `name`. Raises ValueError unless it is float32 or bfloat16."""
    if name not in ("float32", "bfloat16"):
        raise InputError(f"dtype: expected 'float32' or 'bfloat16', got {name!r}")
    return jnp.dtype(name)


def check_logits(d_logits: int) -> None:
    """Raises ValueError unless `d_logits` is a number of logits that an example can have."""
    check_range("d_logits", d_logits, at_least=1, unit="logit an example")


def even_sizes(height: int, width: int, smallest: int = 4) -> list[tuple[int, int]]:
    """(height, width) from the smallest to the given one, which is halved while both sides are even.

    Args:
      height: of the largest.
      width: of the largest.
      smallest: the shorter side from which on nothing is halved any more.
    """
    sizes = [(height, width)]
    while min(sizes[0]) > smallest and not any(side % 2 for side in sizes[0]):
        sizes.insert(0, (sizes[0][0] // 2, sizes[0][1] // 2))
    return sizes
