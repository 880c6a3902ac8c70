"""Groups of settings that say how players move: penalties, dynamics and optimisers, each with its `build`."""

from __future__ import annotations

import inspect
import math
from collections.abc import Collection, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

import jax.numpy as jnp
import optax

from jaxgan.augment import fading_blur, instance_noise
from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError, in_group, lookup, renamed, unknown
from jaxgan.common.numerics import is_number
from jaxgan.common.user_files import short_name
from jaxgan.config.options import typed_options
from jaxgan.games.game import Moves
from jaxgan.games.optimizers import OPTIMIZERS, clip_weights, orthogonal_regularisation
from jaxgan.penalties import Penalty, find_penalty, lazy, scheduled, weight_schedule

_RARELY = 1_000_000  # updates; more of them, times a batch, are no number of images that programs can hold


@dataclass(frozen=True)
class PenaltyConfig:
    """Terms that are added to the losses of the discriminator and, by some, of the generator."""

    weights: tuple[tuple[str, float], ...] = ()
    """Name (or FILE.py:NAME) and weight of each, such as: gradient_penalty 10, or: r1 0.1 r2 0.1."""
    _: KW_ONLY
    every: int = 1
    """Apply them in one of this many updates of their player, and this many times as strongly."""
    every_of: tuple[tuple[str, int], ...] = ()
    """The same for single penalties, those that are applied, such as: r1 16 path_length 4."""
    own_updates: bool = False
    """Make those that are not applied every time updates of their own, in one of so many steps (StyleGAN2)."""
    target: float = 1.0
    """Gradient norm that gradient_penalty, lipschitz_penalty and dragan aim at."""
    one_sided: bool = False
    """Whether gradient_penalty leaves smaller norms alone."""
    options: tuple[tuple[str, float], ...] = ()
    """More hyper-parameters, each for those penalties that have it, such as: order 1 decay 0.9."""
    schedule: Literal["constant", "linear", "cosine", "exponential"] = "constant"
    """How the weights change over the run (or over schedule_kimg), with the number of images seen."""
    end: float = 0.0
    """Factor of the weights at the end of that schedule."""

    def build(self, updates: int, batch_size: int, d_steps: int = 1) -> dict[str, tuple[float, Penalty]]:
        """Builds the penalties: name -> (weight, penalty).

        Args:
          updates: of the discriminator in the run.
          batch_size: examples of one discriminator update.
          d_steps: discriminator updates in a step.

        Raises:
          InputError: for a penalty or an option that does not exist, or a number out of range.
        """
        weights = [(short_name(name), weight) for name, weight in self.weights]
        builders = {short_name(name): find_penalty(name) for name, _ in self.weights}
        takes = {name: inspect.signature(builder).parameters for name, builder in builders.items()}
        self._check(weights, {option for options in takes.values() for option in options})
        built, intervals = {}, self.intervals()
        for name, weight in weights:
            every = intervals[name]
            shared = {"target": self.target, "one_sided": self.one_sided}
            given = {option: value for option, value in shared.items() if option in takes[name]}
            own = [(option, value) for option, value in self.options if option in takes[name]]
            with renamed(in_group("penalty", given) | in_group("penalty.options", dict(own))):
                penalty = builders[name](**given | typed_options(name, own, takes[name]))
            if self.schedule != "constant":
                factor = weight_schedule(self.schedule, 1.0, self.end, updates * batch_size)
                # That a discriminator update shows; a step makes d_steps of them, and one of those of its own.
                images = batch_size * every * (d_steps if name in self.own_turns() else 1)
                g_images = batch_size * every * d_steps
                by_player = (
                    scheduled(Penalty(discriminator=penalty.discriminator), factor, images),
                    scheduled(Penalty(generator=penalty.generator), factor, g_images),
                )
                penalty = Penalty(by_player[0].discriminator, by_player[1].generator)
            built[name] = weight, penalty if name in self.own_turns() else lazy(penalty, every)
        return built

    @property
    def shrink(self) -> int:
        """A penalty looks only at the first of every so many examples; parts of a batch must be multiples of this."""
        return max([1, *(int(value) for name, value in self.options if name == "shrink")])

    def own_turns(self) -> dict[str, int]:
        """The penalties that are updates of their own: name -> each is made in one of how many steps."""
        return {name: k for name, k in self.intervals().items() if k > 1} if self.own_updates else {}

    def intervals(self) -> dict[str, int]:
        """Name of a penalty -> it is applied in one of how many updates."""
        own = {short_name(name): every for name, every in self.every_of}
        return {name: own.get(name, self.every) for name in (short_name(name) for name, _ in self.weights)}

    def _check(self, weights: Sequence[tuple[str, Any]], taken: Collection[str]) -> None:
        """Raises InputError for a number out of range, or an option that is not among those `taken`."""
        names = [name for name, _ in weights]
        if len(set(names)) < len(names):
            raise InputError(f"penalty.weights: expected each name once, got {', '.join(names)}")
        for name, weight in weights:
            check_range(f"penalty.weights.{name}", weight, at_least=0, below=math.inf)
        check_range("penalty.end", self.end, at_least=0)
        own = [short_name(name) for name, _ in self.every_of]
        if len(set(own)) < len(own):
            raise InputError(f"penalty.every_of: expected each name once, got {', '.join(own)}")
        check_range("penalty.every", self.every, at_least=1, at_most=_RARELY)
        for name, every in self.every_of:
            find_penalty(name)
            check_range(f"penalty.every_of.{name}", every, at_least=1, at_most=_RARELY)
        for name, _ in self.options:
            if name not in taken:
                raise unknown("option of the penalties", name, taken)
        for name in ("target", "one_sided"):
            if getattr(self, name) != getattr(PenaltyConfig, name) and name not in taken:
                raise InputError(
                    f"penalty.{name}: none of the penalties ({', '.join(names) or 'none'}) takes it"
                )


@dataclass(frozen=True)
class DynamicsConfig:
    """How the two players move."""

    updates: Literal["alternating", "simultaneous", "extragradient"] = "alternating"
    """alternating: G answers the updated D; simultaneous: both move at once; extragradient: after a trial step."""
    _: KW_ONLY
    unroll: int = 0
    """Discriminator updates that the generator looks ahead (unrolled GAN)."""
    consensus: float = 0.0
    """Weight of the consensus term."""
    top_k: float = 1.0
    """Share of the fakes that G learns from at the end of the run: those with the highest logits."""
    top_k_start: float = 0.0
    """Part of the run after which that share begins to fall from 1."""
    instance_noise: float = 0.0
    """Standard deviation, at the start of the run, of noise that is added to all that D sees."""
    instance_noise_end: float = 0.5
    """Part of the run in which that noise falls to 0."""
    blur: float = 0.0
    """Pixels at which taps of a blur, of all that D sees at the start of the run, have fallen to half."""
    blur_end: float = 0.01
    """Part of the run in which that blur fades."""
    label_flip: float = 0.0
    """Probability with which a real and a fake change places for D."""
    pack: int = 1
    """Examples that D judges together (PacGAN)."""
    lookahead: int = 0
    """Steps after which lookahead takes both players back a part of their way; 0: never."""
    lookahead_alpha: float = 0.5
    """Share of the way since the last time that lookahead keeps."""

    def build(self, steps: int) -> dict[str, Any]:
        """Arguments of `GAN` for a run of `steps` steps: moves, augment, pack, label_flip and top_k.

        Raises:
          InputError: for a number out of range.
        """
        check_range("dynamics.top_k", self.top_k, above=0, at_most=1)
        check_range("dynamics.top_k_start", self.top_k_start, at_least=0, below=1)
        check_range("dynamics.instance_noise", self.instance_noise, at_least=0)
        check_range("dynamics.instance_noise_end", self.instance_noise_end, above=0, at_most=1)
        check_range("dynamics.blur", self.blur, at_least=0)
        check_range("dynamics.blur_end", self.blur_end, above=0, at_most=1)
        check_range("dynamics.lookahead", self.lookahead, at_least=0)

        def share(step: Any) -> Any:
            done = (step / steps - self.top_k_start) / max(1 - self.top_k_start, 1e-9)
            return 1 - (1 - self.top_k) * jnp.clip(done, 0, 1)

        def falling(start: float, end: float) -> Any:
            return lambda step: start * jnp.clip(1 - step / (steps * end), 0, 1)

        augment = {}
        if self.blur:
            augment["blur"] = fading_blur(falling(self.blur, self.blur_end), self.blur)
        if not is_number(self.instance_noise) or self.instance_noise != 0:
            augment["instance_noise"] = instance_noise(falling(self.instance_noise, self.instance_noise_end))
        off = lambda value, neutral: is_number(value) and value == neutral
        return {
            "moves": Moves(
                updates=self.updates,
                unroll=self.unroll,
                consensus=self.consensus,
                lookahead=(self.lookahead, self.lookahead_alpha) if self.lookahead else None,
            ),
            "augment": augment,
            "pack": self.pack,
            "label_flip": self.label_flip,
            "top_k": None if off(self.top_k, 1) else share,
        }


@dataclass(frozen=True)
class OptimizerConfig:
    """An optimiser (Adam, unless another kind is asked for), with a schedule over the run."""

    learning_rate: float = 2e-4
    """Learning rate at the start of the run."""
    _: KW_ONLY
    b1: float = 0.5
    """Decay of the first moment."""
    b2: float = 0.999
    """Decay of the second moment."""
    eps: float = 1e-8
    """Added to the root of the second moment."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """How the learning rate goes to its end over the run (or over schedule_kimg), if it does."""
    end: float = 0.0
    """Factor of the learning rate at the end of that schedule."""
    hold: float = 0.0
    """Share of that schedule in which the rate stays as it is; after it a linear one never comes quite to its end."""
    b2_end: float | None = None
    """Decay of the second moment at the end of that schedule, on the same way; None: it stays."""
    kind: Literal["adam", "optimistic_adam", "sgd", "rmsprop"] = "adam"
    """adam, optimistic_adam, sgd (b1 is its momentum) or rmsprop (b1 is its momentum, b2 its decay)."""
    clip_weights: float = 0.0
    """Largest absolute value that a weight may take (as in the first WGAN); 0: no limit."""
    orthogonal: float = 0.0
    """Weight of the orthogonal regularisation of kernels; 0: none."""

    def build(
        self, updates: int, name: str = "optimizer", share: float = 1.0
    ) -> optax.GradientTransformation:
        """The optimiser for a run in which it makes `updates` updates.

        Args:
          updates: length of the schedule.
          name: of this group, for messages.
          share: of its updates that are not a lazy penalty's own. With k / (k + 1), for one penalty in k steps, the
            learning rate is multiplied by it and the decays are raised to its power, so that k steps go as far and
            forget as much as k updates did without it (Karras et al. 2020, Analyzing and improving the image quality
            of StyleGAN, appendix B). The rate of sgd, whose steps are as long as the gradients, is kept.

        Raises:
          InputError: for a kind or schedule that does not exist, or a number out of range.
        """
        check_range(f"{name}.learning_rate", self.learning_rate, above=0)
        check_range(f"{name}.b1", self.b1, at_least=0, below=1)
        check_range(f"{name}.b2", self.b2, at_least=0, below=1)
        check_range(f"{name}.eps", self.eps, above=0)
        check_range(f"{name}.end", self.end, at_least=0)
        check_range(f"{name}.hold", self.hold, at_least=0, below=1)
        check_range(f"{name}.clip_weights", self.clip_weights, at_least=0)
        check_range(f"{name}.orthogonal", self.orthogonal, at_least=0)
        updates = round(updates / share)
        share = (
            1.0 if self.kind == "sgd" else share
        )  # whose steps are as long as the gradients, a lazy one's too
        ways: dict[str, Any] = {
            "constant": None,
            "linear": optax.linear_schedule(1.0, 0.0, updates),
            "cosine": optax.cosine_decay_schedule(1.0, updates),
        }
        held = round(updates * self.hold)
        if held:
            if self.schedule == "constant":
                raise InputError(
                    f"{name}.hold: expected another schedule than constant beside it, got {self.hold:g}"
                )
            left = updates - held + 1  # so that no update has a rate of 0, as in CycleGAN's code
            fallen = lambda count: jnp.clip((count + 1 - held) / left, 0, 1)
            ways["linear"] = lambda count: 1 - fallen(count)
            ways["cosine"] = lambda count: (1 + jnp.cos(jnp.pi * fallen(count))) / 2
        way = lookup("schedule", self.schedule, ways)
        changing = lambda start, end: start if way is None else lambda count: end + (start - end) * way(count)
        start, b1, b2 = self.learning_rate * share, self.b1**share, self.b2**share
        rate = changing(start, start * self.end)
        if self.b2_end is not None:
            check_range(f"{name}.b2_end", self.b2_end, at_least=0, below=1)
            if way is None or self.kind not in ("adam", "optimistic_adam"):
                raise InputError(
                    f"{name}.b2_end: expected a schedule and a kind of Adam beside it, got {self.schedule!r} and "
                    f"{self.kind!r}"
                )
            b2 = changing(b2, self.b2_end**share)
        parts = [lookup("optimizer kind", self.kind, OPTIMIZERS)(rate, b1, b2, self.eps)]
        if self.orthogonal:
            parts.insert(0, orthogonal_regularisation(self.orthogonal))
        if self.clip_weights:
            parts.append(clip_weights(self.clip_weights))
        return parts[0] if len(parts) == 1 else optax.chain(*parts)
