"""Counts parameters and operations of every preset's networks, and writes the table that `jaxgan presets` shows.

    python experiments/preset_sizes.py            # some seconds a preset, on any machine; nothing is compiled
    python experiments/preset_sizes.py NAME ...   # of these alone

Parameters are those that are trained. Operations are XLA's count of the forward pass, for one image: a
multiplication and an addition are two.
"""

from __future__ import annotations

import json
import pathlib
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

import jaxgan.config.presets
from jaxgan.cli.arguments import Positional, run_script
from jaxgan.config.games import spec_for
from jaxgan.config.presets import PRESETS, Preset, find_preset

TABLE = pathlib.Path(jaxgan.config.presets.__file__).parent / "sizes.json"
BATCH = 8


@dataclass(frozen=True)
class Sizes:
    """Count parameters and operations of the presets' networks."""

    names: Positional[tuple[str, ...]] = ()
    """Presets to count; none: all."""


def counted(preset: Preset) -> dict[str, dict[str, float]]:
    """Parameters and operations an image of the two networks of a preset."""
    game = preset.build().build(preset.shape, preset.n_classes)
    found = {}
    for name, example in game.inputs(_batch(preset)).items():
        module = game.players[name].module
        inputs: Any = jax.tree.map(lambda x: jax.ShapeDtypeStruct((BATCH, *x.shape[1:]), x.dtype), example)
        variables = jax.eval_shape(lambda key, *x, m=module: m.init(key, *x, train=True), _KEY, *inputs)
        forward = jax.jit(lambda variables, *x, m=module: m.apply(variables, *x, train=False))
        cost: Any = forward.lower(variables, *inputs).cost_analysis()
        parameters = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
        found[name] = {"parameters": parameters, "flops": round(cost["flops"] / BATCH)}
    return found


_KEY = jax.eval_shape(lambda: jax.random.key(0))


def _batch(preset: Preset) -> dict[str, jax.Array]:
    spec = spec_for(preset.build(), preset.shape, preset.n_classes)
    return {name: jnp.zeros(x.shape, x.dtype) for name, x in spec.batch(BATCH).items()}


def main(parsed: Sizes) -> None:
    """Counts, prints and writes."""
    table = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    for name in parsed.names or PRESETS:
        table[name] = counted(find_preset(name))
        print(name, table[name], flush=True)
    rows = [f' "{name}": {json.dumps(table[name])}' for name in PRESETS if name in table]
    TABLE.write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    raise SystemExit(run_script(main, Sizes, __doc__))
