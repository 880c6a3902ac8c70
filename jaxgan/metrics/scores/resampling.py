"""Standard errors of statistics: by leaving out, drawing anew or dividing the examples, and of counts and means."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

GROUPS = 10
"""Number of parts that a standard error is estimated from."""

_DRAWS = 200
_TERMS = 10


def jackknife_error(leave_one_out: Sequence[float]) -> float:
    """Standard error of a statistic by the delete-a-group jackknife.

    Args:
      leave_one_out: the values of the statistic without each of several equal groups of examples.

    References:
      Efron, Tibshirani (1993), An introduction to the bootstrap, eq. 11.5, with groups for examples.
    """
    values = np.asarray(leave_one_out, np.float64)
    return float(np.sqrt((len(values) - 1) / len(values) * np.square(values - values.mean()).sum()))


def bootstrap_error(
    statistic: Callable[[np.ndarray], float], counts: ArrayLike, *, draws: int = _DRAWS, seed: int = 0
) -> float:
    """Standard error of a statistic of a histogram of independent examples, by drawing it anew from itself.

    Args:
      statistic: counts [k] -> a number.
      counts: the histogram [k].
      draws: number of new histograms.
      seed: of the draws.

    References:
      Efron, Tibshirani (1993), An introduction to the bootstrap, chapter 6.
    """
    counts = np.asarray(counts)
    anew = np.random.default_rng(seed).multinomial(counts.sum(), counts / counts.sum(), draws)
    return float(np.std([statistic(row) for row in anew], ddof=1))


def distinct_error(counts: ArrayLike) -> float:
    """Standard error of the number of bins with at least one example.

    The variance of that number is what as many examples again would find anew, which Good and Toulmin estimate from
    the bins with 1, 2, 3, ... examples, with Efron and Thisted's weights for the alternating sum, less what the fixed
    number of examples takes away. Drawing the histogram anew would lose the bins with a single example.

    Args:
      counts: the histogram [k].

    References:
      Good, Toulmin (1956), The number of new species; Efron, Thisted (1976), How many words did Shakespeare know?
    """
    of_each = np.bincount(np.asarray(counts, np.int64), minlength=_TERMS + 1)[1 : _TERMS + 1]
    weights = [
        sum(math.comb(_TERMS, j) for j in range(k, _TERMS + 1)) / 2**_TERMS for k in range(1, _TERMS + 1)
    ]
    signs, n = (-1.0) ** np.arange(_TERMS), max(int(np.sum(counts)), 1)
    anew = float((signs * weights * of_each).sum())
    return math.sqrt(max(anew - of_each[0] ** 2 / n, 0.0))


def halves_errors(
    statistic: Callable[[np.ndarray, np.ndarray], Mapping[str, float]],
    real: np.ndarray,
    fake: np.ndarray,
    *,
    least: int = 20,
    most: int = 1000,
    splits: int = 12,
    seed: int = 0,
) -> dict[str, float]:
    """Standard errors of statistics of neighbours that come from the choice of the fakes, for these reals.

    Two halves of the fakes are independent, so that half the squared difference of their statistics, against one half
    of the reals, estimates the variance for half as many; its mean over random splits is taken. Statistics by the
    number of neighbours look alike at any size, so that their variance falls as the number of examples grows.
    Drawing the examples anew would not do: one that comes twice is its own nearest neighbour.

    Args:
      statistic: (reals, fakes) -> numbers by name.
      real: [n, d].
      fake: [m, d].
      least: examples that a half needs.
      most: examples that a half has at most.
      splits: random splits.
      seed: of them.

    Returns:
      By name; nothing where there are too few examples.
    """
    size = min(len(fake) // 2, len(real) // 2, most)
    if size < least:
        return {}
    rng, squares = np.random.default_rng(seed), []
    for _ in range(splits):
        x, order = real[rng.permutation(len(real))[:size]], rng.permutation(len(fake))
        one, other = statistic(x, fake[order[:size]]), statistic(x, fake[order[size : 2 * size]])
        squares.append({name: (one[name] - other[name]) ** 2 / 2 for name in one})
    share = size / len(fake)
    return {name: float(np.sqrt(np.mean([each[name] for each in squares]) * share)) for name in squares[0]}


def pairs_error(values: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """Standard error of a mean over pairs of examples, some of which share an example.

    Args:
      values: of each pair [p].
      first: the number of its first example [p].
      second: the number of its second example [p].

    References:
      Fafchamps, Gubert (2007), The formation of risk sharing networks (dyadic-robust variance).
    """
    rest = values - values.mean()
    sums = np.bincount(first, rest, minlength=1 + max(first.max(), second.max()))
    sums += np.bincount(second, rest, minlength=len(sums))
    shared = float(np.square(sums).sum() - np.square(rest).sum())
    plain = float(np.square(rest).sum())
    return math.sqrt(max(shared, plain) / len(values) / (len(values) - 1))


def trimmed_mean(values: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """Mean of the values between two quantiles (included), and its standard error.

    The error comes from the winsorised variance: to drop the tail does not hide its spread.

    References:
      Tukey, McLaughlin (1963), Less vulnerable confidence and significance procedures for location.
    """
    floor, ceiling = np.quantile(values, low, method="lower"), np.quantile(values, high, method="higher")
    kept = values[(floor <= values) & (values <= ceiling)]
    winsorised = np.clip(values, floor, ceiling)
    error = winsorised.std(ddof=1) * math.sqrt(len(values)) / len(kept)
    return float(kept.mean()), float(error)
