"""Terms that are added to what a player minimises, in the manner of optax: pairs (init, value).

`init() -> memory` and `value(memory, scene, keys) -> (values, memory)`. The `Scene` holds the turn's reals,
fakes and latents, the critic and the generator; `values` holds one number an example, [batch]; the
caller takes the mean and multiplies it by the weight. A `Term` belongs to any player of any game.

Every entry of PENALTIES is a function of hyper-parameters, all with defaults, that returns a
`Penalty`: the terms of the two players of a GAN. `lazy` and `scheduled` turn one into another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxgan.common.errors import lookup
from jaxgan.common.user_files import OWN, is_file
from jaxgan.penalties.auxiliary import auxiliary_classifier
from jaxgan.penalties.base import Classify, Critic, Generate, Penalty, Scene, Term, stateless
from jaxgan.penalties.combine import lazy, scheduled, weight_schedule
from jaxgan.penalties.consistency import balanced_consistency, consistency, latent_consistency
from jaxgan.penalties.files import load_penalty
from jaxgan.penalties.gradients import dragan, gradient_penalty, lipschitz_penalty, r1, r2, zero_centered
from jaxgan.penalties.lecam import lecam
from jaxgan.penalties.path_length import path_length

__all__ = [
    "PENALTIES",
    "Classify",
    "Critic",
    "Generate",
    "Penalty",
    "Scene",
    "Term",
    "auxiliary_classifier",
    "balanced_consistency",
    "consistency",
    "dragan",
    "find_penalty",
    "get_penalty",
    "gradient_penalty",
    "latent_consistency",
    "lazy",
    "lecam",
    "lipschitz_penalty",
    "path_length",
    "r1",
    "r2",
    "scheduled",
    "stateless",
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
    "path_length": path_length,
    "auxiliary_classifier": auxiliary_classifier,
}


def find_penalty(name: str) -> Callable[..., Penalty]:
    """Finds the function that builds the penalty `name`, an entry of PENALTIES or FILE.py:NAME.

    Raises:
      ValueError: if there is no such penalty, or the file cannot be used.
    """
    return load_penalty(name) if is_file(name) else lookup("penalty", name, PENALTIES, also=[OWN])


def get_penalty(name: str, **options: Any) -> Penalty:
    """The penalty called `name`, an entry of PENALTIES or FILE.py:NAME, built with `options`.

    Raises:
      ValueError: if there is no such penalty, or an option's value is out of range.
      TypeError: if the penalty has no such option.
    """
    return find_penalty(name)(**options)
