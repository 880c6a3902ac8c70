"""What a person sees while training: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

from jaxgan.common import progress
from jaxgan.report.scores import footnotes, format_number, held_out_line, score_rows
from jaxgan.report.terminal import print_table
from jaxgan.train.sinks.base import Sink


class Progress(Sink):
    """Shows a training on stdout, by its records."""

    def __init__(self, steps: int, folder: pathlib.Path, compiling: str = "compiling") -> None:
        """Says where the run is; `compiling` is said until the first record comes."""
        self._compiling = compiling
        self._steps, self._shown, self._silent = steps, progress.Progress(), True
        self.note(f"run: {folder}")

    def start(self, step: int) -> None:
        """Begins the bar at `step`."""
        self._shown.start("step", self._steps, step, f"{self._compiling}, then training")

    def record(self, record: Mapping[str, Any]) -> None:
        """Shows the speed, the loss of every turn, and the "best_score" if there is one; a score at once."""
        losses = {name.removesuffix("/loss"): x for name, x in record.items() if name.endswith("/loss")}
        text = f"{record['images_per_second']:,.0f} images/s"
        text += "".join(f"  {turn.capitalize()} {loss:.3f}" for turn, loss in losses.items())
        if "best_score" in record:
            text += f"  best score {format_number(record['best_score'])}"
        if "score" in record:
            text += f"  {record['score_name']} {format_number(record['score'])}"
        if self._silent:  # the time until now was that of compiling
            self._shown.warm(record["step"])
        self._shown.update(record["step"], text, at_once=self._silent or "score" in record)
        self._silent = False

    def note(self, text: str) -> None:
        """Prints a line."""
        self._shown.note(text)

    def close(self, status: str, error: str | None = None) -> None:
        """Leaves the bar as it is."""
        self._shown.stop()

    def scores(self, scores: Mapping[str, Any]) -> None:
        """Prints the final table."""
        best, last = scores.get("best"), scores["final"]["step"]
        self._shown.stop()
        title = f"scores of the averaged generator; final: step {last:,}"
        self.note(title + (f"; best: step {best['step']:,}" if best and best["step"] != last else ""))
        names, rows = ["score", "final", "best", "real data", "better", "meaning"], score_rows(scores)
        own = best and best["step"] != last
        kept = [i for i, name in enumerate(names) if name != "best" or own]
        shown = [[str(row[i]) for i in kept] for row in rows]
        print_table([names[i] for i in kept], shown, numbers=range(1, kept.index(4)))
        for text in filter(None, (*footnotes(rows), held_out_line(scores["final"]))):
            self.note(text)


class Voice(Sink):
    """Says on the common terminal what concerns one member; `name` begins its lines, and is empty for an only one."""

    def __init__(self, terminal: Sink, name: str = "") -> None:
        """Says nothing yet."""
        self.name, self._terminal, self._prefix = name, terminal, f"{name}: " if name else ""

    def note(self, text: str) -> None:
        """Prints a line."""
        self._terminal.note(self._prefix + text)

    def finding(self, step: int, text: str) -> None:
        """Prints what the monitors found at a step."""
        self.note(f"step {step:,}: health: {text}")

    def scores(self, scores: Mapping[str, Any]) -> None:
        """Prints the table of final scores, if there is one member only."""
        if not self.name:
            self._terminal.scores(scores)

    def close(self, status: str, error: str | None) -> None:
        """Says how the member ended, if there are several."""
        if self.name and status == "diverged":
            self.note(f"diverged: {error}")
