"""Where the arrays of a state lie on a mesh with an axis "fsdp": parameters in parts, what is small whole."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxgan.common.devices import FSDP, replicated
from jaxgan.common.errors import InputError
from jaxgan.games.game import GameState

SMALLEST = 2**10
"""Numbers of an array below which each device has all of it: parts would save nothing."""
RULES: tuple[tuple[str, bool], ...] = (
    (r"\.players\[.*?\]\.(params|opt_state|average)\b", True),
    (r"\.memory\['lookahead'\]", True),
    (r"", False),
)
"""Pattern that the path of an array begins with -> whether it lies in parts; the first that fits counts."""


def check_fsdp(fsdp: int, devices: int, *, members: int = 1, how: str = "jit") -> None:
    """Raises InputError for parts that so many devices cannot hold, or where states never lie in parts."""
    if fsdp > 1 and (members > 1 or how not in ("auto", "jit")):
        got = f"{members} members" if members > 1 else f"compute.how {how}"
        raise InputError(f"compute.fsdp: expected 1 with {got}, got {fsdp}")
    if devices % fsdp:
        raise InputError(f"compute.fsdp: expected a divisor of the {devices} devices, got {fsdp}")


def placements(state: Any, mesh: Mesh) -> Any:
    """The sharding of every array of a state: of those in parts the largest axis that divides is split.

    Args:
      state: arrays or shapes.
      mesh: with an axis "fsdp".
    """

    def of(path: Any, x: Any) -> NamedSharding:
        name = jax.tree_util.keystr(path)
        parts = next(parts for pattern, parts in RULES if re.match(pattern, name))
        n = mesh.shape[FSDP]
        axes = [axis for axis, size in enumerate(x.shape) if size % n == 0]
        if not parts or not axes or np.prod(x.shape) < SMALLEST:
            return replicated(mesh)
        largest = max(axes, key=lambda axis: x.shape[axis])
        return NamedSharding(mesh, PartitionSpec(*[None] * largest, FSDP))

    return jax.tree_util.tree_map_with_path(of, state)


def without_optimizers(state: GameState) -> GameState:
    """What is looked at of a state: all but what its optimisers remember."""
    return replace(state, players={name: replace(p, opt_state=None) for name, p in state.players.items()})
