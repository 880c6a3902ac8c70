"""Regularisers of the discriminator, in the manner of optax: pairs (init, apply).

`init() -> state` and `apply(state, critic, real, fake, key) -> (values, state)`. `critic` maps a
batch of inputs to logits, `real` and `fake` are batches of inputs, `values` holds one number an
example, [batch]; the caller takes the mean and multiplies by the penalty's weight. A stateless
penalty's state is (). `Penalty` says how a penalty gets at latents, and how it adds a term to the
generator's loss.

Every entry of PENALTIES is a function of hyper-parameters, all with defaults, that returns a
`Penalty`; `lazy` and `scheduled` turn one into another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxgan.augment.shifts import flip_and_shift
from jaxgan.common.errors import lookup
from jaxgan.penalties.base import Critic, Penalty, Regenerate
from jaxgan.penalties.combine import lazy, scheduled, weight_schedule
from jaxgan.penalties.consistency import balanced_consistency, consistency, latent_consistency
from jaxgan.penalties.gradients import dragan, gradient_penalty, lipschitz_penalty, r1, r2, zero_centered
from jaxgan.penalties.lecam import lecam

__all__ = [
    "PENALTIES",
    "Critic",
    "Penalty",
    "Regenerate",
    "balanced_consistency",
    "consistency",
    "dragan",
    "flip_and_shift",
    "get_penalty",
    "gradient_penalty",
    "latent_consistency",
    "lazy",
    "lecam",
    "lipschitz_penalty",
    "r1",
    "r2",
    "scheduled",
    "weight_schedule",
    "zero_centered",
]

PENALTIES: dict[str, Callable[..., Penalty]] = {
    "gradient_penalty": gradient_penalty,
    "lipschitz_penalty": lipschitz_penalty,
    "zero_centered": zero_centered,
    "dragan": dragan,
    "r1": r1,
    "r2": r2,
    "lecam": lecam,
    "consistency": consistency,
    "balanced_consistency": balanced_consistency,
    "latent_consistency": latent_consistency,
}


def get_penalty(name: str, **options: Any) -> Penalty:
    """The penalty called `name`, built with `options`.

    Raises:
      ValueError: if there is no such penalty, or an option's value is out of range.
      TypeError: if the penalty has no such option.
    """
    return lookup("penalty", name, PENALTIES)(**options)
