"""By how much one step on a GPU differs from the same step on the CPU, by the precision of its products.

    python experiments/gpu_rounding.py [--presets dcgan-mnist sngan-cifar10 ...] [--json FILE]

The networks are those of presets, cut in width; state, batch and random numbers are the same to the bit. Printed for
every precision of `--compute.matmul-precision` is the relative distance ||a - b|| / ||a|| of what the step changed:
all players' new parameters minus the old ones, with stochastic gradient descent in the place of Adam, whose division
by the size of gradients enlarges the rounding of those that are nearly 0.

Hardware: a GPU, and the CPU beside it; a minute. PyTorch is not needed.
"""

from __future__ import annotations

import json
import pathlib
import sys
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from jaxgan import init
from jaxgan.cli.arguments import run_script
from jaxgan.common.errors import InputError
from jaxgan.common.files import write_atomically
from jaxgan.config import OptimizerConfig
from jaxgan.config.presets import find_preset, get_preset
from jaxgan.games.compile import MATMUL_PRECISIONS, with_matmul_precision
from jaxgan.games.step import make_step
from jaxgan.runs.environment import environment

CUTS: dict[str, dict[str, Any]] = {
    "mlp-mnist": {"g_widths": (64,), "d_widths": (64,)},
    "dcgan-mnist": {"width": 8},
    "sngan-cifar10": {"width": 8},
    "biggan-32": {"width": 8},
    "stylegan2-cifar10": {"base": 512, "most": 32, "style": 32},
    "r3gan-cifar10": {"width": 24, "cardinality": 3, "blocks": 1, "dtype": "float32"},
}
"""Presets, and by what their networks are cut."""
BATCH = 16


@dataclass(frozen=True)
class Args:
    """What is compared."""

    presets: tuple[str, ...] = tuple(CUTS)
    """Of those in CUTS."""
    json: pathlib.Path | None = None
    """Write every figure to this file."""


def changes(name: str, device: Any, precision: str) -> np.ndarray:
    """What one step adds to the parameters of all players, as one vector, computed on `device`."""
    preset, config = find_preset(name), get_preset(name)
    plain = OptimizerConfig(1e-2, kind="sgd")
    model = replace(config.model, **CUTS[name])
    config = replace(config, model=model, batch_size=BATCH, augment=(), g_optimizer=plain, d_optimizer=plain)
    game = config.build(preset.shape, preset.n_classes)
    rng, n = np.random.default_rng(0), BATCH * config.d_steps
    batch: dict[str, Any] = {"image": rng.uniform(-1, 1, (n, *preset.shape)).astype(np.float32)}
    if preset.n_classes:
        batch["label"] = rng.integers(0, preset.n_classes, n).astype(np.int32)
    cpu = jax.local_devices(backend="cpu")[0]
    with jax.default_device(cpu):
        state = jax.jit(lambda key: init(game, key, batch))(jax.random.key(0))
    step = with_matmul_precision(make_step(game), precision)
    put = jax.device_put((state, batch), device)
    new, _ = jax.jit(step)(*put)
    of = lambda state: [player.params for player in state.players.values()]
    moved = jax.tree.map(lambda a, b: np.asarray(a) - np.asarray(b), of(new), of(state))
    return np.concatenate([leaf.ravel() for leaf in jax.tree.leaves(moved)])


def main(args: Args) -> None:
    for name in args.presets:
        if name not in CUTS:
            raise InputError(f"presets: expected some of {', '.join(CUTS)}, got {name!r}")
    if jax.default_backend() == "cpu":
        raise InputError("gpu_rounding: expected a GPU (or TPU), found the CPU alone")
    cpu, gpu = jax.local_devices(backend="cpu")[0], jax.devices()[0]
    found: dict[str, dict[str, float]] = {}
    for name in args.presets:
        a = changes(name, cpu, "highest")
        distance = lambda b, a=a: float(np.linalg.norm(a - b) / np.linalg.norm(a))
        found[name] = {p: distance(changes(name, gpu, p)) for p in MATMUL_PRECISIONS}
        print(name, ", ".join(f"{p} {x:.1e}" for p, x in found[name].items()), flush=True)
    if args.json is not None:
        record = {"environment": environment(), "relative_distance": found}
        write_atomically(args.json, json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(run_script(main, Args, __doc__))
