"""Statistics against independent references."""

import itertools

import numpy as np
import pytest
from scipy import stats

from jaxgan.common import statistics as st
from jaxgan.common.errors import InputError


@pytest.mark.parametrize("n", [2, 8])
def test_the_interval_of_a_mean_is_students(n):
    values = np.random.default_rng(n).gamma(2.0, size=n)
    theirs = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    ours = st.mean_interval(values, confidence=0.9)
    assert ours == pytest.approx((values.mean(), theirs.low, theirs.high, n))


@pytest.mark.parametrize("n", [3, 5, 10])
def test_the_intervals_of_studies_cover_as_they_say(n):
    """95 % of the intervals of few seeds hold the mean, to two points."""
    samples = np.random.default_rng(n).normal(1.0, 2.0, (1500, n))
    intervals = [st.mean_interval(values) for values in samples]
    assert 0.93 <= np.mean([low <= 1.0 <= high for _, low, high, _ in intervals]) <= 0.97


def test_the_interval_of_one_and_of_identical_values():
    assert st.mean_interval([0.7]) == (0.7, None, None, 1)
    assert st.mean_interval([0.1] * 3) == (0.1, 0.1, 0.1, 3)
    for bad in ([], [1.0, np.inf], [np.nan]):
        with pytest.raises(InputError, match="values"):
            st.mean_interval(bad)


@pytest.mark.parametrize("sizes", [(5, 5), (2, 9), (30, 4)])
def test_tests_agree_with_scipy(sizes):
    rng = np.random.default_rng(sum(sizes))
    x, y = rng.normal(0, 1, sizes[0]), rng.normal(0.8, 3, sizes[1])
    assert st.welch(x, y) == pytest.approx(stats.ttest_ind(x, y, equal_var=False).pvalue, rel=1e-9)
    assert st.mann_whitney(x, y) == pytest.approx(stats.mannwhitneyu(x, y, method="exact").pvalue, abs=0.01)
    if sum(sizes) < 12:
        assert st.mann_whitney(x, y) == pytest.approx(stats.mannwhitneyu(x, y, method="exact").pvalue)
    u = stats.mannwhitneyu(x, y).statistic
    assert st.cliffs_delta(x, y) == pytest.approx(2 * u / (len(x) * len(y)) - 1)


def test_mann_whitney_is_exact_with_ties_and_ranks_infinity_last():
    x, y = np.array([1, 1, 2, 3, 3.0]), np.array([1, 3, 3, 4, 4, 4.0])

    def distance(a, b):
        ranks = stats.rankdata(np.concatenate([a, b]))
        return abs(ranks[: len(a)].sum() - len(a) * (len(ranks) + 1) / 2)

    reference = stats.permutation_test((x, y), distance, n_resamples=np.inf, alternative="greater")
    assert st.mann_whitney(x, y) == pytest.approx(reference.pvalue)
    assert st.mann_whitney([1, 2, np.inf], [4, 5, 6]) == st.mann_whitney([1, 2, 100], [4, 5, 6])
    assert st.mann_whitney([np.inf] * 3, [np.inf] * 4) == 1.0
    assert st.mann_whitney(range(5), range(10, 15)) == pytest.approx(st.smallest_p(5, 5))


def test_welch_without_variance_or_values():
    assert st.welch([1, 1, 1], [1, 1]) == 1.0
    assert st.welch([0] * 5, [1] * 5) == pytest.approx(st.smallest_p(5, 5))  # not 0
    assert st.welch([0] * 5, [1, 1, 1, 1, 1.1]) < 1e-4
    assert st.welch([1], [1, 2]) is None
    assert st.welch([1, np.inf], [1, 2]) is None


def test_holm_is_the_closed_test_by_bonferroni():
    p = np.array([0.04, 0.001, 0.02, 0.3, 0.02])

    def closed(i):  # the largest Bonferroni p of all intersections that contain i
        others = [j for j in range(len(p)) if j != i]
        families = (s for k in range(len(p)) for s in itertools.combinations(others, k))
        return max(min(1.0, (len(s) + 1) * min(p[[i, *s]])) for s in families)

    assert st.holm(p) == pytest.approx([closed(i) for i in range(len(p))])
    assert st.holm([]) == []
