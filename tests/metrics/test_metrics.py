"""Scores against closed forms, brute force and SciPy; evaluators with their floors and protocols."""

import dataclasses
import json
import math
import warnings

import jax
import numpy as np
import pytest
import scipy.linalg
import scipy.spatial.distance
import scipy.stats

from jaxgan import InputError
from jaxgan.data import Images, fingerprint, open_source
from jaxgan.data.splits import with_hold_out
from jaxgan.metrics import (
    ImageEvaluator,
    Score,
    frechet_distance,
    histogram_kl,
    inception_score,
    make_evaluator,
    mode_coverage,
    moments,
    prdc,
    sliced_wasserstein,
)
from jaxgan.metrics.catalogue import SCORES
from jaxgan.metrics.features import features_for, mnist_cnn
from jaxgan.metrics.given import FixedImages
from jaxgan.metrics.modes import EVALUATION_SEED
from jaxgan.metrics.picked import pick
from jaxgan.report.scores import why_missing


def spd(d, seed, rank=None):
    a = np.random.default_rng(seed).normal(size=(d, rank or d))
    return a @ a.T


# --- Fréchet distance -------------------------------------------------------------------------


def test_frechet_distance_of_commuting_gaussians_is_closed_form():
    rng = np.random.default_rng(0)
    m1, m2, s1, s2 = rng.normal(size=(4, 6))
    expected = ((m1 - m2) ** 2).sum() + ((abs(s1) - abs(s2)) ** 2).sum()
    got = frechet_distance(m1, np.diag(s1**2), m2, np.diag(s2**2))
    np.testing.assert_allclose(got, expected, rtol=1e-10)


@pytest.mark.parametrize("rank", [None, 3], ids=["full", "deficient"])
def test_frechet_distance_is_that_of_the_matrix_square_root(rank):
    c1, c2 = spd(8, 1, rank), spd(8, 2, rank)
    if rank is None:
        root = scipy.linalg.sqrtm(c1 @ c2)
        expected = np.trace(c1 + c2 - 2 * root.real)
    else:  # tr (c1 c2)^(1/2) is the nuclear norm of A' B for c1 = A A', c2 = B B'
        a = np.random.default_rng(1).normal(size=(8, rank))
        b = np.random.default_rng(2).normal(size=(8, rank))
        expected = np.trace(c1 + c2) - 2 * np.linalg.norm(a.T @ b, "nuc")
    np.testing.assert_allclose(frechet_distance(np.zeros(8), c1, np.zeros(8), c2), expected, rtol=1e-6)


def test_frechet_distance_is_a_distance():
    c1, c2 = spd(5, 1), spd(5, 2)
    m1, m2 = np.random.default_rng(3).normal(size=(2, 5))
    assert frechet_distance(m1, c1, m1, c1) < 1e-6
    np.testing.assert_allclose(frechet_distance(m1, c1, m2, c2), frechet_distance(m2, c2, m1, c1), rtol=1e-9)
    low = spd(5, 4, 2)
    assert frechet_distance(m1, low, m1, low) < 1e-6


def test_moments_are_unbiased_and_in_float64():
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    mean, cov = moments(x)
    np.testing.assert_allclose(mean, x.astype(np.float64).mean(0))
    np.testing.assert_allclose(cov, np.cov(x.astype(np.float64).T, ddof=1))
    assert moments(x[:, :1])[1].shape == (1, 1)


def test_bad_statistics_are_named():
    with pytest.raises(InputError, match="expected means"):
        frechet_distance(np.zeros(2), np.eye(3), np.zeros(2), np.eye(2))
    with pytest.raises(InputError, match="got NaN or infinity"):
        frechet_distance(np.zeros(2), np.eye(2) * np.nan, np.zeros(2), np.eye(2))
    with pytest.raises(InputError, match="n >= 2"):
        moments(np.zeros((1, 4)))


# --- inception score, PRDC, sliced Wasserstein, histograms -------------------------------------


def test_inception_score_by_hand():
    sure = 1e3 * np.eye(4)[np.arange(40) % 4]
    np.testing.assert_allclose(inception_score(sure, splits=10), (4.0, 0.0), atol=1e-6)
    np.testing.assert_allclose(inception_score(np.zeros((40, 4)), splits=4), (1.0, 0.0), atol=1e-9)
    logits = np.random.default_rng(0).normal(size=(60, 5))
    scores = []
    for part in np.split(logits, 3):
        p = scipy.special.softmax(part, axis=1)
        scores.append(np.exp(np.mean([scipy.stats.entropy(row, p.mean(0)) for row in p])))
    np.testing.assert_allclose(
        inception_score(logits, splits=3), (np.mean(scores), np.std(scores)), rtol=1e-9
    )
    with pytest.raises(InputError, match="expected at least 10 examples for 10 splits, got 4"):
        inception_score(np.zeros((4, 2)))


@pytest.mark.parametrize("block", [7, 1000])
def test_prdc_is_its_definition(block):
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(40, 3)), rng.normal(0.3, 0.8, size=(30, 3))
    k = 4
    distance = scipy.spatial.distance.cdist
    radius = lambda x: np.sort(distance(x, x), axis=1)[:, k]
    between, real_radius, fake_radius = distance(real, fake), radius(real), radius(fake)
    expected = {
        "precision": (between < real_radius[:, None]).any(0).mean(),
        "recall": (between < fake_radius[None]).any(1).mean(),
        "density": (between < real_radius[:, None]).sum(0).mean() / k,
        "coverage": (between < real_radius[:, None]).any(1).mean(),
    }
    assert prdc(real, fake, k=k, block=block) == pytest.approx(expected, rel=1e-12)


def test_prdc_at_its_ends():
    x = np.random.default_rng(0).normal(size=(50, 2))
    same = prdc(x, x)
    assert same["precision"] == same["recall"] == same["coverage"] == 1
    assert set(prdc(x, x + 100).values()) == {0.0}
    collapsed = prdc(x, np.tile(x[:1], (50, 1)))
    assert collapsed["precision"] == 1
    assert collapsed["recall"] < 0.1
    assert collapsed["coverage"] < 0.4
    with pytest.raises(InputError, match="n > k=5"):
        prdc(x, x[:5])


def test_sliced_wasserstein_of_a_shift():
    """Every projection of a shift by v moves by v . direction, whose mean square is |v|^2 / d."""
    x = np.random.default_rng(0).normal(size=(100, 3))
    shift = np.asarray([3.0, 0.0, 4.0])
    np.testing.assert_allclose(sliced_wasserstein(x, x + shift, projections=20000), 5 / np.sqrt(3), rtol=0.01)
    assert sliced_wasserstein(x, x[::-1]) == 0
    one = np.random.default_rng(1).normal(size=(2, 50, 1))
    expected = np.sqrt(np.mean((np.sort(one[0, :, 0]) - np.sort(one[1, :, 0])) ** 2))
    np.testing.assert_allclose(sliced_wasserstein(*one), expected, rtol=1e-9)
    with pytest.raises(InputError, match="two sets of one shape"):
        sliced_wasserstein(x, x[:5])


def test_histogram_kl():
    np.testing.assert_allclose(histogram_kl([3, 1], [1, 1]), scipy.stats.entropy([0.75, 0.25], [0.5, 0.5]))
    assert histogram_kl([1, 0], [1, 1]) == pytest.approx(np.log(2))
    assert histogram_kl([1, 1], [1, 0]) == math.inf


def test_mode_coverage_counts():
    modes = np.asarray([[0.0, 0], [1, 0], [0, 1]])
    points = np.asarray([[0, 0], [0.029, 0], [0, 0.031], [1, 0.01], [5, 5]])
    got = mode_coverage(points, modes, 0.01)
    assert got["modes"] == 2
    assert got["high_quality"] == 0.6
    assert got["reverse_kl"] == pytest.approx(scipy.stats.entropy([2 / 3, 1 / 3, 0], [1 / 3] * 3))
    assert mode_coverage(points + 9, modes, 0.01) == {"modes": 0, "high_quality": 0, "reverse_kl": np.log(3)}
    with pytest.raises(InputError, match="expected points"):
        mode_coverage(points, np.zeros((0, 2)), 0.01)


def test_real_points_of_a_mixture_score_as_they_should():
    """A share 1 - exp(-9/2) of a Gaussian lies within 3 sigma in the plane."""
    source = open_source("grid")
    points = np.asarray(source.sample(jax.random.key(0), 20000)[0])
    got = mode_coverage(points, source.modes, source.std)
    assert got["modes"] == 25
    assert got["high_quality"] == pytest.approx(1 - np.exp(-4.5), abs=2e-3)
    assert got["reverse_kl"] < 2e-3


# --- the classifier -----------------------------------------------------------------------------


def test_the_shipped_classifier_reads_digits():
    test = open_source("mnist", "test")
    features, logits = features_for(test)(test.images)
    assert features.shape == (10000, 128)
    assert (logits.argmax(1) == test.labels).mean() >= 0.993
    assert mnist_cnn.PATH.stat().st_size < 2 * 2**20


def test_features_do_not_depend_on_the_batch():
    test = open_source("mnist", "test")
    network = features_for(test)
    whole, _ = network(test.images[:700])
    np.testing.assert_allclose(network(test.images[:3])[0], whole[:3], rtol=1e-4, atol=1e-5)


# --- evaluators -----------------------------------------------------------------------------------


def fake_source(n=400, seed=0, name="npz:somewhere", size=9):
    images = np.random.default_rng(seed).integers(0, 256, (n, size, size, 3), np.uint8)
    return Images(name, images, None, class_names=(), fingerprint=fingerprint(images, None))


def test_scores_of_reals_are_at_their_floor_and_of_noise_are_not(cache):
    test = open_source("mnist", "test")
    evaluate = make_evaluator(open_source("mnist"))
    assert evaluate.main == "fd_mnist_cnn"
    good = evaluate(lambda n: test.images[:n], 500).scores
    bad = evaluate(lambda n: np.random.default_rng(0).integers(0, 256, (n, 28, 28, 1), np.uint8), 500).scores
    found = evaluate(lambda n: test.images[:n], 500).held_out
    assert (found.name, found.n) == ("mnist:test", 500)
    assert found.scores["precision"][1] == good["precision"].value  # as many as in the score itself
    assert next(iter(good)) == evaluate.main
    for name, score in good.items():
        worse = bad[name]
        assert score.floor == worse.floor
        assert score.n_fake == 500
        assert "mnist:train; floor: mnist:test" in score.split
        assert score.features.startswith("mnist_cnn@")
        if score.better == "lower":
            assert score.value <= worse.value
        else:
            assert score.value >= worse.value
        assert score.value == pytest.approx(score.floor, rel=0.4, abs=0.15)
    assert bad["fd_mnist_cnn"].value > 20 * good["fd_mnist_cnn"].value
    assert good["classes_present"].value == 10
    assert evaluate.quick(lambda n: test.images[:n], 500) == good["fd_mnist_cnn"].value


def test_the_floor_is_cached_by_content(cache, monkeypatch):
    source = fake_source(900)
    first = make_evaluator(source)(lambda n: source.images[:n], 300).scores
    assert first["fd_random_cnn"].floor > 0
    stored = list((cache / "floors").iterdir())
    assert len(stored) == 1
    content = json.loads(stored[0].read_text())
    content["floors"]["fd_random_cnn"] = 42.0
    stored[0].write_text(json.dumps(content))
    assert make_evaluator(source)(lambda n: source.images[:n], 300).scores["fd_random_cnn"].floor == 42.0
    other = fake_source(900, seed=1)
    assert make_evaluator(other)(lambda n: other.images[:n], 300).scores["fd_random_cnn"].floor != 42.0


def test_the_error_of_a_distance_does_not_depend_on_what_else_is_asked_for(cache):
    source = fake_source(600)
    alone, beside = (
        ImageEvaluator(source, metrics=names)(lambda n: source.images[:n], 300).scores["fd_random_cnn"]
        for names in (["fd"], ["fd", "prdc"])
    )
    assert alone.error == pytest.approx(beside.error, rel=1e-9)


def test_a_set_too_small_to_split_has_no_floor(cache):
    source = fake_source(40)
    with pytest.warns(UserWarning, match="cannot fill a covariance"):
        scores = make_evaluator(source)(lambda n: source.images[np.arange(n) % 40], 60).scores
    assert scores["fd_random_cnn"].floor is None
    assert scores["fd_random_cnn"].n_real == 40
    assert scores["fd_random_cnn"].n_fake == 60


def test_held_out_images_of_a_folder_are_others_than_the_reals(cache):
    source = fake_source(900)
    evaluator = make_evaluator(source)
    picked = pick(source.images, 300)
    order = np.random.default_rng(EVALUATION_SEED).permutation(900)
    assert {i.tobytes() for i in picked} == {source.images[j].tobytes() for j in order[:300]}
    held_out = source.images[np.sort(order[300:])[:300]]
    scores = evaluator(lambda n: held_out, 300).scores
    assert scores["fd_random_cnn"].value == pytest.approx(scores["fd_random_cnn"].floor, rel=1e-3)


def test_mixtures_are_scored_by_the_protocol(cache):
    source = open_source("ring")
    evaluate = make_evaluator(source)
    fresh = lambda n: np.asarray(source.sample(jax.random.key(99), n)[0])
    scores = evaluate(fresh, 10).scores
    assert evaluate.main == next(iter(scores)) == "mode_kl"
    assert scores["mode_kl"].value < 0.01
    assert evaluate.quick(fresh, 10) == scores["mode_kl"].value
    assert {score.n_fake for score in scores.values()} == {2500}
    assert scores["modes"].value == scores["modes"].floor == 8
    assert scores["sliced_wasserstein"].value < 3 * scores["sliced_wasserstein"].floor
    nowhere = evaluate(lambda n: np.zeros((n, 2)), 10).scores
    assert nowhere["modes"].value == 0
    assert nowhere["mode_kl"].value == pytest.approx(
        4.5
    )  # -log of the share beyond 3 deviations in the plane


def test_undefined_numbers_become_null():
    score = Score(math.inf, None, SCORES["fd"], n_real=1, n_fake=1, split="s", features="none")
    assert score.to_json()["value"] is None
    assert json.dumps(score.to_json())


def test_no_held_out_image_finds_itself(cache):
    """Authenticity of fresh reals is about a half, with a second split, a held-out part or neither."""
    source = fake_source(900)
    for data in (source, with_hold_out(source, 0.3)):
        evaluator = ImageEvaluator(data, metrics=("memorisation",))
        scores = evaluator(lambda n: source.images[:n], 250).scores
        assert scores["authenticity"].value < 0.4  # most of these are training images
        assert 0.25 < scores["authenticity"].floor < 0.9


def test_scores_against_held_out_images_tell_copies(cache):
    """Copies of the training images are near these and far from the others; fresh images are near neither."""
    source = with_hold_out(fake_source(500), 0.1)
    fresh = fake_source(450, seed=1).images
    evaluator = ImageEvaluator(source, metrics=("fd", "kd", "prdc"))
    copies, honest = (
        evaluator(lambda n, images=images: np.asarray(images[:n]), 450).held_out
        for images in (source.images, fresh)
    )
    assert copies.n == honest.n == 50
    assert copies.name == f"held-out part of {source.name}"
    assert copies.scores.keys() == {
        "fd_random_cnn",
        "kd_random_cnn",
        "precision",
        "recall",
        "density",
        "coverage",
    }
    against, train = copies.scores["coverage"]
    assert train == 1
    gap = lambda found: found.scores["fd_random_cnn"][0] / found.scores["fd_random_cnn"][1]
    assert gap(honest) < gap(copies)
    floors = evaluator(lambda n: fresh[:n], 450).scores
    assert floors["fd_random_cnn"].floor is floors["recall"].floor is None  # 50 images say nothing of 450
    assert floors["kd_random_cnn"].floor < 0.1 < floors["precision"].floor
    stored = copies.to_json()
    assert stored["scores"]["coverage"] == {"held_out": against, "train": 1.0}


def test_floors_follow_what_is_held_out(cache):
    source = fake_source(300)
    found = [
        ImageEvaluator(with_hold_out(source, share), metrics=("kd",))(lambda n: source.images[:n], 30).scores
        for share in (0.1, 0.2)
    ]
    assert found[0]["kd_random_cnn"].floor != found[1]["kd_random_cnn"].floor


@pytest.mark.filterwarnings("ignore:.*cannot fill a covariance")
def test_few_held_out_images_are_no_error(cache):
    """One image, and three of which none is of some class."""
    source = fake_source(30)
    labelled = dataclasses.replace(
        source, labels=np.arange(30, dtype=np.int32) % 5, class_names=tuple("abcde")
    )
    for share, n in ((0.03, 1), (0.1, 3), (0.25, 8)):
        data = with_hold_out(labelled, share)
        assert data.held_out.n == n
        found = ImageEvaluator(data, metrics=("kd", "intra_fd"))(FixedImages(data), data.n)
        assert (found.scores["kd_random_cnn"].floor is None) == (n < 6)
        assert set(found.held_out.scores if found.held_out else ()) == ({"kd_random_cnn"} if n > 5 else set())


def parts(n, held_out, **more):
    whole = fake_source(n + held_out)
    part = lambda rows: dataclasses.replace(whole, images=whole.images[rows], fingerprint=str(rows))
    return dataclasses.replace(part(slice(n)), held_out=part(slice(n, None)), **more)


def reason(score):
    assert score.floor is None
    return why_missing(score.to_json())


def test_where_real_data_have_no_value_the_reason_is_named(cache):
    """Too few of them, nothing held out, one alone, or what a metric needs; from the cache as well."""
    source = parts(200, 60)
    for _ in range(2):
        evaluate = ImageEvaluator(source, metrics=("fd", "kd", "prdc", "ndb"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scores = evaluate(lambda n: source.images[:n], 150).scores
        few = "no value of real data: too few held out: 60, while 150 fakes are compared"
        assert {name: reason(scores[name]) for name in ("fd_random_cnn", "recall", "ndb_share")} == {
            "fd_random_cnn": few, "recall": few, "ndb_share": few,
        }  # fmt: skip
        assert (
            why_missing(scores["precision"].to_json()) == why_missing(scores["kd_random_cnn"].to_json()) == ""
        )
        assert "; floor: " in scores["precision"].split
        assert "none" not in scores["precision"].split
    alone = fake_source(40)
    with pytest.warns(UserWarning, match="cannot fill a covariance"):
        scores = make_evaluator(alone)(lambda n: alone.images[np.arange(n) % 40], 60).scores
    assert reason(scores["fd_random_cnn"]) == (
        "no value of real data: no second split, nothing held out, and 0 of 40 are left beside the 40 reals"
    )
    one = parts(60, 1)
    with pytest.warns(UserWarning, match="cannot fill a covariance"):
        scores = make_evaluator(one)(lambda n: one.images[np.arange(n) % 60], 60).scores
    assert reason(scores["fd_random_cnn"]).startswith("no value of real data: too few held out: 1, of ")


def test_what_a_metric_lacks_is_the_reason(cache):
    source = parts(200, 5)
    evaluate = ImageEvaluator(source, metrics=("kd", "prdc"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores = evaluate(lambda n: source.images[:n], 9).scores
    why = "with held-out data as fakes, more than 5 reals and fakes are needed, and there are 9 and 5"
    assert reason(scores["recall"]) == f"no value of real data: {why}"
