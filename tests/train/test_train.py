"""The loop: interrupted anywhere it ends with the same bits; it stops with a reason; it learns."""

import dataclasses
import json
import os
import re
import signal
import threading
import time

import jax
import numpy as np
import pytest
from helpers import arrays, command, copied, interrupt_at, same_arrays, small, small_dcgan, some

from jaxgan import InputError
from jaxgan.__main__ import main
from jaxgan.config.data import open_data
from jaxgan.config.fields import to_json
from jaxgan.config.groups import ComputeConfig, DataConfig, HealthConfig
from jaxgan.config.moves import OptimizerConfig, PenaltyConfig
from jaxgan.config.presets import get_preset
from jaxgan.data import make_pipeline
from jaxgan.models import DCGANConfig, MLPConfig
from jaxgan.runs.checkpoint import SaveError
from jaxgan.runs.folder import RunFolder
from jaxgan.runs.opened import Run
from jaxgan.train.clock import grid_steps, steps_per_dispatch
from jaxgan.train.members import Members, set_up
from jaxgan.train.resume import resume
from jaxgan.train.run import train, unused_classes
from jaxgan.train.stops import Diverged, Stopped

pytestmark = pytest.mark.usefixtures("shared_programs")


@pytest.fixture(scope="module")
def whole(shared_programs, tmp_path_factory):
    """A run of 40 steps without any interruption."""
    return train(small(tmp_path_factory.mktemp("whole")))


@pytest.fixture
def finished(whole, tmp_path):
    """A copy to be damaged."""
    return copied(whole, tmp_path)


def numbers(record):
    """What a record says of the training, without its speed."""
    return {k: v for k, v in record.items() if not isinstance(v, str) and k != "images_per_second"}


def small_scheduled(tmp_path):
    """With batch statistics and rates that fall."""
    adam = OptimizerConfig(1e-3, schedule="linear")
    model = MLPConfig(g_widths=(16,), d_widths=(16,), g_batch_norm=True)
    return small(tmp_path, model=model, g_optimizer=adam, d_optimizer=adam)


@pytest.mark.parametrize(
    "make",
    some([small, small_scheduled, small_dcgan], small, small_scheduled),
    ids=lambda make: make.__name__,
)
def test_stopping_and_resuming_changes_no_bit(whole, tmp_path, monkeypatch, make):
    whole = whole if make is small else train(make(tmp_path / "whole"))
    interrupt_at(monkeypatch, 20)
    with pytest.raises(Stopped) as stopped:
        train(make(tmp_path / "parts"))
    monkeypatch.undo()
    part = stopped.value.folder
    assert 20 < stopped.value.step <= 30
    assert part.read("run.json")["status"] == "stopped"
    resume(part)
    same_arrays(arrays(whole, 40), arrays(part, 40))
    timeless = lambda folder: [
        {k: v for k, v in record.items() if k != "images_per_second"}
        for record in folder.records()
        if record["step"] % 10 == 0
    ]
    kept = [r for r in timeless(part) if r["step"] != stopped.value.step or stopped.value.step == 30]
    assert [r["step"] for r in kept] == [10, 20, 30, 40]
    for ours, theirs in zip(timeless(whole), kept, strict=True):
        if ours["step"] != 30:  # the record after the stop is a mean over fewer steps
            assert ours == theirs
    assert whole.read("scores.json") == part.read("scores.json")
    for name in ("step-0000000.png", "step-0000020.png", "step-0000040.png", "reals.png"):
        assert (whole.samples / name).read_bytes() == (part.samples / name).read_bytes()
    assert part.read("run.json")["status"] == "finished"


def test_signals_save_and_say_how_to_go_on(tmp_path, monkeypatch, capsys):
    """SIGINT of a process, which is then gone on with in this one until SIGTERM."""
    process = command(
        "train", "toy-ring", "--out", tmp_path, "--steps", 10**6, "--log-every", 10, "--batch-size", 16,
        "--model.g-widths", 8, "--model.d-widths", 8, "--loss", "non_saturating", "--penalty.weights",
    )  # fmt: skip
    folder = RunFolder(tmp_path / "00000-toy-ring")
    deadline = time.monotonic() + 120
    while not folder.metrics.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    def is_saved(step):
        assert f"go on with: jaxgan resume {folder.path}" in out
        assert "Traceback" not in out + err
        assert Run.at(folder.path).step == folder.records()[-1]["step"] >= step
        assert folder.read("run.json")["status"] == "stopped"
        assert folder.report.exists()

    assert process.returncode == 130, err
    is_saved(10)
    step = folder.records()[-1]["step"] + 20
    folder.report.unlink()
    interrupt_at(monkeypatch, step, signal.SIGTERM)
    capsys.readouterr()
    assert main(["resume", str(folder.path)]) == 143
    out, err = capsys.readouterr()
    is_saved(step)


def test_runs_repeat_and_seeds_differ(whole, tmp_path):
    again = train(small(tmp_path))
    other = train(small(tmp_path, seed=1))
    assert [f.path.name for f in (again, other)] == [f"0000{i}-mlp-mnist" for i in range(2)]
    same_arrays(arrays(whole, 40), arrays(again, 40))
    kernel = ".players['generator'].params['out']['kernel']"
    assert (arrays(whole, 40)[kernel] != arrays(other, 40)[kernel]).any()


def test_training_on_four_devices_is_training_on_one(tmp_path):
    def final(devices, how):
        sgd_like = OptimizerConfig(1e-3, b1=0.5, eps=1e-2)  # a large eps: Adam's own amplifies rounding
        config = small(tmp_path / f"{devices}{how}", compute=ComputeConfig(devices, how), steps=10)
        folder = train(dataclasses.replace(config, g_optimizer=sgd_like, d_optimizer=sgd_like))
        return folder.records()[-1]

    one = numbers(final(1, "jit"))
    for how in ("auto", "pmap"):
        assert numbers(final(4, how)) == pytest.approx(one, rel=1e-3, abs=1e-5), how


def test_several_steps_in_one_dispatch_are_the_same_steps(whole, tmp_path):
    assert set_up(whole.config()).repeat == 10
    one = train(small(tmp_path, compute=ComputeConfig(1, "jit", 1)))
    assert numbers(whole.records()[-1]) == pytest.approx(numbers(one.records()[-1]), rel=1e-3)


def test_how_many_steps_are_dispatched(tmp_path):
    config = small(tmp_path)
    pipeline = make_pipeline(open_data(config), batch_size=config.batch_size)
    auto = lambda config, backend: steps_per_dispatch(config, pipeline, backend)
    assert auto(small(tmp_path), "cpu") == 10  # a divisor of 40 steps and intervals of 10 and 20
    assert auto(small(tmp_path, compute=ComputeConfig(1, "jit", 5)), "cpu") == 5
    assert auto(small_dcgan(tmp_path), "cpu") == 1
    assert auto(small_dcgan(tmp_path), "gpu") == 10
    assert auto(small(tmp_path, steps=37), "gpu") == 1
    with pytest.raises(InputError, match="steps_per_dispatch: expected a divisor of all intervals"):
        auto(small(tmp_path, compute=ComputeConfig(1, "jit", 7)), "cpu")


def test_grids_double_up_to_their_interval(tmp_path):
    config = small(tmp_path, sample_every=1000)
    assert sorted(grid_steps(config, 1)) == [16, 32, 64, 128, 256, 512]
    assert sorted(grid_steps(config, 10)) == [20, 40, 80, 160, 320, 640]


def test_a_run_leaves_everything(tmp_path):
    config = small(tmp_path, "cdcgan-mnist", model=get_preset("cdcgan-mnist").model)
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, width=2))
    folder = train(config, ["jaxgan", "train", "cdcgan-mnist"])
    record = folder.records()[-1]
    assert record["images"] == 40 * 8
    assert {"d/loss", "g/loss", "d/accuracy", "d/grad_norm", "g/grad_norm", "score"} <= record.keys()
    assert json.loads((folder.path / "config.json").read_text()) == json.loads(json.dumps(to_json(config)))
    run = folder.read("run.json")
    assert run["status"] == "finished"
    assert run["command"] == "jaxgan train cdcgan-mnist"
    assert run["data"]["fingerprint"]
    assert run["environment"]["packages"]["jax"] == jax.__version__
    scores = folder.read("scores.json")
    assert scores["main"] == "fd_mnist_cnn"
    assert scores["final"]["step"] == 40
    assert sum(scores["final"]["class_histogram"]) == 150
    assert scores["best"]["step"] in (20, 40)
    assert list((folder.path / "tensorboard").glob("events*"))
    names = sorted(p.name for p in folder.samples.iterdir())
    assert names == [
        "reals.png",
        "step-0000000.png",
        "step-0000016.png",
        "step-0000020.png",
        "step-0000040.png",
    ]


def test_the_newest_two_and_the_best_checkpoint_are_kept(tmp_path, monkeypatch):
    from jaxgan.metrics.evaluator import ImageEvaluator

    falling = iter([5.0, 1.0, 3.0, 4.0])
    monkeypatch.setattr(ImageEvaluator, "quick", lambda self, generate, n: next(falling))
    folder = train(small(tmp_path, steps=80))
    assert sorted(int(p.name) for p in (folder.path / "checkpoints").iterdir() if p.name.isdigit()) == [
        40,
        70,
        80,
    ]
    assert Run.at(folder.path, "best").step == 40
    assert Run.at(folder.path).step == 80
    assert folder.read("scores.json")["best"]["step"] == 40
    with pytest.raises(InputError, match=r"checkpoint: expected one of \[40, 70, 80\]"):
        Run.at(folder.path, 30)


def test_resuming_from_an_odd_step_keeps_to_the_intervals(whole, tmp_path):
    """A run of 25 steps, one at a time, and then to 40 with the program of 10 steps that fits all intervals."""
    folder = train(small(tmp_path, steps=25))
    resume(folder, steps=40)
    assert set_up(folder.config()).repeat == 10
    assert [r["step"] for r in folder.records()] == [10, 20, 25, 30, 40]
    same_arrays(arrays(folder, 40), arrays(whole, 40))


def test_a_signal_while_scoring_stops_and_resuming_scores(tmp_path, monkeypatch):
    def interrupted(*args):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)
        return {}

    monkeypatch.setattr("jaxgan.runs.evaluation.score", interrupted)
    with pytest.raises(Stopped) as stopped:
        train(small(tmp_path))
    monkeypatch.undo()
    folder = stopped.value.folder
    assert (stopped.value.signum, stopped.value.step) == (signal.SIGTERM, 40)
    assert folder.read("run.json")["status"] == "stopped"
    assert not (folder.path / "scores.json").exists()
    resume(folder)
    assert folder.read("scores.json")["final"]["step"] == 40
    assert folder.read("run.json")["status"] == "finished"


def test_a_damaged_meta_is_a_damaged_checkpoint(whole, finished):
    meta = finished.path / "checkpoints" / "40" / "meta"
    for file in meta.rglob("*"):
        if file.is_file():
            file.write_text("{")
    resume(finished)
    assert (finished.path / "checkpoints-broken" / "40").is_dir()
    same_arrays(arrays(finished, 40), arrays(whole, 40))


def test_an_unwritable_cache_loses_no_scores(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JAXGAN_CACHE", str(tmp_path / "file" / "cache"))
    folder = train(small(tmp_path, steps=10))
    assert folder.read("scores.json")["final"]["scores"]["fd_mnist_cnn"]["floor"] > 0


def test_pmap_takes_the_devices_it_is_given(tmp_path):
    members = set_up(small(tmp_path, compute=ComputeConfig(1, "pmap")))
    assert members.mesh.size == 1


def test_other_data_are_not_scored(finished):
    from jaxgan.runs.evaluation import evaluate_run

    run = finished.read("run.json")
    finished.write("run.json", {**run, "data": {**run["data"], "fingerprint": "0" * 64}})
    with pytest.raises(InputError, match="data.source: 'mnist:test' has changed since the run began"):
        evaluate_run(finished.path, "last", 100)


# --- how it ends badly --------------------------------------------------------------------------


def test_a_number_that_is_not_finite_stops_the_run(tmp_path, capsys):
    exploding = OptimizerConfig(1e30)
    with pytest.raises(Diverged, match=r"step \d+: not finite: .* = nan.*; there is no checkpoint before it"):
        train(small(tmp_path, g_optimizer=exploding, d_optimizer=exploding))
    folder = RunFolder(tmp_path / "runs" / "00000-mlp-mnist")
    assert folder.read("run.json")["status"] == "diverged"
    assert "not finite" in folder.report.read_text()


def test_divergence_names_the_first_step_and_the_last_good_checkpoint(tmp_path, monkeypatch):
    real = Members.advance

    def poisoned(self, states, inputs, step):
        states, metrics = real(self, states, inputs, step)
        if int(jax.device_get(self.member(states, 0).step)) == 17:
            metrics = jax.device_get(metrics)
            bad = {"d/loss": metrics["d/loss"] * np.nan, "g/loss": metrics["g/loss"] + np.inf}
            metrics = {**metrics, **bad}
        return states, metrics

    monkeypatch.setattr(Members, "advance", poisoned)
    config = small(tmp_path, compute=ComputeConfig(1, "jit", 1))
    expected = "step 17: not finite: d/loss = nan, g/loss = inf; the last good checkpoint is step 10"
    with pytest.raises(Diverged, match=expected):
        train(config)


def test_a_changed_configuration_is_refused_by_name(finished):
    config = finished.read("config.json")
    config["batch_size"] = 16
    config["model"]["g_widths"] = [16, 16]
    finished.write("config.json", config)
    with pytest.raises(InputError, match=r"batch_size \(8 -> 16\); model.g_widths \(\[16\] -> \[16, 16\]\)"):
        resume(finished)


def test_changed_data_are_refused(tmp_path, capsys):
    images = np.random.default_rng(0).integers(0, 256, (40, 6, 6, 1), np.uint8)
    np.savez(tmp_path / "a.npz", images=images)
    config = small(tmp_path, data=DataConfig(f"npz:{tmp_path / 'a.npz'}"), steps=20, final_n=30, quick_n=30)
    folder = train(config)
    assert "warning: fd_random_cnn: 30 images cannot fill" in capsys.readouterr().out
    np.savez(tmp_path / "a.npz", images=255 - images)
    with pytest.raises(InputError, match="has changed since the run began: .* examples then and now"):
        resume(folder)


def test_a_run_keeps_to_its_features(tmp_path, cache, monkeypatch, capsys):
    """A classifier trained in the meantime changes no score; where the old one is gone, that is said."""
    from jaxgan.metrics import evaluator as module
    from jaxgan.metrics.features import random_cnn
    from jaxgan.metrics.features.network import FeatureNetwork, Outputs

    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1), np.uint8)
    np.savez(tmp_path / "a.npz", images=images)
    config = small(tmp_path, data=DataConfig(f"npz:{tmp_path / 'a.npz'}"), steps=20, final_n=30, quick_n=30)
    folder = train(config)
    assert folder.read("run.json")["features"].startswith("random_cnn@")
    larger = lambda images: Outputs(10 * random_cnn(1).apply(images).features)
    trained = FeatureNetwork("a_2_cnn", "12345678", larger)
    monkeypatch.setattr(module, "features_for", lambda source: trained)
    resume(folder, steps=30)
    assert "fd_random_cnn" in folder.read("scores.json")["final"]["scores"]
    folder.update(features="b_2_cnn@0")
    resume(folder, steps=40)
    assert "fd_a_2_cnn" in folder.read("scores.json")["final"]["scores"]
    assert "were of the features b_2_cnn@0, which are gone; from here on they are of a_2_cnn@12345678" in (
        " ".join(capsys.readouterr().out.split())
    )
    assert folder.read("scores.json")["best"]["step"] == 40
    assert folder.read("run.json")["features"] == "a_2_cnn@12345678"


def test_training_longer(finished, tmp_path):
    folder = finished
    resume(folder, steps=60)
    assert folder.read("scores.json")["final"]["step"] == 60
    longer = train(small(tmp_path, steps=60))
    same_arrays(arrays(longer, 60), arrays(folder, 60))
    with pytest.raises(InputError, match="steps: expected at least 60, which the run has reached, got 50"):
        resume(folder, steps=50)
    falling = OptimizerConfig(1e-3, schedule="linear")
    scheduled = train(small(tmp_path, steps=10, g_optimizer=falling, d_optimizer=falling))
    names = "g_optimizer.schedule linear, d_optimizer.schedule linear; --restart-schedule goes on"
    with pytest.raises(InputError, match=f"steps: cannot change, as these follow a schedule .*: {names}"):
        resume(scheduled, steps=20)
    resume(scheduled, steps=20, restart_schedule=True)
    (entry,) = scheduled.read("run.json")["history"]
    assert (entry["at"], entry["steps"], len(entry["restart_schedule"])) == (10, 20, 2)
    assert scheduled.read("scores.json")["final"]["step"] == 20
    resume(scheduled)  # nothing has changed since


def test_an_unreadable_checkpoint_is_set_aside(whole, finished, capsys):
    folder = finished
    for file in (folder.path / "checkpoints" / "40" / "state").rglob("*"):
        if file.is_file():
            file.write_bytes(b"garbage")
    with pytest.warns(UserWarning, match="checkpoint 40 in .* that of step 30 takes its place"):
        assert Run.at(folder.path).step == 30
    resume(folder)
    assert re.search("checkpoint 40 in .*; it was moved to checkpoints-broken", capsys.readouterr().out)
    assert (folder.path / "checkpoints-broken" / "40").is_dir()
    same_arrays(arrays(folder, 40), arrays(whole, 40))


def test_no_readable_checkpoint_loses_nothing(finished):
    folder = finished
    facts = folder.read("run.json")
    for file in (folder.path / "checkpoints").rglob("state/**/*"):
        if file.is_file():
            file.write_bytes(b"garbage")
    with pytest.raises(
        InputError, match=r"no checkpoint to go on from .* none of \[\d+(, \d+)+\] can be read"
    ):
        resume(folder, steps=50)
    assert not (folder.path / "checkpoints-broken").exists()
    assert folder.read("run.json") == facts
    assert folder.config().steps == 40
    with pytest.raises(InputError, match="no checkpoint that can be read"):
        Run.at(folder.path)


def test_resuming_before_the_first_checkpoint_starts_again(whole, finished, capsys):
    import shutil

    folder = finished
    shutil.rmtree(folder.path / "checkpoints")
    before = {file: file.read_bytes() for file in folder.path.rglob("*") if file.is_file()}
    with pytest.raises(InputError, match="checkpoints: .* has reached step 40, there are none"):
        resume(folder, steps=50)
    assert {file: file.read_bytes() for file in before} == before  # its records, settings and status
    folder.update(status="running")  # as after a kill during the first save
    folder.rewind(10)
    resume(folder)
    assert "no checkpoint yet; starting from the beginning" in capsys.readouterr().out
    same_arrays(arrays(folder, 40), arrays(whole, 40))
    assert [r["step"] for r in folder.records()] == [10, 20, 30, 40]


def test_a_full_disk_is_one_line_and_keeps_what_is_there(tmp_path, monkeypatch):
    from jaxgan.train.sinks import base as module

    write = module.write_atomically

    def full(path, content):
        if path.name == "step-0000040.png":
            raise OSError(28, "No space left on device", str(path))
        write(path, content)

    monkeypatch.setattr(module, "write_atomically", full)
    with pytest.raises(
        SaveError, match=r"could not write in .*No space left.*the last good checkpoint is step 30"
    ):
        train(small(tmp_path))
    monkeypatch.undo()
    folder = RunFolder(tmp_path / "runs" / "00000-mlp-mnist")
    assert Run.at(folder.path).step == 30
    resume(folder)
    assert folder.read("run.json")["status"] == "finished"


def test_a_checkpoint_that_cannot_be_written_names_the_last_good_one(tmp_path, monkeypatch):
    from orbax.checkpoint import CheckpointManager

    real = CheckpointManager.save

    def failing(self, step, *args, **kwargs):
        if step == 30:
            raise OSError(28, "No space left on device")
        return real(self, step, *args, **kwargs)

    monkeypatch.setattr(CheckpointManager, "save", failing)
    with pytest.raises(SaveError, match=r"could not write checkpoint 30 .*; the last good one is step 20"):
        train(small(tmp_path))


def test_the_loop_runs_outside_the_main_thread(tmp_path):
    done = []
    thread = threading.Thread(target=lambda: done.append(train(small(tmp_path, steps=10))))
    thread.start()
    thread.join()
    assert done


def test_bad_configurations_are_named(tmp_path):
    cases = [
        ({"steps": 0}, "steps: expected at least 1, got 0"),
        ({"batch_size": 20000}, "batch_size: expected at most the 10000 examples"),
        ({"loss": "hing"}, "unknown loss 'hing'; did you mean 'hinge'"),
        (
            {"loss": "wasserstein", "label_smoothing": 0.1},
            "label_smoothing: loss 'wasserstein' has none, got 0.1",
        ),
        ({"penalty": PenaltyConfig((("r3", 1.0),))}, "unknown penalty 'r3'"),
        (
            {"g_optimizer": OptimizerConfig(-1)},
            "g_optimizer.learning_rate: expected a positive number, got -1",
        ),
        (
            {"data": DataConfig("mnist", "test", resolution=0)},
            "data.resolution: expected at least 1 pixel",
        ),
        ({"data": DataConfig("")}, "data.source: preset 'mlp-mnist' needs one"),
        ({"compute": ComputeConfig(9)}, "compute.devices: expected at most 4 local devices, got 9"),
        (
            {"compute": ComputeConfig(4), "batch_size": 6},
            "batch: expected a multiple of 4 devices, got 6 examples",
        ),
        ({"final_n": 1}, "final_n: expected at least 2 fakes"),
        ({"seed": -1}, "seed: expected an integer from 0 to 4294967295, got -1"),
        ({"model": MLPConfig(dtype="int8")}, "dtype: expected 'float32' or 'bfloat16'"),
    ]
    for changes, message in cases:
        with pytest.raises(InputError, match=message):
            train(small(tmp_path, **changes))
    assert not (tmp_path / "runs").exists()  # nothing was begun


# --- and that it learns -------------------------------------------------------------------------


def test_the_ring_is_learned(tmp_path):
    """All 8 modes from a shortened and narrower run of the preset (at its full size: README.md)."""
    preset = get_preset("toy-ring")
    config = dataclasses.replace(
        preset,
        out=str(tmp_path),
        steps=1500,
        batch_size=64,
        model=dataclasses.replace(preset.model, g_widths=(64,) * 3, d_widths=(64,) * 2),
        evaluate_every=1500,
        sample_every=1500,
        compute=ComputeConfig(devices=1),
        health=HealthConfig(enabled=False),
    )
    scores = train(config).read("scores.json")["final"]["scores"]
    assert scores["modes"]["value"] == 8
    assert scores["high_quality"]["value"] > 0.5


def test_classes_that_the_networks_do_not_look_at_are_told_of(tmp_path):
    np.savez(tmp_path / "two.npz", images=np.zeros((8, 28, 28), np.uint8), labels=np.arange(8) % 2)
    data = DataConfig(f"npz:{tmp_path / 'two.npz'}", hold_out=0)
    (note,) = unused_classes(set_up(small(tmp_path, data=data)))
    assert note == "its 2 classes are not used (networks that can be conditional, such as dcgan, use them)"
    (note,) = unused_classes(set_up(small_dcgan(tmp_path, data=data)))
    assert note == "its 2 classes are not used (--model.conditional uses them)"
    conditional = dataclasses.replace(
        small_dcgan(tmp_path, data=data), model=DCGANConfig(width=2, conditional=True)
    )
    assert not unused_classes(set_up(conditional))
    assert not unused_classes(set_up(small(tmp_path)))
    (tmp_path / "mine.py").write_text(
        f"from jaxgan.data import open_source\ndef mine():\n    return open_source({data.source!r})\n"
        "import dataclasses\ndef named():\n    return dataclasses.replace(mine(), name='mine')\n"
    )
    (note,) = unused_classes(
        set_up(small(tmp_path, data=DataConfig(f"{tmp_path}/mine.py:named", hold_out=0)))
    )
    assert note.startswith("its 2 classes are not used")
