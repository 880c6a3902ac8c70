"""Groups of settings that say how players move: optimisers, penalties, dynamics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import jax.numpy as jnp
import optax

from jaxgan.augment import instance_noise
from jaxgan.common.errors import InputError, lookup
from jaxgan.common.numerics import is_number
from jaxgan.games.game import Moves
from jaxgan.games.optimizers import OPTIMIZERS, clip_weights, orthogonal_regularisation


@dataclass(frozen=True)
class PenaltyConfig:
    """Regularisers of the discriminator."""

    weights: tuple[tuple[str, float], ...] = ()
    """Name and weight of each, such as: gradient_penalty 10, or: r1 0.1 r2 0.1."""
    every: int = 1
    """Apply them in one of so many discriminator updates, as many times as strongly."""
    target: float = 1.0
    """Gradient norm that gradient_penalty, lipschitz_penalty and dragan aim at."""
    one_sided: bool = False
    """Whether gradient_penalty leaves smaller norms alone."""
    options: tuple[tuple[str, float], ...] = ()
    """More hyper-parameters, given to those penalties that have them, such as: order 1 decay 0.9."""
    schedule: Literal["constant", "linear", "cosine", "exponential"] = "constant"
    """How the weights change with the images seen, over the run."""
    end: float = 0.0
    """What the weights are multiplied with at the end of that schedule."""


@dataclass(frozen=True)
class DynamicsConfig:
    """How the two players move."""

    updates: Literal["alternating", "simultaneous", "extragradient"] = "alternating"
    """Whether G answers the updated D, both move at once, or both make a trial step first."""
    unroll: int = 0
    """Discriminator updates that the generator looks ahead (unrolled GAN)."""
    consensus: float = 0.0
    """Weight of the consensus term."""
    top_k: float = 1.0
    """Share of the fakes, those with the highest logits, that G learns from at the end of the run."""
    top_k_start: float = 0.0
    """Part of the run after which that share begins to fall from 1."""
    instance_noise: float = 0.0
    """Standard deviation, at the start, of noise on all that D sees."""
    instance_noise_end: float = 0.5
    """Part of the run over which that noise falls to 0."""
    label_flip: float = 0.0
    """Probability with which a real and a fake change places for D."""
    pack: int = 1
    """Examples that D judges together (PacGAN)."""
    lookahead: int = 0
    """Interval in steps of lookahead on both players; 0: none."""
    lookahead_alpha: float = 0.5
    """How much of the way since the last time lookahead keeps."""

    def build(self, steps: int) -> dict[str, Any]:
        """Arguments of `GAN` for a run of so many steps: moves, augment, pack, label_flip, top_k.

        Raises:
          InputError: for numbers out of range.
        """
        for name in ("top_k", "top_k_start", "instance_noise_end"):
            value, positive = getattr(self, name), name != "top_k_start"
            if is_number(value) and (not 0 <= value <= 1 or value == (0 if positive else 1)):
                raise InputError(f"dynamics.{name}: expected a part of 1, got {value}")
        if is_number(self.instance_noise) and self.instance_noise < 0:
            raise InputError(f"dynamics.instance_noise: expected at least 0, got {self.instance_noise}")
        if self.lookahead < 0:
            raise InputError(f"dynamics.lookahead: expected an interval >= 0, got {self.lookahead}")

        def share(step: Any) -> Any:
            done = (step / steps - self.top_k_start) / max(1 - self.top_k_start, 1e-9)
            return 1 - (1 - self.top_k) * jnp.clip(done, 0, 1)

        def sigma(step: Any) -> Any:
            return self.instance_noise * jnp.clip(1 - step / (steps * self.instance_noise_end), 0, 1)

        off = lambda value, neutral: is_number(value) and value == neutral
        return {
            "moves": Moves(
                updates=self.updates,
                unroll=self.unroll,
                consensus=self.consensus,
                lookahead=(self.lookahead, self.lookahead_alpha) if self.lookahead else None,
            ),
            "augment": {} if off(self.instance_noise, 0) else {"instance_noise": instance_noise(sigma)},
            "pack": self.pack,
            "label_flip": self.label_flip,
            "top_k": None if off(self.top_k, 1) else share,
        }


@dataclass(frozen=True)
class AdamConfig:
    """An optimiser (Adam, unless another kind is asked for), with a schedule over the run."""

    learning_rate: float = 2e-4
    """At the start."""
    b1: float = 0.5
    """Decay of the first moment."""
    b2: float = 0.999
    """Decay of the second moment."""
    eps: float = 1e-8
    """Added to the root of the second moment."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """How the learning rate goes to 0 over the run, if it does."""
    kind: Literal["adam", "optimistic_adam", "sgd", "rmsprop"] = "adam"
    """adam, optimistic_adam, sgd (b1 is its momentum) or rmsprop (b1 is its momentum, b2 its decay)."""
    clip_weights: float = 0.0
    """Keep all weights within this of 0 (the first WGAN); 0: do not."""
    orthogonal: float = 0.0
    """Weight of orthogonal regularisation of the kernels; 0: none."""

    def build(self, updates: int) -> optax.GradientTransformation:
        """The optimiser for a run of so many updates.

        Raises:
          InputError: for a learning rate or moment decay out of range.
        """
        in_range = {
            "learning_rate > 0": lambda: self.learning_rate > 0,
            "0 <= b1 < 1": lambda: 0 <= self.b1 < 1,
            "0 <= b2 < 1": lambda: 0 <= self.b2 < 1,
            "eps > 0": lambda: self.eps > 0,
            "clip_weights >= 0": lambda: self.clip_weights >= 0,
            "orthogonal >= 0": lambda: self.orthogonal >= 0,
        }
        for expected, holds in in_range.items():
            name = next(word for word in expected.split() if word.isidentifier())
            value = getattr(self, name)
            if is_number(value) and not holds():
                raise InputError(f"optimizer: expected {expected}, got {name} = {value}")
        rates: dict[str, Any] = {
            "constant": lambda: self.learning_rate,
            "linear": lambda: optax.linear_schedule(self.learning_rate, 0.0, updates),
            "cosine": lambda: optax.cosine_decay_schedule(self.learning_rate, updates),
        }
        rate = lookup("schedule", self.schedule, rates)()
        kind = lookup("optimizer kind", self.kind, OPTIMIZERS)(rate, self.b1, self.b2, self.eps)
        around = [kind]
        if self.orthogonal:
            around.insert(0, orthogonal_regularisation(self.orthogonal))
        if self.clip_weights:
            around.append(clip_weights(self.clip_weights))
        return kind if len(around) == 1 else optax.chain(*around)
