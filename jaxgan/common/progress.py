"""What a person sees of long work: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any, Self, TextIO

_SECONDS_BETWEEN_LINES = 10.0


def clock(seconds: float) -> str:
    """Seconds as M:SS or H:MM:SS."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def counted(n: int, what: str, several: str = "") -> str:
    """ "1 image", "2 images"; `several` is the plural where it takes more than an s."""
    return f"{n:,} {what if n == 1 else several or what + 's'}"


def duration(seconds: float) -> str:
    """Seconds in words: "40 seconds", "4.4 minutes", "26 hours", "3 days"."""
    for unit, size, from_ in (("days", 86400, 2.0), ("hours", 3600, 1.5), ("minutes", 60, 1.5)):
        if seconds >= from_ * size:
            n = seconds / size
            return f"{n:.1f}".removesuffix(".0") + f" {unit}" if n < 10 else f"{n:.0f} {unit}"
    return counted(round(seconds), "second")


class Pace:
    """How fast work goes from now on, and so how long the rest of it takes."""

    def __init__(self, total: int, done: int = 0) -> None:
        """Work goes on at `done` of `total`."""
        self._total, self._first, self._begun = total, done, time.monotonic()

    def left(self, done: int) -> str:
        """The time that is left when `done` is reached, as M:SS or H:MM:SS; "" where nothing tells yet."""
        if done <= self._first and done < self._total:
            return ""
        return clock((time.monotonic() - self._begun) / max(done - self._first, 1) * (self._total - done))


class Progress:
    """Shows one piece of work after the other. Leaving it as a context stops the bar, whatever happened."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Writes to `stream`, by default stdout."""
        self._stream = sys.stdout if stream is None else stream
        self._what, self._total, self._pace, self._printed = "", 0, Pace(0), 0.0
        self._bar: Any = None

    def __enter__(self) -> Self:
        """Shows nothing yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stops the bar."""
        self.stop()

    def start(self, what: str, total: int, done: int = 0, text: str = "") -> None:
        """Work begins, or goes on, at `done` of `total`.

        Args:
          what: is counted, or done: "step", "features of reals".
          total: how much there is; 0 where nobody knows.
          done: how much of it is there already.
          text: what happens until the first update.
        """
        self.stop()
        self._what, self._total, self._pace = what, total, Pace(total, done)
        self._printed = time.monotonic()
        if self._stream.isatty():
            self._bar = _bar(self._stream, what, total, done, text)
            self._bar.start()
        elif text:
            self.note(text)

    def update(self, done: int, text: str = "", *, at_once: bool = False) -> None:
        """`done` is reached; lines that are no bar come every ten seconds, or `at_once`."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, text=text)
            return
        now = time.monotonic()
        if at_once or now - self._printed >= _SECONDS_BETWEEN_LINES:
            self._printed = now
            counted = f" {done:,}/{self._total:,}" if self._total else ""
            left = self._pace.left(done) if self._total else ""
            self.note("  ".join(filter(None, (self._what + counted, text, left and f"{left} left"))))

    def warm(self, done: int) -> None:
        """Measures the pace from `done` on: what came before, such as compiling, tells nothing of it."""
        self._pace = Pace(self._total, done)

    def count(self, what: str, done: int, total: int, text: str = "", *, at_once: bool = False) -> None:
        """Starts work that is new, and updates work that is not: for callers that are only called back now and then."""
        if (what, total) != (self._what, self._total):
            self.start(what, total, done)
        self.update(done, text, at_once=at_once)

    def note(self, text: str) -> None:
        """One line, above the bar if there is one."""
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=self._stream, flush=True)

    def stop(self) -> None:
        """The work has ended; the bar stays as it is."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _bar(stream: TextIO, what: str, total: int, done: int, text: str) -> Any:
    from rich import progress
    from rich.console import Console

    bar = progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(bar_width=24),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[text]}", markup=False),
        console=Console(file=stream),
    )
    bar.add_task(what, total=total or None, completed=done, text=text)
    return bar
