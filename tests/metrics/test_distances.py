"""Distances of features against other packages (golden values), closed forms and brute force."""

import json

import jax
import numpy as np
import pytest
import scipy.spatial.distance
import scipy.stats
from golden import make_distances as golden

from jaxgan import InputError
from jaxgan.common.devices import batch_sharded, make_mesh
from jaxgan.metrics import (
    frechet_distance,
    frechet_infinity,
    gaussian_mmd,
    inception_score,
    intra_class_frechet,
    kernel_distance,
    memorisation,
    moments,
    nearest,
    prdc,
)
from jaxgan.metrics.scores.frechet import Gaussian, MomentStream, frechet_error
from jaxgan.metrics.scores.kernel import kernel_subsets
from jaxgan.metrics.scores.neighbours import balls
from jaxgan.metrics.scores.resampling import bootstrap_error, jackknife_error

GOLDEN = json.loads(golden.PATH.read_text())


def sets(name):
    n, m, d = golden.SETS[name]
    return golden.features(1, n, d), golden.features(2, m, d, 0.1, 1.2)


# --- against the packages that published them --------------------------------------------------------


@pytest.mark.parametrize("name", golden.SETS)
def test_frechet_distance_is_torch_fidelitys(name):
    x, y = sets(name)
    assert frechet_distance(*moments(x), *moments(y)) == pytest.approx(
        GOLDEN[name]["torch_fidelity_fid"], rel=1e-7
    )


@pytest.mark.parametrize("k", [3, 5])
@pytest.mark.parametrize("name", golden.SETS)
def test_prdc_is_that_of_the_package(name, k):
    assert prdc(*sets(name), k=k) == pytest.approx(GOLDEN[name][f"prdc_{k}"], abs=1e-12)


@pytest.mark.parametrize("degree", [2, 3])
@pytest.mark.parametrize("name", golden.SETS)
def test_kernel_distance_is_torch_fidelitys(name, degree):
    x, y = sets(name)
    n = min(len(x), len(y))
    got, _ = kernel_distance(x[:n], y[:n], degree=degree)
    assert got == pytest.approx(GOLDEN[name][f"kid_{degree}"], rel=1e-12)


def test_inception_score_is_torch_fidelitys():
    got = inception_score(golden.logits(3, 1000, 10))
    assert got == pytest.approx(tuple(GOLDEN["inception_score"]), rel=1e-12)


# --- Fréchet ----------------------------------------------------------------------------------------


def test_identical_and_deficient_sets():
    x = np.random.default_rng(0).normal(size=(20, 64))  # fewer examples than dimensions
    y = 2 * x[:, ::-1] + 1
    assert frechet_distance(*moments(x), *moments(x)) == pytest.approx(0, abs=1e-6)
    # tr (S1 S2)^(1/2) is the nuclear norm of A B' for centred data matrices, over n - 1
    a, b = x - x.mean(0), y - y.mean(0)
    cross = np.linalg.norm(a @ b.T, "nuc") / 19
    expected = (
        np.square(x.mean(0) - y.mean(0)).sum() + (np.square(a).sum() + np.square(b).sum()) / 19 - 2 * cross
    )
    assert frechet_distance(*moments(x), *moments(y)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("sizes", [[700], [1, 299, 400], [7] * 100])
@pytest.mark.parametrize("devices", [1, 4])
def test_streamed_moments_do_not_depend_on_batches_or_devices(sizes, devices):
    x = np.random.default_rng(0).normal(3, 1, (700, 5)).astype(np.float32)
    stream, start = MomentStream(700), 0
    sharding = batch_sharded(make_mesh(jax.devices()[:devices]))
    for size in sizes:
        batch = np.concatenate([x[start : start + size], np.full((-size % 4 + 4, 5), 9, np.float32)])
        stream.add(jax.device_put(batch, sharding), size)
        start += size
    got, (mean, cov) = stream.gaussian(), moments(x)
    np.testing.assert_allclose(got.mean, mean, rtol=1e-13)
    np.testing.assert_allclose(got.cov, cov, rtol=1e-11, atol=1e-13)
    without = stream.leave_one_out()[3]
    mean, cov = moments(np.delete(x, np.s_[210:280], axis=0))
    np.testing.assert_allclose(without.mean, mean, rtol=1e-13)
    np.testing.assert_allclose(without.cov, cov, rtol=1e-11, atol=1e-13)


def test_the_jackknife_knows_the_spread_of_the_distance():
    """The estimated standard error is that of the distance over many sets of fakes, to a fifth."""
    rng = np.random.default_rng(0)
    real = Gaussian(np.zeros(3), np.eye(3))
    values, errors = [], []
    for _ in range(150):
        stream = MomentStream(400)
        stream.add(rng.normal(0.3, 1, (400, 3)).astype(np.float32))
        values.append(real.distance(stream.gaussian()))
        errors.append(jackknife_error([real.distance(g) for g in stream.leave_one_out()]))
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(values), rel=0.2)


def test_errors_are_the_spread_over_fresh_sets():
    """Errors from one set of fakes against the deviation of the values of many, to a fifth."""
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 2
    reals = rng.normal(size=(400, 3)) * [1, 2, 0.5] + 3 * labels[:, None]
    gaussian = Gaussian(*moments(reals))
    statistics = {
        "frechet": lambda y: (gaussian.distance(Gaussian(*moments(y))), frechet_error(gaussian, y)),
        "intra": lambda y: intra_class_frechet(reals, labels, y, labels)[:2],
        "mmd": lambda y: gaussian_mmd(reals, y, sigma=1.0),
    }
    sets_of_fakes = [rng.normal(0.3, 1, (400, 3)) for _ in range(120)]
    for name, statistic in statistics.items():
        values, errors = np.asarray([statistic(y) for y in sets_of_fakes]).T
        assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(values.std(), rel=0.2), name
    largest = lambda counts: float(counts.max() / counts.sum())
    histograms = rng.multinomial(500, [0.4, 0.2, 0.2, 0.1, 0.1], 120)
    errors = [bootstrap_error(largest, counts) for counts in histograms]
    assert np.mean(errors) == pytest.approx(np.std([largest(counts) for counts in histograms]), rel=0.2)
    assert bootstrap_error(largest, [500, 0, 0]) == 0


def test_errors_with_fewer_examples_than_dimensions():
    rng = np.random.default_rng(0)
    gaussian, draw = Gaussian(*moments(rng.normal(size=(100, 40)))), lambda: rng.normal(0.1, 1, (30, 40))
    found = [
        (gaussian.distance(Gaussian(*moments(y))), frechet_error(gaussian, y))
        for y in (draw() for _ in range(150))
    ]
    values, errors = np.asarray(found).T
    assert errors.mean() == pytest.approx(values.std(), rel=0.5)


def test_extrapolation_takes_the_bias_away():
    rng = np.random.default_rng(0)
    real, features = Gaussian(np.zeros(20), np.eye(20)), rng.normal(0.1, 1, (3000, 20))
    true = 20 * 0.1**2
    plain = real.distance(Gaussian(*moments(features[:300])))
    value, error = frechet_infinity(real, features[:300])
    assert plain > true + 0.3
    assert abs(value - true) < 0.5 * (plain - true)
    assert error < plain - true
    with pytest.raises(InputError, match="points: expected at least 3, got 2"):
        frechet_infinity(real, features, points=2)


def test_intra_class_distance_sees_swapped_classes():
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 2
    real = rng.normal(size=(400, 3)) + 5 * labels[:, None]
    good, _, each = intra_class_frechet(real, labels, rng.normal(size=(400, 3)) + 5 * labels[:, None], labels)
    bad, _, _ = intra_class_frechet(real, labels, rng.normal(size=(400, 3)) + 5 * labels[:, None], 1 - labels)
    assert good == pytest.approx(np.mean(list(each.values())))
    assert good < 0.5
    assert bad == pytest.approx(75, rel=0.05)
    with pytest.raises(InputError, match="2 fakes of class 1, got 200 and 0"):
        intra_class_frechet(real, labels, real, np.zeros(400, int))


# --- kernels --------------------------------------------------------------------------------------------


def test_kernel_distance_is_unbiased_and_knows_its_error():
    """Over fresh sets of one distribution the mean is 0, and the error given is not less than the spread."""
    rng = np.random.default_rng(0)
    found = [
        kernel_distance(*rng.normal(size=(2, 300, 4)), subsets=30, subset_size=100, seed=k) for k in range(60)
    ]
    values, errors = np.asarray(found).T
    assert abs(values.mean()) < 3 * values.std() / 60**0.5
    assert values.std() < 1.2 * errors.mean()


def test_kernel_subsets_pair():
    x, y = sets("small")
    values, error = kernel_subsets(x, y, subsets=20, subset_size=50, seed=3)
    mean, same = kernel_distance(x, y, subsets=20, subset_size=50, seed=3)
    assert (values.mean(), error) == (mean, same)
    assert kernel_distance(x, y, subsets=20, subset_size=50, seed=4)[0] != mean
    again, _ = kernel_subsets(x, x[: len(y)], subsets=20, subset_size=50, seed=3)
    assert len(again) == 20
    with pytest.raises(InputError, match="one dimension"):
        kernel_distance(x, y[:, :3])
    with pytest.raises(InputError, match="NaN"):
        kernel_distance(x, y * np.nan)
    with pytest.raises(InputError, match="subsets: expected at least 2"):
        kernel_distance(x, y, subsets=1)


@pytest.mark.parametrize("block", [3, 1000])
def test_gaussian_mmd_is_its_definition(block):
    x, y = (
        a / np.linalg.norm(a, axis=1, keepdims=True) for a in (sets("small")[0][:40], sets("small")[1][:30])
    )
    kernel = lambda a, b: np.exp(-scipy.spatial.distance.cdist(a, b, "sqeuclidean") / (2 * 0.5**2)).mean()
    mmd = lambda y: kernel(x, x) + kernel(y, y) - 2 * kernel(x, y)
    without = [mmd(np.delete(y, np.s_[3 * g : 3 * g + 3], axis=0)) for g in range(10)]
    value, error = gaussian_mmd(3 * x, y, sigma=0.5, block=block)
    assert value == pytest.approx(mmd(y), rel=1e-9)
    assert error == pytest.approx(jackknife_error(without), rel=0.3)
    assert gaussian_mmd(x, x)[0] == pytest.approx(0, abs=1e-12)
    assert gaussian_mmd(x, y[:1])[1] is None


# --- neighbours -------------------------------------------------------------------------------------------


def brute(x, y, k):
    d = scipy.spatial.distance.cdist(x.astype(np.float64), y.astype(np.float64))
    return np.sort(d, axis=1)[:, :k], np.argsort(d, axis=1, kind="stable")[:, :k]


@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e4], ids=["plain", "tight and far", "wide"])
def test_neighbours_are_those_of_float64(scale):
    """Clusters far from the mean and much smaller than their distance, where float32 alone cannot tell."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(3, 8)) * 10
    x = (centres[rng.integers(0, 3, 90)] + scale * rng.normal(size=(90, 8))).astype(np.float32)
    y = (centres[rng.integers(0, 3, 80)] + scale * rng.normal(size=(80, 8))).astype(np.float32)
    distances, indices = nearest(x, y, k=3, block=32)
    expected, where = brute(x, y, 3)
    np.testing.assert_allclose(distances, expected, rtol=1e-5)
    assert (indices == where).mean() > 0.999
    own = brute(x, x, 6)[0][:, 5] ** 2, brute(y, y, 6)[0][:, 5] ** 2
    between = scipy.spatial.distance.cdist(x.astype(np.float64), y.astype(np.float64), "sqeuclidean")
    found = balls(x, y, k=5, block=32)
    np.testing.assert_array_equal(found.around_fakes, (between < own[0][:, None]).sum(0))
    np.testing.assert_array_equal(found.covered, (between < own[0][:, None]).any(1))
    np.testing.assert_array_equal(found.reached, (between < own[1][None]).any(1))


@pytest.mark.parametrize("kind", ["whole numbers", "copies", "copies in both"])
@pytest.mark.parametrize("k", [1, 4])
def test_ties_are_ties(kind, k):
    """Distances that are equal are not smaller, whichever way they are computed."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(75, 3)), rng.normal(size=(60, 3))
        if kind == "whole numbers":
            x, y = np.round(2 * x), np.round(2 * y)
        else:
            x = np.repeat(x[:25], 3, axis=0)
            y = np.concatenate([x[:30], y[:30]]) if kind == "copies in both" else y
        between = scipy.spatial.distance.cdist(x, y, "sqeuclidean")
        real, fake = brute(x, x, k + 1)[0][:, k] ** 2, brute(y, y, k + 1)[0][:, k] ** 2
        real, fake = (np.round(r, 0 if kind == "whole numbers" else 12) for r in (real, fake))
        between = np.round(between, 0 if kind == "whole numbers" else 12)
        found = balls(x, y, k=k, block=32)
        np.testing.assert_array_equal(found.around_fakes, (between < real[:, None]).sum(0))
        np.testing.assert_array_equal(found.covered, (between < real[:, None]).any(1))
        np.testing.assert_array_equal(found.reached, (between < fake[None]).any(1))


def test_copies_of_few_points_are_told_apart():
    """A collapsed generator repeats itself exactly: radii of 0, which hold nothing."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)).astype(np.float32)
    y = np.repeat(x[:3], 20, axis=0)
    got = prdc(x, y, block=16)
    assert got["precision"] == 1
    assert got["recall"] == 0
    assert got["coverage"] <= 3 * 10 / 60


def test_memorisation_finds_copies():
    rng = np.random.default_rng(0)
    train = rng.normal(size=(200, 6))
    fresh, copies = rng.normal(size=(50, 6)), train[:30] + 1e-3 * rng.normal(size=(30, 6))
    found = memorisation(train, np.concatenate([fresh, copies]), block=64)
    assert not found.authentic[50:].any()
    np.testing.assert_array_equal(found.index[50:], np.arange(30))
    distance, index = brute(fresh, train, 1)
    own = np.sort(scipy.spatial.distance.cdist(train, train), axis=1)[:, 1]
    np.testing.assert_array_equal(found.authentic[:50], distance[:, 0] >= own[index[:, 0]])
    np.testing.assert_allclose(found.ratio[:50], distance[:, 0] / own[index[:, 0]], rtol=1e-6)
    assert found.authenticity == found.authentic.mean()


def test_bad_sets_are_named():
    with pytest.raises(InputError, match=r"one dimension, got \(9, 2\) and \(9, 3\)"):
        prdc(np.zeros((9, 2)), np.zeros((9, 3)))
    with pytest.raises(InputError, match="k: expected at least 1"):
        prdc(np.zeros((9, 2)), np.zeros((9, 2)), k=0)
    with pytest.raises(InputError, match="got NaN or infinity"):
        nearest(np.zeros((9, 2)), np.full((9, 2), np.inf))
