"""The mapped axis of devices that layers compute statistics of whole batches over: the only layers' code that knows it.

Without a name there is one share, which is the whole batch. What a step does over the axis is in `jaxgan.games.axis`.
"""

from __future__ import annotations

import jax


def mean_over(axis_name: str | None, x: jax.Array) -> jax.Array:
    """The mean of all shares' arrays."""
    return x if axis_name is None else jax.lax.pmean(x, axis_name)


def shares_of(axis_name: str | None) -> int:
    """How many shares there are."""
    return 1 if axis_name is None else jax.lax.axis_size(axis_name)


def gathered_over(axis_name: str | None, x: jax.Array) -> jax.Array:
    """The rows of all shares, [shares * n, ...] of [n, ...]."""
    return x if axis_name is None else jax.lax.all_gather(x, axis_name, tiled=True)


def own_rows(axis_name: str | None, x: jax.Array, n: int) -> jax.Array:
    """Of rows of the whole batch the n of this share."""
    if axis_name is None:
        return x
    return jax.lax.dynamic_slice_in_dim(x, jax.lax.axis_index(axis_name) * n, n)
