"""The two halves of a GAN: `GAN`, what never changes, and `GANState`, arrays only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import struct
from flax.core import FrozenDict
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxgan.augment.seen import packed
from jaxgan.common.errors import InputError
from jaxgan.common.numerics import is_number
from jaxgan.games.moves import Dynamics
from jaxgan.losses import Loss
from jaxgan.models.latents import Latent
from jaxgan.penalties import Penalty

ArrayLike = jax.typing.ArrayLike
PyTree = Any


def ema_schedule(decay: float = 0.999, *, ramp_up: bool = True) -> Callable[[ArrayLike], jax.Array]:
    """Decay of the generator's average as a function of the step.

    Args:
      decay: share of the old average that each step keeps; 0 makes the average the generator itself.
      ramp_up: start from min(decay, (1 + step) / (10 + step)), so that the first random weights are
        forgotten at once and not after 1 / (1 - decay) steps.

    Raises:
      ValueError: if `decay` is not in [0, 1).
    """
    if is_number(decay) and not 0 <= decay < 1:
        raise InputError(f"decay: expected 0 <= decay < 1, got {decay}")

    def schedule(step: ArrayLike) -> jax.Array:
        step = jnp.asarray(step, jnp.float32)
        return jnp.minimum(decay, (1 + step) / (10 + step)) if ramp_up else jnp.full((), decay)

    return schedule


_default_ema = ema_schedule()


@dataclass(frozen=True)
class GAN:
    """The static half of a GAN: modules and functions; hashable, closed over by the step.

    Attributes:
      generator: Linen module, (z, label, train) -> examples.
      discriminator: Linen module, (x, label, train) -> logits [batch] or [batch, k].
      loss: what both minimise.
      g_optimizer: the generator's optax transformation.
      d_optimizer: the discriminator's optax transformation, updated `d_steps` times a step.
      latent: prior of z.
      penalties: name -> (weight, penalty), added to the discriminator's loss.
      d_steps: discriminator updates before each generator update; every one gets its own reals.
      reuse_fakes: the generator's update starts from the fakes of the last discriminator update
        (as in most published code; one generator pass less) and not from fresh ones (as in
        algorithm 1 of Goodfellow et al.).
      ema_decay: step -> decay of the averaged generator.
      dynamics: how the two move; the default is plain alternating descent.
    """

    generator: nn.Module
    discriminator: nn.Module
    loss: Loss
    g_optimizer: optax.GradientTransformation
    d_optimizer: optax.GradientTransformation
    latent: Latent
    penalties: Mapping[str, tuple[float, Penalty]] = FrozenDict()
    d_steps: int = 1
    reuse_fakes: bool = False
    ema_decay: Callable[[ArrayLike], jax.Array] = _default_ema
    dynamics: Dynamics = Dynamics()  # noqa: RUF009  (frozen)

    def __post_init__(self) -> None:
        """Freezes the penalties; raises ValueError if `d_steps` is below 1."""
        if self.d_steps < 1:
            raise InputError(f"d_steps: expected at least 1 discriminator update a step, got {self.d_steps}")
        if self.d_steps > 1 and self.dynamics.updates != "alternating":
            raise InputError(f"d_steps: expected 1 with {self.dynamics.updates} updates, got {self.d_steps}")
        if self.dynamics.top_k is not None and self.loss.of_features:
            raise InputError("dynamics: top_k ranks fakes by their logit, and this loss has features instead")
        if self.dynamics.pack > 1 and any(
            penalty.needs_latents or penalty.generator for _, penalty in self.penalties.values()
        ):
            raise InputError(
                f"penalties: none that needs latents goes with pack, got pack = {self.dynamics.pack}"
            )
        object.__setattr__(self, "penalties", FrozenDict(self.penalties))


@struct.dataclass
class Player:
    """One network and its optimiser.

    Attributes:
      params: trained parameters.
      stats: every other Linen collection (batch statistics, spectral norms, ...).
      opt_state: of its optimiser.
    """

    params: PyTree
    stats: PyTree
    opt_state: PyTree


@struct.dataclass
class GANState:
    """Everything that a step changes; arrays only.

    Attributes:
      step: generator updates so far, int32.
      key: of the run; never changes, steps fold their number into it.
      generator: network that is trained.
      discriminator: its opponent.
      ema: averaged variables of the generator (parameters and statistics): what is sampled and scored.
      aux: "penalties": their states, by name; "lookahead": the slow parameters of both, where it is on.
    """

    step: jax.Array
    key: jax.Array
    generator: Player
    discriminator: Player
    ema: PyTree
    aux: PyTree


def init(gan: GAN, key: jax.Array, batch: Mapping[str, Any], mesh: Mesh | None = None) -> GANState:
    """A state to start from, built under one jit and placed as it is built.

    Args:
      gan: the static half.
      key: a typed PRNG key (`jax.random.key(seed)`).
      batch: like those of the step: "image" [batch, ...], and "label" [batch] where there are
        labels. Only shapes and types are used: arrays or `jax.ShapeDtypeStruct`s.
      mesh: devices to copy the state to; None leaves it on the default device.
    """
    pack = gan.dynamics.pack
    image = packed(jnp.zeros((2 * pack, *batch["image"].shape[1:]), jnp.float32), pack)
    label = jnp.zeros((2,), jnp.int32) if batch.get("label") is not None else None

    def build(key: jax.Array) -> GANState:
        run_key, g_key, d_key = jax.random.split(key, 3)
        z = jnp.zeros((2, gan.latent.dim))
        generator = _player(gan.generator.init(g_key, z, label, train=True), gan.g_optimizer)
        discriminator = _player(gan.discriminator.init(d_key, image, label, train=True), gan.d_optimizer)
        aux: dict[str, PyTree] = {
            "penalties": {name: penalty.init() for name, (_, penalty) in gan.penalties.items()}
        }
        if gan.dynamics.lookahead is not None:
            aux["lookahead"] = (generator.params, discriminator.params)
        return GANState(
            step=jnp.zeros((), jnp.int32),
            key=run_key,
            generator=generator,
            discriminator=discriminator,
            ema={"params": generator.params, **generator.stats},
            aux=aux,
        )

    placement = None if mesh is None else NamedSharding(mesh, PartitionSpec())
    return jax.jit(build, out_shardings=placement)(key)


def _player(variables: Mapping[str, PyTree], optimizer: optax.GradientTransformation) -> Player:
    stats = {name: value for name, value in variables.items() if name != "params"}
    return Player(variables["params"], stats, optimizer.init(variables["params"]))
