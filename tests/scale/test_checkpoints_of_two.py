"""What two processes do together: how they meet, and checkpoints that one of them cannot read."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What each process got of every attempt, the folder, and what the first has written."""
    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [[sys.executable, HERE / "two_that_read.py", i, port, folder] for i in range(2)]
    options = {
        "env": {**os.environ, "PYTHONPATH": str(HERE.parent.parent)},
        "stderr": subprocess.STDOUT,
        "stdout": subprocess.PIPE,
    }
    both = [subprocess.Popen(list(map(str, each)), text=True, **options) for each in words]
    written = [each.communicate(timeout=100)[0] for each in both]
    assert [each.returncode for each in both] == [0, 0], written
    return *[json.loads((folder / f"said-{i}").read_text()) for i in range(2)], folder, written[0]


def test_groups_of_devices_find_each_other_as_processes_meet(said):
    """Not in the first step, where a process that is late by 30 s of compilation would not be waited for."""
    before, after = said[3].partition("gathered\n")[0].split("have met\n")
    assert "connected to 1 peer ranks" in before
    assert "peer ranks" not in after


def test_none_reads_what_one_cannot(said):
    first, second, folder, _ = said
    place = folder / "checkpoints"
    assert first["read 3"] == second["read 3"]
    assert first["read 3"] == (
        f"InputError: process 1: checkpoint 3 in '{place}' cannot be read "
        f"([Errno 5] Input/output error: '{place}/3/state')"
    )
    assert first["read 2"] == second["read 2"] == {"step": 2}


def test_all_set_the_same_aside(said):
    first, second, folder, _ = said
    assert first["aside"] == second["aside"] == [2]
    assert [path.name for path in (folder / "checkpoints-broken").iterdir()] == ["3"]


def test_who_takes_too_long_is_named(said):
    assert said[0]["late"] == (
        "Late: distributed: expected all 2 processes to get as far within 1 s, and process 1 did not"
    )
    assert said[1]["late"].startswith("JaxRuntimeError: ")  # the first has gone
