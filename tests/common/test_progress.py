"""Progress is a bar on a terminal, lines with the time left elsewhere, and needs no JAX."""

import contextlib
import io
import subprocess
import sys

import pytest

from jaxgan.common import progress
from jaxgan.common.progress import Pace, Progress, duration
from jaxgan.train.sinks.progress import Progress as TrainProgress


class Terminal(io.StringIO):
    """Takes what a terminal would show."""

    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    seconds = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: seconds[0])
    return seconds


def test_time_left_is_that_of_the_pace(clock):
    pace = Pace(total=1000, done=100)
    clock[0] += 60  # for 50
    assert pace.left(150) == "17:00"
    clock[0] += 7200 - 60
    assert pace.left(200) == "16:00:00"
    assert pace.left(1000) == "0:00"


def test_time_spent_on_compiling_is_not_counted(clock):
    out = io.StringIO()
    with Progress(out) as shown:
        shown.start("step", 1000, text="compiling")
        clock[0] += 600
        shown.warm(50)
        shown.update(50, at_once=True)
        clock[0] += 10
        shown.update(100)
    assert out.getvalue().splitlines() == ["compiling", "step 50/1,000", "step 100/1,000  3:00 left"]
    out, terminal = io.StringIO(), None
    with contextlib.redirect_stdout(out):
        terminal = TrainProgress(1000, "runs/0")
        terminal.start(0)
        for step in (50, 100):
            clock[0] += 600 if step == 50 else 10
            terminal.record({"step": step, "images_per_second": 9.0})
    assert [line.rpartition("  ")[2] for line in out.getvalue().splitlines()[2:]] == [
        "9 images/s",
        "3:00 left",
    ]


def test_lines_come_now_and_then_or_at_once(clock):
    out = io.StringIO()
    with Progress(out) as shown:
        shown.start("step", 1000, text="compiling")
        for step in range(1, 31):
            clock[0] += 1
            shown.update(step, "fine")
        shown.update(31, "a score", at_once=True)
        shown.note("a note")
    assert out.getvalue().splitlines() == [
        "compiling",
        "step 10/1,000  fine  16:30 left",
        "step 20/1,000  fine  16:20 left",
        "step 30/1,000  fine  16:10 left",
        "step 31/1,000  a score  15:38 left",
        "a note",
    ]


def test_what_only_calls_back_starts_by_itself(clock):
    out = io.StringIO()
    shown = Progress(out)
    shown.count("features of reals", 100, 2000)
    clock[0] += 20
    shown.count("features of reals", 300, 2000)
    shown.count("computing fd", 0, 0)
    clock[0] += 20
    shown.count("computing fd", 0, 0)
    shown.count("features of fakes", 300, 300)
    shown.count("step", 50, 50, "loss 0.1", at_once=True)
    assert out.getvalue().splitlines() == [
        "features of reals 300/2,000  2:50 left",
        "computing fd",
        "step 50/50  loss 0.1  0:00 left",
    ]


def test_a_terminal_has_a_bar_that_ends_even_in_an_error():
    out = Terminal()
    with contextlib.suppress(RuntimeError), Progress(out) as shown:
        shown.start("step", 40, 10)
        shown.update(20, "[loss] 0.5")
        shown.note("[note]")
        raise RuntimeError
    text = out.getvalue()
    assert "20/40" in text
    assert "[loss] 0.5" in text
    assert "[note]" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # the cursor is back


def test_it_needs_nothing_heavy():
    code = "import sys, jaxgan.common.progress; assert not {'jax', 'rich', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_times_are_said_in_the_largest_unit_that_tells_enough():
    said = {1: "1 second", 85: "85 seconds", 120: "2 minutes", 266: "4.4 minutes", 5340: "89 minutes"}
    said |= {9000: "2.5 hours", 3600 * 40: "40 hours", 86400 * 5: "5 days", 86400 * 130: "130 days"}
    assert {seconds: duration(seconds) for seconds in said} == said
