"""Every preset's step on 1 to 8 devices, by pmap, with parameters in parts, in 2 and 4 processes: how far apart.

    python experiments/sameness.py                                # an hour and more on two cores
    python experiments/sameness.py --presets dcgan-mnist pix2pix --steps 3
    python experiments/sameness.py --record                       # experiments/results/sameness.json and .md

Every preset is cut small, as `tests/train/small_presets.py` does, with its game, its terms and its kinds of layers. One
device takes the reference's steps. Every other way to compute takes each of these steps by itself, from the
reference's own state: rounding then cannot grow from step to step. Told are the largest relative distance of a metric,
and of a part of the new state (parameters, statistics, optimiser, average of a player; a memory): ||a - b|| / ||a||.

Rows are kept as they are done: stopped or killed, the same command goes on. Hardware: any CPU.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

os.environ.setdefault("PJRT_NPROC", "32")  # threads: programs of eight devices wait for each other

import jax
import numpy as np

from jaxgan.cli.arguments import run_script
from jaxgan.common import processes
from jaxgan.common.errors import InputError, lookup
from jaxgan.common.files import write_atomically
from jaxgan.config import Config
from jaxgan.config.presets import PRESETS, get_preset
from jaxgan.models import model_name
from jaxgan.runs import checksums
from jaxgan.runs.checkpoint import Checkpoints
from jaxgan.runs.environment import environment
from jaxgan.train.members import Members

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "experiments" / "results"
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "train"), str(ROOT / "experiments" / "launch")]
BOUND, TINY = 1e-5, 0.1
WAYS: Mapping[str, tuple[int, int, dict[str, Any]]] = {
    "1 device again": (1, 1, {}),
    "2 devices": (1, 2, {}),
    "4 devices": (1, 4, {}),
    "8 devices": (1, 8, {}),
    "4 devices, pmap": (1, 4, {"how": "pmap"}),
    "4 devices, fsdp 2": (1, 4, {"how": "jit", "fsdp": 2}),
    "2 processes of 2": (2, 2, {}),
    "4 processes of 2": (4, 2, {}),
}
"""Name -> processes, devices of each, and fields of `compute`."""


@dataclass(frozen=True)
class Sameness:
    """Compare ways to compute the steps of presets."""

    presets: tuple[str, ...] = ()
    """Those to compare; none: all that differ in their programs or terms, and every family of large networks."""
    ways: tuple[str, ...] = tuple(WAYS)
    """To compute."""
    steps: int = 20
    """Of each preset."""
    out: pathlib.Path = pathlib.Path("runs/sameness")
    """Folder of the table, and of the rows so far."""
    record: bool = False
    """Write to experiments/results instead."""
    child: str = ""
    """Of a process that this script starts: what it computes, as JSON."""


# --- what is compared ------------------------------------------------------------------------------


def cases() -> dict[str, tuple[str, bool]]:
    """Name of a row -> preset, and whether its networks are those of its own family though they are large."""
    small = importlib.import_module("small_presets")
    smallest = {}
    for name in sorted(PRESETS, key=small.weight_of):
        smallest.setdefault(model_name(type(get_preset(name).model)), name)
    large = {f"{smallest[family]} (its own networks)": (smallest[family], True) for family in small.LARGE}
    return {name: (name, False) for name in small.carried()} | large


def config_of(preset: str, own: bool, compute: Mapping[str, Any], steps: int) -> Config:
    """A preset, cut small."""
    config = importlib.import_module("small_presets").cut(preset, own=own)
    config = replace(config, steps=steps)
    return replace(config, compute=replace(config.compute, devices=None, **compute))


def members_of(config: Config, devices: int) -> Members:
    """One member, on noise in the form of its data."""
    source = importlib.import_module("small_presets").examples(config)
    return Members(config, [config.seed], how="loop", devices=devices, source=source)


def steps_of(members: Members, path: pathlib.Path, steps: int) -> Iterator[dict[str, float]]:
    """Takes each of the reference's steps from its own state; gives the metrics' and the parts' largest distance."""
    saved, like = Checkpoints(path, read_only=True), members.like()
    expected = json.loads((path / "metrics.json").read_text())
    for step in range(steps):
        states, metrics = members.advance([saved.restore(step, like)], members.inputs(step), step)
        beside, there = parts(states[0]), parts(saved.restore(step + 1, like))
        apart = {name: distance(there[name], beside[name]) for name in there}
        own = {name: float(np.asarray(x)[0, 0]) for name, x in jax.device_get(metrics).items()}
        of_metrics = {name: abs(own[name] - x) / max(abs(x), TINY) for name, x in expected[step].items()}
        yield {"metrics": max(of_metrics.values()), "state": max(apart.values())}


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """||a - b|| / ||a||; of nothing but zeros ||b||."""
    return float(np.linalg.norm(b - a) / (np.linalg.norm(a) or 1.0))


def parts(state: Any) -> dict[str, np.ndarray]:
    """What a state consists of, each part as one long array: those of the players, and memories by name."""
    own = {f"memory {name}": tree for name, tree in state.memory.items()}
    for name, player in state.players.items():
        for part in ("params", "stats", "opt_state", "average"):
            own[f"{name} {part}"] = getattr(player, part)
    found = {}
    for name, tree in own.items():
        real = [x.ravel() for _, x in checksums.arrays(tree) if np.issubdtype(x.dtype, np.floating)]
        found[name] = np.concatenate([*real, np.zeros(1)]).astype(np.float64)
    return found


def refer(config: Config, path: pathlib.Path, steps: int) -> None:
    """Takes the reference's steps on one device, and keeps every state and all metrics."""
    members, told = members_of(config, 1), []
    states, inputs = [members.init_member(0)], members.inputs(0)
    with contextlib.closing(Checkpoints(path)) as checkpoints:
        checkpoints.keep(*range(steps + 1))
        checkpoints.save(0, states[0], {})
        for step in range(steps):
            states, metrics = members.advance(states, inputs, step)
            checkpoints.save(step + 1, states[0], {})
            told.append({name: float(x[0, 0]) for name, x in jax.device_get(metrics).items()})
    (path / "metrics.json").write_text(json.dumps(told))


# --- ways to compute -------------------------------------------------------------------------------


def here(way: str, preset: str, own: bool, path: pathlib.Path, steps: int) -> dict[str, float]:
    """The largest distances of a way in this process, or of all processes of which this is one."""
    n, each, compute = WAYS[way]
    members = members_of(config_of(preset, own, compute, steps), n * each)
    found = list(steps_of(members, path, steps))
    return {name: max(step[name] for step in found) for name in found[0]}


def apart(way: str, preset: str, own: bool, path: pathlib.Path, steps: int) -> dict[str, float]:
    """The largest distances of a way in processes of their own, which find each other."""
    n, each, _ = WAYS[way]
    where, started = f"127.0.0.1:{importlib.import_module('local').free_port()}", []
    env = {**os.environ, "JAX_NUM_CPU_DEVICES": str(each), "PYTHONPATH": str(ROOT)}
    for index in range(n):
        told = {"way": way, "preset": preset, "own": own, "path": str(path), "steps": steps}
        told |= {"coordinator": where, "n": n, "index": index}
        command = [sys.executable, __file__, "--child", json.dumps(told)]
        started.append(
            subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
    ended = [one.communicate() for one in started]
    if any(one.returncode for one in started):
        errors = [line for _, text in ended for line in text.splitlines()[-1:]]
        raise RuntimeError(" | ".join(errors))
    return json.loads(ended[0][0].splitlines()[-1])


def child(told: Mapping[str, Any]) -> None:
    """One of several processes; the first prints what was found."""
    processes.start(told["coordinator"], told["n"], told["index"])
    with small_eyes():
        found = here(told["way"], told["preset"], told["own"], pathlib.Path(told["path"]), told["steps"])
    if processes.first():
        print(json.dumps(found), flush=True)


def small_eyes() -> contextlib.AbstractContextManager[None]:
    """Projected GAN sees through a network that compiles in seconds."""
    return importlib.import_module("helpers").shallow_eyes()


def row(name: str, ways: tuple[str, ...], steps: int, known: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The row of a case, as far as it is known after every way."""
    preset, own = cases()[name]
    with tempfile.TemporaryDirectory() as folder, small_eyes():
        path = pathlib.Path(folder)
        refer(config_of(preset, own, {}, steps), path, steps)
        for way in ways:
            if way in known and "failed" not in known[way]:
                continue
            begun = time.perf_counter()
            known.pop(way, None)  # of a try that failed; the newest comes last
            try:
                known[way] = (here if WAYS[way][0] == 1 else apart)(way, preset, own, path, steps)
            except InputError as error:  # a way that this game does not take
                known[way] = {"refused": str(error)}
            except Exception as error:  # which is a row that failed
                known[way] = {"failed": f"{type(error).__name__}: {str(error).splitlines()[0][:300]}"}
            known[way]["seconds"] = round(time.perf_counter() - begun, 1)
            yield known
            jax.clear_caches()


# --- the table -------------------------------------------------------------------------------------


def table(found: Mapping[str, Any], args: Sameness) -> str:
    """Markdown: a row a preset, a column a way: the larger of the two distances."""
    ways = [way for way in WAYS if any(way in known for known in found["rows"].values())]
    lines = [
        "# One step however it is computed",
        "",
        f"Written by `python experiments/sameness.py`: {found['steps']} single steps, each from the state that one "
        "device came to, of presets that are",
        "cut small. A number is the largest relative distance of a metric or of a part of the new state. Held: "
        f"{BOUND:g}.",
        "",
        " | ".join(["preset", *ways]),
        "|".join(["---"] * (len(ways) + 1)),
    ]
    for name, known in found["rows"].items():
        lines.append(" | ".join([name, *(cell(known.get(way)) for way in ways)]))
    notes = {
        f"- {name}, {way}: {known[way][kind]}"
        for name, known in found["rows"].items()
        for way in known
        for kind in ("refused", "failed")
        if kind in known[way]
    }
    return "\n".join([*lines, "", *sorted(notes)]).rstrip() + "\n"


def cell(known: Mapping[str, Any] | None) -> str:
    """The larger distance, in bold where it is above the bound."""
    if known is None:
        return ""
    for kind in ("refused", "failed"):
        if kind in known:
            return kind
    worst = max(known["metrics"], known["state"])
    return f"{worst:.1e}" if worst <= BOUND else f"**{worst:.1e}**"


def main(args: Sameness) -> int:
    """Compares what is not known yet, and writes the table after every way."""
    if args.child:
        child(json.loads(args.child))
        return 0
    jax.config.update("jax_num_cpu_devices", 8)
    known_cases = cases()
    for name in args.presets:
        lookup("preset", name, known_cases)
    for way in args.ways:
        lookup("way", way, WAYS)
    folder = RESULTS if args.record else args.out
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "sameness.json"
    found = json.loads(path.read_text()) if path.exists() else {"steps": args.steps, "rows": {}}
    if found["steps"] != args.steps:
        raise InputError(f"steps: expected {found['steps']}, as in {str(path)!r}, got {args.steps}")
    for name in args.presets or known_cases:
        own = found["rows"].setdefault(name, {})
        if all(way in own and "failed" not in own[way] for way in args.ways):
            continue
        for known in row(name, args.ways, args.steps, own):
            way = next(reversed(known))
            print(f"{name}, {way}: {cell(known[way])}  {known[way]['seconds']} s", flush=True)
            found["environment"] = environment("default")
            write_atomically(path, json.dumps(found, indent=1) + "\n")
            write_atomically(folder / "sameness.md", table(found, args))
    worst = [
        max(known["metrics"], known["state"])
        for own in found["rows"].values()
        for known in own.values()
        if "state" in known
    ]
    largest = max(worst, default=0.0)
    failed = any("failed" in known for own in found["rows"].values() for known in own.values())
    print(f"{len(worst)} compared; the largest distance is {largest:.2e}, held is {BOUND:g}")
    return int(largest > BOUND or failed)


if __name__ == "__main__":
    sys.exit(run_script(main, Sameness, __doc__))
