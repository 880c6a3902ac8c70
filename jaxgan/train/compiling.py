"""How long the first step takes, which is compiled: as it was measured."""

from __future__ import annotations

from jaxgan.common.devices import platform
from jaxgan.models import model_name
from jaxgan.train.members import Members

_SECONDS: dict[str, dict[int, float]] = {
    "mlp": {28: 5},
    "dcgan": {28: 24, 32: 32, 64: 41},
}
"""Family -> longer side of the images -> seconds that compiling takes one core (Intel Xeon, jax 0.10.2), uncached."""
_MORE_UPDATES = 0.25  # longer with each discriminator update beyond the first: wgan-gp-mnist took 48 s


def usual_seconds(family: str, side: int, d_steps: int = 1) -> float | None:
    """What tracing and compiling a step usually takes on a CPU; None for what was not measured.

    Args:
      family: name of the networks.
      side: longer side of the images; 0 for other examples.
      d_steps: discriminator updates in a step.
    """
    known = sorted(_SECONDS.get(family, {}).items())
    found = next((seconds for most, seconds in known if side <= most), None)
    return None if found is None else found * (1 + _MORE_UPDATES * (d_steps - 1))


def compiling(members: Members) -> str:
    """The line that is shown while the first step is compiled, such as "compiling, usually 2 minutes"."""
    spec, config = members.source.spec, members.config
    side = max(spec.shape[:2]) if spec.modality.is_picture else 0
    seconds = usual_seconds(model_name(type(config.model)), side, config.d_steps)
    if seconds is None or platform() != "cpu" or config.game != "gan":
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
