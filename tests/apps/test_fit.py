"""`jaxgan.fit`: arrays in, a run out, which is drawn, scored, kept and opened again."""

import math
import pathlib
import signal
import subprocess
import sys

import jax
import numpy as np
import pytest

import jaxgan
from jaxgan import InputError, Loss
from jaxgan.__main__ import main
from jaxgan.config import get_preset
from jaxgan.config.groups import DataConfig
from jaxgan.config.moves import OptimizerConfig
from jaxgan.data import Images, open_source
from jaxgan.models import DCGANConfig, MLPConfig
from jaxgan.runs.folder import RunFolder
from jaxgan.runs.lock import locked
from jaxgan.train.stops import Stopped

SMALL = {
    "model": MLPConfig(g_widths=(8,), d_widths=(8,)),
    "batch_size": 8,
    "log_every": 2,
    "quick_n": 20,
    "final_n": 20,
    "compute__devices": 1,
    "health__enabled": False,
    "verbose": False,
}
bce = Loss(
    discriminator=lambda real, fake: jax.nn.softplus(-real) + jax.nn.softplus(fake),
    generator=lambda real, fake: jax.nn.softplus(-fake),
)


@pytest.fixture(scope="module")
def digits():
    return open_source("mnist", "test").images[:60]


@pytest.fixture(scope="module")
def run(digits, tmp_path_factory):
    """Six steps with a loss of one's own, from real numbers in [0, 1]."""
    out = tmp_path_factory.mktemp("fit")
    return jaxgan.fit(digits[..., 0] / 255, steps=6, loss=bce, out=out, **SMALL)


def test_a_fitted_run_is_sampled_drawn_and_told(run):
    assert run.step == 6
    assert run.sample(n=3).shape == (3, 28, 28, 1)
    assert run.sample(n=3).dtype == np.uint8
    wrong = [({"n": 0}, "n: "), ({"n": 2.5}, "n: "), ({"seed": -1}, "seed: "), ({"seeds": []}, "seeds: ")]
    for keywords, says in wrong:
        with pytest.raises(InputError, match=f"^{says}expected"):
            run.sample(**keywords)
    assert [record["step"] for record in run.history] == [2, 4, 6]
    assert np.isfinite(run.history[-1]["g/loss"])
    assert run.plot(n=4).size[0] > 28
    assert run.plot("reals").size[0] > 28
    assert run.plot("curves").size[0] > 300
    with pytest.raises(InputError, match="what: expected 'samples', 'reals' or 'curves', got 'loss'"):
        run.plot("loss")


def test_a_notebook_shows_a_picture_and_the_scores(run):
    assert run._repr_png_().startswith(b"\x89PNG")
    shown = run._repr_html_()
    assert "data:image/png;base64," in shown
    assert next(iter(run.scores)) in shown
    assert "step 6" in repr(run)


def test_it_is_scored_as_the_command_scores_it(run):
    found = run.evaluate(metrics="prdc")
    assert found.keys() < run.scores.keys()
    for name, score in found.items():
        assert score.value == pytest.approx(run.scores[name]["value"], rel=1e-6)
        assert score.n_fake == 20


def test_a_saved_run_is_opened_by_load_and_by_the_command(run, tmp_path, capsys, monkeypatch):
    with locked(run.folder.path):  # which the copy is not
        target = run.save(tmp_path / "kept")
    assert not list(target.glob("run.lock*"))
    again = jaxgan.load(target)
    assert type(again) is type(run)
    monkeypatch.chdir(tmp_path)
    near = jaxgan.load("kept")
    monkeypatch.chdir("/")  # which it outlives
    assert near.history == again.history != []
    np.testing.assert_array_equal(again.sample(n=2), run.sample(n=2))
    with pytest.raises(InputError, match=r"path: expected a new folder, got .* exists"):
        run.save(target)
    assert main(["sample", str(target), "--seeds", "0-3", "--out", str(tmp_path / "grid.png")]) == 0
    assert (tmp_path / "grid.png").exists()


def test_another_process_samples_a_loss_that_is_gone_and_says_why_it_cannot_resume(run, tmp_path):
    target = run.save(tmp_path / "kept")
    code = (
        "import sys, jaxgan; run = jaxgan.load(sys.argv[1]); assert run.sample(n=2).shape == (2, 28, 28, 1)\n"
        "from jaxgan.losses import get_loss\n"
        "try: get_loss(run.config.loss)\n"
        "except jaxgan.InputError as error: print(error)"
    )
    told = subprocess.run([sys.executable, "-c", code, target], check=True, capture_output=True, text=True)
    assert "was an object of the Python process that began this run" in told.stdout


def test_labels_and_names_of_sources_and_settings(digits, tmp_path):
    labels = np.arange(60) % 3
    adam = {"g_optimizer__learning_rate": 1e-3}
    run = jaxgan.fit(
        digits, 2, loss="hinge", labels=labels, out=tmp_path, **SMALL | {"model": DCGANConfig(width=2)} | adam
    )
    assert run.spec.n_classes == run.sampler.n_classes == 3
    assert run.config.loss == "hinge"
    assert run.config.g_optimizer.learning_rate == 1e-3
    assert run.config.data.source.startswith("npz:/")  # so that it can be resumed from anywhere


def test_fields_of_the_data_and_names_of_classes_reach_the_run(digits, tmp_path, monkeypatch):
    found = []

    def configured(config, command):
        assert not jax.config.jax_enable_x64
        found.append(config)
        raise InputError("far enough")

    monkeypatch.setattr("jaxgan.apps.fit.train", configured)
    names = tuple(f"kind {i}" for i in range(3))
    source = Images("mine", digits, np.arange(60, dtype=np.int32) % 3, class_names=names, fingerprint="f")
    for images, fields in ((digits, {"data__hold_out": 0.0, "data__flip": True}), (source, {})):
        jax.config.update("jax_enable_x64", True)
        try:
            with pytest.raises(InputError, match="far enough"):
                jaxgan.fit(images, 2, out=tmp_path, **SMALL | {"model": None} | fields)
            assert jax.config.jax_enable_x64  # as others in the process want it
        finally:
            jax.config.update("jax_enable_x64", False)
    assert (found[0].data.hold_out, found[0].data.flip, found[1].data.hold_out) == (0.0, True, 0.1)
    kept = open_source(found[1].data.source)
    assert kept.class_names == names
    np.testing.assert_array_equal(kept.labels, source.labels)


@pytest.mark.parametrize("column", [False, True])
def test_labels_may_be_names_of_classes(digits, tmp_path, monkeypatch, column):
    found = []
    monkeypatch.setattr("jaxgan.apps.fit.train", lambda config, command: found.append(config) or 1 / 0)
    texts = np.asarray(["dog", "cat10", "cat9"] * 20, object)
    with pytest.raises(ZeroDivisionError):
        jaxgan.fit(
            digits,
            2,
            labels=texts[:, None] if column else list(texts),
            out=tmp_path,
            **SMALL | {"model": None},
        )
    kept = open_source(found[0].data.source)
    assert kept.class_names == ("cat9", "cat10", "dog")
    assert kept.labels.tolist() == [2, 1, 0] * 20
    assert found[0].model.conditional


def test_a_recipe_brings_what_belongs_to_it_as_in_the_command(digits, tmp_path, monkeypatch, capsys):
    found = []
    monkeypatch.setattr("jaxgan.apps.fit.train", lambda config, command: found.append(config) or 1 / 0)
    for name in ("wgan-gp", "WGAN_GP"):
        with pytest.raises(ZeroDivisionError):
            jaxgan.fit(digits, 2, loss=name, out=tmp_path, **SMALL | {"verbose": True, "d_steps": 3})
        assert f"loss {name}: wasserstein; penalties gradient_penalty 10" in capsys.readouterr().out
        config = found.pop()
        assert (config.loss, config.d_steps) == ("wasserstein", 3)  # which was given
        assert config.penalty.weights == (("gradient_penalty", 10.0),)
        assert config.g_optimizer.learning_rate == 1e-4


def test_rates_and_epochs_are_keywords_and_mistakes_are_answered_with_keywords(digits, tmp_path, monkeypatch):
    found = []
    monkeypatch.setattr("jaxgan.apps.fit.train", lambda config, command: found.append(config) or 1 / 0)
    for fields in ({"lr": 1e-3, "epochs": 2}, {"lr": 1e-3, "d_lr": 2e-3, "steps": 3}):
        with pytest.raises(ZeroDivisionError):
            jaxgan.fit(digits, out=tmp_path, **SMALL | fields)
    rates = [(c.g_optimizer.learning_rate, c.d_optimizer.learning_rate, c.steps) for c in found]
    assert rates == [
        (1e-3, 1e-3, 14),
        (1e-3, 2e-3, 3),
    ]  # 54 images, as 6 are held out, twice, in batches of 8
    with pytest.raises(ZeroDivisionError):
        jaxgan.fit(digits, np.int64(3), lr=np.float32(0.5), g_lr=0.25, out=tmp_path, **SMALL)
    assert (found[2].g_optimizer.learning_rate, found[2].d_optimizer.learning_rate) == (0.25, 0.5)
    assert {type(found[2].steps), type(found[2].d_optimizer.learning_rate)} == {int, float}
    for fields, says in (
        (
            {"epochs": 2, "steps": 3},
            "epochs: expected a positive number, and no steps beside it, got 2 beside steps=3",
        ),
        ({"epochs": -1}, "epochs: expected a positive number, .* got -1"),
        ({"epochs": "2"}, "epochs: expected a positive number, .* got '2'"),
        ({"epochs": True}, "epochs: expected a positive number, .* got True"),
        ({"lr": "1e-3"}, "^lr: expected a positive number, got '1e-3'"),
        ({"g_lr": True}, "^g_lr: expected a positive number, got True"),
        ({"d_lr": -1.0}, "^d_lr: expected a positive number, got -1.0"),
        ({"d_lr": None}, "^d_lr: expected a positive number, got None"),
        (
            {"g_lr": 1e-3, "g_optimizer__learning_rate": 1e-3},
            "^g_lr: expected none beside g_optimizer__learning_rate, which it stands for",
        ),
        (
            {"resolution": 8, "data__resolution": 16},
            "^resolution: expected none beside data__resolution, which it stands for",
        ),
        ({"images": "mnist", "data__source": "ring"}, "^data__source: expected none beside images='mnist'"),
        ({"data": DataConfig("mnist")}, "^data: expected none with arrays, got DataConfig"),
        ({"resolution": "8"}, "^data__resolution: expected int or null, got '8'"),
        ({"resolution": 0}, "^data__resolution: expected at least 1, got 0"),
        ({"batch_size": "8"}, "^batch_size: expected int, got '8'"),
        ({"g_optimizer__b1": "0"}, "^g_optimizer__b1: expected float, got '0'"),
        ({"seed": 1.5}, "^seed: expected int, got 1.5"),
        ({"steps": math.inf}, "^steps: expected a whole number, got inf"),
        ({"steps": "x"}, "^steps: expected a whole number, got 'x'"),
        ({"model": 3}, "^model: expected a family of MODELS or of a file .*, got int"),
        ({"images": "ring", "epochs": 1}, "^epochs: expected data of a known size, .*; say steps=$"),
        ({"images": "no/data.source", "epochs": 1}, "^data__source: expected .*got 'no/data.source'"),
        ({"penalty__end": 0.3}, "^penalty__end: expected penalty__schedule to be another than constant"),
        ({"learning_rate": 1}, "the learning rate of both players is lr=, of one g_lr= or d_lr="),
        ({"beta1": 0.5}, "Adam's first beta is g_optimizer__b1= and d_optimizer__b1=;"),
        ({"penalty__evry": 1}, "unknown field 'penalty__evry'; did you mean 'penalty__every'?"),
    ):
        with pytest.raises(InputError, match=says):
            jaxgan.fit(**{"images": digits, "out": tmp_path} | SMALL | fields)


def test_what_the_run_itself_refuses_is_said_in_keywords(digits, tmp_path):
    """With names of files as they are, and flags of other commands too."""
    says = "dynamics__pack: expected a divisor of batch_size = 8, got 3"
    with pytest.raises(InputError, match=f"^{says}"):
        jaxgan.fit(digits, 2, out=tmp_path, dynamics__pack=3, **SMALL)

    def refusing(config, command):
        raise InputError("'a.data.npz' of data.source, --data.resolution 8: pip install --upgrade x")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jaxgan.apps.fit.train", refusing)
        with pytest.raises(InputError) as caught:
            jaxgan.fit(digits, 2, out=tmp_path, **SMALL)
    assert str(caught.value) == "'a.data.npz' of data__source, data__resolution=8: pip install --upgrade x"


def test_groups_and_fields_in_them_come_together(digits, tmp_path, monkeypatch):
    """In whatever order they are given; and fields of the networks that `fit` chooses."""
    found = []
    monkeypatch.setattr("jaxgan.apps.fit.train", lambda config, command: found.append(config) or 1 / 0)
    group = OptimizerConfig(kind="rmsprop", learning_rate=1.0)
    fields = {"d_lr": 3e-3, "g_optimizer": group, "d_optimizer": group, "lr": 2e-3, "model__width": 4}
    with pytest.raises(ZeroDivisionError):
        jaxgan.fit(digits, 2, out=tmp_path, **{**SMALL, "model": None} | fields)
    (config,) = found
    assert [config.g_optimizer.learning_rate, config.d_optimizer.learning_rate] == [2e-3, 3e-3]
    assert config.d_optimizer.kind == "rmsprop"
    assert (type(config.model), config.model.width) == (DCGANConfig, 4)


def test_the_preset_is_that_of_the_command_or_fits_the_size(digits, tmp_path, monkeypatch):
    """And all of it is taken, not its networks alone."""
    found = []
    monkeypatch.setattr("jaxgan.apps.fit.train", lambda config, command: found.append(config) or 1 / 0)
    (tmp_path / "photos").mkdir()
    photos = np.random.default_rng(0).integers(0, 256, (40, 48, 40, 3), np.uint8)
    for images, fields, preset in (
        (digits, {}, "dcgan-mnist"),
        (photos, {}, "small-64"),
        (photos, {"resolution": 32}, "dcgan-mnist"),
        (digits, {"resolution": 64, "model": "mlp"}, "small-64"),
        (photos, {"preset": "mlp-mnist"}, "mlp-mnist"),
        (tmp_path / "photos", {}, "small-64"),
        ("ring", {}, "toy-ring"),
    ):
        with pytest.raises(ZeroDivisionError):
            jaxgan.fit(images, out=tmp_path, verbose=False, **fields)
        own, config = get_preset(preset), found[-1]
        assert config.preset == preset
        assert (config.loss, config.penalty, config.augment) == (own.loss, own.penalty, own.augment)
        assert (config.ema, config.steps, config.data.flip) == (own.ema, own.steps, own.data.flip)
    assert [config.data.resolution for config in found] == [None, None, 32, 64, None, 64, None]


def test_ctrl_c_says_where_the_run_is(digits, tmp_path, monkeypatch):
    def interrupted(config, command):
        raise Stopped(signal.SIGINT, 5, RunFolder(tmp_path / "00000-x"))

    monkeypatch.setattr("jaxgan.apps.fit.train", interrupted)
    with pytest.raises(
        KeyboardInterrupt, match=r"stopped at step 5, and saved: jaxgan.load\('.*00000-x'\) opens it"
    ):
        jaxgan.fit(digits, 10, out=tmp_path, **SMALL)


WRONG = {
    "channels first": ({"images": np.zeros((4, 3, 8, 8))}, "images: .*channels first"),
    "too few labels": ({"labels": [0, 1]}, "labels: expected one for each of 60 images"),
    "labels that nothing takes": ({"labels": np.arange(60) % 3}, "labels: expected none with 'mlp' networks"),
    "an unknown loss": ({"loss": "hing"}, "unknown loss 'hing'; did you mean 'hinge'"),
    "an unknown recipe": ({"loss": "wgan-gpp"}, "unknown loss 'wgan-gpp'; did you mean 'wgan-gp'"),
    "too few names": ({"labels": ["a", "b"]}, "labels: expected one for each of 60 images"),
    "a loss that is not built": (
        {"loss": jaxgan.LOSSES["hinge"]},
        "loss: expected a name or a jaxgan.Loss, got a func",
    ),
    "an unknown field": ({"batchsize": 8}, "unknown field 'batchsize'"),
    "half a step": ({"steps": 2.5}, "steps: expected a whole number, got 2.5"),
    "labels for a source": (
        {"images": "mnist", "labels": [0]},
        "labels: expected none with a source by name",
    ),
    "a source beside arrays": (
        {"data__source": "mnist"},
        "data__source: expected none with arrays, got 'mnist'",
    ),
    "no such folder": (
        {"images": pathlib.Path("no/photos")},
        "data__source: expected a folder, .* does not exist",
    ),
    "an unknown source": ({"images": "minst"}, "unknown data source 'minst'"),
}


@pytest.mark.parametrize(("changes", "message"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_named_before_any_work(digits, changes, message, tmp_path):
    given = {"images": digits, "steps": 2, "out": tmp_path / "runs", **SMALL, **changes}
    with pytest.raises(InputError, match=message):
        jaxgan.fit(**given)
    assert not list((tmp_path / "runs").glob("0*"))


def test_a_source_keeps_its_split_and_a_known_one_its_features(digits, tmp_path, monkeypatch):
    found = []

    def configured(config, command):
        found.append(config.data)
        raise InputError("far enough")

    monkeypatch.setattr("jaxgan.apps.fit.train", configured)
    opened = []
    opening = lambda *args, **size: opened.append(size) or open_source(*args, **size)
    monkeypatch.setattr("jaxgan.apps.fit.open_source", opening)
    with pytest.raises(InputError, match="far enough"):
        jaxgan.fit(open_source("mnist", "test", resolution=8), 2, out=tmp_path, **SMALL)
    assert opened == [{"resolution": 8, "channels": 1}]  # and not as large as they are, before
    assert (found[0].source, found[0].resolution) == ("mnist", 8)
    found.clear()
    names = tuple(f"kind {i}" for i in range(3))
    labels = np.arange(60, dtype=np.int32) % 3
    held = Images("other", digits[40:], labels[40:], class_names=names, fingerprint="h")
    own = Images("mine", digits[:40], labels[:40], class_names=names, fingerprint="f", held_out=held)
    for source, fields in ((open_source("mnist", "test"), {}), (own, {}), (own, {"labels": labels[:40]})):
        with pytest.raises(InputError, match="far enough"):
            jaxgan.fit(source, 2, out=tmp_path, **SMALL | {"model": DCGANConfig(width=2)} | fields)
    assert (found[0].source, found[0].split) == (
        "mnist",
        "test",
    )  # where the package finds split and features
    for data, with_labels in zip(found[1:], (True, False), strict=True):
        kept = open_source(data.source, hold_out=data.hold_out)
        np.testing.assert_array_equal(kept.images, digits[:40])
        np.testing.assert_array_equal(kept.held_out.images, digits[40:])
        if with_labels:
            assert kept.held_out.class_names == kept.class_names == names
            np.testing.assert_array_equal(kept.held_out.labels, labels[40:])
        else:  # given labels say nothing of the other split
            assert kept.held_out.labels is None
