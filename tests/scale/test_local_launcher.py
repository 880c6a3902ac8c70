"""The launcher of several processes of one machine, with processes that are no training."""

import pathlib
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
sys.path.append(str(ROOT / "experiments/launch"))
import local  # noqa: E402

# Process 1 dies the first time; the others wait for ever then. Of the second try there is a note of the arguments.
PROGRAM = """
import os, pathlib, signal, sys, time
here, index = pathlib.Path({here!r}), sys.argv[sys.argv.index("--process-index") + 1]
(here / "run.json").touch()
print(f"run: {{here}}", flush=True)
if "resume" in sys.argv[:3]:
    (here / f"again-{{index}}").write_text(" ".join(sys.argv[1:3]))
    raise SystemExit(0)
while index == "1" and not (here / "heard").exists():
    time.sleep(0.01)
if index == "1":
    os.kill(os.getpid(), signal.SIGKILL)
(here / "heard").touch()
time.sleep(100)
"""


def launched(tmp_path, *options):
    program = tmp_path / "jaxgan.py"
    program.write_text(PROGRAM.format(here=str(tmp_path)))
    launcher = ROOT / "experiments/launch/local.py"
    words = [sys.executable, launcher, "-n", "2", *options, "--", "jaxgan", "train"]
    begun = time.monotonic()
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=100, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}
    )
    return done, time.monotonic() - begun


def test_a_death_ends_the_others_and_is_named(tmp_path):
    done, seconds = launched(tmp_path)
    assert done.returncode == 128 + 9
    assert done.stderr.splitlines() == [
        "launcher: process 1 of 2 died of SIGKILL; ending the others",
        f"launcher: to go on: jaxgan resume {tmp_path}, launched as this was",
    ]
    assert done.stdout.splitlines().count(f"run: {tmp_path}") == 1
    assert seconds < 30  # 3 and a bit on a machine with time


def test_a_death_is_gone_on_from(tmp_path):
    done, _ = launched(tmp_path, "--max-restarts", "1")
    assert done.returncode == 0
    assert done.stderr.splitlines()[1] == f"launcher: restart 1 of 1: jaxgan resume {tmp_path}"
    assert [(tmp_path / f"again-{i}").read_text() for i in range(2)] == [f"resume {tmp_path}"] * 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-n", "0", "--", "jaxgan", "train"), "n: expected at least 1, got 0"),
        (("-n", "2", "--devices", "0", "--", "jaxgan", "train"), "devices: expected at least 1, got 0"),
        (
            ("-n", "2", "--max-restarts", "-1", "--", "jaxgan", "train"),
            "max_restarts: expected at least 0, got -1",
        ),
        (
            ("-n", "2", "--", "nosuch"),
            "command: expected jaxgan train ... or jaxgan resume RUN, got 'nosuch'",
        ),
        (("-n", "2", "--", "jaxgan", "evaluate", "r"), "got 'jaxgan evaluate r'"),
    ],
)
def test_what_cannot_be_launched_is_named(words, message):
    launcher = [sys.executable, str(ROOT / "experiments/launch/local.py"), *words]
    done = subprocess.run(launcher, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_signal_while_processes_are_started_ends_all(monkeypatch):
    """It comes after the first of three: that one gets it, and the others are not begun."""
    begun = []

    class Started(subprocess.Popen):
        def __init__(self, words, **options):
            super().__init__([sys.executable, "-c", "import time; time.sleep(100)"], **options)
            begun.append(self)
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(subprocess, "Popen", Started)
    before = signal.getsignal(signal.SIGTERM)
    assert local.main(["-n", "3", "--max-restarts", "1", "--", "jaxgan", "train"]) == 143
    assert [one.poll() for one in begun] == [-signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) == before
