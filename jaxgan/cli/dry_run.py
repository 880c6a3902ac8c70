"""`jaxgan train --dry-run`: what a run would be, printed and not trained."""

from __future__ import annotations

import json
from typing import Any

import jax

from jaxgan.cli.arguments import print_rows
from jaxgan.config.config import Config, to_json
from jaxgan.train.program import compile_program
from jaxgan.train.setup import set_up


def dry_run(config: Config) -> None:
    """Prints the resolved configuration, parameter counts, memory and FLOPs of a step.

    Raises:
      InputError: for whatever would keep the run from starting.
    """
    setup = set_up(config)
    state, inputs = jax.eval_shape(setup.init), next(setup.pipeline.inputs(0))
    print(json.dumps(to_json(config), indent=1))
    devices = setup.mesh.size if setup.mesh else 1
    rows = {
        "data": f"{setup.data['name']}: {setup.data['n'] or 'sampled'} of {tuple(setup.data['shape'])}",
        "generator": f"{_count(state.generator.params):,} parameters",
        "discriminator": f"{_count(state.discriminator.params):,} parameters",
        "state": f"{_mebibytes(state):.1f} MiB (parameters, optimisers, average)",
        "inputs": f"{_mebibytes(inputs):.1f} MiB of data on the device",
        "dispatch": f"{setup.steps_per_dispatch} step(s) a program, on {devices} device(s)",
    }
    one = compile_program(setup.gan, setup.pipeline, setup.mesh, "jit", 1)
    compiled = one.lower(state, inputs).compile()
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
