"""Devices: the mesh, where things are placed on it, and the two ways to compile a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxgan.common.errors import InputError

AXIS = "data"


def make_mesh(devices: Sequence[Any] | None = None) -> Mesh:
    """A one-dimensional mesh ("data") over `devices`, by default all local ones."""
    devices = list(devices) if devices is not None else jax.local_devices()
    return Mesh(np.asarray(devices), (AXIS,), axis_types=(AxisType.Auto,))


def replicated(mesh: Mesh) -> NamedSharding:
    """One copy on every device."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharded(mesh: Mesh) -> NamedSharding:
    """The leading axis split over the devices."""
    return NamedSharding(mesh, PartitionSpec(AXIS))


def check_batch(examples: int, mesh: Mesh | None, d_steps: int = 1) -> None:
    """Raises ValueError unless every device gets the same number of examples of every update."""
    devices = 1 if mesh is None else mesh.size
    if examples % (devices * d_steps):
        raise InputError(
            f"batch: expected a multiple of {devices} devices{f' x {d_steps} d_steps' * (d_steps > 1)}, "
            f"got {examples} examples"
        )


def choose_devices(n: int | None) -> list[Any]:
    """The first `n` local devices, or all. Raises InputError if there are fewer."""
    devices = jax.local_devices()
    if n is not None and n > len(devices):
        raise InputError(f"compute.devices: expected at most {len(devices)} local devices, got {n}")
    return devices[:n]
