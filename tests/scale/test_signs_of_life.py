"""How long processes wait for each other, and whom they name, with a table of made-up processes."""

import contextlib
import importlib.util
import threading
import time

import jax
import pytest
from jax._src import distributed  # whose table has no public name

from jaxgan import InputError
from jaxgan.common import processes
from jaxgan.runs.checkpoint import SaveError


class Ended(SystemExit):
    """This process, by `os._exit`."""


class Table(dict):
    """The table of strings in process 0, in which `living` processes give a sign of life whenever one looks."""

    def __init__(self, living=(), deaf=range(0)):
        super().__init__()
        self.living, self.deaf, self.asked = living, deaf, 0

    def key_value_set(self, key, text, allow_overwrite=False):
        self[key] = text

    def key_value_dir_get(self, prefix):
        self.asked += 1
        if self.asked in self.deaf:
            raise RuntimeError("UNAVAILABLE: failed to connect")
        for i in self.living:
            self[f"jaxgan/alive/{i}"] = str(self.asked)
        return [(key, text) for key, text in self.items() if key.startswith(prefix)]

    def told(self):
        return {key.removeprefix("jaxgan/news/"): text for key, text in self.items() if "news" in key}


@pytest.fixture
def watched():
    """A function that watches the others in a thread, which ends with the test."""
    threads = []

    def begun(processes, table):
        def watch():
            with contextlib.suppress(Ended):
                processes.watch(table)

        threads.append((thread := threading.Thread(target=watch), table))
        thread.start()
        while table.asked < 3:
            time.sleep(0.001)
        return thread

    yield begun
    for thread, table in threads:
        table.deaf = range(0)
        table["jaxgan/news/failed/0"] = "the test is over"
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def one_of_three(monkeypatch):
    """A function that imports `processes` anew, as number `index` of three with a table; times are a hundredth.

    It returns the module, and the ends of the process: the status, and what the others were told by then.
    """
    assert (processes.BEAT, processes.DEAF, processes.SILENT, processes.LOST) == (
        1,
        10,
        30,
        75,
    )  # of README.md

    def made(index, table):
        spec = importlib.util.find_spec("jaxgan.common.processes")
        assert spec is not None
        assert spec.loader is not None
        spec.loader.exec_module(own := importlib.util.module_from_spec(spec))
        ends = []

        def end(status):
            ends.append((status, dict(table.told())))
            raise Ended(status)

        for name in ("BEAT", "DEAF", "SILENT"):
            setattr(own, name, getattr(own, name) / 100)
        monkeypatch.setattr("os._exit", end)
        state = type("State", (), {"client": table, "num_processes": 3, "process_id": index})
        monkeypatch.setattr(distributed, "global_state", state)
        return own, ends

    return made


def test_who_is_silent_for_30_s_is_named_with_status_75(one_of_three, capsys):
    table = Table(living=[1])
    processes, _ = one_of_three(0, table)
    begun = time.monotonic()
    with pytest.raises(Ended) as ended:
        processes.watch(table)
    assert time.monotonic() - begun > 0.3
    assert ended.value.code == 75
    said = "process 2 failed: it gave no sign of life for 0 s; process 0 ends as well"
    assert capsys.readouterr().err == f"error: {said}\n"
    assert list(table.told()) == ["failed/2"]  # which the others are told


def test_what_another_tells_ends_this_one_at_once(one_of_three, capsys):
    table = Table(living=[0, 2])
    table["jaxgan/news/failed/2"] = "no\nmore"
    processes, _ = one_of_three(1, table)
    begun = time.monotonic()
    with pytest.raises(Ended):
        processes.watch(table)
    assert time.monotonic() - begun < 0.2
    assert capsys.readouterr().err == "error: process 2 failed: no more; process 1 ends as well\n"


def test_an_unanswered_question_is_not_the_end(one_of_three, watched, capsys):
    """A table that is deaf for a moment goes on; one that stays so is gone, with its process."""
    table = Table(living=[0, 2], deaf=range(3, 6))
    processes, ends = one_of_three(1, table)
    watching = watched(processes, table)
    while table.asked < 20:
        assert watching.is_alive()
        time.sleep(0.01)
    assert not ends
    table.deaf = range(10**9)
    begun = time.monotonic()
    watching.join(10)
    assert time.monotonic() - begun > 0.05
    assert [status for status, _ in ends] == [75]
    said = "process 0 is gone (UNAVAILABLE: failed to connect); process 1 ends as well"
    assert capsys.readouterr().err == f"error: {said}\n"


ERRORS = {
    "of a program of all": jax.errors.JaxRuntimeError("INTERNAL: Gloo all-reduce failed"),
    "of a save": SaveError("could not write checkpoint 3"),
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_an_error_that_may_be_of_another_waits_for_a_sign_of_the_others(one_of_three, watched, error, capsys):
    """It is this process's own where all the others live, and is told of in no time; else who died is named."""
    table = Table(living=[1, 2])
    processes, ends = one_of_three(0, table)
    watching = watched(processes, table)
    begun = time.monotonic()
    with pytest.raises(type(error)), processes.together():
        raise error
    assert time.monotonic() - begun < 0.2
    assert list(table.told()) == ["failed/0"]
    assert not ends
    watching.join(10)

    table = Table(living=[2])
    processes, ends = one_of_three(0, table)
    watched(processes, table)
    with pytest.raises(type(error)), processes.together():
        raise error
    assert [(status, list(told)) for status, told in ends] == [(75, ["failed/1"])]
    assert "process 1 failed" in capsys.readouterr().err


def test_what_one_cannot_do_none_does(monkeypatch):
    def refused():
        raise InputError("checkpoint 3 in 'runs/a/checkpoints' cannot be read (x)")

    with pytest.raises(InputError, match=r"^checkpoint 3 in .* \(x\)$"):  # by itself
        processes.by_all(refused)
    monkeypatch.setattr(processes, "several", lambda: True)
    monkeypatch.setattr(processes, "count", lambda: 3)
    monkeypatch.setattr(processes, "gathered", lambda text, within: [text, "", ""])
    with pytest.raises(InputError, match=r"^process 0: checkpoint 3 in .* \(x\)$"):
        processes.by_all(refused)
    assert processes.by_all(lambda: 7) == 7
    monkeypatch.setattr(processes, "gathered", lambda text, within: [text, "no", "no"])
    with pytest.raises(InputError, match=r"^process 1: no \(and 1 more of the 3 processes\)$"):
        processes.by_all(lambda: 7)
