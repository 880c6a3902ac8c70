"""Configurations: frozen dataclasses, what they build, and their JSON form."""

from __future__ import annotations

import dataclasses
import inspect
import math
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Union

import jax.numpy as jnp
import optax
import tyro

from jaxgan.dynamics import Dynamics
from jaxgan.errors import InputError, lookup, unknown
from jaxgan.latents import get_latent
from jaxgan.losses import Loss, find_loss
from jaxgan.models import MODELS, DCGANConfig, MLPConfig
from jaxgan.optimizers import OPTIMIZERS, clip_weights, orthogonal_regularisation
from jaxgan.penalties import PENALTIES, Penalty, get_penalty, lazy, scheduled, weight_schedule
from jaxgan.precision import is_number
from jaxgan.state import GAN, ema_schedule


@dataclass(frozen=True)
class DataConfig:
    """What to train on."""

    source: str = "mnist"
    """mnist, stacked_mnist, tfds:NAME, folder:PATH (directory or zip), npz:PATH, ring, grid or swissroll."""
    split: str = "train"
    """Split of mnist, stacked_mnist and tfds sources."""
    resolution: int | None = None
    """Scale and centre-crop images to this many pixels a side; None: as they are."""
    channels: int | None = None
    """1 (grey) or 3 (RGB); None: as they are."""
    flip: bool = False
    """Mirror images left to right at random."""
    skip_broken: bool = False
    """Leave broken image files out, and count them; otherwise they are an error."""
    placement: Literal["auto", "device", "host"] = "auto"
    """Where pixels live; auto: on the device up to 2 GiB."""


@dataclass(frozen=True)
class LatentConfig:
    """Where the generator starts from."""

    kind: str = "normal"
    """normal, uniform or sphere."""
    dim: int = 64
    """Number of coordinates."""
    scale: float = 1.0
    """What they are multiplied with."""


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

    def build(self, steps: int) -> Dynamics:
        """The dynamics of a run of so many steps.

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
        return Dynamics(
            updates=self.updates,
            unroll=self.unroll,
            consensus=self.consensus,
            top_k=None if off(self.top_k, 1) else share,
            instance_noise=None if off(self.instance_noise, 0) else sigma,
            label_flip=self.label_flip,
            pack=self.pack,
            lookahead=(self.lookahead, self.lookahead_alpha) if self.lookahead else None,
        )


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


@dataclass(frozen=True)
class EMAConfig:
    """The averaged generator, which is what is sampled and scored."""

    decay: float = 0.999
    """Share of the old average that each step keeps."""
    ramp_up: bool = True
    """Start from a small decay, so that the first random weights are soon forgotten."""


@dataclass(frozen=True)
class ComputeConfig:
    """How the work is done; changes speed, not results."""

    devices: int | None = None
    """How many devices; None: all local ones."""
    how: Literal["jit", "pmap"] = "jit"
    """Compile the step with jit and shardings, or with pmap."""
    steps_per_dispatch: int | None = None
    """Steps in one program; None: 1 for convolutions on a CPU (whose loops are slow there), else 16."""
    members: Literal["auto", "vmap", "loop"] = "auto"
    """With --seeds: all in one mapped program, or one compiled step that goes round; auto: what is faster."""


@dataclass(frozen=True)
class HealthConfig:
    """Monitors that say early what goes wrong; they change nothing in the training."""

    enabled: bool = True
    """Watch the run: say in the log, metrics.jsonl, TensorBoard and the report what seems wrong."""
    n: int = 1000
    """Examples of the fixed sets looked at with each score on the way (at most quick_n); 0: none."""


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

    def build(self, shape: tuple[int, ...], n_classes: int) -> GAN:
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
            dynamics=self.dynamics.build(self.steps),
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


def _options(
    of: str, given: Sequence[tuple[str, Any]], known: Mapping[str, inspect.Parameter]
) -> dict[str, Any]:
    """Numbers of the command line, as the types that the defaults of `known` have."""
    options = {}
    for name, value in given:
        if name not in known:
            raise unknown(f"option of {of}", name, known)
        default = known[name].default
        if is_number(value):
            if isinstance(default, bool):
                if value not in (0, 1):
                    raise InputError(f"{name}: expected 0 or 1, got {value}")
                value = bool(value)
            elif isinstance(default, int):
                if value != int(value):
                    raise InputError(f"{name}: expected a whole number, got {value}")
                value = int(value)
            elif isinstance(default, tuple):
                value = (float(value),)
            elif not isinstance(default, float):
                raise InputError(f"{name}: this option of {of} is no number, and can be given in Python only")
        options[name] = value
    return options


def with_fields(config: Config, **fields: Any) -> Config:
    """A copy with fields changed; a dot leads into a group: with_fields(c, **{"penalty.every": 4}).

    Weights and options are reached by name: "penalty.weights.r1", "loss_options.alpha".

    Raises:
      InputError: for a field that does not exist.
    """
    for name, value in fields.items():
        config = _with_field(config, name, name.split("."), value)
    return config


def _with_field(group: Any, full_name: str, path: Sequence[str], value: Any) -> Any:
    if isinstance(group, tuple):  # pairs of names and numbers, such as penalty.weights.r1
        pairs = [pair for pair in group if isinstance(pair, tuple)]
        if len(path) > 1 or path[0] not in dict(pairs):
            raise unknown("field", full_name, [full_name.removesuffix(path[0]) + name for name, _ in pairs])
        return tuple((name, value if name == path[0] else old) for name, old in pairs)
    known = [f.name for f in dataclasses.fields(group)] if dataclasses.is_dataclass(group) else []
    if path[0] not in known:
        raise unknown("field", full_name, [".".join([*full_name.split(".")[: -len(path)], f]) for f in known])
    inner = value if len(path) == 1 else _with_field(getattr(group, path[0]), full_name, path[1:], value)
    changed: Any = dataclasses.replace
    return changed(group, **{path[0]: inner})


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


def _from_plain(kind: Any, plain: Mapping[str, Any], prefix: str = "") -> Any:
    hints = typing.get_type_hints(kind)
    fields = {f.name for f in dataclasses.fields(kind)}
    values = {}
    for name, value in plain.items():
        if name not in fields:
            raise unknown("field of config.json", prefix + name, [prefix + f for f in fields])
        if hints[name] in (int, float, str, bool):
            number = hints[name] is float and type(value) is int
            if type(value) is not hints[name] and not number:
                raise InputError(f"{prefix}{name}: expected {hints[name].__name__}, got {value!r}")
        if typing.get_origin(hints[name]) is Literal and value not in typing.get_args(hints[name]):
            raise unknown(f"{prefix}{name}", str(value), typing.get_args(hints[name]))
        if dataclasses.is_dataclass(hints[name]) and isinstance(value, Mapping):
            value = _from_plain(hints[name], value, f"{prefix}{name}.")
        values[name] = _frozen(value)
    return kind(**values)


def _frozen(value: Any) -> Any:
    """Lists, as JSON has them, to tuples, as configurations have them."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value


def differences(a: Mapping[str, Any], b: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Dotted names and values of the fields in which two JSON configurations differ."""
    found = []
    for name in sorted(set(a) | set(b)):
        x, y = a.get(name), b.get(name)
        if isinstance(x, Mapping) and isinstance(y, Mapping):
            found += differences(x, y, f"{prefix}{name}.")
        elif _frozen(x) != _frozen(y):
            found.append(f"{prefix}{name} ({x!r} -> {y!r})")
    return found
