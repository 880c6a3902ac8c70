"""A pure step, compiled for one device or many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
from jax.sharding import Mesh

from jaxgan.common.devices import AXIS, batch_sharded, check_batch, make_mesh, replicated
from jaxgan.common.errors import unknown
from jaxgan.games.game import GameState

HOW = ("jit", "pmap")


def compile_step(
    step: Callable[..., tuple[GameState, Any]], mesh: Mesh | None = None, *, how: str = "jit"
) -> Callable[[GameState, Mapping[str, Any]], tuple[GameState, Any]]:
    """Compiles a pure step for the devices of `mesh`, with the same results on any number of them.

    Args:
      step: (state, batch) -> (state, metrics), as of `make_step`.
      mesh: the devices; None compiles for where the arguments are.
      how: "jit" splits the batch and copies the state by shardings, and leaves the rest to the
        compiler; "pmap" maps the same step over per-device shares of the batch, with gradients,
        batch statistics and metrics averaged by hand.

    Returns:
      A compiled (state, batch) -> (state, metrics) that takes the whole batch as one array (of
      NumPy or JAX). Under jit it consumes its state: the buffers of the argument are reused.

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

    def run(state: GameState, batch: Mapping[str, Any]) -> tuple[GameState, Any]:
        check_batch(next(iter(batch.values())).shape[0], mesh)
        return compiled(state, jax.device_put(batch, split))

    return run


def options_of_loops() -> dict[str, str] | None:
    """Options for `jax.jit` of a program that makes several steps in one `lax.scan`; None where there are none.

    XLA merges what two turns compute alike (the fakes of both, say). Before it does so, it takes constants out of
    the loop, each of them twice, and no longer sees that the turns compute the same: a pass of the generator more.
    """
    if jax.default_backend() == "tpu":  # whose compiler has passes of its own
        return None
    return {"xla_disable_hlo_passes": "while-loop-invariant-code-motion"}


def _pmapped(step: Callable[..., tuple[GameState, Any]], mesh: Mesh) -> Callable[..., tuple[GameState, Any]]:
    compiled = jax.pmap(
        partial(step, axis_name=AXIS),
        axis_name=AXIS,
        in_axes=(None, 0),
        out_axes=(None, None),
        devices=list(mesh.devices.flat),
    )

    def run(state: GameState, batch: Mapping[str, Any]) -> tuple[GameState, Any]:
        check_batch(next(iter(batch.values())).shape[0], mesh)
        shares = jax.tree.map(lambda x: x.reshape(mesh.size, -1, *x.shape[1:]), dict(batch))
        return compiled(state, shares)

    return run
