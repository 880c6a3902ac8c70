"""Standard errors: of any statistic by leaving out parts of the examples or drawing them anew, and of trimmed means."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

GROUPS = 10
"""Number of parts that a standard error is estimated from."""

_DRAWS = 200


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


def bootstrap_errors(
    statistic: Callable[[np.ndarray], Mapping[str, float]], examples: np.ndarray, *, seed: int = 0
) -> dict[str, float]:
    """Standard errors of several statistics of independent examples, by drawing the examples anew.

    Args:
      statistic: examples [n, ...] -> numbers by name.
      examples: [n, ...].
      seed: of the draws.
    """
    rng, n = np.random.default_rng(seed), len(examples)
    found = [statistic(examples[rng.integers(n, size=n)]) for _ in range(_DRAWS)]
    return {name: float(np.std([values[name] for values in found], ddof=1)) for name in found[0]}


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
