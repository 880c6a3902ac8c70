"""Recipes of losses: what papers set together with the loss, by the name that `jaxgan train --loss` takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from jaxgan.config.config import Config
from jaxgan.config.fields import with_fields
from jaxgan.config.moves import PenaltyConfig


@dataclass(frozen=True)
class Recipe:
    """A loss and what belongs to it; all else stays the preset's.

    Attributes:
      loss: its name.
      paper: where it is from.
      learning_rate: of both optimisers.
      betas: of both optimisers.
      penalties: weights by name, applied in every update.
      kind: of both optimisers.
      clip: largest absolute value of the discriminator's weights; 0: no limit.
      d_steps: discriminator updates a step.
      networks: fields of the networks, for families that have them.
    """

    loss: str
    paper: str
    learning_rate: float
    _: KW_ONLY
    betas: tuple[float, float]
    penalties: Mapping[str, float] = field(default_factory=dict)
    kind: str = "adam"
    clip: float = 0.0
    d_steps: int = 1
    networks: Mapping[str, Any] = field(default_factory=dict)

    def applied(self, config: Config) -> Config:
        """The configuration with all of it set."""
        b1, b2 = self.betas
        optimizer = {"kind": self.kind, "learning_rate": self.learning_rate, "b1": b1, "b2": b2}
        return with_fields(
            config,
            loss=self.loss,
            loss_options=(),
            label_smoothing=0.0,
            penalty=PenaltyConfig(tuple(self.penalties.items())),
            d_steps=self.d_steps,
            g_optimizer=dataclasses.replace(config.g_optimizer, **optimizer, clip_weights=0.0),
            d_optimizer=dataclasses.replace(config.d_optimizer, **optimizer, clip_weights=self.clip),
            **{f"model.{name}": value for name, value in self._for(config).items()},
        )

    def said(self, config: Config) -> str:
        """What it sets, in one line."""
        penalties = " ".join(f"{name} {weight:g}" for name, weight in self.penalties.items())
        parts = [
            self.loss,
            f"penalties {penalties}, every 1" if penalties else "no penalties",
            f"{self.kind} {self.learning_rate:g} with b1 {self.betas[0]:g} and b2 {self.betas[1]:g}",
            f"d_steps {self.d_steps}",
            *([f"clip_weights {self.clip:g}"] if self.clip else []),
            *(f"model.{name} {value}" for name, value in self._for(config).items()),
        ]
        lacking = sorted(set(self.networks) - set(self._for(config)))
        return "; ".join(parts) + (f"; these networks have no {', '.join(lacking)}" if lacking else "")

    def _for(self, config: Config) -> dict[str, Any]:
        own = {f.name for f in dataclasses.fields(config.model)}
        return {name: value for name, value in self.networks.items() if name in own}


_PLAIN = {"d_batch_norm": False, "d_spectral_norm": False}
_NORMED = {"d_batch_norm": True, "d_spectral_norm": False}
RECIPES: dict[str, Recipe] = {
    "wgan": Recipe(
        "wasserstein",
        "Arjovsky et al. 2017, algorithm 1",
        5e-5,
        betas=(0.0, 0.99),
        kind="rmsprop",
        clip=0.01,
        d_steps=5,
        networks=_NORMED,
    ),
    "wgan-gp": Recipe(
        "wasserstein",
        "Gulrajani et al. 2017, algorithm 1",
        1e-4,
        betas=(0.0, 0.9),
        penalties={"gradient_penalty": 10.0},
        d_steps=5,
        networks=_PLAIN,
    ),
    "lsgan": Recipe("least_squares", "Mao et al. 2017", 2e-4, betas=(0.5, 0.999), networks=_NORMED),
    "hinge-sn": Recipe(
        "hinge",
        "Miyato et al. 2018, setting C",
        2e-4,
        betas=(0.5, 0.999),
        networks={"d_batch_norm": False, "d_spectral_norm": True},
    ),
    "r3gan": Recipe(
        "relativistic_paired",
        "Huang et al. 2024, gamma 1 as for StackedMNIST",
        2e-4,
        betas=(0.0, 0.99),
        penalties={"r1": 1.0, "r2": 1.0},
        networks=_PLAIN,
    ),
    "dragan": Recipe(
        "non_saturating",
        "Kodali et al. 2017",
        2e-4,
        betas=(0.5, 0.999),
        penalties={"dragan": 10.0},
        networks=_PLAIN,
    ),
}


def inherited(before: PenaltyConfig, after: PenaltyConfig) -> dict[str, Any]:
    """Settings of the penalties `before` that other penalties, those `after`, go on with: name -> value."""
    if {name for name, _ in after.weights} <= {name for name, _ in before.weights}:
        return {}
    plain = PenaltyConfig()
    names = [f.name for f in dataclasses.fields(plain) if f.name not in ("weights", "every_of")]
    values = {name: getattr(after, name) for name in names}
    return {
        name: value
        for name, value in values.items()
        if value == getattr(before, name) != getattr(plain, name)
    }
