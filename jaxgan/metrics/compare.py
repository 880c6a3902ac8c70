"""Compares two generators: differences of scores with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jaxgan.common.errors import InputError
from jaxgan.metrics.score import Evaluation


@dataclass(frozen=True)
class Difference:
    """A score of two generators, and their difference B - A with its 95 % interval.

    Attributes:
      a: score of the first.
      b: score of the second.
      difference: b - a.
      error: standard error of the difference; None if it is not known.
      better: "lower" or "higher".
    """

    a: float
    b: float
    difference: float
    error: float | None
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

    The reals are the same for both, and the intervals speak of these reals: then the two scores are independent, as
    each comes from its own fakes, and the variance of their difference is the sum of their variances. Fakes of two
    generators that are nearly the same, such as neighbouring checkpoints, from the same latents are alike: there the
    intervals are wider than need be.

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
        known = first.error is not None and second.error is not None
        error = math.hypot(first.error, second.error) if known else None  # pyright: ignore  (they are)
        differences[name] = Difference(
            first.value, second.value, second.value - first.value, error, first.better
        )
    return differences
