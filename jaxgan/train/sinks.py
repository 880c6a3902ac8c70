"""Where it goes what becomes known while training: the protocol of all sinks, and those of a run's folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jaxgan.common.files import write_atomically
from jaxgan.report.run import write_report
from jaxgan.runs.folder import RunFolder


class Sink:
    """Is told what happens, and keeps or shows what it has a use for; as it stands, nothing.

    Any method may raise OSError where something cannot be written.
    """

    def start(self, step: int) -> None:
        """Training begins, or goes on, after `step`; what was told of later steps is void."""

    def record(self, record: Mapping[str, Any]) -> None:
        """Takes the numbers of an interval: "step", means of the metrics and, at times, a score."""

    def picture(self, step: int, png: bytes) -> None:
        """Takes samples of a step."""

    def finding(self, step: int, text: str) -> None:
        """Takes what the monitors see begin or end at a step."""

    def note(self, text: str) -> None:
        """Takes a line for whoever watches."""

    def scores(self, scores: Mapping[str, Any]) -> None:
        """Takes the final scores, as scores.json keeps them."""

    def close(self, status: str, error: str | None) -> None:
        """Nothing more will come: the run is "finished", "stopped", "diverged" or "failed"."""


class MetricsFile(Sink):
    """metrics.jsonl: a line for each record."""

    def __init__(self, folder: RunFolder) -> None:
        """Writes nothing yet."""
        self._path = folder.metrics

    def record(self, record: Mapping[str, Any]) -> None:
        """Appends a line."""
        with self._path.open("a") as file:
            file.write(json.dumps(record) + "\n")


class Samples(Sink):
    """The folder of grids: a file for each picture."""

    def __init__(self, folder: RunFolder) -> None:
        """Writes nothing yet."""
        self._folder = folder.samples

    def picture(self, step: int, png: bytes) -> None:
        """Writes step-STEP.png."""
        write_atomically(self._folder / f"step-{step:07d}.png", png)


class Report(Sink):
    """report.html, which is made of the other files at the end."""

    def __init__(self, folder: RunFolder) -> None:
        """Writes nothing yet."""
        self._folder = folder

    def close(self, status: str, error: str | None) -> None:
        """Writes the report."""
        write_report(self._folder)
