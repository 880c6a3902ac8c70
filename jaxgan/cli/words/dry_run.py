"""`jaxgan train --dry-run`: what a run would be, printed and not trained."""

from __future__ import annotations

import json
from typing import Any

import jax

from jaxgan.cli.arguments import gflop, print_rows
from jaxgan.common.progress import counted
from jaxgan.config.config import Config
from jaxgan.config.data import as_meant, lacking, outlined
from jaxgan.config.fields import to_json
from jaxgan.train.compiling import compiling
from jaxgan.train.members import Members, set_up
from jaxgan.train.seeds import members_of
from jaxgan.train.sinks.loggers import need_loggers
from jaxgan.train.trial import tried


def dry_run(config: Config, *, seeds: int | None = None, compiled: bool = False) -> None:
    """Prints what a run is, and the resolved configuration; nothing is compiled unless it is asked for.

    Nor are images decoded or weights got, so that what is wrong with those is not found. Where no data are named, or
    the preset's own are not there, they are taken to be such as the preset is meant for.

    Args:
      config: of the run.
      seeds: how many are trained side by side; None: one.
      compiled: also compile a step, and print its memory and FLOPs.

    Raises:
      InputError: for whatever would keep the run from starting.
    """
    need_loggers(config.logger)
    source = as_meant(config) if lacking(config) else outlined(config)
    members = set_up(config, source=source) if seeds is None else members_of(config, seeds, source=source)
    tried(members, weights=False)
    print_rows(_rows(members, seeds))
    print(json.dumps(to_json(config), indent=1), flush=True)
    if compiled:
        print(f"{compiling(members)} ...", flush=True)
        print_rows(_compiled(members))


def _rows(members: Members, seeds: int | None) -> dict[str, str]:
    state, data, mesh, config = members.like(), members.data, members.mesh, members.config
    n = config.steps * config.batch_size * config.d_steps
    passes = f", {n / data['n']:,.1f} epochs" if data["n"] and data["name"] else ""
    many = f"{data['n']:,}" if data["n"] else "sampled"
    named = f"{data['name']}: {many}" if data["name"] else f"{lacking(config)}; counted for those"
    shown = f"{n / 1000:,.0f} thousand" if n >= 10_000 else f"{n:,}"
    rows = {
        "data": f"{named} of {members.source.spec.shape}",
        **({"of the data": "; ".join(members.source.notes)} if members.source.notes else {}),
        "length": f"{counted(config.steps, 'step')}, {shown} images{passes}",
        **{name: f"{_count(state.players[name].params):,} parameters" for name in members.game.players},
        "state": f"{_mebibytes(state) * len(members.seeds):.1f} MiB (parameters, optimisers, average)",
        **({"inputs": f"{members.nbytes / 2**20:.1f} MiB of data on the device"} if data["name"] else {}),
        "dispatch": f"{members.repeat} step(s) a program, on {mesh.size if mesh else 1} device(s)",
    }
    if seeds is not None:
        how = "in one program" if members.how == "vmap" else "one after the other, by one program"
        rows["seeds"] = f"{len(members.seeds)}, {members.seeds[0]} to {members.seeds[-1]}, {how}"
    rows["start"] = compiling(members)
    return rows


def _compiled(members: Members) -> dict[str, str]:
    one = members if members.how == "loop" else set_up(members.config)
    compiled = one.lowered().compile()
    memory, each = compiled.memory_analysis(), " of one seed" * (len(members.seeds) > 1)
    rows = {}
    if memory is not None:
        peak = memory.temp_size_in_bytes + memory.argument_size_in_bytes
        rows["memory"] = f"{peak / 2**20:.0f} MiB a device (arguments and temporaries of a step{each})"
    flops = (compiled.cost_analysis() or {}).get("flops", 0.0)
    rows["FLOPs"] = f"{gflop(flops)} a step{each}, by the compiler's count"
    return rows


def _count(tree: Any) -> int:
    """How many numbers there are in the arrays of a tree, or would be in those of its shapes."""
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def _mebibytes(tree: Any) -> float:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree)) / 2**20
