"""`jaxgan train --dry-run`: what a run would be, printed and not trained."""

from __future__ import annotations

import json
from typing import Any

import jax

from jaxgan.cli.arguments import print_rows
from jaxgan.config.config import Config
from jaxgan.config.fields import to_json
from jaxgan.train.members import set_up


def dry_run(config: Config) -> None:
    """Prints the resolved configuration, parameter counts, memory and FLOPs of a step.

    Raises:
      InputError: for whatever would keep the run from starting.
    """
    members = set_up(config)
    state, data, mesh = members.like(), members.data, members.mesh
    print(json.dumps(to_json(config), indent=1))
    rows = {
        "data": f"{data['name']}: {data['n'] or 'sampled'} of {members.source.spec.shape}",
        **({"of the data": "; ".join(members.source.notes)} if members.source.notes else {}),
        **{name: f"{_count(state.players[name].params):,} parameters" for name in members.game.players},
        "state": f"{_mebibytes(state):.1f} MiB (parameters, optimisers, average)",
        "inputs": f"{_mebibytes(next(members.inputs(0)[0])):.1f} MiB of data on the device",
        "dispatch": f"{members.repeat} step(s) a program, on {mesh.size if mesh else 1} device(s)",
    }
    compiled = members.lowered().compile()
    memory = compiled.memory_analysis()
    if memory is not None:
        peak = memory.temp_size_in_bytes + memory.argument_size_in_bytes
        rows["memory"] = f"{peak / 2**20:.0f} MiB a device (arguments and temporaries of a step)"
    flops = (compiled.cost_analysis() or {}).get("flops", 0.0)
    rows["FLOPs"] = f"{flops / 1e9:.2f} GFLOP a step, by the compiler's count"
    print_rows(rows)


def _count(tree: Any) -> int:
    """How many numbers there are in the arrays of a tree, or would be in those of its shapes."""
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def _mebibytes(tree: Any) -> float:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree)) / 2**20
