"""The mapped axis of devices that a step may run under: what games do over it.

Layers that take statistics of whole batches are told its name (`Axis.module`) and use `jaxgan.models.layers.axes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.common.devices import made_whole, shared_out
from jaxgan.common.numerics import at_least_float32


@dataclass(frozen=True)
class Axis:
    """Devices that each hold a share of the batch (`pmap`, `shard_map`); without a name there is one share.

    Attributes:
      name: of the mapped axis, or None.
    """

    name: str | None = None

    def shared_out(self, rows: jax.Array) -> jax.Array:
        """Rows that every device could compute for itself: of a whole batch, each is to have its share alone."""
        return shared_out(rows) if self.name is None else rows

    def whole(self, params: Any) -> Any:
        """Parameters to compute with: of those in parts each device gets all, and splits no computation by them."""
        return made_whole(params) if self.name is None else params

    def first(self, n: int) -> jax.Array | int:
        """The global index of the first of this share's `n` examples."""
        return 0 if self.name is None else jax.lax.axis_index(self.name) * n

    @property
    def size(self) -> int:
        """How many shares there are."""
        return 1 if self.name is None else jax.lax.axis_size(self.name)

    def mean(self, tree: Any) -> Any:
        """The mean over all shares; whole numbers are the same everywhere and stay as they are."""
        if self.name is None:
            return tree
        mean = lambda x: jax.lax.pmean(x, self.name) if jnp.issubdtype(x.dtype, jnp.floating) else x
        return jax.tree.map(mean, tree)

    def gathered(self, x: jax.Array) -> jax.Array:
        """All shares' rows in at least float32, for losses that compare examples with each other."""
        x = at_least_float32(x)
        return x if self.name is None else jax.lax.all_gather(x, self.name, tiled=True)

    def module(self, module: Any) -> Any:
        """The module, with its statistics taken over all shares."""
        if self.name is not None and hasattr(module, "axis_name"):
            return module.clone(axis_name=self.name)
        return module
