"""Times several seeds in one program against as many single runs, one after the other.

    python experiments/bench_ensemble.py [--cases ring-32 ring-128 ring-256 ring mlp-mnist dcgan-8] [--members 8]
        [--devices 1] [--no-whole] [--json FILE]

Hardware: as measured on, printed with the result. Goal: 8 seeds of a toy run in a third of the time
of 8 runs. Measured on two quiet cores of an Intel Xeon, 12 minutes (experiments/results/bench_ensemble.json): mapped
steps 1.72 times as fast for two layers of 32, 1.20 for three of 128, 0.79 for three of 256 and 0.74 for the MLP on
MNIST, so that "auto" loops beyond 64; a loop costs nothing (0.98). The whole command with 8 seeds and 400
steps: 31.3 s against 72.4 s, 2.31 times as fast, as start-up and compilation are shared. The goal is not met.

Steps: both programs are compiled and warm, and take turns, so that a change of the machine's speed
meets both; the single program takes each seed's state through all its steps before the next one's.
Each is waited for at the end of its turn. Figures are medians, with the smallest and the largest.
A loop is what convolutions on a CPU get, where nothing is won and nothing should be lost.

Whole: wall time of the command with --seeds against that of as many commands, every one a fresh
process, after a turn of each that is not counted: imports, records, grids, checkpoints, scores and
reports included. (A single run's seed is a constant in its program, so the first run of every seed
compiles; the turn that is not counted meets that.)

More --devices share the members among that many devices of the CPU. What XLA's own threads do is
tried from outside: XLA_FLAGS=--xla_cpu_multi_thread_eigen=false python experiments/bench_ensemble.py.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import numpy as np

from jaxgan.cli.arguments import run_script
from jaxgan.common.files import write_atomically
from jaxgan.config import ComputeConfig, Config, get_preset, with_fields
from jaxgan.models import DCGANConfig, MLPConfig
from jaxgan.runs.environment import environment
from jaxgan.train.members import Members, set_up


def toy(width: int, depth: int, batch_size: int) -> Config:
    """The ring's preset with plain networks of other sizes."""
    widths = (width,) * depth
    return dataclasses.replace(
        get_preset("toy-ring"), model=MLPConfig(g_widths=widths, d_widths=widths), batch_size=batch_size
    )


CASES: dict[str, Callable[[], Config]] = {
    "ring-32": lambda: toy(32, 2, 64),
    "ring-128": lambda: toy(128, 3, 128),
    "ring-256": lambda: toy(256, 3, 512),
    "ring": lambda: get_preset("toy-ring"),
    "grid": lambda: get_preset("toy-grid"),
    "mlp-mnist": lambda: get_preset("mlp-mnist"),
    "dcgan-8": lambda: with_fields(get_preset("dcgan-mnist"), model=DCGANConfig(width=8)),
}
Case = Literal["ring-32", "ring-128", "ring-256", "ring", "grid", "mlp-mnist", "dcgan-8"]


@dataclass(frozen=True)
class Args:
    """What to time."""

    cases: tuple[Case, ...] = ("ring-32", "ring-128", "ring-256", "ring", "mlp-mnist", "dcgan-8")
    """Which networks and data."""
    members: int = 8
    """Seeds."""
    devices: tuple[int, ...] = (1,)
    """Numbers of CPU devices that share the members, such as: 1 2."""
    rounds: int = 7
    """Turns of each program."""
    steps: int = 64
    """Steps of a member in a turn (a quarter of them for convolutions)."""
    whole: bool = True
    """Also time the commands."""
    whole_preset: str = "toy-ring"
    """Of the commands."""
    whole_steps: int = 400
    """Steps of the commands."""
    whole_rounds: int = 2
    """Turns of the commands."""
    json: pathlib.Path | None = None
    """Write every figure to this file."""


Turn = Callable[[], None]


def one_after_the_other(config: Config, members: int, steps: int) -> Turn:
    """A function that takes each of the members through its steps with the program of a single run."""
    one = set_up(dataclasses.replace(config, compute=ComputeConfig(devices=1)))
    states, inputs = [one.init() for _ in range(members)], one.inputs(0)

    def turn() -> None:
        for k in range(members):
            for _ in range(max(1, steps // one.repeat)):
                states[k], metrics = one.advance(states[k], inputs)
            jax.block_until_ready((states[k], metrics))

    return turn


def side_by_side(config: Config, members: int, steps: int, devices: int) -> tuple[str, Turn]:
    """How the members are trained, and a function that takes all through their steps."""
    how = "loop" if config.model.convolutional else "vmap"
    group = Members(config, range(members), how=how, devices=devices)
    states, inputs = group.init(), group.inputs(0)

    def turn() -> None:
        nonlocal states
        for _ in range(max(1, steps // group.repeat)):
            states, metrics = group.advance(states, inputs)
        jax.block_until_ready((states, metrics))

    return how, turn


def taking_turns(programs: dict[str, Turn], rounds: int) -> dict[str, list[float]]:
    """Seconds of every turn of every program, after one that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in programs}
    for count in range(rounds + 1):
        for name, turn in programs.items():
            start = time.perf_counter()
            turn()
            if count:
                times[name].append(time.perf_counter() - start)
    return times


def summary(times: dict[str, list[float]], baseline: str) -> dict[str, Any]:
    """Medians, spread and ratios to the baseline; prints them."""
    middle = float(np.median(times[baseline]))
    found: dict[str, Any] = {}
    for name, values in times.items():
        median = float(np.median(values))
        # turn by turn, as neighbours in time met the same machine
        ratios = [a / b for a, b in zip(times[baseline], values, strict=True)]
        found[name] = {"median_s": median, "ratio": middle / median, "ratios": ratios, "all_s": values}
        text = f"  {name:24} {median:8.3f} s ({min(values):.3f} to {max(values):.3f})"
        if name != baseline:
            text += f"  {middle / median:5.2f} times as fast ({min(ratios):.2f} to {max(ratios):.2f})"
        print(text, flush=True)
    return found


def steps_of(case: str, args: Args) -> dict[str, Any]:
    """The comparison of steps."""
    config = CASES[case]()
    steps = args.steps // 4 if config.model.convolutional else args.steps
    alone = f"{args.members} in turn"
    programs = {alone: one_after_the_other(config, args.members, steps)}
    for devices in args.devices[:1] if config.model.convolutional else args.devices:
        how, turn = side_by_side(config, args.members, steps, devices)
        programs[how if devices == 1 else f"{how}, {devices} devices"] = turn
    print(f"{case}: {args.members} members, {steps} steps each")
    return {
        "members": args.members,
        "steps": steps,
        "turns": summary(taking_turns(programs, args.rounds), alone),
    }


def commands_of(args: Args) -> dict[str, Any]:
    """The comparison of whole commands."""
    with tempfile.TemporaryDirectory() as folder:
        every = ["train", args.whole_preset, "--steps", args.whole_steps, "--out", folder]

        def command(*flags: object) -> None:
            line = [sys.executable, "-m", "jaxgan", *map(str, (*every, *flags))]
            subprocess.run(line, check=True, stdout=subprocess.DEVNULL)

        def singly() -> None:
            for seed in range(args.members):
                command("--seed", seed)

        print(f"jaxgan train {args.whole_preset} --steps {args.whole_steps}: {args.members} seeds")
        alone = f"{args.members} commands"
        programs = {alone: singly, f"--seeds {args.members}": lambda: command("--seeds", args.members)}
        return summary(taking_turns(programs, args.whole_rounds), alone)


def main(args: Args) -> None:
    """Times what is asked for, and writes it down."""
    if max(args.devices) > 1:
        jax.config.update("jax_num_cpu_devices", max(args.devices))
    env = environment()
    print(
        f"{env['processor']}, {env['cores']} cores; jax {env['packages']['jax']}; load {os.getloadavg()[0]:.1f}"
    )
    record: dict[str, Any] = {
        "args": dataclasses.asdict(args) | {"json": None},
        "environment": env | {"xla_flags": os.environ.get("XLA_FLAGS", ""), "load": os.getloadavg()},
        "steps": {case: steps_of(case, args) for case in args.cases},
    }
    if args.whole:
        record["whole"] = commands_of(args)
    if args.json is not None:
        write_atomically(args.json, json.dumps(record, indent=1) + "\n")
        print(f"wrote {args.json}")


if __name__ == "__main__":
    sys.exit(run_script(main, Args, __doc__))
