"""The lock of a run: one process at a time; what a dead one left is taken over, what a living one holds is not."""

import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time

import pytest

from jaxgan import InputError
from jaxgan.runs import lock
from jaxgan.runs.lock import NAME, STALE, TakenOver, check_held, locked, owner_of
from jaxgan.train.clock import Signals


def rewritten(path, silent=0.0, **changes):
    """The lock of a folder, as another would have left it."""
    file = path / NAME
    with locked(path):
        content = json.loads(file.read_text())
    file.write_text(json.dumps(content | changes))
    os.utime(file, (time.time() - silent,) * 2)
    return file


def dead_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_held_lock_names_its_owner_and_age(tmp_path):
    with locked(tmp_path):
        owner = owner_of(tmp_path)
        assert (owner.host, owner.pid) == (platform.node(), os.getpid())
        with pytest.raises(InputError) as refused, locked(tmp_path):
            pass
        said = str(refused.value)
        assert f"in use by process {os.getpid()} on {platform.node()}, which took it " in said
        assert " seconds ago" in said
        assert owner_of(tmp_path).token == owner.token
    assert owner_of(tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_a_failure_gives_all_locks_back(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.mkdir()
    b.mkdir()
    with locked(b), pytest.raises(InputError, match="'.*b' is in use"), locked(a, b):
        pass
    assert not list(a.iterdir())
    with pytest.raises(KeyError), locked(a, b):
        raise KeyError
    assert not [*a.iterdir(), *b.iterdir()]


@pytest.mark.parametrize(
    ("changes", "silent", "alive"),
    [
        ({}, 0, True),
        ({}, 10 * STALE, True),  # suspended on this machine: silent, and there
        ({"born": "1"}, 0, False),  # its number was given to another process
        ({"pid": None}, 0, False),  # a process that has ended
        ({"machine": "elsewhere", "host": "h"}, STALE / 2, True),
        ({"machine": "elsewhere", "host": "h"}, STALE + 5, False),
    ],
)
def test_stale_locks_are_told_from_live_ones(tmp_path, changes, silent, alive):
    if changes.get("pid", 0) is None:
        changes = {"pid": dead_process()}
    if "born" in changes and not os.path.exists("/proc/self/stat"):
        pytest.skip("nothing says when a process began")
    rewritten(tmp_path, silent, **changes)
    assert (owner_of(tmp_path) is not None) == alive
    if alive:
        with pytest.raises(InputError, match="in use by process"), locked(tmp_path):
            pass
    else:
        with locked(tmp_path):
            assert owner_of(tmp_path).pid == os.getpid()
    assert [p.name for p in tmp_path.iterdir()] == [NAME] * alive


def test_the_number_of_a_dead_owner_may_be_another_user_s_by_now(tmp_path, monkeypatch):
    if not os.path.exists("/proc/self/stat"):
        pytest.skip("nothing says when a process began")
    rewritten(tmp_path, born="1")
    monkeypatch.setattr(os, "kill", lambda pid, signum: (_ for _ in ()).throw(PermissionError()))
    assert owner_of(tmp_path) is None
    rewritten(tmp_path)
    assert owner_of(tmp_path) is not None


def test_a_half_written_lock_is_known_by_its_age(tmp_path):
    (tmp_path / NAME).write_text('{"host": "h", "pi')
    with pytest.raises(InputError, match="an unknown host"), locked(tmp_path):
        pass
    os.utime(tmp_path / NAME, (0, 0))
    with locked(tmp_path):
        pass


def test_a_lock_that_was_replaced_meanwhile_is_left_alone(tmp_path, monkeypatch):
    """Two find the same stale lock; the slower one must not take the lock of the faster one away."""
    rewritten(tmp_path, pid=dead_process())
    opened, others = os.open, []

    def slow(file, *args, **options):
        if "-of-" in os.fspath(file):  # it has seen the stale lock, and is about to replace it
            monkeypatch.setattr(os, "open", opened)
            others.append(rewritten_in_place(tmp_path))
        return opened(file, *args, **options)

    monkeypatch.setattr(os, "open", slow)
    with pytest.raises(InputError, match=f"in use by process {os.getpid()} "), locked(tmp_path):
        pass
    assert others == [(tmp_path / NAME).read_text()]
    assert [p.name for p in tmp_path.iterdir()] == [NAME]


def rewritten_in_place(path):
    """What a living process writes, who has taken the stale lock over."""
    (path / NAME).unlink()
    return rewritten(path).read_text()


def test_a_claim_that_was_left_does_not_block_for_ever(tmp_path):
    token = json.loads(rewritten(tmp_path, pid=dead_process()).read_text())["token"]
    claim = tmp_path / f"{NAME}-of-{token}"
    claim.touch()
    os.utime(claim, (0, 0))
    with locked(tmp_path):
        assert owner_of(tmp_path).pid == os.getpid()
    assert not list(tmp_path.iterdir())


def test_what_is_held_is_told_from_what_is_lost(tmp_path):
    file = tmp_path / NAME
    with locked(tmp_path):
        mine = json.loads(file.read_text())["token"]
        file.unlink()  # by hand
        check_held(tmp_path)
        assert json.loads(file.read_text())["token"] == mine
        file.unlink()
        file.mkdir()  # there, and not to be read now, as on a file server that does not answer
        check_held(tmp_path)
        file.rmdir()
        file.write_text(json.dumps({"host": "h", "pid": 1, "machine": "elsewhere", "token": "other"}))
        with pytest.raises(TakenOver, match="was taken over by process 1 on h"):
            check_held(tmp_path)
    assert json.loads(file.read_text())["token"] == "other"
    check_held(tmp_path)  # it is not this process's any more, and nothing is claimed of it


def test_who_was_taken_for_dead_stops(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lock, "BEAT", 0.01)
    (tmp_path / "other").mkdir()
    with Signals() as signals:
        with locked(tmp_path):
            time.sleep(0.1)
            assert signals.received is None
            os.replace(rewritten(tmp_path / "other", machine="elsewhere", host="h"), tmp_path / NAME)
            until = time.monotonic() + 20
            while signals.received is None and time.monotonic() < until:
                time.sleep(0.01)
        assert signals.received == signal.SIGTERM
    assert "is now trained by process" in capsys.readouterr().err
    assert (tmp_path / NAME).exists()  # the other's, which is left to it


@pytest.mark.parametrize("attempt", range(20))
def test_one_of_many_gets_it(tmp_path, attempt):
    rewritten(tmp_path, pid=dead_process())
    got, start, stop = [], threading.Barrier(8), threading.Event()

    def take():
        start.wait()
        try:
            with locked(tmp_path):
                got.append(1)
                stop.wait(20)
        except InputError:
            got.append(0)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 15
    while len(got) < 8 and time.monotonic() < deadline:
        time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join()
    assert sorted(got) == [0] * 7 + [1]
    assert not list(tmp_path.iterdir())


def test_the_owner_gives_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "BEAT", 0.02)
    with locked(tmp_path):
        os.utime(tmp_path / NAME, (0, 0))
        deadline = time.monotonic() + 10
        while (tmp_path / NAME).stat().st_mtime < 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert owner_of(tmp_path).silent < 10
