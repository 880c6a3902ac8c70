"""Fully connected networks: the classic MNIST GAN, and the players of 2-D toy problems."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.errors import InputError, lookup
from jaxgan.models.layers import ACTIVATIONS, BatchNorm, check_logits, dtype_of, maybe_spectral

Array = jax.Array


def _hidden(module: nn.Module, x: Array, train: bool) -> Array:
    """The hidden layers of both players; `module` is the one whose fields say how they look."""
    fields: Any = module
    activation = lookup("activation", fields.activation, ACTIVATIONS)
    for i, width in enumerate(fields.widths):
        normalised = fields.batch_norm and (i > 0 or isinstance(module, Generator))
        dense = nn.Dense(width, use_bias=not normalised, dtype=fields.dtype, name=f"dense_{i}")
        x = maybe_spectral(dense, getattr(module, "spectral_norm", False), x, train)
        if normalised:
            x = BatchNorm(axis_name=fields.axis_name, name=f"norm_{i}")(x, train)
        x = activation(x)
    return x


class Generator(nn.Module):
    """Latents to images (or points) through hidden layers of `widths`.

    Attributes:
      shape: of one output: (height, width, channels), or (coordinates,).
      widths: of the hidden layers.
      activation: a name in `layers.ACTIVATIONS`.
      batch_norm: whether every hidden layer is batch-normalised.
      bounded: tanh at the end, for images in [-1, 1]; points are unbounded.
      dtype: type of the computation; parameters and the output are float32.
      axis_name: mapped axis that batch normalisation averages over.
    """

    shape: tuple[int, ...]
    widths: tuple[int, ...] = (256, 512, 1024)
    activation: str = "leaky_relu"
    batch_norm: bool = False
    bounded: bool = True
    dtype: Any = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(self, z: Array, label: Array | None = None, *, train: bool = False) -> Array:
        """[batch, latent] -> [batch, *shape]; `label` is ignored."""
        x = _hidden(self, z.astype(self.dtype), train)
        x = nn.Dense(math.prod(self.shape), dtype=self.dtype, name="out")(x).astype(jnp.float32)
        return (jnp.tanh(x) if self.bounded else x).reshape(-1, *self.shape)


class Discriminator(nn.Module):
    """Images (or points) to logits through hidden layers of `widths`.

    Attributes:
      widths: of the hidden layers.
      activation: a name in `layers.ACTIVATIONS`.
      batch_norm: whether every hidden layer but the first is batch-normalised.
      dtype: type of the computation; parameters and logits are float32.
      axis_name: mapped axis that batch normalisation averages over.
      spectral_norm: whether every layer is spectrally normalised.
      logits: number of logits an example.
    """

    widths: tuple[int, ...] = (512, 256)
    activation: str = "leaky_relu"
    batch_norm: bool = False
    dtype: Any = jnp.float32
    axis_name: str | None = None
    spectral_norm: bool = False
    logits: int = 1

    @nn.compact
    def __call__(self, x: Array, label: Array | None = None, *, train: bool = False) -> Array:
        """[batch, ...] -> logits [batch], or [batch, logits] if there are several; `label` is ignored."""
        x = _hidden(self, x.reshape(x.shape[0], -1).astype(self.dtype), train)
        out = nn.Dense(self.logits, dtype=self.dtype, name="out")
        logits = maybe_spectral(out, self.spectral_norm, x, train).astype(jnp.float32)
        return logits[:, 0] if self.logits == 1 else logits


@dataclass(frozen=True)
class MLPConfig:
    """Fully connected generator and discriminator."""

    g_widths: tuple[int, ...] = (256, 512, 1024)
    """Hidden layers of the generator."""
    d_widths: tuple[int, ...] = (512, 256)
    """Hidden layers of the discriminator."""
    activation: str = "leaky_relu"
    """Activation of hidden layers: relu, leaky_relu, silu or tanh."""
    g_batch_norm: bool = False
    """Batch normalisation in the generator."""
    d_batch_norm: bool = False
    """Batch normalisation in the discriminator, but for its first layer."""
    d_spectral_norm: bool = False
    """Spectral normalisation of the discriminator's layers."""
    d_logits: int = 1
    """Logits that the discriminator gives an example."""
    dtype: str = "float32"
    """What the networks compute in: float32 or bfloat16. Parameters stay float32."""

    conditional = False
    convolutional = False

    def build(self, shape: tuple[int, ...], n_classes: int) -> tuple[Generator, Discriminator]:
        """The two networks for examples of `shape`; classes are ignored.

        Raises:
          ValueError: for an unknown activation or dtype, or a width or number of logits below 1.
        """
        lookup("activation", self.activation, ACTIVATIONS)
        for name, widths in (("g_widths", self.g_widths), ("d_widths", self.d_widths)):
            if any(width < 1 for width in widths):
                raise InputError(f"{name}: expected widths of at least 1, got {widths}")
        check_logits(self.d_logits)
        dtype = dtype_of(self.dtype)
        generator = Generator(
            shape, self.g_widths, self.activation, self.g_batch_norm, bounded=len(shape) == 3, dtype=dtype
        )
        discriminator = Discriminator(
            self.d_widths,
            self.activation,
            self.d_batch_norm,
            dtype,
            spectral_norm=self.d_spectral_norm,
            logits=self.d_logits,
        )
        return generator, discriminator
