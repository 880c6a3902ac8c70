"""What may come while a run is trained: signals during scoring, another process, data that have moved."""

import os
import shutil
import signal
import time

import jax
import numpy as np
import pytest
from helpers import arrays, contents, same_arrays, small, take_over

from jaxgan import InputError
from jaxgan.__main__ import main
from jaxgan.cli.status import exit_status
from jaxgan.config.groups import DataConfig
from jaxgan.config.moves import PenaltyConfig
from jaxgan.data import POINT, Arrays, Images, Modality, describe, fingerprint
from jaxgan.health import Monitors
from jaxgan.metrics import ImageEvaluator, make_evaluator
from jaxgan.metrics.features import mnist_cnn
from jaxgan.metrics.modes import MixtureEvaluator
from jaxgan.metrics.scores.kernel import kernel_subsets
from jaxgan.models import MLPConfig
from jaxgan.runs.checkpoint import Checkpoints
from jaxgan.runs.evaluation import open_run
from jaxgan.runs.lock import locked, owner_of
from jaxgan.train.clock import Signals
from jaxgan.train.members import Members, set_up
from jaxgan.train.resume import check_data, resume
from jaxgan.train.run import train
from jaxgan.train.sinks.progress import Progress
from jaxgan.train.stops import Interrupted, Stopped

pytestmark = pytest.mark.usefixtures("shared_programs", "quick_keys")


def ring(tmp_path, **changes):
    """Some steps of the ring, scored at 10 and 20."""
    model = MLPConfig(g_widths=(8,), d_widths=(8,))
    base = {"data": DataConfig("ring"), "penalty": PenaltyConfig(), "loss": "non_saturating", "model": model}
    return small(tmp_path, "toy-ring", **(base | {"steps": 20, "evaluate_every": 10} | changes))


class Asked(Exception):
    """To stop."""


def stopping_after(n):
    """A function that may be called n times, and how often it was."""
    calls = []

    def poll():
        calls.append(1)
        if len(calls) > n:
            raise Asked

    return poll, calls


# --- between batches ---------------------------------------------------------------------------------


def test_scoring_looks_up_between_batches_and_metrics(cache):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (1200, 28, 28, 1), np.uint8), np.arange(1200, dtype=np.int32) % 10
    source = Images(
        "npz:x", images, labels, class_names=tuple("0123456789"), fingerprint=fingerprint(images, labels)
    )
    generate = lambda n: images[:n]
    poll, calls = stopping_after(10**6)
    network = mnist_cnn.features()
    evaluator = ImageEvaluator(source, network=network, metrics=("fd", "prdc"))
    evaluator.poll_with(poll)
    evaluator(generate, 600)
    batches = -(-600 // network.batch)
    assert len(calls) >= 3 * batches + 4  # of fakes, reals and held-out reals; two metrics of each
    for n in (0, 1, 3, len(calls) - 1):
        poll, calls = stopping_after(n)
        evaluator = ImageEvaluator(source, network=network, metrics=("fd", "prdc"))
        evaluator.poll_with(poll)
        shutil.rmtree(cache, ignore_errors=True)
        with pytest.raises(Asked):
            evaluator(generate, 600)
        assert len(calls) == n + 1
    poll, calls = stopping_after(3)
    with pytest.raises(Asked):
        kernel_subsets(rng.normal(size=(20, 2)), rng.normal(size=(20, 2)), subset_size=5, poll=poll)
    made = make_evaluator(source, None, poll)
    with pytest.raises(Asked):
        made.quick(generate, 600)


# --- signals while scoring -----------------------------------------------------------------------------


def test_a_signal_while_scoring_loses_nothing(tmp_path, monkeypatch, capsys):
    """At a score on the way, while that is made up for, and at the final one: then it ends with the same bits."""
    seen, show, owners = [], Progress.record, []

    def looking(self, record):
        seen.append((record["step"], (tmp_path / "whole/runs/00000-toy-ring/report.html").exists()))
        show(self, record)

    monkeypatch.setattr(Progress, "record", looking)
    whole = train(ring(tmp_path / "whole", log_every=5))
    assert seen == [(5, False), (10, True), (15, True), (20, True)]  # from the first score on
    monkeypatch.undo()

    def signalled(method, at):
        original, calls = getattr(MixtureEvaluator, method), []

        def wrapper(self, generate, n):
            calls.append(1)
            if len(calls) == at:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.01)
                assert generate(n) is None, "it went on after the signal"
            return original(self, generate, n)

        monkeypatch.setattr(MixtureEvaluator, method, wrapper)

    signalled("quick", 1)
    with pytest.raises(Stopped) as stopped:
        train(ring(tmp_path / "parts", log_every=5))
    part = stopped.value.folder
    assert (stopped.value.step, stopped.value.signum) == (10, signal.SIGINT)
    assert [record["step"] for record in part.records()] == [5]
    assert "stopping: step 10 is saved; writing the report" in capsys.readouterr().out
    assert part.report.exists()
    assert owner_of(part.path) is None
    for method, step in (("quick", 10), ("__call__", 20)):
        monkeypatch.undo()
        signalled(method, 1)
        with pytest.raises(Stopped) as stopped:
            resume(part)
        assert stopped.value.step == step
    monkeypatch.undo()
    monkeypatch.setattr(Progress, "close", lambda *args: owners.append(owner_of(part.path)))
    resume(part)
    assert owners[0].pid == os.getpid()  # it was held all the time
    assert owner_of(part.path) is None
    same_arrays(arrays(whole, 20), arrays(part, 20))
    timeless = lambda folder: [
        {k: v for k, v in r.items() if k != "images_per_second"} for r in folder.records()
    ]
    assert [record["step"] for record in part.records()] == [5, 10, 15, 20]
    assert timeless(whole) == timeless(part)
    assert whole.read("scores.json") == part.read("scores.json")
    assert sorted(p.name for p in part.samples.iterdir()) == sorted(p.name for p in whole.samples.iterdir())
    with (
        locked(part.path),
        pytest.raises(InputError, match=f"run: '{part.path}' is in use by process {os.getpid()}"),
    ):
        resume(part)


@pytest.fixture
def in_a_terminal():
    """Where SIGHUP ends a process: tests may be run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def test_a_terminal_that_closes_is_a_signal_to_save(in_a_terminal):
    before = signal.getsignal(signal.SIGHUP)
    with Signals() as signals:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)  # of the shell and of the kernel: it still saves
        time.sleep(0.01)
        assert signals.received == signal.SIGHUP
        with pytest.raises(Interrupted):
            signals.poll()
    assert signal.getsignal(signal.SIGHUP) == before
    folder = type("Folder", (), {"path": "runs/x"})()
    assert exit_status(lambda: (_ for _ in ()).throw(Stopped(signal.SIGHUP, 5, folder))) == 129
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals() as signals:  # as under nohup
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(0.01)
            assert signals.received is None
    finally:
        signal.signal(signal.SIGHUP, before)


def poisoned(states, metrics):
    return states, metrics | {"g/loss": jax.numpy.full_like(metrics["g/loss"], np.nan)}


def refused(*_):
    raise OSError(28, "No space left on device")


def signalled(value):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.01)
    return value


LOST = {
    "while it trains": (Members, "advance", lambda pair: pair),
    "while it is scored": (MixtureEvaluator, "quick", lambda score: score),
    "while it is scored at the end": (MixtureEvaluator, "__call__", lambda scores: scores),
    "while its last checkpoint is written": (Checkpoints, "close", lambda nothing: nothing),
    "and then diverges": (Members, "advance", lambda pair: poisoned(*pair)),
    "and then cannot write": (MixtureEvaluator, "quick", refused),
    "and then is stopped": (MixtureEvaluator, "quick", signalled),
    "and then is stopped at the end": (MixtureEvaluator, "__call__", signalled),
}


@pytest.mark.parametrize(("owner", "method", "then"), LOST.values(), ids=LOST)
def test_who_was_taken_for_dead_writes_nothing_more(tmp_path, monkeypatch, capsys, owner, method, then):
    path, original, before = tmp_path / "runs/00000-toy-ring", getattr(owner, method), []

    def taken(*args):
        if not before:
            take_over(path)
            before.append(contents(path))
        return then(original(*args))

    monkeypatch.setattr(owner, method, taken)
    assert exit_status(lambda: train(ring(tmp_path)) and 0) == 2
    out, error = capsys.readouterr()
    assert f"error: run: the lock of '{path}' was taken over by process {os.getpid()} on h" in error
    assert error.count("\n") == 1
    assert "stopping: " not in out
    assert contents(path) == before[0]  # checkpoints, events and the other's lock too
    trained = method in ("__call__", "close")
    assert (path / "checkpoints/10").exists() == trained
    assert (path / "checkpoints/20").exists() == trained


def test_the_look_at_a_run_s_health_is_interrupted_as_scoring_is(tmp_path):
    members = set_up(ring(tmp_path))
    monitors = Monitors(members.game, members.source, members.sampler, 64, 16)
    state = members.init_member(0)
    poll, calls = stopping_after(10**6)
    monitors(state, poll)
    assert len(calls) >= 5  # the average, batches of the discriminator's, fakes, features
    for n in (0, 2, 4):  # what is computed of reals is kept
        poll, counted = stopping_after(n)
        with pytest.raises(Asked):
            monitors(state, poll)
        assert len(counted) == n + 1


# --- data that have moved --------------------------------------------------------------------------------


def test_the_range_of_data_of_older_runs_is_what_their_shape_said():
    found = describe(Arrays("a", {"image": np.zeros((3, 8, 8, 1), np.float32)}, Modality("spectrum")))
    older = {name: value for name, value in found.items() if name != "bounded"}
    with pytest.raises(InputError, match="run: its networks make images in .-1, 1., as older versions took"):
        check_data(older, found)
    points = describe(Arrays("a", {"image": np.zeros((3, 8), np.float32)}, POINT))
    check_data({name: value for name, value in points.items() if name != "bounded"}, points)


def test_a_run_finds_its_data_from_elsewhere_and_where_they_have_moved(tmp_path, monkeypatch, capsys):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), np.uint8)
    np.savez(here / "a.npz", images=images)
    np.savez(there / "other.npz", images=255 - images)
    monkeypatch.chdir(here)
    config = small(tmp_path, data=DataConfig("npz:a.npz"), steps=10, final_n=30, quick_n=30)
    folder = train(config)
    assert folder.read("config.json")["data"]["source"] == f"npz:{here / 'a.npz'}"
    monkeypatch.chdir(there)
    assert open_run(folder.path, "last")[0].step == 10
    shutil.move(here / "a.npz", there / "b.npz")
    capsys.readouterr()
    says = f"data.source: expected an npz file, got '{here / 'a.npz'}', which does not exist; --data.source says where"
    for verb in ("resume", "evaluate"):
        assert main([verb, str(folder.path)]) == 2
        assert says in capsys.readouterr().err
    before = folder.read("run.json"), folder.read("config.json")
    for verb in ("resume", "evaluate"):
        assert main([verb, str(folder.path), "--data.source", "npz:other.npz"]) == 2
        error = capsys.readouterr().err
        assert "changed since the run began" in error
        assert error.count("\n") == 1
    assert (folder.read("run.json"), folder.read("config.json")) == before
    with pytest.raises(InputError, match="data.source: expected data of the package's own"):
        resume(folder, source="mine.py:data")
    arguments = [str(folder.path), "--data.source", "npz:b.npz", "--n", "30", "--metrics", "prdc"]
    assert main(["evaluate", *arguments]) == 0
    older = folder.read("run.json")  # of before there was more than one range for a shape
    assert older["data"].pop("bounded") is True
    folder.write("run.json", older)
    assert main(["resume", str(folder.path), "--data.source", "npz:b.npz", "--steps", "20"]) == 0
    moved = f"npz:{there / 'b.npz'}"
    (entry,) = folder.read("run.json")["history"]
    assert (entry["at"], entry["steps"], entry["data.source"]) == (10, 20, moved)
    assert folder.read("config.json")["data"]["source"] == folder.read("run.json")["data"]["name"] == moved
    assert open_run(folder.path, "last")[0].step == 20
