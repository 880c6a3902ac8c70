"""Stated errors against the spread of the scores over fresh fakes, and the intervals of comparisons."""

import numpy as np
import pytest

from jaxgan.metrics.catalogue import SCORES
from jaxgan.metrics.compare import compare
from jaxgan.metrics.score import Evaluation, Score
from jaxgan.metrics.scores import neighbours
from jaxgan.metrics.scores.classes import (
    histogram_kl,
    histogram_kl_error,
    inception_score,
    inception_score_error,
)
from jaxgan.metrics.scores.diversity import ndb
from jaxgan.metrics.scores.frechet import Gaussian, frechet_error, frechet_infinity, moments
from jaxgan.metrics.scores.kernel import gaussian_mmd, kernel_distance
from jaxgan.metrics.scores.patches import swd_patches, swd_patches_errors
from jaxgan.metrics.scores.resampling import distinct_error, halves_errors, pairs_error
from jaxgan.metrics.scores.sliced import sliced_wasserstein, sliced_wasserstein_error

D = 4
REALS = np.random.default_rng(0).normal(size=(400, D))
GAUSSIAN = Gaussian(*moments(REALS))
WIDE = Gaussian(*moments(np.random.default_rng(6).normal(size=(300, 30))))


def normal(rng):
    return rng.normal(0.3, 1.1, (300, D))


def of_reals(x, y):
    found = neighbours.balls(x, y)
    return {"recall": found.reached.mean(), "coverage": found.covered.mean()}


def of_pairs(rng):
    """A mean over 600 pairs of 60 examples, whose values depend on both."""
    points = rng.normal(size=60)
    first = rng.integers(60, size=600)
    second = (first + rng.integers(1, 60, size=600)) % 60
    values = points[first] + points[second]
    return values.mean(), pairs_error(values, first, second)


def of_recall(rng, name):
    fakes = rng.normal(0.5, 0.9, (200, D))
    return of_reals(REALS[:200], fakes)[name], halves_errors(of_reals, REALS[:200], fakes)[name]


def of_bins(rng, name):
    found = ndb(REALS, rng.normal(0.1, 1.05, (400, D)), bins=40)
    return found[name], found[f"{name}_error"]


def of_patches(rng):
    drawn = lambda shift: np.clip(128 + 40 * (rng.normal(shift, 1, (120, D)) @ BASIS), 0, 255)
    fakes, few = drawn(0.3).reshape(120, 16, 16, 1), {"patches_per_image": 16, "projections": 16}
    value, error = swd_patches(PICTURES, fakes, **few), swd_patches_errors(PICTURES, fakes, **few)
    return value[16], error[16]


def of_counts(statistic, error, n, p):
    def drawn(rng):
        counts = rng.multinomial(n, np.asarray(p) / np.sum(p))
        return statistic(counts), error(counts)

    return drawn


def scored(statistic, error):
    return lambda rng: (statistic(fakes := normal(rng)), error(fakes))


BASIS = np.random.default_rng(2).normal(size=(D, 256)) / 2
PICTURES = np.clip(128 + 40 * (REALS[:120] @ BASIS), 0, 255).reshape(120, 16, 16, 1)
LOGITS = np.random.default_rng(1).normal(size=(D, 5)) * 2
SOME, FEW = REALS[:300], {"projections": 16}
SLICED = lambda y: sliced_wasserstein(y, SOME, **FEW)
SLICED_ERROR = lambda y: sliced_wasserstein_error(y, SOME, **FEW)
KL, KL_ERROR = (lambda c: histogram_kl(c, np.ones(8))), (lambda c: histogram_kl_error(c, np.ones(8)))
CASES = {
    "fd": (200, scored(lambda y: GAUSSIAN.distance(Gaussian(*moments(y))), lambda y: frechet_error(GAUSSIAN, y))),
    "fd_infinity": (150, lambda rng: frechet_infinity(GAUSSIAN, normal(rng))),
    "fd_infinity, few fakes": (60, lambda rng: frechet_infinity(WIDE, rng.normal(0.2, 1, (75, 30)))),
    "kd": (60, lambda rng: kernel_distance(REALS, normal(rng), subsets=10, subset_size=100)),
    "kd of one subset": (120, lambda rng: kernel_distance(REALS[:300], normal(rng), subsets=10)),
    "mmd": (60, lambda rng: gaussian_mmd(REALS, normal(rng), sigma=1.0)),
    "inception score": (200, lambda rng: (inception_score(x := normal(rng) @ LOGITS)[0], inception_score_error(x))),
    "recall": (40, lambda rng: of_recall(rng, "recall")),
    "coverage": (40, lambda rng: of_recall(rng, "coverage")),
    "pairs": (200, of_pairs),
    "classes, far": (200, of_counts(KL, KL_ERROR, 500, range(1, 9))),
    "classes, near": (200, of_counts(KL, KL_ERROR, 500, np.ones(8))),
    "modes": (200, of_counts(lambda c: (c > 0).sum(), distinct_error, 2000, np.ones(1000))),
    "sliced": (100, scored(SLICED, SLICED_ERROR)),
    "patches": (60, of_patches),
    "bins": (100, lambda rng: of_bins(rng, "ndb_over_k")),
    "bins, divergence": (100, lambda rng: of_bins(rng, "js")),
}  # fmt: skip


@pytest.mark.parametrize(("draws", "once"), CASES.values(), ids=CASES)
def test_a_stated_error_is_the_spread_over_fresh_fakes(draws, once):
    rng = np.random.default_rng(3)
    values, errors = np.asarray([once(rng) for _ in range(draws)], np.float64).T
    assert 0.8 <= np.sqrt(np.square(errors).mean()) / values.std(ddof=1) <= 1.25


@pytest.mark.parametrize("name", ["fd", "inception score"])
def test_one_set_of_fakes_is_enough_to_know_the_error(name):
    """Of ten tenths the error would vary by a quarter of itself."""
    rng = np.random.default_rng(4)
    errors = [CASES[name][1](rng)[1] for _ in range(50)]
    assert np.std(errors) < 0.15 * np.mean(errors)


def test_the_intervals_of_comparisons_cover_as_they_say():
    """95 % of the intervals of a difference hold the true one, to two points."""
    rng, n = np.random.default_rng(5), 300
    reals = Gaussian(np.zeros(2), np.eye(2))

    def evaluation(shift):
        fakes = rng.normal(shift, 1.1, (n, 2))
        value, error = reals.distance(Gaussian(*moments(fakes))), frechet_error(reals, fakes)
        hit = (np.abs(fakes[:, 0]) < 1).mean()
        score = lambda key, value, error: Score(
            value, None, SCORES[key], n_real=n, n_fake=n, split="", features="none", error=error
        )
        own = score("precision", hit, (hit * (1 - hit) / n) ** 0.5)
        return Evaluation({"fd": score("fd", value, error), "precision": own})

    found = [compare(evaluation(0.3), evaluation(0.5)) for _ in range(1500)]
    for name in ("fd", "precision"):
        true = np.mean([one[name].difference for one in found])
        covered = np.mean([one[name].interval[0] <= true <= one[name].interval[1] for one in found])
        assert 0.93 <= covered <= 0.97, name
    assert found[0]["fd"].winner in ("a", "")
