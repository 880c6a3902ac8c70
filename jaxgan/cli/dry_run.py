"""What a run would be: printed, not trained."""

from __future__ import annotations

import json
from typing import Any

import jax
import numpy as np

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
    print(f"data           {data['name']}: {data['n'] or 'sampled'} of {members.source.spec.shape}")
    for name in members.game.players:
        print(f"{name:14} {_count(state.players[name].params):,} parameters")
    print(f"state          {_mebibytes(state):.1f} MiB (parameters, optimisers, average)")
    print(f"data on device {_mebibytes(next(members.inputs(0)[0])):.1f} MiB")
    print(f"dispatch       {members.repeat} step(s) a program, on {mesh.size if mesh else 1} device(s)")
    compiled = members.lowered().compile()
    memory = compiled.memory_analysis()
    if memory is not None:
        peak = memory.temp_size_in_bytes + memory.argument_size_in_bytes
        print(f"memory         {peak / 2**20:.0f} MiB a device (arguments and temporaries of a step)")
    flops = (compiled.cost_analysis() or {}).get("flops", 0.0)
    print(f"FLOPs          {flops / 1e9:.2f} GFLOP a step, by the compiler's count")


def _count(tree: Any) -> int:
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(tree))


def _mebibytes(tree: Any) -> float:
    return sum(getattr(leaf, "nbytes", 0) or _nbytes(leaf) for leaf in jax.tree.leaves(tree)) / 2**20


def _nbytes(leaf: Any) -> int:
    return int(np.prod(leaf.shape)) * leaf.dtype.itemsize
