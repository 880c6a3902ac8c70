"""Which checkpoint is the best: the last of those that the noise of the score cannot tell from the lowest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_APART = 2.0  # standard errors of a difference


def better_of(best: Mapping[str, Any] | None, step: int, score: float, error: float = 0.0) -> dict[str, Any]:
    """The best so far, after a further score.

    A later checkpoint takes its place unless its score is higher than the lowest of all by more than two standard
    errors of their difference. As all are held against the lowest, small steps for the worse do not add up.

    Args:
      best: what this function returned last; None at first.
      step: of the score, later than those before.
      score: lower is better.
      error: its standard error.

    Returns:
      "step", "score" and "error" of the best, and "lowest", the lowest score so far with its error.
    """
    if best is None:
        return {"step": step, "score": score, "error": error, "lowest": (score, error)}
    lowest, its_error = best.get("lowest", (best["score"], best.get("error", 0.0)))
    if score > lowest + _APART * math.hypot(error, its_error):
        return dict(best)
    new_lowest = (score, error) if score <= lowest else (lowest, its_error)
    return {"step": step, "score": score, "error": error, "lowest": new_lowest}
