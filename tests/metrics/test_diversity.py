"""Bins against SciPy's tests, birthdays against their closed form."""

import math

import numpy as np
import pytest
import scipy.spatial.distance
import scipy.stats

from jaxgan import InputError
from jaxgan.metrics.scores.diversity import birthday, ndb

MODES = 20 * np.random.default_rng(9).normal(size=(8, 3))


def around(counts, seed=0):
    """So many points close to each of the modes."""
    labels = np.repeat(np.arange(len(counts)), counts)
    return MODES[labels] + 0.01 * np.random.default_rng(seed).normal(size=(len(labels), 3))


# --- bins ------------------------------------------------------------------------------------------


def test_bins_differ_where_the_test_of_proportions_says_so():
    """The pooled z-test of two proportions is the chi-square test of their table without correction."""
    real, fake = np.asarray([90, 80, 70, 60, 50, 40, 30, 20]), np.asarray([60, 55, 30, 70, 20, 31, 34, 0])
    p_values = [
        scipy.stats.chi2_contingency([[a, real.sum() - a], [b, fake.sum() - b]], correction=False).pvalue
        for a, b in zip(real, fake, strict=True)
    ]
    js = scipy.spatial.distance.jensenshannon(real / real.sum(), fake / fake.sum()) ** 2
    levels = np.sort(p_values)
    counts = set()
    for significance in [*(levels * (1 - 1e-6)), *(levels * (1 + 1e-6))]:
        if not significance < 1:
            continue
        got = ndb(around(real), around(fake, 1), bins=8, significance=significance)
        assert got["ndb"] == (p_values < significance).sum()
        assert got["ndb_over_k"] == got["ndb"] / 8
        assert got["js"] == pytest.approx(js, rel=1e-9)
        counts.add(got["ndb"])
    assert len(counts) >= 8


def test_fakes_of_the_datas_distribution_differ_at_the_level_of_significance():
    rng = np.random.default_rng(0)
    shares = [
        ndb(rng.normal(size=(4000, 4)), rng.normal(size=(4000, 4)), bins=50, seed=seed)["ndb_over_k"]
        for seed in range(8)
    ]
    assert 0.02 < np.mean(shares) < 0.1


def test_dropped_modes_are_found():
    real = around([200] * 8)
    assert ndb(real, around([200] * 8, 1), bins=8)["ndb"] == 0
    dropped = ndb(real, around([320] * 5 + [0] * 3, 1), bins=8)
    assert dropped["ndb"] == 8  # three are empty, the others too full
    assert dropped["js"] > 0.1
    one = ndb(real, around([1600] + [0] * 7, 1), bins=8)
    assert one["js"] > dropped["js"]
    far = ndb(around([100] * 4), np.full((50, 3), 1e6), bins=4)
    assert far["ndb"] == 4


def test_errors_of_bins_are_the_spread_over_fresh_fakes():
    rng = np.random.default_rng(0)
    real, shares = around([100] * 8), np.asarray([4, 3, 2, 2, 2, 1, 1, 1]) / 16
    found = [ndb(real, around(rng.multinomial(400, shares), seed), bins=8) for seed in range(60)]
    for name in ("ndb_over_k", "js"):
        spread = np.std([each[name] for each in found], ddof=1)
        assert np.mean([each[f"{name}_error"] for each in found]) == pytest.approx(spread, rel=0.4)


def test_bins_at_their_ends():
    real = around([50] * 8)
    nothing = {"ndb": 0, "ndb_over_k": 0, "js": 0}
    assert ndb(real, real, bins=8).items() >= nothing.items()
    assert ndb(real, real[:3], bins=1) == {**nothing, "ndb_over_k_error": 0, "js_error": 0}
    assert ndb(real, real[:60], bins=30, seed=3) == ndb(real, real[:60], bins=30, seed=3)
    disjoint = np.asarray([[0.0], [1.0]])
    assert ndb(disjoint.repeat(50, 0), disjoint[:1].repeat(50, 0), bins=2)["js"] == pytest.approx(
        scipy.spatial.distance.jensenshannon([0.5, 0.5], [1, 0]) ** 2
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: ndb(x, x[:, :2]), "ndb: expected two sets of one dimension"),
        (
            lambda x: ndb(x, x, bins=17),
            "bins: expected an integer from 1 to 16 .the number of reals., got 17",
        ),
        (lambda x: ndb(x, x * np.nan, bins=2), "fake: expected finite numbers"),
        (lambda x: ndb(x[0], x, bins=2), r"real: expected features \[n, d\]"),
        (lambda x: ndb(x, x, bins=2, significance=1.0), "significance: expected 0 < significance < 1"),
        (lambda x: ndb(np.zeros((9, 2)), x[:, :2], bins=2), "at least 2 distinct examples for 2 bins, got 1"),
        (
            lambda x: birthday(x, sample=17),
            "sample: expected an integer from 2 to 16 .the number of examples., got 17",
        ),
        (lambda x: birthday(x, sample=4, repeats=0), "repeats: expected at least 1"),
    ],
)
def test_bad_sets_are_named(call, message):
    with pytest.raises(InputError, match=message):
        call(around([2] * 8))


# --- birthdays -------------------------------------------------------------------------------------


def collision(support, size):
    """Probability of a repetition among the first 1, 2, ... of `size` draws of equally likely things."""
    return 1 - np.cumprod(1 - np.arange(size) / support)


def test_a_generator_of_known_support():
    support, sample, repeats = 365, 60, 400
    rng = np.random.default_rng(0)
    things = rng.normal(size=(support, 6))
    found = birthday(things[rng.integers(support, size=sample * repeats)], sample=sample, repeats=repeats)
    expected = collision(support, sample)
    np.testing.assert_allclose(found.probability(0.0), expected, atol=4 * 0.5 / np.sqrt(repeats))
    assert abs(found.batch_size(0.0) - 23) <= 2  # of the paradox
    assert found.support(0.0) == pytest.approx(support, rel=0.25)


def test_the_formula_of_the_support():
    """Its batch size is the first where a repetition is more likely than not."""
    for support in (50, 365, 5000):
        size = int((collision(support, 500) >= 0.5).argmax()) + 1
        assert size * (size - 1) / (2 * math.log(2)) == pytest.approx(support, rel=0.1)


def test_uneven_generators_have_the_support_of_their_collisions():
    p = np.asarray([0.0045] * 200 + [0.00005] * 2000)
    rng = np.random.default_rng(1)
    things = rng.normal(size=(len(p), 4))
    found = birthday(things[rng.choice(len(p), p=p, size=20000)], sample=50, repeats=400)
    assert found.support(0.0) == pytest.approx(1 / np.square(p).sum(), rel=0.3)


def test_pairs_are_the_nearest_and_thresholds_count_them():
    x = np.random.default_rng(0).normal(size=(12, 2))
    found = birthday(x, sample=12, repeats=3)
    every = scipy.spatial.distance.squareform(scipy.spatial.distance.pdist(x)) + np.diag([np.inf] * 12)
    for (i, j), nearest in zip(found.pairs, found.nearest, strict=True):
        assert every[i, j] == every.min()
        assert nearest[-1] == pytest.approx(every.min(), rel=1e-12)
        assert np.isinf(nearest[0])
        assert (np.diff(nearest[1:]) <= 0).all()
    assert found.probability(every.min() * 1.001)[-1] == 1
    assert found.probability(every.min() * 0.999)[-1] == 0
    assert found.batch_size(0.0) is None
    assert found.support(0.0) == math.inf
    assert found.batch_size(1e9) == 2
    again = birthday(x, sample=12, repeats=3)
    np.testing.assert_array_equal(again.nearest, found.nearest)
    assert not np.array_equal(birthday(x, sample=12, repeats=3, seed=1).nearest, found.nearest)


def test_batches_share_no_example_where_there_are_enough():
    x = np.arange(60.0)[:, None] ** 2
    x[41] = x[17]  # one pair of twins: one batch at most can hold both
    holding = [(birthday(x, sample=30, repeats=2, seed=seed).nearest[:, -1] == 0).sum() for seed in range(20)]
    assert max(holding) == 1
    assert (birthday(x, sample=60, repeats=5).nearest[:, -1] == 0).all()
    assert {tuple(sorted(pair)) for pair in birthday(x, sample=60, repeats=5).pairs} == {(17, 41)}


def test_twins_far_from_the_origin_are_at_distance_zero():
    x = 1e6 + np.random.default_rng(0).normal(size=(20, 50))
    x[7] = x[3]
    found = birthday(x, sample=20, repeats=4)
    assert (found.nearest[:, -1] == 0).all()
    assert {tuple(sorted(pair)) for pair in found.pairs} == {(3, 7)}
