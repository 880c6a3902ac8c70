"""What a person sees while training: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import pathlib
from typing import Any

from jaxgan.common import progress
from jaxgan.report.scores import format_number, score_rows
from jaxgan.report.terminal import print_table


class Progress:
    """Shows a training on stdout, by its records."""

    def __init__(self, steps: int, folder: pathlib.Path) -> None:
        """Says where the run is."""
        self._steps, self._shown = steps, progress.Progress()
        self.note(f"run: {folder}")

    def start(self, step: int) -> None:
        """Training begins, or goes on, at `step`."""
        self._shown.start("step", self._steps, step, "compiling and training")

    def update(self, record: dict[str, Any], best: dict[str, Any] | None) -> None:
        """Shows one record of the metrics, and the best score so far; a record with a score at once."""
        text = (
            f"{record['images_per_second']:,.0f} images/s  D {record['d/loss']:.3f}  G {record['g/loss']:.3f}"
        )
        if best is not None:
            text += f"  best score {format_number(best['score'])}"
        if "score" in record:
            text += f"  {record['score_name']} {format_number(record['score'])}"
        self._shown.update(record["step"], text, at_once="score" in record)

    def note(self, text: str) -> None:
        """One line."""
        self._shown.note(text)

    def stop(self) -> None:
        """Training has ended; the bar stays as it is."""
        self._shown.stop()

    def scores(self, scores: dict[str, Any]) -> None:
        """The final table."""
        best, last = scores.get("best"), scores["final"]["step"]
        title = f"scores of the averaged generator; final: step {last:,}"
        self.note(title + (f"; best: step {best['step']:,}" if best else ""))
        names = ["score", "final", "best", "floor", "better", "meaning"]
        kept = [i for i, name in enumerate(names) if name != "best" or not (best and best["step"] == last)]
        rows = [[row[i] for i in kept] for row in score_rows(scores)]
        print_table([names[i] for i in kept], rows, numbers=range(1, kept.index(4)))


class MemberProgress:
    """One of several members that share a progress: only its notes are shown, under its name.

    Attributes:
      record: its last one, which the members' mean is taken of.
    """

    def __init__(self, shared: Progress, name: str) -> None:
        """The member's notes begin with `name`."""
        self._shared, self._name = shared, name
        self.record: dict[str, Any] = {}

    def start(self, step: int) -> None:
        """All members have begun."""

    def update(self, record: dict[str, Any], best: dict[str, Any] | None) -> None:
        """Keeps the record."""
        self.record = record

    def note(self, text: str) -> None:
        """One line, unless all members say the same."""
        if not text.startswith("scoring"):
            self._shared.note(f"{self._name}: {text}")

    def stop(self) -> None:
        """The others may go on."""

    def scores(self, scores: dict[str, Any]) -> None:
        """Are in the member's report."""
