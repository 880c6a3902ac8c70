"""What restoration.py and translation.py share: runs that are trained once, rows, pictures, goals, the result."""

from __future__ import annotations

import json
import pathlib
import sys
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

import jaxgan
from jaxgan.__main__ import main as command
from jaxgan.common.errors import InputError
from jaxgan.common.files import write_atomically
from jaxgan.report import pictures


class Study:
    """What the tasks of an experiment find, and the runs that they find it with.

    Attributes:
      quick: whether a tenth of the steps is made.
      out: folder of the results and the runs.
      rows: scores beside those of baselines.
      before: seconds of training of runs that were there.
    """

    shown = 10

    def __init__(self, quick: bool, out: pathlib.Path) -> None:
        """Makes the folder."""
        self.quick, self.out = quick, out
        self.out.mkdir(parents=True, exist_ok=True)
        self.rows: list[dict[str, Any]] = []
        self.pictures: list[str] = []
        self.goals: list[dict[str, Any]] = []
        self.before, self._started = 0.0, time.monotonic()

    def trained(self, name: str, steps: int, *words: str) -> pathlib.Path:
        """The folder of a run of that name and length, trained by the command unless it is there and finished."""
        steps = steps if self.quick else 10 * steps
        runs, own = self.out / "runs", f"{name}-{steps}"
        for found in runs.glob(f"*-{own}"):
            told = json.loads((found / "run.json").read_text())
            if told["status"] == "finished":
                self.before += told["train_seconds"] or 0.0
                return found
        every = str(steps)
        given = ["train", *words, "--steps", every, "--sample-every", every, "--checkpoint-every", every]
        given += ["--evaluate-every", every, "--quick-n", "64", "--final-n", "64", "--log-every", "100"]
        if command([*given, "--out", str(runs), "--name", own, "--health.no-enabled"]) != 0:
            raise InputError(f"run: expected {own!r} to be trained, it failed")
        return max(runs.glob(f"*-{own}"))

    def show(self, name: str, *columns: np.ndarray) -> None:
        """A picture of rows of images, one a method or stage; smaller ones are enlarged to the last."""
        side = columns[-1].shape[1:3]
        chosen = np.linspace(0, len(columns[-1]) - 1, self.shown).astype(int)
        grown = [x[chosen].repeat(side[0] // x.shape[1], 1).repeat(side[1] // x.shape[2], 2) for x in columns]
        png = pictures.png(pictures.enlarged(pictures.grid(np.concatenate(grown), self.shown)))
        write_atomically(self.out / f"{name}.png", png)
        self.pictures.append(f"{name}.png")

    def goal(self, text: str, met: bool, figure: str) -> None:
        """Notes whether a goal is met."""
        self.goals.append({"goal": text, "met": bool(met), "figure": figure})
        print(f"goal: {text}: {'met' if met else 'not met'} ({figure})", flush=True)


def run(
    study: Study,
    tasks: Mapping[str, Callable[[Any], None]],
    only: Collection[str],
    name: str,
    title: str,
    protocol: str,
) -> None:
    """Runs the tasks, and writes NAME.json after each.

    Raises:
      InputError: for a task that does not exist.
    """
    if unknown := [task for task in only if task not in tasks]:
        raise InputError(f"only: expected {', '.join(tasks)}, got {unknown[0]!r}")
    path = study.out / f"{name}.json"
    for task in only or tasks:
        tasks[task](study)
        result = {
            "title": title,
            "protocol": (
                f"{protocol}; one seed; trained by `jaxgan train`; jaxgan {jaxgan.__version__}; command: "
                f"{' '.join(['python', *sys.argv])}"
            ),
            "rows": study.rows,
            "pictures": study.pictures,
            "seconds": round(time.monotonic() - study._started + study.before, 1),
            "goals": study.goals,
        }
        write_atomically(path, json.dumps(result, indent=1) + "\n")
    for row in study.rows:
        print(
            f"{row['what']}: {row['score']} {row['ours']:.3f}, {row['baseline']} {row['baseline_value']:.3f}"
        )
    print(f"wrote {path}")
