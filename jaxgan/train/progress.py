"""What a person sees while training: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from jaxgan.report.scores import format_number, score_rows
from jaxgan.train.sinks import Sink

_SECONDS_BETWEEN_LINES = 10.0
_WIDE = 110  # characters in a line that hold the meaning of a score as well


class Progress(Sink):
    """Reports to stdout; a bar if that is a terminal."""

    def __init__(self, steps: int, folder: pathlib.Path) -> None:
        """Says where the run is."""
        self.console = Console(highlight=False, soft_wrap=True, markup=False)
        self._steps, self._bar, self._task, self._printed, self._begun = steps, None, None, 0.0, (0, 0.0)
        self.console.print(f"run: {folder}")

    def start(self, step: int) -> None:
        """Begins the bar at `step`."""
        self._begun = (step, time.monotonic())
        if self.console.is_terminal:
            self._bar = Bar(
                TextColumn("training"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[text]}", markup=False),
                console=self.console,
            )
            self._task = self._bar.add_task("training", total=self._steps, completed=step, text="compiling")
            self._bar.start()
        else:
            self.console.print("compiling and training")

    def record(self, record: Mapping[str, Any]) -> None:
        """Shows the speed, the loss of every turn, and the "best_score" if there is one."""
        losses = {name.removesuffix("/loss"): x for name, x in record.items() if name.endswith("/loss")}
        text = f"{record['images_per_second']:,.0f} images/s"
        text += "".join(f"  {turn.capitalize()} {loss:.3f}" for turn, loss in losses.items())
        if "best_score" in record:
            text += f"  best score {format_number(record['best_score'])}"
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=record["step"], text=text)
            return
        now = time.monotonic()
        if "score" in record or now - self._printed >= _SECONDS_BETWEEN_LINES:
            self._printed = now
            if "score" in record:
                text += f"  {record['score_name']} {format_number(record['score'])}"
            first, begun = self._begun
            left = (now - begun) / max(record["step"] - first, 1) * (self._steps - record["step"])
            self.console.print(f"step {record['step']:,}/{self._steps:,}  {text}  {_clock(left)} left")

    def note(self, text: str) -> None:
        """Prints a line."""
        self.console.print(text)

    def close(self, status: str, error: str | None = None) -> None:
        """Leaves the bar as it is."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def scores(self, scores: Mapping[str, Any]) -> None:
        """Prints the final table."""
        self.close("scored")
        best, last = scores.get("best"), scores["final"]["step"]
        title = f"scores of the averaged generator; final: step {last:,}"
        self.console.print(title + (f"; best: step {best['step']:,}" if best else ""))
        names = ["score", "final", "best", "floor", "better", "meaning"]
        if best and best["step"] == last:
            names.remove("best")
        if self.console.width < _WIDE:  # the report has it
            names.remove("meaning")
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in names:
            number = name in ("final", "best", "floor")
            table.add_column(name, justify="right" if number else "left", no_wrap=name != "meaning")
        for row in score_rows(scores):
            by_name: dict[str, str] = dict(
                zip(("score", "final", "best", "floor", "better", "meaning"), row, strict=False)
            )
            table.add_row(*(by_name[name] for name in names))
        self.console.print(table)


class Voice(Sink):
    """What a member says on the terminal of all; `name` begins its lines, and is empty if it is the only one."""

    def __init__(self, terminal: Sink, name: str = "") -> None:
        """Says nothing yet."""
        self.name, self._terminal, self._prefix = name, terminal, f"{name}: " if name else ""

    def note(self, text: str) -> None:
        """Prints a line."""
        self._terminal.note(self._prefix + text)

    def finding(self, step: int, text: str) -> None:
        """Prints what was found."""
        self.note(f"step {step:,}: health: {text}")

    def scores(self, scores: Mapping[str, Any]) -> None:
        """Prints the table of an only member."""
        if not self.name:
            self._terminal.scores(scores)

    def close(self, status: str, error: str | None) -> None:
        """Says what became of one of many."""
        if self.name and status == "diverged":
            self.note(f"diverged: {error}")


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
