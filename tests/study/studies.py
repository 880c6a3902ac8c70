"""A small study, made-up results, and what stands in for training."""

import os
import signal
import time
import zlib
from types import SimpleNamespace

import numpy as np

from jaxgan.study import Cell, CellResult, Outcome, Spec

SPEC = Spec(losses=("hinge", "minimax", "wasserstein"), seeds=3, fields={"steps": 40, "evaluate_every": 20})


def quiet(line):
    """Takes lines of progress."""


def made(loss, values, name="high_quality", modes=None, diverged=(), **data):
    """A result whose seeds have these final scores."""
    outcomes = tuple(
        Outcome(
            seed,
            "diverged" if seed in diverged else "finished",
            5 if seed in diverged else None,
            [{"step": t, name: value * t / 10} for t in (5, 10) if t < 6 or seed not in diverged],
            {name: value, **({"modes": modes[seed]} if modes else {})},  # of a diverged seed: not to be used
            {name: value, "step": 5},
        )
        for seed, value in enumerate(values)
    )
    cell = Cell("toy-ring", loss, "none", "default", tuple(range(len(values))))
    return CellResult(cell, cell.key, "finished", outcomes=outcomes, data={"modes": 8, "classes": 0, **data})


def fake_train(config, seeds):
    """Members as `run_members` makes them, at once; some losses raise, diverge, hang or crash."""
    log = os.environ.get("STUDY_LOG")
    if log:
        with open(log, "a") as file:
            file.write(f"{config.loss} {os.getpid()}\n")
    if config.loss == os.environ.get("STUDY_HANGS"):
        time.sleep(100)
    if config.loss == "minimax":
        if "STUDY_CRASH" in os.environ:
            os.kill(os.getpid(), signal.SIGKILL)
        raise RuntimeError("no equilibrium\nat all")
    found = []
    for seed in seeds:
        rng = np.random.default_rng(seed + zlib.crc32(config.loss.encode()))
        gone = config.loss == "wasserstein" and seed == 1
        quality = float(rng.uniform(0.2, 0.9))
        curve = [
            {"step": t, "images": 8 * t, "score": 1.0 / t, "high_quality": quality * t / 40, "modes": 6.0}
            for t in (20, 40)
            if t == 20 or not gone
        ]
        final = {"sliced_wasserstein": 1 - quality, "modes": 6.0, "high_quality": quality}
        found.append(
            SimpleNamespace(
                seed=seed,
                status="diverged" if gone else "finished",
                diverged_at=33 if gone else None,
                curve=curve,
                final=dict.fromkeys(final, float("nan")) if gone else final,
                best={**final, "step": 20},
                samples=None if gone else rng.normal(size=(50, 2)).astype(np.float32),
            )
        )
    return found


def content(result):
    """What must be equal, however a study was run."""
    plain = result.to_json()
    return {name: plain[name] for name in plain if name not in ("seconds", "environment", "traceback")}
