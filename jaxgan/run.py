"""A run's folder: what lies where, and how a finished run is opened again."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.checkpoint import Checkpoints, abstract
from jaxgan.config import Config, from_json, to_json, with_fields
from jaxgan.errors import InputError
from jaxgan.files import write_atomically
from jaxgan.sampling import Sampler
from jaxgan.state import GAN, init
from jaxgan.user_files import is_file, split

LOSS_FILE = "loss.py"  # copy of a loss of the user's own


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run, and its small files.

    config.json is the configuration; run.json tells what was trained on, with what, and how it
    ended; metrics.jsonl has one record an interval, scores.json the final scores.
    """

    path: pathlib.Path

    @property
    def metrics(self) -> pathlib.Path:
        """metrics.jsonl."""
        return self.path / "metrics.jsonl"

    @property
    def samples(self) -> pathlib.Path:
        """Folder of grids."""
        return self.path / "samples"

    @property
    def report(self) -> pathlib.Path:
        """report.html."""
        return self.path / "report.html"

    def read(self, name: str) -> Any:
        """A JSON file of the folder. Raises InputError if it is missing or damaged."""
        path = self.path / name
        try:
            return json.loads(path.read_text())
        except FileNotFoundError as error:
            raise InputError(
                f"run: expected the folder of a run, got {str(self.path)!r}, which has no {name}"
            ) from error
        except (OSError, ValueError) as error:
            raise InputError(f"run: cannot read {str(path)!r}: {error}") from error

    def write(self, name: str, value: Any) -> None:
        """Writes a JSON file of the folder, whole or not at all."""
        write_atomically(self.path / name, json.dumps(value, indent=1) + "\n")

    def update(self, **values: Any) -> None:
        """Changes entries of run.json."""
        self.update_file("run.json", **values)

    def update_file(self, name: str, **values: Any) -> None:
        """Changes entries of a JSON file of the folder."""
        self.write(name, {**self.read(name), **values})

    def config(self) -> Config:
        """The configuration. Raises InputError if it cannot be read.

        A loss of the user's own is the copy that the run began with.
        """
        config = from_json(self.read("config.json"))
        copy = self.path / LOSS_FILE
        if is_file(config.loss) and copy.exists():
            config = with_fields(config, loss=f"{copy}:{split(config.loss)[1]}")
        return config

    def records(self) -> list[dict[str, Any]]:
        """All whole records of metrics.jsonl."""
        if not self.metrics.exists():
            return []
        records = []
        for line in self.metrics.read_text().splitlines():
            try:
                records.append(json.loads(line))
            except ValueError:  # the last line of a killed run may be half a line
                continue
        return records

    def rewind(self, step: int) -> None:
        """Forgets records and grids after `step`, which will be made again."""
        kept = [json.dumps(record) for record in self.records() if record["step"] <= step]
        write_atomically(self.metrics, "".join(line + "\n" for line in kept))
        for grid in self.samples.glob("step-*.png"):
            if int(grid.stem.removeprefix("step-")) > step:
                grid.unlink()


def new_folder(config: Config, name: str) -> RunFolder:
    """Makes the next free folder OUT/00000-NAME. Raises OSError if it cannot be made."""
    out = pathlib.Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    numbers = [int(entry.name[:5]) for entry in out.iterdir() if entry.name[:5].isdigit()]
    number = max(numbers, default=-1) + 1
    while True:
        path = out / f"{number:05d}-{name}"
        try:
            path.mkdir()
            return RunFolder(path)
        except FileExistsError:  # another run was faster
            number += 1


def create(
    config: Config,
    data: Mapping[str, Any],
    environment: Mapping[str, Any],
    command: str,
    path: pathlib.Path | None = None,
) -> RunFolder:
    """Makes the folder of a new run: the next free OUT/00000-PRESET, or `path`.

    A loss of the user's own is copied into it, and the run uses that copy from then on.

    Raises:
      OSError: if it cannot be made.
    """
    if path is None:
        folder = new_folder(config, config.preset)
    else:
        path.mkdir(parents=True)
        folder = RunFolder(path)
    folder.samples.mkdir()
    if is_file(config.loss):
        write_atomically(folder.path / LOSS_FILE, split(config.loss)[0].read_bytes())
    folder.write("config.json", to_json(config))
    folder.write(
        "run.json", {"status": "running", "command": command, "data": data, "environment": environment}
    )
    return folder


class Run:
    """A run opened for sampling: its configuration and averaged generator.

    Attributes:
      folder: its folder.
      config: its configuration.
      step: of the checkpoint that was read.
      variables: of the averaged generator, for `gan.generator.apply`.
      gan: its static half.
      sampler: generates from `variables`.
    """

    def __init__(self, folder: RunFolder, checkpoint: str | int = "last") -> None:
        """Reads a checkpoint: "last" (the newest good one), "best", or a step.

        Raises:
          InputError: if there is no such run or checkpoint.
        """
        self.folder = folder
        self.config = folder.config()
        self.data = folder.read("run.json")["data"]
        self.gan = self.config.build(tuple(self.data["shape"]), self.data["n_classes"])
        points = len(self.data["shape"]) == 1
        self.sampler = Sampler(
            self.gan, self.data["n_classes"] if self.config.model.conditional else 0, points
        )
        state, self.step = _restore(folder, self.gan, self.data, checkpoint)
        self.variables = state.ema

    def sample(
        self,
        seed: int = 0,
        n: int = 64,
        *,
        seeds: Sequence[int] | None = None,
        classes: Sequence[int] | None = None,
    ) -> np.ndarray:
        """Images uint8 [n, h, w, c] (or points float32 [n, 2]) of consecutive seeds, or of `seeds`.

        Args:
          seed: of the first example; the next ones take the next seeds.
          n: how many.
          seeds: the seed of every example, instead.
          classes: label of every example, for a conditional generator; None runs through them all.

        Raises:
          InputError: for classes that do not fit.
        """
        seeds = list(seeds) if seeds is not None else list(range(seed, seed + n))
        labels = None if classes is None else np.asarray(classes, np.int32)
        if labels is not None and len(labels) != len(seeds):
            raise InputError(f"classes: expected one for each of {len(seeds)} examples, got {len(labels)}")
        return self.sampler.by_seed(self.variables, seeds, labels)


def load(path: str | os.PathLike[str], checkpoint: str | int = "last") -> Run:
    """Opens a run: its configuration and the averaged generator of its newest good checkpoint.

    Args:
      path: the run's folder.
      checkpoint: "last", "best" or a step.

    Raises:
      InputError: if there is no such run or checkpoint.
    """
    return Run(RunFolder(pathlib.Path(path)), checkpoint)


def batch_like(data: Mapping[str, Any], batch_size: int = 1) -> dict[str, Any]:
    """Shapes and types of a batch of the data of a run."""
    batch = {"image": jax.ShapeDtypeStruct((batch_size, *data["shape"]), jnp.float32)}
    if data["n_classes"]:
        batch["label"] = jax.ShapeDtypeStruct((batch_size,), jnp.int32)
    return batch


def _restore(folder: RunFolder, gan: GAN, data: Mapping[str, Any], which: str | int) -> tuple[Any, int]:
    like = abstract(jax.eval_shape(lambda: init(gan, jax.random.key(0), batch_like(data))))
    checkpoints = Checkpoints(folder.path, read_only=True)
    try:
        steps = checkpoints.steps()
        if which == "last":
            for step in reversed(steps):
                try:
                    return checkpoints.restore(step, like), step
                except InputError:
                    continue
            raise InputError(f"run: {str(folder.path)!r} has no checkpoint that can be read (found: {steps})")
        step = best_step(folder) if which == "best" else int(which)
        if step not in steps:
            raise InputError(f"checkpoint: expected one of {steps} in {str(folder.path)!r}, got {which!r}")
        return checkpoints.restore(step, like), step
    finally:
        checkpoints.close()


def best_step(folder: RunFolder) -> int | None:
    """Step of the lowest main score so far; None if nothing was scored."""
    scored = [(r["score"], r["step"]) for r in folder.records() if r.get("score") is not None]
    return min(scored, key=lambda pair: (pair[0], -pair[1]))[1] if scored else None
