"""A configuration: everything that determines a run, and the game that it builds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import optax
import tyro

from jaxgan.augment import Augmentation, find_augmentation
from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError, in_group, renamed, unknown
from jaxgan.common.files import local_folder
from jaxgan.common.numerics import is_number
from jaxgan.common.user_files import call, is_file, short_name
from jaxgan.config.games import (
    build_game,
    check_game,
    check_modality,
    needs_whole_batches,
    spec_for,
    stage_of,
)
from jaxgan.config.games.ranges import range_for
from jaxgan.config.groups import ComputeConfig, DataConfig, EMAConfig, HealthConfig, LatentConfig
from jaxgan.config.moves import DynamicsConfig, OptimizerConfig, PenaltyConfig
from jaxgan.config.options import build_each, build_loss
from jaxgan.data import Spec
from jaxgan.games.compile import MATMUL_PRECISIONS, with_matmul_precision
from jaxgan.games.game import Game, Schedule, ema_schedule, half_life_schedule, with_remat
from jaxgan.games.gan import GAN
from jaxgan.games.optimizers import restarted
from jaxgan.games.step import Step, make_step
from jaxgan.losses import Loss
from jaxgan.models import DCGANConfig
from jaxgan.models.files import loaded_name
from jaxgan.models.growth import Growth
from jaxgan.models.latents import Latent, get_latent
from jaxgan.penalties import weight_schedule

_MOST_D_STEPS = 1000
LOGGERS = ("wandb", "mlflow", "trackio")


@dataclass(frozen=True, kw_only=True)
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
    schedule_kimg: float = 0.0
    """Thousands of real images that schedules take: of rates, penalties, averages, ada_scheduled; 0: the run."""
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
    game: str = "gan"
    """gan, vae, autoencoder, aae, vae_gan, bigan, infogan, fanogan, translation, cycle_gan, or your FILE.py:NAME."""
    game_options: tuple[tuple[str, float | str], ...] = ()
    """Hyper-parameters of a game that is not gan, such as: pixel 100 perceptual 10; the preset's others stay."""
    loss: str = "non_saturating"
    """A name that `jaxgan losses` lists, or a loss of your own: FILE.py:NAME."""
    loss_options: tuple[tuple[str, float], ...] = ()
    """Hyper-parameters of the loss, such as: alpha 0.3."""
    label_smoothing: float = 0.0
    """One-sided label smoothing: the target of reals is 1 minus this."""
    augment: tuple[str, ...] = ()
    """What the discriminator sees changed: diffaugment, ada, ada_scheduled, apa, adaptive, ..., FILE.py:NAME."""
    augment_options: tuple[tuple[str, float], ...] = ()
    """Hyper-parameters, each for those augmentations that have it, such as: target 0.5 color 0 cutout 1."""
    logger: tuple[str, ...] = ()
    """Trackers that also get the records, pictures and scores: wandb, mlflow, trackio (extras of these names)."""
    data: DataConfig = field(default_factory=DataConfig)
    model: Any = field(default_factory=DCGANConfig)
    latent: LatentConfig = field(default_factory=LatentConfig)
    penalty: PenaltyConfig = field(default_factory=PenaltyConfig)
    dynamics: DynamicsConfig = field(default_factory=DynamicsConfig)
    g_optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    d_optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    e_optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    ema: EMAConfig = field(default_factory=EMAConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)
    health: HealthConfig = field(default_factory=HealthConfig)

    def check(self) -> None:
        """Raises InputError for the first number of these fields that is out of range; `build` checks the groups."""
        for name in ("steps", "batch_size", "d_steps"):
            check_range(name, getattr(self, name), at_least=1)
        if self.d_steps > _MOST_D_STEPS:  # each is a turn of its own in the program
            raise InputError(f"d_steps: expected at most {_MOST_D_STEPS:,}, got {self.d_steps:,}")
        check_game(self.game)
        if self.data.degrade and self.game != "translation" and not is_file(self.game):
            raise InputError(
                f"data.degrade: expected the game 'translation' beside it, as of the preset restore-28, got "
                f"{self.game!r}"
            )
        if needs_whole_batches(self):
            for name, whole in (("how", ("auto", "jit")), ("microbatches", (1,))):
                if (got := getattr(self.compute, name)) not in whole:
                    raise InputError(
                        f"compute.{name}: expected {whole[-1]!r} with image pools, which hold examples (--game-options "
                        f"pool 0: none), got {got!r}"
                    )
        if self.game_options and (self.game == "gan" or is_file(self.game)):
            raise InputError(f"game_options: expected none with the game {self.game!r}, got some")
        for name in self.logger:
            if name not in LOGGERS:
                raise unknown("logger", name, LOGGERS)
        for name in ("checkpoint_every", "sample_every", "evaluate_every", "log_every"):
            check_range(name, getattr(self, name), at_least=1)
        check_range("schedule_kimg", self.schedule_kimg, at_least=0, at_most=2e6, unit="thousand images")
        check_range("quick_n", self.quick_n, at_least=2, unit="fakes")
        check_range("final_n", self.final_n, at_least=2, unit="fakes")
        local_folder("out", self.out)
        check_range("seed", self.seed, at_least=0, at_most=2**32 - 1)
        check_range("compute.devices", self.compute.devices, at_least=1)
        check_range("compute.fsdp", self.compute.fsdp, at_least=1)
        check_range("compute.steps_per_dispatch", self.compute.steps_per_dispatch, at_least=1)
        check_range("compute.microbatches", self.compute.microbatches, at_least=1)
        if (precision := self.compute.matmul_precision) not in MATMUL_PRECISIONS:
            raise unknown("compute.matmul_precision", precision, MATMUL_PRECISIONS)
        check_range("data.hold_out", self.data.hold_out, at_least=0, below=1)
        check_range("data.share", self.data.share, above=0, at_most=1)
        check_range("health.n", self.health.n, at_least=0, unit="examples")
        check_range("health.roll_back", self.health.roll_back, at_least=0)
        pack = self.dynamics.pack
        if pack < 1 or self.batch_size % pack:
            raise InputError(
                f"dynamics.pack: expected a divisor of batch_size = {self.batch_size}, got {pack}"
            )
        if pack > 1 and self.model.conditional:
            raise InputError(
                f"dynamics.pack: expected 1 with a conditional model, as a pack has no one class, got {pack}"
            )

    def build(self, data: Spec | tuple[int, ...], n_classes: int = 0, *, stage: int | None = None) -> Game:
        """The game of this configuration.

        Args:
          data: spec of the data, or the shape of one example of images or points.
          n_classes: of the examples of that shape.
          stage: of networks that grow, as of `stage`: the game is that of its steps alone, and smaller.

        Raises:
          InputError: for a name that does not exist, or a number out of range.
        """
        self.check()
        spec = data if isinstance(data, Spec) else spec_for(self, data, n_classes)
        check_modality(self, spec)
        game = self.plain_gan(spec, stage) if self.game == "gan" else build_game(self, spec, stage)
        if not self.compute.remat:
            return game
        with renamed(in_group("compute", _names(self.compute))):
            return with_remat(game)

    def step(self, game: Game) -> Step:
        """The step of a game of this configuration: (state, batch) -> (state, metrics)."""
        compute = self.compute
        return with_matmul_precision(make_step(game, compute.microbatches), compute.matmul_precision)

    def plain_gan(self, spec: Spec, stage: int | None = None, steps: int | None = None) -> Game:
        """The game of two players, whatever the configuration names, and however long it plays.

        Args:
          spec: as of `build`.
          stage: as of `build`.
          steps: of the game; None: all of the run.
        """
        calls = 2 if self.dynamics.updates == "extragradient" else 1  # of each optimiser, at every update
        images = self.batch_size * self.d_steps  # of a step
        scheduled = self.scheduled(steps)
        growth = self._growth(spec)
        grows = {} if growth is None else {"images": images, "stage": stage}
        generator, discriminator = self.networks(spec, grows)
        dynamics = self._dynamics(spec, steps or self.steps)
        penalties = self.penalty.build(scheduled * self.d_steps, self.batch_size, self.d_steps)
        own_turns = self.penalty.own_turns()

        restarts = growth.changes() if growth is not None and getattr(self.model, "restart", False) else []

        def optimizer(
            player: str, name: str, group: OptimizerConfig, each: int
        ) -> optax.GradientTransformation:
            updates = each * calls  # a step
            alone = [k for term, k in own_turns.items() if getattr(penalties[term][1], player) is not None]
            if alone and group.orthogonal:
                raise InputError(
                    f"{name}.orthogonal: expected 0 beside penalty.own_updates, got {group.orthogonal:g}"
                )
            if restarts and group.schedule != "constant":
                raise InputError(
                    f"{name}.schedule: expected constant where optimisers begin anew (model.restart), got "
                    f"{group.schedule!r}"
                )
            own = group.build(updates * scheduled, name, each / (each + sum(1 / k for k in alone)))
            done = lambda step: updates * step + sum(-(-step // k) for k in alone)  # updates before a step
            return restarted(own, [done(step) for step in restarts]) if restarts else own

        latent, loss, ema_decay = self.built_latent(), self.built_loss(), self.average(steps)
        dynamics |= {"augment": dynamics["augment"] | self._augmentations(spec, scheduled)}
        with renamed(in_group("dynamics", _names(self.dynamics)) | {"own_turns": "penalty.own_updates"}):
            return GAN(
                generator=generator,
                discriminator=discriminator,
                loss=loss,
                penalties=penalties,
                own_turns=own_turns,
                g_optimizer=optimizer("generator", "g_optimizer", self.g_optimizer, 1),
                d_optimizer=optimizer("discriminator", "d_optimizer", self.d_optimizer, self.d_steps),
                latent=latent,
                d_steps=self.d_steps,
                reuse_fakes=self.reuse_fakes,
                ema_decay=ema_decay,
                detail=None if growth is None else getattr(generator, "detail", None),
                example=spec.example,
                conditional=self.model.conditional,
                **dynamics,
            )

    @property
    def scheduled_steps(self) -> int:
        """Steps that schedules take."""
        return self.scheduled()

    def scheduled(self, steps: int | None = None) -> int:
        """The number of steps that schedules take in a part of the run of so many steps; None: in the whole run."""
        images = self.batch_size * self.d_steps
        if self.schedule_kimg:
            return max(1, round(1000 * self.schedule_kimg / images))
        return self.steps if steps is None else steps

    def built_latent(self) -> Latent:
        """The prior of the latents."""
        with renamed(in_group("latent", _names(self.latent))):
            return get_latent(self.latent.kind, self.latent.dim, self.latent.scale)

    def built_loss(self) -> Loss:
        """The loss, with its options."""
        return build_loss(self.loss, self.loss_options, self.label_smoothing)

    def average(self, steps: int | None = None) -> Schedule:
        """The share of the old average that each step keeps, as the group `ema` says; `steps` as of `scheduled`."""
        with renamed(in_group("ema", _names(self.ema))):
            return self._ema_decay(self.batch_size * self.d_steps, self.scheduled(steps))

    def _ema_decay(self, images: int, steps: int) -> Schedule:
        """Of a run whose steps show `images` real images, and whose schedules take `steps`."""
        ema = self.ema
        check_range("ema.half_life", ema.half_life, at_least=0, below=math.inf, unit="thousand images")
        check_range("ema.half_life_ramp", ema.half_life_ramp, at_least=0)
        if is_number(ema.half_life) and ema.half_life == 0:
            for name, off in (("schedule", "constant"), ("half_life_ramp", 0)):
                if getattr(ema, name) != off:
                    raise InputError(
                        f"ema.{name}: expected ema.half_life above 0 beside it, got {getattr(ema, name)!r}"
                    )
            return ema_schedule(ema.decay, ramp_up=ema.ramp_up, start=ema.start)
        if ema.start:
            raise InputError(f"ema.start: expected 0 beside ema.half_life, got {ema.start}")
        end = 1000 * ema.half_life
        start = end if ema.schedule == "constant" else 0.0
        life = weight_schedule(ema.schedule, start, end, images * steps)
        return half_life_schedule(life, images, ema.half_life_ramp)

    def stage(self, spec: Spec, first: int, steps: int = 1) -> int | None:
        """The stage of networks that grow, or of a game, in `steps` steps from `first` on; None: none, or several."""
        growth = self._growth(spec)
        return stage_of(self, first, steps) if growth is None else growth.stage(first, steps)

    def _growth(self, spec: Spec) -> Growth | None:
        family: Any = self.model
        if not callable(getattr(family, "growth", None)):
            return None
        with renamed(self._of_model()):
            return family.growth(spec.shape, self.batch_size * self.d_steps)

    def spoken(self) -> dict[str, str]:
        """Names of settings in networks, penalties and augmentations -> names by which users set them."""
        return {
            **in_group("penalty.options", dict(self.penalty.options)),
            **in_group("augment_options", dict(self.augment_options)),
            **self._of_model(),
            "latent": "latent.dim",
            "microbatches": "compute.microbatches",
        }

    def _of_model(self) -> dict[str, str]:
        """What families call their settings and the examples' shape -> how a user sets them."""
        shape = {**dict.fromkeys(("shape", "resolution"), "data.resolution"), "channels": "data.channels"}
        return shape | in_group("model", _names(self.model))

    def networks(self, spec: Spec, grows: Mapping[str, Any] = MappingProxyType({})) -> Any:
        """Builds the generator and the discriminator; `grows` is what the family's `build` takes beside the shape.

        Raises:
          InputError: for what the family refuses, or data that it cannot make.
        """
        shape, told = (spec.shape, spec.n_classes), {**grows, **range_for(self.model, spec)}
        name = loaded_name(type(self.model))
        if name is None:
            with renamed(self._of_model()):
                return self.model.build(*shape, **told)
        pair = call("model", name, self.model.build, shape, told, "(shape, n_classes)")
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise InputError(
                f"model: expected build of {name!r} to return (generator, discriminator), got {type(pair).__name__}"
            )
        return pair

    def _augmentations(self, spec: Spec, steps: int) -> dict[str, Augmentation]:
        """Those of this configuration, where schedules take so many steps."""
        names = [short_name(name) for name in self.augment]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"augment: expected each name once, got {name!r} twice")
            if name in ("instance_noise", "blur"):
                raise InputError(f"augment: expected other names than those of dynamics, got {name!r}")
        builders = dict(zip(names, map(find_augmentation, self.augment), strict=True))
        options = self.augment_options
        if "ada_scheduled" in builders and "steps" not in dict(options):
            options = (*options, ("steps", steps))
        made = build_each("the augmentations", builders, options, "augment_options")
        given = in_group("augment_options", dict(options))
        for name, full in zip(names, self.augment, strict=True):
            if not is_file(
                full
            ):  # those of the user's own are traced with the step, which tells of their lines
                with renamed(given):
                    _check_augmentation(made[name], spec.shape)
        return made

    def _dynamics(self, spec: Spec, steps: int) -> dict[str, Any]:
        with renamed(in_group("dynamics", _names(self.dynamics))):
            dynamics = self.dynamics.build(steps)
        for own in dynamics["augment"].values():
            _check_augmentation(own, spec.shape)
        return dynamics


def _names(group: Any) -> list[str]:
    """Of the fields of a group of settings."""
    return [own.name for own in fields(group)]


def _check_augmentation(own: Augmentation, shape: tuple[int, ...]) -> None:
    """Raises what the augmentation raises for examples of this shape, such as points."""

    def seen() -> jax.Array:
        keys = jax.random.split(jax.random.key(0), 1)
        return own.see(own.init(), jnp.zeros((1, *shape)), keys, jnp.zeros((), jnp.int32))

    jax.eval_shape(seen)
