"""Compares two generators: differences of scores with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.metrics.score import Evaluation, Score


@dataclass(frozen=True)
class Difference:
    """A score of two generators, and their difference B - A with its 95 % interval.

    Attributes:
      a: score of the first.
      b: score of the second.
      difference: b - a.
      error: standard error of the difference; None if it is not known.
      paired: whether the reals' own luck cancels in the error.
      better: "lower" or "higher".
    """

    a: float
    b: float
    difference: float
    error: float | None
    paired: bool
    better: str

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the difference, by a normal approximation; None if the error is not known."""
        if self.error is None:
            return None
        return self.difference - 1.96 * self.error, self.difference + 1.96 * self.error

    @property
    def winner(self) -> str:
        """Which one is better, "a" or "b"; "" if the interval holds 0 or is not known."""
        if self.interval is None or self.interval[0] <= 0 <= self.interval[1]:
            return ""
        return "b" if (self.difference > 0) == (self.better == "higher") else "a"


def compare(a: Evaluation, b: Evaluation) -> dict[str, Difference]:
    """Compares the scores of two generators, by the same evaluator and on as many fakes each.

    Where a score is a mean over reals, or over subsets of reals that are the same for both generators, the
    error is that of the mean difference. Elsewhere the two errors are taken to be independent, as each
    comes from its own fakes.

    Raises:
      InputError: if the two do not have the same scores.
    """
    if a.scores.keys() != b.scores.keys():
        raise InputError(
            f"compare: expected the same scores of both, got {list(a.scores)} and {list(b.scores)}"
        )
    differences = {}
    for name, first in a.scores.items():
        second = b.scores[name]
        error, paired = None, False
        x, y = a.paired.get(name), b.paired.get(name)
        if x is not None and y is not None and len(x) == len(y) > 1:
            gaps, paired = y - x, True
            overlap = _overlap(first, x)
            error = float(gaps.std(ddof=1) / len(gaps) ** 0.5) * overlap
        elif first.error is not None and second.error is not None:
            error = math.hypot(first.error, second.error)
        differences[name] = Difference(
            first.value, second.value, second.value - first.value, error, paired, first.better
        )
    return differences


def _overlap(score: Score, values: np.ndarray) -> float:
    """By how much subsets that overlap understate the error of their mean."""
    plain = float(values.std(ddof=1) / len(values) ** 0.5)
    return score.error / plain if score.error is not None and plain > 0 else 1.0
