"""Which checkpoint is the best: the last of those that the noise of the score cannot tell from the lowest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_APART = 2.0  # standard errors of a difference
_NEW = "mode_kl"  # older versions, which kept no names, did not choose by it


def better_of(
    best: Mapping[str, Any] | None, step: int, score: float, error: float = 0.0, name: str | None = None
) -> dict[str, Any]:
    """The best so far, after a further score.

    A later checkpoint takes its place unless its score is higher than the lowest of all by more than two standard
    errors of their difference. As all are held against the lowest, small steps for the worse do not add up.

    Args:
      best: what this function returned last; None at first.
      step: of the score, later than those before.
      score: lower is better.
      error: its standard error; one that is not finite counts as 0.
      name: of the score, where it may have changed: a best by another score is forgotten.

    Returns:
      "step", "score" and "error" of the best, "name" if there is one, and "lowest", the lowest score so far with its
      error.
    """
    error, named = error if math.isfinite(error) else 0.0, {} if name is None else {"name": name}
    if best is not None and name is not None:
        before = best.get("name")
        best = None if (name == _NEW if before is None else before != name) else best
    if best is None:
        return {"step": step, "score": score, "error": error, **named, "lowest": (score, error)}
    lowest, its_error = best.get("lowest", (best["score"], best.get("error", 0.0)))
    if score > lowest + _APART * math.hypot(error, its_error):
        return dict(best)
    new_lowest = (score, error) if score <= lowest else (lowest, its_error)
    return {"step": step, "score": score, "error": error, **named, "lowest": new_lowest}
