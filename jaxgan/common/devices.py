"""Devices: the mesh of all of them, in all processes, and where things are placed on it."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec, Sharding

from jaxgan.common import processes
from jaxgan.common.errors import InputError

AXIS = "data"
FSDP = "fsdp"
"""Axis of the devices that share one copy of the parameters, where there is one; batches are split over both axes."""


_TARGET: contextvars.ContextVar[Mesh | str | None] = contextvars.ContextVar("target", default=None)


def platform() -> str:
    """The platform for which the program that is being traced is made: "cpu", "gpu" or "tpu"; by default JAX's own.

    Code that differs between devices asks here, and not JAX, whose devices may be others.
    """
    target = _TARGET.get()
    name = target.devices.flat[0].platform if isinstance(target, Mesh) else target or jax.default_backend()
    return {"cuda": "gpu", "rocm": "gpu"}.get(name, name)


@contextlib.contextmanager
def made_for(target: Mesh | str | None) -> Iterator[None]:
    """Inside, what is traced is made for the devices of a mesh, or for a platform; None changes nothing."""
    token = _TARGET.set(target or _TARGET.get())
    try:
        yield
    finally:
        _TARGET.reset(token)


def shared_out(x: jax.Array) -> jax.Array:
    """Shares the rows of a batch [n, ...] out over the mesh that a program is made for, if there is one.

    What is computed from them is then shared out as well, which the compiler may not see by itself.
    """
    target = _TARGET.get()
    if not isinstance(target, Mesh) or x.shape[0] % target.size:
        return x
    return jax.lax.with_sharding_constraint(x, batch_sharded(target))


def made_whole(tree: Any) -> Any:
    """Gathers, on each device, arrays that lie in parts on the mesh of the program; others stay as they are."""
    target = _TARGET.get()
    if not isinstance(target, Mesh) or not in_parts(target):
        return tree
    return jax.lax.with_sharding_constraint(tree, replicated(target))


def make_mesh(devices: Sequence[Any] | None = None, fsdp: int = 1) -> Mesh:
    """A mesh over `devices`, by default all devices of all processes, with the axis "data".

    With `fsdp` above 1, groups of that many neighbouring devices form a second axis, "fsdp".
    """
    devices = list(devices) if devices is not None else all_devices()
    if fsdp > 1:
        grid = np.asarray(devices).reshape(-1, fsdp)
        return Mesh(grid, (AXIS, FSDP), axis_types=(AxisType.Auto,) * 2)
    return Mesh(np.asarray(devices), (AXIS,), axis_types=(AxisType.Auto,))


def in_parts(mesh: Mesh | None) -> bool:
    """Whether parameters lie in parts on the devices of a mesh."""
    return mesh is not None and FSDP in mesh.axis_names


def replicated(mesh: Mesh) -> NamedSharding:
    """The sharding that puts one copy on every device."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharded(mesh: Mesh) -> NamedSharding:
    """The sharding that splits the leading axis over the devices."""
    return NamedSharding(mesh, PartitionSpec(mesh.axis_names))


def put(tree: Any, sharding: Any) -> Any:
    """Places arrays of NumPy or JAX that are the same in every process; each process sends its own part alone."""
    if not isinstance(sharding, Sharding) or sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)
    placed = lambda x: jax.make_array_from_callback(x.shape, sharding, lambda part: np.asarray(x)[part])
    return jax.tree.map(placed, tree)


def put_rows(tree: Any, n: int, sharding: NamedSharding) -> Any:
    """Places arrays of `n` rows in all, of which every process gives those that `own_rows` names."""
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)
    whole = lambda x: jax.make_array_from_process_local_data(sharding, x, (n, *x.shape[1:]))
    return jax.tree.map(whole, tree)


def own_rows(n: int, mesh: Mesh | None) -> slice:
    """Which of the `n` rows of a batch are on devices of this process."""
    if mesh is None:
        return slice(0, n)
    parts = batch_sharded(mesh).addressable_devices_indices_map((n,)).values()
    bounds = [part[0].indices(n)[:2] for part in parts if part]
    return slice(min(first for first, _ in bounds), max(last for _, last in bounds))


def local(tree: Any) -> Any:
    """Takes arrays that every device has whole to the devices of this process alone; nothing is copied."""
    return jax.tree.map(_local, tree)


def _local(x: Any) -> Any:
    if not isinstance(x, jax.Array) or x.is_fully_addressable:
        return x
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(_local(jax.random.key_data(x)), impl=jax.random.key_impl(x))
    here = [shard.data for shard in x.addressable_shards]
    if len(here) == 1:
        return here[0]
    placement = replicated(make_mesh([shard.device for shard in x.addressable_shards]))
    return jax.make_array_from_single_device_arrays(x.shape, placement, here)


def check_batch(examples: int, mesh: Mesh | None, d_steps: int = 1) -> None:
    """Raises ValueError unless every device gets the same number of examples of every update."""
    devices = 1 if mesh is None else mesh.size
    if examples % (devices * d_steps):
        below = examples // d_steps // devices * devices
        near = f"sizes are {below} or {below + devices}" if below else f"size is {devices}"
        raise InputError(
            f"batch: expected a multiple of {devices} devices{f' x {d_steps} d_steps' * (d_steps > 1)}, "
            f"got {examples} examples; the nearest batch {near}"
        )


def all_devices() -> list[Any]:
    """The devices of all processes; those of one process are neighbours."""
    return sorted(jax.devices(), key=lambda device: (device.process_index, device.id))


def choose_devices(n: int | Sequence[Any] | None) -> list[Any]:
    """The first `n` devices, or all, of all processes; or those that are given, which need not be here.

    Raises:
      InputError: if there are fewer, or if there are several processes and `n` is not the number of all.
    """
    if n is not None and not isinstance(n, int):
        return list(n)
    devices = all_devices()
    if n is not None and n != len(devices) and processes.several():
        raise InputError(
            f"compute.devices: expected the {len(devices)} devices of all {processes.count()} processes, got {n}"
        )
    if n is not None and n > len(devices):
        raise InputError(f"compute.devices: expected at most {len(devices)} local devices, got {n}")
    return devices[:n]
