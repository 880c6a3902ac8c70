"""Configurations: frozen dataclasses, the presets, and their JSON form."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Union

import optax
import tyro

from jaxgan.errors import InputError, lookup, unknown
from jaxgan.latents import get_latent
from jaxgan.losses import LOSSES, get_loss
from jaxgan.models import MODELS, DCGANConfig, MLPConfig
from jaxgan.penalties import PENALTIES, Penalty, get_penalty, lazy
from jaxgan.state import GAN, ema_schedule


@dataclass(frozen=True)
class DataConfig:
    """What to train on."""

    source: str = "mnist"
    """mnist, tfds:NAME, folder:PATH (directory or zip), npz:PATH, ring, grid or swissroll."""
    split: str = "train"
    """Split of mnist and tfds sources."""
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


@dataclass(frozen=True)
class PenaltyConfig:
    """Regularisers of the discriminator."""

    weights: tuple[tuple[str, float], ...] = ()
    """Name and weight of each, such as: gradient_penalty 10, or: r1 0.1 r2 0.1."""
    every: int = 1
    """Apply them in one of so many discriminator updates, as many times as strongly."""
    target: float = 1.0
    """Gradient norm that gradient_penalty aims at."""
    one_sided: bool = False
    """Whether gradient_penalty leaves smaller norms alone."""


@dataclass(frozen=True)
class AdamConfig:
    """Adam, with a schedule over the run."""

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

    def build(self, updates: int) -> optax.GradientTransformation:
        """The optimiser for a run of so many updates.

        Raises:
          InputError: for a learning rate or moment decay out of range.
        """
        if not self.learning_rate > 0 or not 0 <= self.b1 < 1 or not 0 <= self.b2 < 1 or not self.eps > 0:
            raise InputError(
                f"optimizer: expected learning_rate > 0, eps > 0 and 0 <= b1, b2 < 1, got {self}"
            )
        rate: Any = self.learning_rate
        if self.schedule == "linear":
            rate = optax.linear_schedule(self.learning_rate, 0.0, updates)
        elif self.schedule == "cosine":
            rate = optax.cosine_decay_schedule(self.learning_rate, updates)
        return optax.adam(rate, self.b1, self.b2, self.eps)


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
    """minimax, non_saturating, least_squares, wasserstein, hinge or relativistic_paired."""
    label_smoothing: float = 0.0
    """One-sided: the real target is 1 minus this."""
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=DCGANConfig)
    latent: LatentConfig = field(default_factory=LatentConfig)
    penalty: PenaltyConfig = field(default_factory=PenaltyConfig)
    g_optimizer: AdamConfig = field(default_factory=AdamConfig)
    d_optimizer: AdamConfig = field(default_factory=AdamConfig)
    ema: EMAConfig = field(default_factory=EMAConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)

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
        if not 0 <= self.seed < 2**32:
            raise InputError(f"seed: expected an integer from 0 to {2**32 - 1}, got {self.seed}")
        for name in ("devices", "steps_per_dispatch"):
            value = getattr(self.compute, name)
            if value is not None and value < 1:
                raise InputError(f"compute.{name}: expected at least 1, got {value}")

    def build(self, shape: tuple[int, ...], n_classes: int) -> GAN:
        """The GAN of this configuration for examples of `shape`.

        Raises:
          InputError: for unknown names and numbers out of range.
        """
        self.check()
        generator, discriminator = self.model.build(shape, n_classes)
        return GAN(
            generator=generator,
            discriminator=discriminator,
            loss=self._loss(),
            penalties={name: (weight, self._penalty(name)) for name, weight in self.penalty.weights},
            g_optimizer=self.g_optimizer.build(self.steps),
            d_optimizer=self.d_optimizer.build(self.steps * self.d_steps),
            latent=get_latent(self.latent.kind, self.latent.dim),
            d_steps=self.d_steps,
            reuse_fakes=self.reuse_fakes,
            ema_decay=ema_schedule(self.ema.decay, ramp_up=self.ema.ramp_up),
        )

    def _loss(self) -> Any:
        smoothable = "label_smoothing" in inspect.signature(lookup("loss", self.loss, LOSSES)).parameters
        if smoothable:
            return get_loss(self.loss, label_smoothing=self.label_smoothing)
        if self.label_smoothing:
            raise InputError(f"label_smoothing: loss {self.loss!r} has none, got {self.label_smoothing}")
        return get_loss(self.loss)

    def _penalty(self, name: str) -> Penalty:
        options = inspect.signature(lookup("penalty", name, PENALTIES)).parameters
        given = {"target": self.penalty.target, "one_sided": self.penalty.one_sided}
        penalty = get_penalty(name, **{key: value for key, value in given.items() if key in options})
        return lazy(penalty, self.penalty.every)


def with_fields(config: Config, **fields: Any) -> Config:
    """A copy with fields changed; a dot leads into a group: with_fields(c, **{"penalty.every": 4}).

    Raises:
      InputError: for a field that does not exist.
    """
    for name, value in fields.items():
        config = _with_field(config, name, name.split("."), value)
    return config


def _with_field(group: Any, full_name: str, path: Sequence[str], value: Any) -> Any:
    known = [f.name for f in dataclasses.fields(group)]
    if path[0] not in known:
        raise unknown("field", full_name, [".".join([*full_name.split(".")[: -len(path)], f]) for f in known])
    inner = value if len(path) == 1 else _with_field(getattr(group, path[0]), full_name, path[1:], value)
    return dataclasses.replace(group, **{path[0]: inner})


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


# --- presets -------------------------------------------------------------------------------------
#
# A preset's docstring says what it is (first line), then command, hardware, time and score, as
# measured; README.md repeats them.


def mlp_mnist() -> Config:
    """The classic fully connected GAN on MNIST.

    jaxgan train mlp-mnist: 2:59 on two CPU cores; fd_mnist_cnn 0.563 (floor 0.017).
    """
    adam = AdamConfig(2e-4, 0.5)
    return Config(
        model=MLPConfig(), latent=LatentConfig(dim=100), steps=20000, g_optimizer=adam, d_optimizer=adam
    )


def _dcgan(*, conditional: bool = False, source: str = "mnist") -> Config:
    """Non-saturating loss and a lazy R1 in place of the discriminator's batch norm.

    Mescheder et al. 2018 (gamma 1, no momentum in Adam). Of some fifteen recipes tried on MNIST for
    3,000 steps, one seed each and with networks down to 7x7 pixels, it had the lowest Frechet
    distance: 0.78, where the best with batch norm had 1.15.
    """
    adam = AdamConfig(1e-3, 0.0)
    return Config(
        model=DCGANConfig(width=32, d_batch_norm=False, conditional=conditional),
        data=DataConfig(source),
        penalty=PenaltyConfig((("r1", 1.0),), every=4),
        g_optimizer=adam,
        d_optimizer=adam,
    )


def dcgan_mnist() -> Config:
    """DCGAN on MNIST: the default.

    jaxgan train: 3:01 on two CPU cores; fd_mnist_cnn 0.150 (floor 0.017), all ten classes.
    """
    return _dcgan()


def cdcgan_mnist() -> Config:
    """Class-conditional DCGAN on MNIST.

    jaxgan train cdcgan-mnist: 3:39 on two CPU cores; fd_mnist_cnn 0.070 (floor 0.017).
    """
    return _dcgan(conditional=True)


def wgan_gp_mnist() -> Config:
    """WGAN with gradient penalty on MNIST: critic without batch norm, 5 critic updates a step.

    jaxgan train wgan-gp-mnist: 6:07 on two CPU cores; fd_mnist_cnn 0.884 (floor 0.017), still falling.
    """
    adam = AdamConfig(2e-4, 0.5, 0.9)
    return Config(
        model=DCGANConfig(width=32, d_batch_norm=False),
        loss="wasserstein",
        penalty=PenaltyConfig((("gradient_penalty", 10.0),)),
        d_steps=5,
        steps=2000,
        g_optimizer=adam,
        d_optimizer=adam,
    )


def dcgan_fashion() -> Config:
    """DCGAN on Fashion-MNIST (tfds:fashion_mnist).

    jaxgan train dcgan-fashion: 3:02 on two CPU cores; fd_random_cnn 0.0207 (floor 0.0039).
    """
    return _dcgan(source="tfds:fashion_mnist")


def dcgan_cifar10() -> Config:
    """DCGAN on CIFAR-10 (tfds:cifar10).

    jaxgan train dcgan-cifar10: 22 minutes on two shared CPU cores; fd_random_cnn 0.046 (floor 0.0086).
    """
    return Config(
        model=DCGANConfig(width=64),
        data=DataConfig("tfds:cifar10", flip=True),
        latent=LatentConfig(dim=128),
        steps=10000,
    )


def dcgan_64() -> Config:
    """DCGAN at 64x64 on images of your own: needs --data.source folder:PATH or tfds:NAME.

    jaxgan train dcgan-64 --data.source folder:PATH: 0.6 s a step on two CPU cores, so better on a GPU; not
    yet scored.
    """
    return Config(
        model=DCGANConfig(width=64),
        data=DataConfig("", resolution=64, channels=3, flip=True),
        latent=LatentConfig(dim=128),
        steps=10000,
    )


def _toy(source: str, steps: int) -> Config:
    adam = AdamConfig(1e-3, 0.0, 0.99, schedule="cosine")
    return Config(
        model=MLPConfig(g_widths=(256, 256, 256), d_widths=(256, 256, 256)),
        data=DataConfig(source),
        latent=LatentConfig(dim=2),
        loss="relativistic_paired",
        penalty=PenaltyConfig((("r1", 0.01), ("r2", 0.01))),
        batch_size=512,
        steps=steps,
        reuse_fakes=False,
        g_optimizer=adam,
        d_optimizer=adam,
    )


def toy_ring() -> Config:
    """8 Gaussians on a ring: relativistic loss with R1 and R2.

    jaxgan train toy-ring: 0:51 on two CPU cores; 8 of 8 modes, 80 % high quality (floor 99 %).
    """
    return _toy("ring", 4000)


def toy_grid() -> Config:
    """25 Gaussians on a grid: relativistic loss with R1 and R2.

    jaxgan train toy-grid: 1:35 on two CPU cores; 25 of 25 modes, 69 % high quality (floor 99 %).
    """
    return _toy("grid", 8000)


_PRESETS: tuple[Callable[[], Config], ...] = (
    mlp_mnist,
    dcgan_mnist,
    cdcgan_mnist,
    wgan_gp_mnist,
    dcgan_fashion,
    dcgan_cifar10,
    dcgan_64,
    toy_ring,
    toy_grid,
)
PRESETS: dict[str, Callable[[], Config]] = {preset.__name__.replace("_", "-"): preset for preset in _PRESETS}
DEFAULT_PRESET = "dcgan-mnist"


def get_preset(name: str) -> Config:
    """The configuration of a preset. Raises InputError naming the nearest if there is none."""
    return dataclasses.replace(lookup("preset", name, PRESETS)(), preset=name)
