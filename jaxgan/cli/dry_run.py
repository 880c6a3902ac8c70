"""What a run would be: printed, not trained."""

from __future__ import annotations

import json
from typing import Any

import jax
import numpy as np

from jaxgan.config.config import Config, to_json
from jaxgan.train.program import compile_program
from jaxgan.train.setup import set_up


def dry_run(config: Config) -> None:
    """Prints the resolved configuration, parameter counts, memory and FLOPs of a step.

    Raises:
      InputError: for whatever would keep the run from starting.
    """
    setup = set_up(config)
    state = jax.eval_shape(setup.init)
    inputs = next(setup.pipeline.inputs(0))
    print(json.dumps(to_json(config), indent=1))
    print(f"data           {setup.data['name']}: {setup.data['n'] or 'sampled'} of {setup.source.spec.shape}")
    print(f"generator      {_count(state.generator.params):,} parameters")
    print(f"discriminator  {_count(state.discriminator.params):,} parameters")
    print(f"state          {_mebibytes(state):.1f} MiB (parameters, optimisers, average)")
    print(f"data on device {_mebibytes(inputs):.1f} MiB")
    devices = setup.mesh.size if setup.mesh else 1
    print(f"dispatch       {setup.steps_per_dispatch} step(s) a program, on {devices} device(s)")
    one = compile_program(setup.gan, setup.pipeline, setup.mesh, "jit", 1)
    compiled = one.lower(state, inputs).compile()
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
