"""A pure step, compiled for one device or many."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
from jax.sharding import Mesh, PartitionSpec

from jaxgan.common.devices import (
    AXIS,
    batch_sharded,
    check_batch,
    made_for,
    make_mesh,
    platform,
    put,
    replicated,
)
from jaxgan.common.errors import InputError, unknown
from jaxgan.games.game import Game, GameState

HOW = ("jit", "shard_map", "pmap")


def compile_step(
    step: Callable[..., tuple[GameState, Any]],
    mesh: Mesh | None = None,
    *,
    how: str = "jit",
    donate: bool = False,
) -> Callable[[GameState, Mapping[str, Any]], tuple[GameState, Any]]:
    """Compiles a pure step for the devices of `mesh`, with the same results, to rounding, on any number of them.

    Random numbers and examples are exactly the same; sums over a batch are added in another order, so results differ
    in the last digits of float32: by 1.5e-7 of the parameters' size after 10 steps of Adam on 1 and 4 devices, which
    training magnifies to 1e-3 after 100 (`experiments/device_rounding.py`).

    Args:
      step: (state, batch) -> (state, metrics), as of `make_step`.
      mesh: the devices; None compiles for where the arguments are.
      how: "jit" splits the batch and copies the state by shardings, and leaves the rest to the
        compiler; "shard_map" maps the same step over per-device shares of the batch, with gradients, batch
        statistics and metrics averaged by hand, each once and in float32 at least, as of `mapped`; "pmap" does the
        same by `jax.pmap`.
      donate: the step consumes its state: its buffers are used for the new one, which saves as much memory, and the
        old state cannot be used again. Not with "pmap". `jaxgan train` does so.

    Returns:
      A compiled (state, batch) -> (state, metrics) that takes the whole batch as one array (of
      NumPy or JAX).

    Raises:
      ValueError: for a `step` that is none, an unknown `how`, or `donate` with pmap; when called with a batch that
        the devices cannot share, or with a state that was consumed before.
    """
    if isinstance(step, Game) or not callable(step):
        hint = "; write compile_step(make_step(game))" if isinstance(step, Game) else ""
        raise InputError(f"step: expected a function as of make_step, got a {type(step).__name__}{hint}")
    if how not in HOW:
        raise unknown("how", how, HOW)
    if how == "pmap":
        if donate:
            raise InputError("donate: expected False with how='pmap', got True")
        return _pmapped(step, mesh or make_mesh())
    if how == "shard_map":
        mesh = mesh or make_mesh()
        step = mapped(step, mesh)
    step = for_devices(step, mesh)
    donated = 0 if donate else ()
    if mesh is None:
        compiled = jax.jit(step, donate_argnums=donated)
        return _unused_only(compiled) if donate else compiled
    whole, split = replicated(mesh), batch_sharded(mesh)
    compiled = jax.jit(
        step, in_shardings=(whole, split), out_shardings=(whole, whole), donate_argnums=donated
    )

    def run(state: GameState, batch: Mapping[str, Any]) -> tuple[GameState, Any]:
        check_batch(next(iter(batch.values())).shape[0], mesh)
        return compiled(state, put(dict(batch), split))

    return _unused_only(run) if donate else run


def _unused_only(step: Callable[..., tuple[GameState, Any]]) -> Callable[..., tuple[GameState, Any]]:
    """The step, which says in one line that a state was consumed before."""

    def run(state: GameState, batch: Mapping[str, Any]) -> tuple[GameState, Any]:
        if any(leaf.is_deleted() for leaf in jax.tree.leaves(state) if isinstance(leaf, jax.Array)):
            raise InputError(
                "state: expected the newest one, got one that an earlier step consumed, as of compile_step(..., "
                "donate=True); go on with what that step returned, or compile without donate"
            )
        return step(state, batch)

    return run


MATMUL_PRECISIONS = ("default", "tensorfloat32", "highest")
"""Of products of matrices and convolutions of float32 numbers: what the device does where nobody says more (or as JAX's
own setting has it); TensorFloat-32, or as good, such as three passes of bfloat16 on a TPU; float32."""


def with_matmul_precision(step: Callable[..., Any], precision: str) -> Callable[..., Any]:
    """The function, whose products are computed as `precision` says, however and wherever it is compiled.

    Where code names a precision of its own, that counts.

    Raises:
      ValueError: for none of MATMUL_PRECISIONS.
    """
    if precision not in MATMUL_PRECISIONS:
        raise unknown("matmul_precision", precision, MATMUL_PRECISIONS)
    if precision == "default":
        return step

    @functools.wraps(step)
    def precise(*args: Any, **options: Any) -> Any:
        with jax.default_matmul_precision(precision):
            return step(*args, **options)

    return precise


def mapped(step: Callable[..., tuple[GameState, Any]], mesh: Mesh) -> Callable[..., tuple[GameState, Any]]:
    """The step (state, batch) -> (state, metrics), each device of the mesh computing that of its share of the batch.

    What is averaged over the devices is known, and nothing left to the compiler: each player's gradient once, two
    numbers a channel of a batch normalisation, forward and back, what the turns remember, and metrics. What a network
    or a term finds in a batch as a whole, such as groups of examples, it finds in a device's share, as under pmap.

    Args:
      step: as of `make_step`.
      mesh: with the axis "data" alone.
    """
    whole, split = PartitionSpec(), PartitionSpec(AXIS)
    one = functools.partial(step, axis_name=AXIS)
    return jax.shard_map(one, mesh=mesh, in_specs=(whole, split), out_specs=(whole, whole), check_vma=False)


def for_devices(step: Callable[..., Any], mesh: Mesh | str | None) -> Callable[..., Any]:
    """The function, traced for the devices of a mesh or of a platform, whatever JAX's own are; None: for these."""

    @functools.wraps(step)
    def made(*args: Any, **options: Any) -> Any:
        with made_for(mesh):
            return step(*args, **options)

    return made


def options_of_loops(several: bool = True, remat: bool = False) -> dict[str, str] | None:
    """Options for `jax.jit` of a program of steps; None where there are none.

    XLA merges what two turns compute alike (the fakes of both, say). Before it does so, it takes constants out of
    a loop, each of them twice, and no longer sees that the turns compute the same: a pass of the generator more.

    What is to be computed again XLA's CPU backend finds to be known already, and keeps it, unless it lets the barriers
    stand that are put before it.

    Args:
      several: whether there are several steps, in one `lax.scan`.
      remat: whether networks compute again what their blocks compute, as of `with_remat`.
    """
    passes = []
    if several and platform() != "tpu":  # whose compiler has passes of its own
        passes.append("while-loop-invariant-code-motion")
    if remat and platform() == "cpu":
        passes.append("cse_barrier_expander")
    return {"xla_disable_hlo_passes": ",".join(passes)} if passes else None


def _pmapped(step: Callable[..., tuple[GameState, Any]], mesh: Mesh) -> Callable[..., tuple[GameState, Any]]:
    compiled = jax.pmap(
        functools.partial(for_devices(step, mesh), axis_name=AXIS),
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
