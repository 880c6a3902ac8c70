"""Trackers of experiments outside the run's folder: Weights & Biases, MLflow and Trackio, each an optional extra.

A tracker that fails is told of once and then left alone: the run's own files are what counts.
"""

from __future__ import annotations

import hashlib
import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PIL import Image

from jaxgan.common.errors import lookup
from jaxgan.common.packages import need
from jaxgan.report.pictures import pixels_of
from jaxgan.runs.folder import RunFolder
from jaxgan.runs.seeds import RECORD
from jaxgan.train.sinks.base import Guarded, Sink

PROJECT = "jaxgan"


def need_loggers(names: Sequence[str]) -> None:
    """Raises InputError, in one line, for a tracker that there is not, or whose package is not installed."""
    for name in names:
        lookup("logger", name, LOGGERS)
        need([name], f"logger: {name!r}", f"pip install 'jaxgan[{name}]'")


def loggers_of(names: Sequence[str], folder: RunFolder, note: Callable[[str], None]) -> list[Sink]:
    """The sinks of these trackers.

    Args:
      names: of `LOGGERS`.
      folder: of the run.
      note: is told where one fails.
    """
    return [Guarded(f"logger {name}", LOGGERS[name](folder), note) for name in names]


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, bool | int | float | str]:
    """A configuration as one level of names with dots; what is no number is text, and None is left out."""
    found: dict[str, bool | int | float | str] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        elif value is not None:
            found[prefix + name] = value if isinstance(value, bool | int | float | str) else str(value)
    return found


def numbers(record: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a record by their names; the score by its own."""
    return {
        f"score/{record['score_name']}" if name == "score" else name: value
        for name, value in record.items()
        if isinstance(value, float) and math.isfinite(value)
    }


def finals(scores: Mapping[str, Any]) -> dict[str, float]:
    """The final scores by name, "final/" before it."""
    found = scores["final"]["scores"].items()
    return {f"final/{name}": float(s["value"]) for name, s in found if s["value"] is not None}


def _picture(png: bytes) -> Image.Image:
    return Image.fromarray(pixels_of(png))


def _label(folder: RunFolder) -> str:
    """What the run is called: of one of several seeds, with the name of their folder."""
    several = (folder.path.parent / RECORD).is_file()
    return f"{folder.path.resolve().parent.name}/{folder.path.name}" if several else folder.path.name


def _identity(folder: RunFolder) -> str:
    """What tells the run from all others, and is the same when it is resumed."""
    facts = folder.read("run.json")
    which = f"{_label(folder)} {facts['command']} {facts['environment'].get('date')}"
    return hashlib.sha256(which.encode()).hexdigest()[:16]


class _Wandb(Sink):
    """A run of Weights & Biases; a resumed one goes on."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder, self._run, self._step = folder, None, 0

    def start(self, step: int) -> None:
        if self._run is not None:  # after a setback it goes on as it is
            return
        self._wandb: Any = importlib.import_module("wandb")
        folder = self._folder
        self._run: Any = self._wandb.init(
            project=PROJECT,
            name=_label(folder),
            id=_identity(folder),
            resume="allow",
            reinit="create_new",  # members of several seeds are runs beside each other
            config=flat(folder.read("config.json")),
            dir=str(folder.path),
        )

    def record(self, record: Mapping[str, Any]) -> None:
        self._run.log(numbers(record), step=record["step"])

    def picture(self, step: int, png: bytes) -> None:
        self._run.log({"samples": self._wandb.Image(_picture(png))}, step=step)

    def finding(self, step: int, text: str) -> None:
        self._run.alert(title="health", text=f"step {step:,}: {text}")

    def scores(self, scores: Mapping[str, Any]) -> None:
        self._run.summary.update(finals(scores))

    def close(self, status: str, error: str | None) -> None:
        if self._run is not None:
            self._run.summary.update({"status": status} | ({"error": error} if error else {}))
            self._run.finish(exit_code=0 if status == "finished" else 1)


class _MLflow(Sink):
    """A run of MLflow, whose identity is kept in run.json, so that a resumed one goes on."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder, self._client, self._id = folder, None, ""

    def start(self, step: int) -> None:
        if self._client is not None:  # after a setback it goes on as it is
            return
        self._client: Any = importlib.import_module("mlflow").MlflowClient()
        self._id = self._folder.read("run.json").get("mlflow_run", "")
        if not self._id:
            known = self._client.get_experiment_by_name(PROJECT)
            experiment = self._client.create_experiment(PROJECT) if known is None else known.experiment_id
            made = self._client.create_run(experiment, run_name=_label(self._folder))
            self._id = made.info.run_id
            self._folder.update(mlflow_run=self._id)
            for name, value in flat(self._folder.read("config.json")).items():
                self._client.log_param(self._id, name, value)

    def record(self, record: Mapping[str, Any]) -> None:
        for name, value in numbers(record).items():
            self._client.log_metric(self._id, name, value, step=record["step"])

    def picture(self, step: int, png: bytes) -> None:
        self._client.log_image(self._id, _picture(png), artifact_file=f"samples/step-{step:07d}.png")

    def finding(self, step: int, text: str) -> None:
        self._client.set_tag(self._id, "health", f"step {step:,}: {text}")

    def scores(self, scores: Mapping[str, Any]) -> None:
        for name, value in finals(scores).items():
            self._client.log_metric(self._id, name, value, step=scores["final"]["step"])

    def close(self, status: str, error: str | None) -> None:
        if self._client is not None and self._id:
            ends = {"finished": "FINISHED", "stopped": "KILLED"}
            self._client.set_terminated(self._id, status=ends.get(status, "FAILED"))


class _Trackio(Sink):
    """A run of Trackio, which knows it by its name alone; a resumed one goes on."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder, self._run = folder, None

    def start(self, step: int) -> None:
        if self._run is not None:  # after a setback it goes on as it is
            return
        self._trackio: Any = importlib.import_module("trackio")
        config = flat(self._folder.read("config.json"))
        name = f"{_label(self._folder)}-{_identity(self._folder)[:6]}"
        self._run: Any = self._trackio.init(project=PROJECT, name=name, config=config, resume="allow")

    def record(self, record: Mapping[str, Any]) -> None:
        self._run.log(numbers(record), step=record["step"])

    def picture(self, step: int, png: bytes) -> None:
        self._run.log({"samples": self._trackio.Image(_picture(png))}, step=step)

    def scores(self, scores: Mapping[str, Any]) -> None:
        self._run.log(finals(scores), step=scores["final"]["step"])

    def close(self, status: str, error: str | None) -> None:
        if self._run is not None:
            self._run.finish()


LOGGERS: dict[str, Callable[[RunFolder], Sink]] = {
    "wandb": _Wandb,
    "mlflow": _MLflow,
    "trackio": _Trackio,
}
"""Trackers by the name of their package, which is also that of their extra."""
