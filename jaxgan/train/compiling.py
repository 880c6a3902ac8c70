"""How long the first step takes, which is compiled: as it was measured."""

from __future__ import annotations

import jax

from jaxgan.models import model_name
from jaxgan.train.members import Members

_SECONDS: dict[str, dict[int, float]] = {
    "mlp": {0: 10},
    "dcgan": {32: 40, 64: 120},
}
"""Family -> longer side of the images -> seconds on two cores of a CPU, of which nothing was in the cache."""


def usual_seconds(family: str, side: int) -> float | None:
    """What compiling usually takes on a CPU; None for what was not measured.

    Args:
      family: name of the networks.
      side: longer side of the images; 0 for points.
    """
    known = _SECONDS.get(family, {})
    return next((seconds for most, seconds in sorted(known.items()) if side <= most or most == 0), None)


def compiling(members: Members) -> str:
    """What is said while the first step is compiled: "compiling, usually 2 minutes"."""
    shape = members.source.spec.shape
    seconds = usual_seconds(model_name(type(members.config.model)), max(shape[:2]) if len(shape) == 3 else 0)
    if seconds is None or jax.default_backend() != "cpu" or members.config.game != "gan":
        return "compiling"
    return f"compiling, usually {in_words(seconds)}"


def in_words(seconds: float) -> str:
    """A duration, roughly: "some seconds", "half a minute", "1 minute", "3 minutes"."""
    if seconds < 20:
        return "some seconds"
    if seconds < 45:
        return "half a minute"
    minutes = max(1, round(seconds / 60))
    return f"{minutes} minute{'s' * (minutes > 1)}"
