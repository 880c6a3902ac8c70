"""Standard errors of any statistic: by leaving parts of the examples out, or by drawing them anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

GROUPS = 10
"""Parts that a standard error is estimated from."""

_DRAWS = 200


def jackknife_error(leave_one_out: Sequence[float]) -> float:
    """Standard error of a statistic from its values without each of g equal groups (delete-a-group jackknife).

    References:
      Efron, Tibshirani (1993), An introduction to the bootstrap, eq. 11.5, with groups for examples.
    """
    values = np.asarray(leave_one_out, np.float64)
    return float(np.sqrt((len(values) - 1) / len(values) * np.square(values - values.mean()).sum()))


def bootstrap_error(
    statistic: Callable[[np.ndarray], float], counts: ArrayLike, *, draws: int = _DRAWS, seed: int = 0
) -> float:
    """Standard error of a statistic of a histogram of independent examples, by drawing it anew from itself.

    References:
      Efron, Tibshirani (1993), An introduction to the bootstrap, chapter 6.
    """
    counts = np.asarray(counts)
    anew = np.random.default_rng(seed).multinomial(counts.sum(), counts / counts.sum(), draws)
    return float(np.std([statistic(row) for row in anew], ddof=1))


def bootstrap_errors(
    statistic: Callable[[np.ndarray], Mapping[str, float]], examples: np.ndarray, *, seed: int = 0
) -> dict[str, float]:
    """Standard errors of several statistics of independent examples, by drawing these anew: as `bootstrap_error`."""
    rng, n = np.random.default_rng(seed), len(examples)
    found = [statistic(examples[rng.integers(n, size=n)]) for _ in range(_DRAWS)]
    return {name: float(np.std([values[name] for values in found], ddof=1)) for name in found[0]}
