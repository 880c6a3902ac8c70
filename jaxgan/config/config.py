"""Configurations: frozen dataclasses, what they build, and their JSON form."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Union

import tyro

from jaxgan.common.errors import InputError, lookup, unknown
from jaxgan.common.numerics import is_number
from jaxgan.config.fields import _from_plain, _options
from jaxgan.config.groups import ComputeConfig, DataConfig, EMAConfig, HealthConfig, LatentConfig
from jaxgan.config.moves import AdamConfig, DynamicsConfig, PenaltyConfig
from jaxgan.games.game import Game, ema_schedule
from jaxgan.games.gan import GAN
from jaxgan.losses import Loss, find_loss
from jaxgan.models import MODELS, DCGANConfig, MLPConfig
from jaxgan.models.latents import get_latent
from jaxgan.penalties import PENALTIES, Penalty, get_penalty, lazy, scheduled, weight_schedule

ModelConfig = tyro.conf.AvoidSubcommands[Union[MLPConfig, DCGANConfig]]  # noqa: UP007  (one of MODELS)


@dataclass(frozen=True)
class Config:
    """Everything that determines a run."""

    preset: tyro.conf.Suppress[str] = "dcgan-mnist"
    """The preset that this started from."""
    out: str = "runs"
    """Folder in which the run's own folder is made."""
    steps: int = 5000
    """Generator updates."""
    batch_size: int = 64
    """Examples of one discriminator update, over all devices."""
    seed: int = 0
    """Of weights, data order and noise."""
    checkpoint_every: int = 1000
    """Steps between checkpoints."""
    sample_every: int = 1000
    """Steps between sample grids, once they have doubled their way up to it."""
    evaluate_every: int = 1000
    """Steps between scores, by which the best checkpoint is kept."""
    log_every: int = 50
    """Steps between records of the metrics, which are means over them."""
    quick_n: int = 2000
    """Fakes of the scores on the way."""
    final_n: int = 10000
    """Fakes of the scores at the end, of the last and of the best checkpoint."""
    d_steps: int = 1
    """Discriminator updates in a step, each with its own examples."""
    reuse_fakes: bool = True
    """Use the discriminator's last fakes again for the generator, as most code does; else draw afresh."""
    loss: str = "non_saturating"
    """A name that `jaxgan losses` lists, or a loss of your own: FILE.py:NAME."""
    loss_options: tuple[tuple[str, float], ...] = ()
    """Hyper-parameters of the loss, such as: alpha 0.3."""
    label_smoothing: float = 0.0
    """One-sided: the real target is 1 minus this."""
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=DCGANConfig)
    latent: LatentConfig = field(default_factory=LatentConfig)
    penalty: PenaltyConfig = field(default_factory=PenaltyConfig)
    dynamics: DynamicsConfig = field(default_factory=DynamicsConfig)
    g_optimizer: AdamConfig = field(default_factory=AdamConfig)
    d_optimizer: AdamConfig = field(default_factory=AdamConfig)
    ema: EMAConfig = field(default_factory=EMAConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)
    health: HealthConfig = field(default_factory=HealthConfig)

    def check(self) -> None:
        """Raises InputError for the first number that is out of range."""
        for name in (
            "steps",
            "batch_size",
            "checkpoint_every",
            "sample_every",
            "evaluate_every",
            "log_every",
            "d_steps",
        ):
            if getattr(self, name) < 1:
                raise InputError(f"{name}: expected at least 1, got {getattr(self, name)}")
        for name in ("quick_n", "final_n"):
            if getattr(self, name) < 2:
                raise InputError(f"{name}: expected at least 2 fakes, got {getattr(self, name)}")
        if self.health.n < 0:
            raise InputError(f"health.n: expected at least 0 examples, got {self.health.n}")
        if not 0 <= self.seed < 2**32:
            raise InputError(f"seed: expected an integer from 0 to {2**32 - 1}, got {self.seed}")
        for name in ("devices", "steps_per_dispatch"):
            value = getattr(self.compute, name)
            if value is not None and value < 1:
                raise InputError(f"compute.{name}: expected at least 1, got {value}")
        if self.dynamics.pack < 1 or self.batch_size % self.dynamics.pack:
            raise InputError(
                f"dynamics.pack: expected a divisor of batch_size = {self.batch_size}, got {self.dynamics.pack}"
            )

    def build(self, shape: tuple[int, ...], n_classes: int) -> Game:
        """The GAN of this configuration for examples of `shape`.

        Raises:
          InputError: for unknown names and numbers out of range.
        """
        self.check()
        self._check_penalties()
        if self.dynamics.pack > 1 and self.model.conditional:
            raise InputError(
                f"dynamics.pack: expected 1 with a conditional model, as a pack has no one class, "
                f"got {self.dynamics.pack}"
            )
        calls = 2 if self.dynamics.updates == "extragradient" else 1  # of the optimisers in a step
        generator, discriminator = self.model.build(shape, n_classes)
        return GAN(
            generator=generator,
            discriminator=discriminator,
            loss=self._loss(),
            penalties={name: (weight, self._penalty(name)) for name, weight in self.penalty.weights},
            g_optimizer=self.g_optimizer.build(self.steps * calls),
            d_optimizer=self.d_optimizer.build(self.steps * self.d_steps * calls),
            latent=get_latent(self.latent.kind, self.latent.dim, self.latent.scale),
            d_steps=self.d_steps,
            reuse_fakes=self.reuse_fakes,
            ema_decay=ema_schedule(self.ema.decay, ramp_up=self.ema.ramp_up),
            **self.dynamics.build(self.steps),
        )

    def _loss(self) -> Loss:
        build = find_loss(self.loss)
        known = inspect.signature(build).parameters
        options = _options(f"loss {self.loss!r}", self.loss_options, known)
        if "label_smoothing" in known:
            if "label_smoothing" in options and not (
                is_number(self.label_smoothing) and not self.label_smoothing
            ):
                raise InputError("label_smoothing: given twice, by itself and among loss_options")
            options.setdefault("label_smoothing", self.label_smoothing)
        elif not is_number(self.label_smoothing) or self.label_smoothing:
            raise InputError(f"label_smoothing: loss {self.loss!r} has none, got {self.label_smoothing}")
        return build(**options)

    def _penalty(self, name: str) -> Penalty:
        known = inspect.signature(lookup("penalty", name, PENALTIES)).parameters
        given = {"target": self.penalty.target, "one_sided": self.penalty.one_sided}
        own = tuple((option, value) for option, value in self.penalty.options if option in known)
        options = {key: value for key, value in given.items() if key in known} | _options(name, own, known)
        penalty = get_penalty(name, **options)
        if self.penalty.schedule != "constant":
            images = self.steps * self.d_steps * self.batch_size
            factor = weight_schedule(self.penalty.schedule, 1.0, self.penalty.end, images)
            penalty = scheduled(penalty, factor, self.batch_size * self.penalty.every)
        return lazy(penalty, self.penalty.every)

    def _check_penalties(self) -> None:
        penalty = self.penalty
        names = [name for name, _ in penalty.weights]
        if len(set(names)) < len(names):
            raise InputError(f"penalty.weights: expected each name once, got {', '.join(names)}")
        for name, weight in penalty.weights:
            if is_number(weight) and not (weight >= 0 and math.isfinite(weight)):
                raise InputError(f"penalty.weights: expected a weight >= 0, got {name} {weight}")
        if penalty.end < 0:
            raise InputError(f"penalty.end: expected a factor >= 0, got {penalty.end}")
        takes = {
            option
            for name in names
            for option in inspect.signature(lookup("penalty", name, PENALTIES)).parameters
        }
        for name, _ in penalty.options:
            if name not in takes:
                raise unknown("option of the penalties", name, takes)
        for name in ("target", "one_sided"):
            if getattr(penalty, name) != getattr(PenaltyConfig, name) and name not in takes:
                raise InputError(
                    f"penalty.{name}: none of the penalties ({', '.join(names) or 'none'}) takes it"
                )


# --- JSON ----------------------------------------------------------------------------------------


def to_json(config: Config) -> dict[str, Any]:
    """A plain dict that `from_json` reads back; the model carries its name."""
    plain = dataclasses.asdict(config)
    name = next(name for name, kind in MODELS.items() if type(config.model) is kind)
    return plain | {"model": {"name": name, **plain["model"]}}


def from_json(plain: Mapping[str, Any]) -> Config:
    """The configuration of a dict made by `to_json`; fields it lacks take their defaults.

    Raises:
      InputError: for a field that does not exist.
    """
    model = dict(plain.get("model", {"name": "dcgan"}))
    kind = lookup("model", model.pop("name", "dcgan"), MODELS)
    return _from_plain(Config, {**plain, "model": _from_plain(kind, model, "model.")})
