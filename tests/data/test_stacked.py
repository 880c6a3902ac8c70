"""Stacked MNIST: the data are stacked digits, the mode count is the published one, and training meets both."""

import dataclasses
import importlib.util
import json
import math
import pathlib
import sys

import numpy as np
import pytest
import scipy.stats
from helpers import small

from jaxgan import InputError
from jaxgan.data import Images, fingerprint, mnist, open_source, other_split
from jaxgan.data.stacked import mode_of, stack_indices
from jaxgan.metrics import make_evaluator, stacked_modes
from jaxgan.metrics.evaluator import ImageEvaluator, StackedEvaluator
from jaxgan.runs.environment import environment
from jaxgan.runs.evaluation import evaluate_run
from jaxgan.runs.folder import create
from jaxgan.train.run import train

LOG_1000 = math.log(1000)


@pytest.fixture(scope="module")
def source():
    return open_source("stacked_mnist")


@pytest.fixture(scope="module")
def evaluate(source):
    return make_evaluator(source)


# --- data -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("split", "n"), [("train", 60000), ("test", 10000)])
def test_every_channel_is_a_digit_of_the_split_and_the_label_reads_them(split, n):
    digits, stacked = open_source("mnist", split), open_source("stacked_mnist", split)
    assert (stacked.images.shape, stacked.images.dtype) == ((n, 28, 28, 3), np.uint8)
    label_of = {image.tobytes(): label for image, label in zip(digits.images, digits.labels, strict=True)}
    for i in range(0, n, n // 500):
        red, green, blue = (label_of[stacked.images[i, :, :, c].tobytes()] for c in range(3))
        assert stacked.labels[i] == 100 * red + 10 * green + blue
        assert stacked.class_names[stacked.labels[i]] == f"{red}{green}{blue}"
    assert stacked.labels.dtype == np.int32
    assert stacked.n_classes == 1000


def test_the_data_are_the_same_in_every_run_and_on_every_machine(source):
    assert source.name == "stacked_mnist:train"
    assert source.fingerprint == fingerprint(source.images, source.labels)
    assert source.fingerprint == "2211b7dd749ef0be75cf79585c81e36c49ebb0b8292633c1223c36996ac067a1"
    assert open_source("stacked_mnist", "test").fingerprint.startswith("61cb26320313f6b5")


def test_channels_are_chosen_independently_uniformly_and_with_replacement(source):
    chosen = stack_indices(60000, 60000, 1)
    for channel in chosen.T:
        assert scipy.stats.kstest(channel / 60000, "uniform").pvalue > 1e-3
        # of n draws from n, 1 - 1/e are different ones; standard deviation 0.31 sqrt(n)
        assert len(np.unique(channel)) == pytest.approx(60000 * (1 - math.exp(-1)), abs=4 * 0.31 * 245)
    counts = np.bincount(source.labels, minlength=1000).reshape(10, 10, 10)
    marginals = [counts.sum(axes) / 60000 for axes in ((1, 2), (0, 2), (0, 1))]
    expected = 60000 * np.einsum("i,j,k->ijk", *marginals)
    squares = ((counts - expected) ** 2 / expected).sum()
    assert 1e-3 < scipy.stats.chi2(999 - 27).sf(squares) < 1 - 1e-3
    assert not np.array_equal(stack_indices(10, 50, 1), stack_indices(10, 50, 2))


def test_what_cannot_be_opened_is_said():
    with pytest.raises(InputError, match=r"data\.channels: expected 3 .* got 1"):
        open_source("stacked_mnist", channels=1)
    with pytest.raises(InputError, match="split of mnist 'tests'; did you mean 'test'"):
        open_source("stacked_mnist", "tests")
    with pytest.raises(InputError, match="did you mean 'stacked_mnist'"):
        open_source("stacked_minst")
    assert open_source("stacked_mnist", "test", channels=3).shape == (28, 28, 3)


# --- the mode count -------------------------------------------------------------------------------


def test_modes_and_reverse_kl_of_examples_worked_out_by_hand():
    digits = np.array([[0, 0, 0], [0, 0, 0], [9, 9, 9], [4, 0, 7]])
    got = stacked_modes(digits)
    assert list(got) == ["modes", "reverse_kl"]
    assert got["modes"] == 3
    # p = (1/2, 1/4, 1/4): KL to uniform is log 1000 less the entropy of p
    assert got["reverse_kl"] == pytest.approx(LOG_1000 - 1.5 * math.log(2), rel=1e-12)
    assert stacked_modes(digits[:1]) == {"modes": 1, "reverse_kl": pytest.approx(LOG_1000)}
    permuted = np.array([[1, 2, 3], [3, 2, 1], [2, 1, 3], [1, 3, 2], [2, 3, 1], [3, 1, 2]])
    assert stacked_modes(permuted)["modes"] == 6
    assert mode_of(np.array([[4, 0, 7]])).tolist() == [407]


def test_every_mode_once_is_perfect_and_a_lost_channel_costs_log_10():
    every = np.indices((10, 10, 10)).reshape(3, -1).T
    assert stacked_modes(every) == {"modes": 1000, "reverse_kl": pytest.approx(0, abs=1e-12)}
    for channel in range(3):
        lost = every.copy()
        lost[:, channel] = 3
        assert stacked_modes(lost) == {"modes": 100, "reverse_kl": pytest.approx(math.log(10))}


def test_the_floor_of_a_finite_sample_is_that_of_the_binomial():
    n = 26000
    k = np.arange(1, 200)
    shares = scipy.stats.binom(n, 1e-3).pmf(k) * (k / n) * np.log(k / n)
    expected = 1000 * shares.sum() + LOG_1000
    assert expected == pytest.approx(999 / (2 * n), rel=0.01)  # which the docstring says
    draws = [stacked_modes(np.random.default_rng(s).integers(0, 10, (n, 3))) for s in range(4)]
    spread = math.sqrt(2 * 999) / (2 * n)
    assert np.mean([d["reverse_kl"] for d in draws]) == pytest.approx(expected, abs=4 * spread / 2)
    assert all(d["modes"] == 1000 for d in draws)


@pytest.mark.parametrize(
    "digits",
    [
        np.zeros((0, 3), int),
        np.zeros((4, 2), int),
        np.zeros(3, int),
        np.full((2, 3), 10),
        np.full((2, 3), -1),
    ],
)
def test_anything_but_triples_of_digits_is_an_error(digits):
    with pytest.raises(InputError, match="stacked_modes: expected"):
        stacked_modes(digits)
    with pytest.raises(InputError, match="integers 0 to 9, got float64"):
        stacked_modes(np.zeros((2, 3)))


# --- the evaluator --------------------------------------------------------------------------------


def test_the_classifier_reads_the_channels_in_the_order_of_the_label(source, evaluate):
    assert isinstance(evaluate, StackedEvaluator)
    read = mode_of(evaluate.digits(source.images[:400]))
    assert (read == source.labels[:400]).mean() > 0.98


def test_reals_are_at_the_floor_and_a_generator_of_one_image_is_not(source, evaluate, cache):
    n = 500
    scored = evaluate(lambda n: source.images[-n:], n)
    assert evaluate.main == next(iter(scored.scores)) == "reverse_kl"
    kl, modes = scored.scores["reverse_kl"], scored.scores["modes"]
    assert (kl.better, modes.better) == ("lower", "higher")
    assert (kl.n_fake, kl.n_real) == (n, 0)
    assert kl.split.endswith("floor: stacked_mnist:test, 500 other stacks")
    assert kl.features.startswith("mnist_cnn@")
    assert kl.value == pytest.approx(kl.floor, rel=0.15)
    assert modes.value == pytest.approx(modes.floor, rel=0.05)
    assert evaluate.quick(lambda n: source.images[-n:], n) == kl.value
    one = lambda n: np.repeat(source.images[:1], n, axis=0)
    collapsed = evaluate(one, n).scores
    assert collapsed["modes"].value == 1
    assert collapsed["reverse_kl"].value == pytest.approx(LOG_1000)
    assert collapsed["reverse_kl"].floor == kl.floor
    assert scored.class_histogram is None  # a thousand counts are no table


def test_the_floor_is_computed_once(source, evaluate, cache):
    evaluate(lambda n: source.images[:n], 60)
    (stored,) = (cache / "floors").iterdir()
    content = json.loads(stored.read_text())
    content["floors"]["modes"] = 42.0
    stored.write_text(json.dumps(content))
    assert evaluate(lambda n: source.images[:n], 60).scores["modes"].floor == 42.0
    assert evaluate(lambda n: source.images[:n], 50).scores["modes"].floor != 42.0


def test_the_floor_is_that_of_the_split_not_trained_on(cache):
    images = np.zeros((4, 28, 28, 3), np.uint8)
    test = Images("stacked_mnist:test", images, None, class_names=(), fingerprint="0" * 64)
    assert "floor: stacked_mnist:train" in make_evaluator(test)(lambda n: images, 4).scores["modes"].split


def test_other_sizes_are_scored_as_any_images(cache, monkeypatch):
    digits = open_source("mnist", "test")
    few = lambda split: (digits.images[:50], digits.labels[:50])  # ten thousand take seconds to scale
    monkeypatch.setattr(mnist, "arrays", few)
    images = np.zeros((4, 12, 12, 3), np.uint8)
    evaluator = make_evaluator(
        Images("stacked_mnist:train", images, None, class_names=(), fingerprint="0" * 64)
    )
    assert isinstance(evaluator, ImageEvaluator)
    held_out = other_split(Images("stacked_mnist:train", images, None, class_names=(), fingerprint="0" * 64))
    assert (held_out.name, held_out.images.shape) == ("stacked_mnist:test", (50, 12, 12, 3))


# --- training and the experiment ------------------------------------------------------------------


def test_a_run_is_trained_scored_reported_and_scored_again(tmp_path, cache):
    folder = train(small(tmp_path, data=dataclasses.replace(small(tmp_path).data, source="stacked_mnist")))
    scores = folder.read("scores.json")
    assert scores["main"] == "reverse_kl"
    assert set(scores["final"]["scores"]) == {"reverse_kl", "modes"}
    assert 1 <= scores["final"]["scores"]["modes"]["value"] <= 150
    assert min(r["score"] for r in folder.records() if "score" in r) <= LOG_1000
    assert "<b>reverse_kl</b>" in folder.report.read_text()
    assert folder.report.stat().st_size < 3e6
    assert evaluate_run(folder.path, "last", 150)["final"]["scores"] == scores["final"]["scores"]


@pytest.fixture(scope="module")
def experiment():
    path = pathlib.Path(__file__).parents[2] / "experiments" / "stacked_mnist.py"
    spec = importlib.util.spec_from_file_location("stacked_mnist_experiment", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("full", [False, True])
def test_the_recipes_follow_the_protocol_and_share_all_but_the_game(experiment, full):
    plain, relativistic = (experiment.recipe(name, full=full) for name in ("dcgan", "rpgan"))
    for name in ("data", "latent", "steps", "batch_size", "d_steps", "ema", "quick_n", "final_n"):
        assert getattr(plain, name) == getattr(relativistic, name)
    assert plain.final_n == 26000
    assert plain.model.d_batch_norm
    assert not relativistic.model.d_batch_norm
    assert set(relativistic.build((28, 28, 3), 1000).memory) == {"d/r1", "d/r2"}
    module = lambda config: config.build((28, 28, 3), 1000).players["generator"].module
    assert module(plain) == module(relativistic)


@pytest.mark.parametrize("full", [False, True])
def test_packing_is_all_that_pacgan_changes(experiment, full):
    packed = experiment.recipe("pacgan2", full=full)
    assert packed.dynamics.pack == 2
    assert packed.batch_size % 2 == 0
    unpacked = experiment.with_fields(packed, preset="stacked-dcgan", **{"dynamics.pack": 1})
    assert unpacked == experiment.recipe("dcgan", full=full)


def test_only_a_finished_run_of_the_same_configuration_is_not_run_again(experiment, tmp_path):
    config = dataclasses.replace(experiment.recipe("dcgan"), out=str(tmp_path))
    assert experiment.earlier_run(tmp_path, config) is None
    folder = create(config, {"name": "stacked", "n": 1}, environment(), "a command")
    assert experiment.earlier_run(tmp_path, config).path == folder.path  # killed, it still says "running"
    folder.update(status="stopped")
    other = create(
        dataclasses.replace(config, seed=1), {"name": "stacked", "n": 1}, environment(), "a command"
    )
    other.update(status="finished")
    assert experiment.earlier_run(tmp_path, config).path == folder.path
    again = create(config, {"name": "stacked", "n": 1}, environment(), "a command")
    again.update(status="finished")
    assert experiment.earlier_run(tmp_path, config).path == again.path
    moved = dataclasses.replace(config, out="elsewhere")
    assert experiment.earlier_run(tmp_path, moved).path == again.path
