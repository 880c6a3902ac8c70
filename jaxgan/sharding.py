"""Devices: the mesh, where things are placed on it, and the two ways to compile a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxgan.errors import InputError, unknown
from jaxgan.state import GANState

AXIS = "data"
HOW = ("jit", "pmap")


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


def compile_step(
    step: Callable[..., tuple[GANState, Any]], mesh: Mesh | None = None, *, how: str = "jit"
) -> Callable[[GANState, Mapping[str, Any]], tuple[GANState, Any]]:
    """Compiles a pure step for the devices of `mesh`, with the same results on any number of them.

    Args:
      step: (state, batch) -> (state, metrics), as of `make_step`.
      mesh: the devices; None compiles for where the arguments are.
      how: "jit" splits the batch and copies the state by shardings, and leaves the rest to the
        compiler; "pmap" maps the same step over per-device shares of the batch, with gradients,
        batch statistics and metrics averaged by hand.

    Returns:
      A compiled (state, batch) -> (state, metrics) that takes the whole batch as one array (of
      NumPy or JAX) and consumes its state: the buffers of the argument are reused.

    Raises:
      ValueError: for an unknown `how`, or when called with a batch that the devices cannot share.
    """
    if how not in HOW:
        raise unknown("how", how, HOW)
    if how == "pmap":
        return _pmapped(step, mesh or make_mesh())
    if mesh is None:
        return jax.jit(step, donate_argnums=0)
    whole, split = replicated(mesh), batch_sharded(mesh)
    compiled = jax.jit(step, in_shardings=(whole, split), out_shardings=(whole, whole), donate_argnums=0)

    def run(state: GANState, batch: Mapping[str, Any]) -> tuple[GANState, Any]:
        check_batch(batch["image"].shape[0], mesh)
        return compiled(state, jax.device_put(batch, split))

    return run


def _pmapped(step: Callable[..., tuple[GANState, Any]], mesh: Mesh) -> Callable[..., tuple[GANState, Any]]:
    compiled = jax.pmap(
        partial(step, axis_name=AXIS),
        axis_name=AXIS,
        in_axes=(None, 0),
        out_axes=(None, None),
        devices=list(mesh.devices.flat),
    )

    def run(state: GANState, batch: Mapping[str, Any]) -> tuple[GANState, Any]:
        check_batch(batch["image"].shape[0], mesh)
        shares = jax.tree.map(lambda x: x.reshape(mesh.size, -1, *x.shape[1:]), dict(batch))
        return compiled(state, shares)

    return run
