"""A configuration: everything that determines a run, and the game that it builds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Union

import tyro

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.config.groups import ComputeConfig, DataConfig, EMAConfig, HealthConfig, LatentConfig
from jaxgan.config.moves import DynamicsConfig, OptimizerConfig, PenaltyConfig
from jaxgan.config.options import build_loss
from jaxgan.games.game import Game, ema_schedule
from jaxgan.games.gan import GAN
from jaxgan.models import DCGANConfig, MLPConfig
from jaxgan.models.latents import get_latent

ModelConfig = tyro.conf.AvoidSubcommands[Union[MLPConfig, DCGANConfig]]  # noqa: UP007  (one of MODELS)


@dataclass(frozen=True)
class Config:
    """Everything that determines a run."""

    preset: tyro.conf.Suppress[str] = "dcgan-mnist"
    """The preset that this configuration started from."""
    out: str = "runs"
    """Folder in which the run makes its own folder."""
    steps: int = 5000
    """Number of generator updates."""
    batch_size: int = 64
    """Examples in one discriminator update, over all devices."""
    seed: int = 0
    """Seed of weights, data order and noise."""
    checkpoint_every: int = 1000
    """Steps between checkpoints."""
    sample_every: int = 1000
    """Steps between sample grids; up to the first of these, grids come at steps that double."""
    evaluate_every: int = 1000
    """Steps between scores; the checkpoint with the best one is kept."""
    log_every: int = 50
    """Steps between records of the metrics; each is the mean over these steps."""
    quick_n: int = 2000
    """Fakes for the scores on the way."""
    final_n: int = 10000
    """Fakes for the scores of the last and the best checkpoint, at the end."""
    d_steps: int = 1
    """Discriminator updates in a step, each with examples of its own."""
    reuse_fakes: bool = True
    """Whether the generator learns from the discriminator's last fakes, as in most code, or from fresh ones."""
    loss: str = "non_saturating"
    """A name that `jaxgan losses` lists, or a loss of your own: FILE.py:NAME."""
    loss_options: tuple[tuple[str, float], ...] = ()
    """Hyper-parameters of the loss, such as: alpha 0.3."""
    label_smoothing: float = 0.0
    """One-sided label smoothing: the target of reals is 1 minus this."""
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=DCGANConfig)
    latent: LatentConfig = field(default_factory=LatentConfig)
    penalty: PenaltyConfig = field(default_factory=PenaltyConfig)
    dynamics: DynamicsConfig = field(default_factory=DynamicsConfig)
    g_optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    d_optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    ema: EMAConfig = field(default_factory=EMAConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)
    health: HealthConfig = field(default_factory=HealthConfig)

    def check(self) -> None:
        """Raises InputError for the first number of these fields that is out of range; `build` checks the groups."""
        for name in ("steps", "batch_size", "d_steps"):
            check_range(name, getattr(self, name), at_least=1)
        for name in ("checkpoint_every", "sample_every", "evaluate_every", "log_every"):
            check_range(name, getattr(self, name), at_least=1)
        check_range("quick_n", self.quick_n, at_least=2, unit="fakes")
        check_range("final_n", self.final_n, at_least=2, unit="fakes")
        check_range("seed", self.seed, at_least=0, at_most=2**32 - 1)
        check_range("compute.devices", self.compute.devices, at_least=1)
        check_range("compute.steps_per_dispatch", self.compute.steps_per_dispatch, at_least=1)
        check_range("health.n", self.health.n, at_least=0, unit="examples")
        pack = self.dynamics.pack
        if pack < 1 or self.batch_size % pack:
            raise InputError(
                f"dynamics.pack: expected a divisor of batch_size = {self.batch_size}, got {pack}"
            )
        if pack > 1 and self.model.conditional:
            raise InputError(
                f"dynamics.pack: expected 1 with a conditional model, as a pack has no one class, got {pack}"
            )

    def build(self, shape: tuple[int, ...], n_classes: int) -> Game:
        """The game of this configuration for examples of `shape`, which have `n_classes` classes.

        Raises:
          InputError: for a name that does not exist, or a number out of range.
        """
        self.check()
        calls = 2 if self.dynamics.updates == "extragradient" else 1  # of each optimiser, at every update
        d_updates = self.steps * self.d_steps
        generator, discriminator = self.model.build(shape, n_classes)
        return GAN(
            generator=generator,
            discriminator=discriminator,
            loss=build_loss(self.loss, self.loss_options, self.label_smoothing),
            penalties=self.penalty.build(d_updates, self.batch_size),
            g_optimizer=self.g_optimizer.build(calls * self.steps, "g_optimizer"),
            d_optimizer=self.d_optimizer.build(calls * d_updates, "d_optimizer"),
            latent=get_latent(self.latent.kind, self.latent.dim, self.latent.scale),
            d_steps=self.d_steps,
            reuse_fakes=self.reuse_fakes,
            ema_decay=ema_schedule(self.ema.decay, ramp_up=self.ema.ramp_up),
            **self.dynamics.build(self.steps),
        )
