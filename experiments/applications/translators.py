"""What restoration.py and translation.py share: runs that are trained once, pictures of rows of images, tasks."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
from sections import Section

from jaxgan.__main__ import main as command
from jaxgan.common.errors import InputError
from jaxgan.report import pictures


class Study(Section):
    """What the tasks of an experiment find, and the runs that they find it with; quick makes a tenth of the steps."""

    shown = 10

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
        self.picture(f"{name}.png", pictures.enlarged(pictures.grid(np.concatenate(grown), self.shown)))


def run(study: Study, tasks: Mapping[str, Callable[[Any], None]], only: Collection[str]) -> None:
    """Runs the tasks, and writes what is found after each.

    Raises:
      InputError: for a task that does not exist.
    """
    if unknown := [task for task in only if task not in tasks]:
        raise InputError(f"only: expected {', '.join(tasks)}, got {unknown[0]!r}")
    study.protocol += "; one seed; trained by `jaxgan train`"
    for task in only or tasks:
        tasks[task](study)
        study.write()
