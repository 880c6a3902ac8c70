"""Sinks, which take what becomes known during a training: their protocol, and the sinks of a run's folder."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from jaxgan.common.files import write_atomically
from jaxgan.report.run import write_report
from jaxgan.runs.folder import RunFolder

_TIMES_BETWEEN_REPORTS = 25  # as long as writing one takes


class Sink:
    """Is told what happens in a training, and keeps or shows some of it. This base class does nothing.

    Any method may raise OSError where something cannot be written.
    """

    def start(self, step: int) -> None:
        """Training begins, or goes on, after `step`; what was told of later steps is void. It may come again."""

    def record(self, record: Mapping[str, Any]) -> None:
        """Takes the numbers of an interval: "step", means of the metrics and, at times, a score."""

    def picture(self, step: int, png: bytes) -> None:
        """Takes samples of a step."""

    def also(self, step: int, kind: str, png: bytes) -> None:
        """Takes another picture of a step, one of `jaxgan.runs.folder.KINDS`."""

    def evaluated(self, step: int) -> None:
        """Is told that all of a step at which the run was scored has been passed on."""

    def finding(self, step: int, text: str) -> None:
        """Takes, in words, a finding of the monitors that begins or ends at a step."""

    def note(self, text: str) -> None:
        """Takes a line for whoever watches."""

    def scores(self, scores: Mapping[str, Any]) -> None:
        """Takes the final scores, as scores.json keeps them."""

    def close(self, status: str, error: str | None) -> None:
        """Is told that nothing more will come: the run is "finished", "stopped", "diverged" or "failed"."""

    def abandon(self) -> None:
        """Is told that the run is another process's: it lets go of what is open, and writes nothing."""


class Files(Sink):
    """The files of a run's folder: metrics.jsonl, pictures, scores.json, and the report, made of them."""

    def __init__(self, folder: RunFolder) -> None:
        """Writes nothing yet."""
        self._folder, self._next_report = folder, 0.0

    def record(self, record: Mapping[str, Any]) -> None:
        """Appends a line to metrics.jsonl."""
        with self._folder.metrics.open("a") as file:
            file.write(json.dumps(record) + "\n")

    def picture(self, step: int, png: bytes) -> None:
        """Writes samples/step-STEP.png."""
        write_atomically(self._folder.samples / f"step-{step:07d}.png", png)

    def also(self, step: int, kind: str, png: bytes) -> None:
        """Writes KIND/step-STEP.png."""
        write_atomically(self._folder.path / kind / f"step-{step:07d}.png", png)

    def evaluated(self, step: int) -> None:
        """Writes report.html as it is by now, as long as that takes little of the time."""
        begun = time.monotonic()
        if begun >= self._next_report:
            write_report(self._folder)
            now = time.monotonic()
            self._next_report = now + _TIMES_BETWEEN_REPORTS * (now - begun)

    def scores(self, scores: Mapping[str, Any]) -> None:
        """Writes scores.json."""
        self._folder.write("scores.json", scores)

    def close(self, status: str, error: str | None) -> None:
        """Writes report.html."""
        write_report(self._folder)


class Guarded(Sink):
    """Passes everything on to a sink that a run can do without, until that fails, which is told once."""

    def __init__(self, name: str, inner: Sink, note: Callable[[str], None]) -> None:
        """Passes on to `inner`; a failure is told to `note`, with `name` and the error."""
        self._name, self._inner, self._note = name, inner, note

    def _try(self, method: str, *args: Any) -> None:
        if self._name == "":
            return
        try:
            getattr(self._inner, method)(*args)
        except Exception as error:
            text = f"{type(error).__name__}: {error}".splitlines()[0]
            self._note(f"warning: {self._name} failed, and is left alone from here on: {text}")
            self._name = ""
            with contextlib.suppress(Exception):
                self._inner.abandon()

    def start(self, step: int) -> None:
        """Passes it on."""
        self._try("start", step)

    def record(self, record: Mapping[str, Any]) -> None:
        """Passes it on."""
        self._try("record", record)

    def picture(self, step: int, png: bytes) -> None:
        """Passes it on."""
        self._try("picture", step, png)

    def also(self, step: int, kind: str, png: bytes) -> None:
        """Passes it on."""
        self._try("also", step, kind, png)

    def finding(self, step: int, text: str) -> None:
        """Passes it on."""
        self._try("finding", step, text)

    def scores(self, scores: Mapping[str, Any]) -> None:
        """Passes them on."""
        self._try("scores", scores)

    def close(self, status: str, error: str | None) -> None:
        """Passes it on."""
        self._try("close", status, error)

    def abandon(self) -> None:
        """Passes it on."""
        self._try("abandon")
