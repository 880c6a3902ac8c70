"""Networks of games with an encoder, made of the families: encoders, critics of pairs, critics of latents."""

from __future__ import annotations

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError


def encoder_of(
    model: Any, shape: tuple[int, ...], outputs: int, *, batch_norm: bool = True, **told: Any
) -> nn.Module:
    """An encoder, (x, train) -> [batch, outputs]: the family's discriminator, with so many logits.

    Args:
      model: configuration of a family with `d_logits`.
      shape: of an example.
      outputs: numbers of the code, at least 2.
      batch_norm: whether it is batch-normalised, but for its first layer.
      **told: what the family's `build` takes beside the shape.

    Raises:
      ValueError: for a family without such a discriminator, fewer than 2 outputs, or what the family raises.
    """
    check_range("latent", outputs, at_least=2, unit="coordinates to encode")
    changes = {
        "d_logits": outputs,
        "d_batch_norm": batch_norm,
        "d_spectral_norm": False,
        "conditional": False,
    }
    return _changed(model, changes).build(shape, 0, **told)[1]


def trunk_of(model: Any, shape: tuple[int, ...], outputs: int, **told: Any) -> nn.Module:
    """The family's discriminator with `outputs` numbers in the place of its logit, for more layers behind it.

    Args:
      model: as of `encoder_of`.
      shape: of an example.
      outputs: how many numbers.
      **told: as of `encoder_of`.

    Raises:
      ValueError: as `encoder_of`.
    """
    return _changed(model, {"d_logits": outputs, "conditional": False}).build(shape, 0, **told)[1]


def _changed(model: Any, changes: dict[str, Any]) -> Any:
    names = {field.name for field in dataclasses.fields(model)}
    if "d_logits" not in names:
        raise InputError(
            "model: expected a family whose discriminator gives several numbers (dcgan or mlp), as encoders are made "
            f"of it, got {type(model).__name__}"
        )
    return dataclasses.replace(model, **{name: value for name, value in changes.items() if name in names})


class LatentCritic(nn.Module, kw_only=True):
    """Latents to logits through hidden layers: the critic of an adversarial autoencoder.

    Attributes:
      widths: of the hidden layers.
    """

    widths: tuple[int, ...] = (256, 256)

    @nn.compact
    def __call__(self, z: jax.Array, *, train: bool = False) -> jax.Array:
        """Latents [batch, dim] -> logits [batch]."""
        for width in self.widths:
            z = nn.leaky_relu(nn.Dense(width)(z), 0.2)
        return nn.Dense(1)(z)[:, 0]


class PairCritic(nn.Module, kw_only=True):
    """Pairs (x, z) to logits: numbers of x and a layer of z, joined, and a hidden layer of both.

    Attributes:
      trunk: module (x, train) -> numbers [batch, k].
      width: of the layer of z and of the hidden layer.
      axis_name: mapped axis that the trunk's batch normalisation averages over.

    References:
      Zenati et al. (2018), Efficient GAN-based anomaly detection, appendix A (its layers differ in size).
    """

    trunk: nn.Module
    width: int = 256
    axis_name: str | None = None

    def clone(self, **changes: Any) -> PairCritic:
        """A copy with some attributes changed, as `nn.Module.clone` makes it; the trunk gets the same mapped axis."""
        if changes.get("axis_name") is not None and hasattr(self.trunk, "axis_name"):
            changes["trunk"] = self.trunk.clone(axis_name=changes["axis_name"])
        return super().clone(**changes)  # pyright: ignore[reportReturnType]

    @nn.compact
    def __call__(self, x: jax.Array, z: jax.Array, *, train: bool = False, features: bool = False) -> Any:
        """Examples [batch, ...] and latents [batch, dim] -> logits [batch]; with `features`: (logits, [batch, k])."""
        seen = nn.leaky_relu(self.trunk(x, train=train), 0.2)
        told = nn.leaky_relu(nn.Dense(self.width, name="latent")(z), 0.2)
        last = nn.leaky_relu(nn.Dense(self.width, name="both")(jnp.concatenate([seen, told], 1)), 0.2)
        logits = nn.Dense(1, name="logit")(last)[:, 0].astype(jnp.float32)
        return (logits, last.astype(jnp.float32)) if features else logits


class Recogniser(nn.Module, kw_only=True):
    """Estimates, from features of a discriminator, the codes that an image was made of (InfoGAN's Q).

    Attributes:
      categories: of the discrete code.
      continuous: codes in [-1, 1].
      width: of the hidden layer.
    """

    categories: int
    continuous: int
    width: int = 128

    @nn.compact
    def __call__(self, features: jax.Array, *, train: bool = False) -> tuple[jax.Array, jax.Array]:
        """Features [batch, k] -> (logits of the categories [batch, categories], means [batch, continuous])."""
        h = nn.leaky_relu(nn.Dense(self.width)(features), 0.2)
        return nn.Dense(self.categories)(h), nn.Dense(self.continuous)(h)
