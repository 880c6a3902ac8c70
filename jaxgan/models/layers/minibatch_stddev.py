"""Minibatch standard deviation: the critic is told how much the examples of a group differ."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.numerics import at_least_float32
from jaxgan.models.layers.axes import gathered_over, own_rows


def minibatch_stddev(
    x: jax.Array, group: int = 4, channels: int = 1, *, epsilon: float = 1e-8, axis_name: str | None = None
) -> jax.Array:
    """Appends the mean standard deviation of each example's group: [n, ..., c] -> [n, ..., c + channels].

    Groups are strided, as in the authors' code: of n examples, number i shares a group with i + n / group,
    i + 2 n / group and so on. Indices are those of the whole batch, so that the number of devices does not show:
    under `jit` they are anyway, and under a mapped axis its devices' shares are gathered. The variance is the
    biased one and is taken in float32 at least.

    Args:
      x: features.
      group: examples in a group; if there are fewer examples, they are one group.
      channels: number of appended channels; each tells of its own part of the c channels.
      epsilon: added to the variance.
      axis_name: mapped axis over which the batch is split.

    Raises:
      ValueError: if the batch does not divide into groups, or c into parts.

    References:
      Karras et al. (2018), Progressive growing of GANs, section 3.
    """
    check_range("group", group, at_least=1, unit="example")
    check_range("channels", channels, at_least=1, unit="channel")
    values, share = gathered_over(axis_name, at_least_float32(x)), x.shape[0]
    n, features = values.shape[0], x.shape[-1]
    group = min(group, n)
    if n % group:
        raise InputError(f"group: expected a divisor of the batch of {n} examples, got {group}")
    if features % channels:
        raise InputError(
            f"channels: expected a divisor of the {features} channels of features, got {channels}"
        )
    grouped = values.reshape(group, n // group, -1, channels, features // channels)
    std = jnp.sqrt(grouped.var(axis=0) + epsilon).mean(axis=(1, 3))  # [n / group, channels]
    std = own_rows(axis_name, jnp.tile(std, (group, 1)), share)
    std = std.reshape(share, *(1,) * (x.ndim - 2), channels).astype(x.dtype)
    return jnp.concatenate([x, jnp.broadcast_to(std, (*x.shape[:-1], channels))], axis=-1)
