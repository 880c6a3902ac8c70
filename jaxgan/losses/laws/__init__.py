"""What every adversarial loss must obey, as functions that try to refute it.

A law takes a `Loss` and returns a line that says what was checked. It raises `Broken` with a line that
says how the loss breaks it, or `Skipped` where it does not apply. `check(loss)` tries them all. The tests
run them over LOSSES, and `jaxgan losses check FILE:NAME` over a loss of the user's own.
"""

from __future__ import annotations

from collections.abc import Callable

from jaxgan.common.checking.laws import Broken, Skipped, Verdict, verdicts
from jaxgan.losses.base import Loss
from jaxgan.losses.laws.duality import PAIRS, best_critics, duality_law, optimum_law
from jaxgan.losses.laws.meaning import (
    batch_size_law,
    comparison_law,
    gap_law,
    permutation_law,
    shift_law,
    threshold_law,
)
from jaxgan.losses.laws.numbers import extreme_law, gradient_law, shape_law

LAWS: dict[str, Callable[[Loss], str]] = {
    "shape": shape_law,
    "gradient": gradient_law,
    "extreme": extreme_law,
    "permutation": permutation_law,
    "batch_size": batch_size_law,
    "comparison": comparison_law,
    "threshold": threshold_law,
    "shift": shift_law,
    "gap": gap_law,
    "duality": duality_law,
    "optimum": optimum_law,
}


def check(loss: Loss) -> list[Verdict]:
    """Tries every law; once the shape is wrong, the others are skipped."""
    return verdicts(LAWS, loss, loss.exempt)


__all__ = [
    "LAWS",
    "PAIRS",
    "Broken",
    "Skipped",
    "Verdict",
    "batch_size_law",
    "best_critics",
    "check",
    "comparison_law",
    "duality_law",
    "extreme_law",
    "gap_law",
    "gradient_law",
    "optimum_law",
    "permutation_law",
    "shape_law",
    "shift_law",
    "threshold_law",
]
