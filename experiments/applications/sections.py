"""What the experiments of the applications find, as their JSON files have it: one form for all."""

from __future__ import annotations

import json
import pathlib
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxgan.common.files import write_atomically
from jaxgan.common.statistics import mean_interval
from jaxgan.report import pictures
from jaxgan.runs.environment import environment

RECORD = pathlib.Path(__file__).parent.parent / "results" / "applications"


class Section:
    """Rows of scores beside those of baselines, goals and pictures; the clock runs from the start.

    Attributes:
      name: of the experiment, and of its files.
      title: in words.
      protocol: what was done, in one paragraph.
      out: folder of what it writes, which is made.
      quick: whether the settings are those for two CPU cores.
      rows: as of `row`.
      goals: what was aimed at, whether it is met, and the figure that says so.
      pictures: names of files in `out`.
      before: seconds that were spent before the start, on what is used again.
      more: what else the file holds, by name.
    """

    def __init__(self, name: str, title: str, protocol: str, out: pathlib.Path, *, quick: bool) -> None:
        """Begins the clock."""
        self.name, self.title, self.protocol, self.out, self.quick = name, title, protocol, out, quick
        self.rows: list[dict[str, Any]] = []
        self.goals: list[dict[str, Any]] = []
        self.pictures: list[str] = []
        self.more: dict[str, Any] = {}
        self.before, self._began, self._printed = 0.0, time.monotonic(), 0
        out.mkdir(parents=True, exist_ok=True)

    def row(
        self, what: str, score: str, better: str, ours: Any, baseline: str, theirs: Any, **more: Any
    ) -> None:
        """Adds a score beside that of a baseline; each is (value, low, high), or samples, whose mean counts.

        Samples have Student's 95 % interval; one value has none.
        """
        (a, own), (b, other) = _with_interval(ours), _with_interval(theirs)
        row = {"what": what, "score": score, "better": better, "ours": a, "interval": own}
        row |= {"baseline": baseline, "baseline_value": b, "baseline_interval": other}
        self.rows.append(row | more)

    def goal(self, goal: str, met: bool, figure: str) -> None:
        """Adds a goal, whether it is met, and the figure that says so."""
        self.goals.append({"goal": goal, "met": bool(met), "figure": figure})
        print(f"goal {'met' if met else 'NOT met'}: {goal} ({figure})", flush=True)

    def picture(self, name: str, pixels: np.ndarray) -> None:
        """Writes a picture, uint8 [h, w, c]."""
        write_atomically(self.out / name, pictures.png(pixels))
        self.pictures.append(name)

    def write(self, *, record: bool = False) -> None:
        """Writes OUT/NAME.json and, to keep it, NAME.json (or NAME-quick.json) among the results; prints new rows."""
        seconds = time.monotonic() - self._began + self.before
        found = {
            "title": self.title,
            "protocol": self.protocol,
            "quick": self.quick,
            "rows": self.rows,
            "pictures": self.pictures,
            "seconds": seconds,
            "goals": self.goals,
            "command": shlex.join(["python", *sys.argv]),
            "environment": environment(),
            **self.more,
        }
        kept = [RECORD / f"{self.name}{'-quick' if self.quick else ''}.json"] if record else []
        for path in (self.out / f"{self.name}.json", *kept):
            write(path, found)
        for row in self.rows[self._printed :]:
            ours = said(row["ours"], row["interval"])
            theirs = said(row["baseline_value"], row["baseline_interval"])
            print(
                f"{row['what']}: {row['score']} {ours}; {row['baseline']} {theirs} ({row['better']} is better)"
            )
        self._printed = len(self.rows)
        print(f"wrote {self.out / self.name}.json ({seconds:.0f} s)", flush=True)


def write(path: pathlib.Path, found: Mapping[str, Any]) -> None:
    """Writes what was found as JSON: numbers to six digits, and null where one is not finite."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(_plain(found), indent=1) + "\n")


def said(value: float | None, interval: Sequence[float] | None) -> str:
    """A value and its interval in words; "–" for none."""
    if value is None:
        return "–"
    known = interval is not None and None not in interval
    return f"{value:.4g}" + (f" [{interval[0]:.4g}, {interval[1]:.4g}]" if interval and known else "")


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, float | np.floating):
        return float(f"{float(value):.6g}") if np.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _with_interval(values: Any) -> tuple[float | None, list[float] | None]:
    """The value and its interval, of (value, low, high) or of samples."""
    if isinstance(values, tuple):
        value, low, high = values
    else:
        value, low, high, _ = mean_interval(np.asarray(values, np.float64).ravel())
    return (
        None if value is None else float(value),
        None if low is None or high is None else [float(low), float(high)],
    )
