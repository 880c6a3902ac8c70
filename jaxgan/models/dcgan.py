"""Deep convolutional GAN (Radford, Metz, Chintala 2016), for images of any size.

The discriminator halves an image, rounding up, until its shorter side is at most 4 pixels; the generator
goes back through the same sizes. The sides of 28 pixels become 14, 7, 4, those of 32 become 16, 8, 4, and
100x60 becomes 50x30, 25x15, 13x8, 7x4, so images of any size are used as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.models.layers import (
    BatchNorm,
    DownConv,
    UpConv,
    check_logits,
    dcgan_init,
    dtype_of,
    maybe_spectral,
    needed,
    scale_init,
)


def stage_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """(height, width) of the image and of all feature maps, each half of the one before, rounded up."""
    sizes = [(height, width)]
    while min(sizes[-1]) > 4:
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    if len(sizes) == 1:  # an image of at most 4 pixels: one stage all the same
        sizes.append((-(-height // 2), -(-width // 2)))
    return sizes


def stage_widths(stages: int, width: int) -> list[int]:
    """Channels after each halving. They double every time, up to 8 times `width`."""
    return [width * min(2**i, 8) for i in range(stages)]


class Generator(nn.Module, kw_only=True):
    """Latents to images through transposed 4x4 convolutions with batch normalisation and ReLU.

    Attributes:
      shape: (height, width, channels) of the images.
      width: channels at half resolution; doubled at every halving, up to 8 times.
      n_classes: 0, or the number of classes, whose embedding is appended to the latent.
      embedding: size of that embedding.
      biases: whether the last layer has a bias.
      dtype: type of the computation; parameters and images are float32.
      axis_name: mapped axis that batch normalisation averages over.
    """

    shape: tuple[int, int, int]
    width: int = 64
    n_classes: int = 0
    embedding: int = 32
    biases: bool = True
    dtype: Any = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(self, z: jax.Array, label: jax.Array | None = None, *, train: bool = False) -> jax.Array:
        """[batch, latent] (and labels [batch]) -> images [batch, h, w, c] in [-1, 1].

        Raises:
          ValueError: if the generator is conditional and there is no label.
        """
        sizes = stage_sizes(*self.shape[:2])
        widths = stage_widths(len(sizes) - 1, self.width)
        if self.n_classes:
            z = jnp.concatenate([z, _embed(self.n_classes, self.embedding, 1.0, label)], axis=1)
        p, q = sizes[-1]
        x = nn.Dense(p * q * widths[-1], use_bias=False, kernel_init=dcgan_init, dtype=self.dtype)(z)
        x = x.reshape(-1, p, q, widths[-1])
        outputs = [self.shape[2], *widths[:-1]]
        for stage in reversed(range(len(widths))):
            x = BatchNorm(axis_name=self.axis_name, scale_init=scale_init)(x, train)
            x = UpConv(outputs[stage], sizes[stage], use_bias=self.biases and stage == 0)(nn.relu(x))
        return jnp.tanh(x.astype(jnp.float32))


class Discriminator(nn.Module, kw_only=True):
    """Images to logits through strided 4x4 convolutions with leaky ReLU.

    With classes, the logit gains the inner product of the features with the label's embedding
    (Miyato, Koyama 2018, cGANs with projection discriminator).

    Attributes:
      width: channels at half resolution; doubled at every halving, up to 8 times.
      batch_norm: whether every convolution but the first is batch-normalised.
      n_classes: 0, or the number of classes.
      dtype: type of the computation; parameters and logits are float32.
      axis_name: mapped axis that batch normalisation averages over.
      spectral_norm: whether every layer, the labels' embedding included, is spectrally normalised.
      logits: number of logits per example.
      biases: whether layers that are not batch-normalised have biases.
    """

    width: int = 64
    batch_norm: bool = True
    n_classes: int = 0
    dtype: Any = jnp.float32
    axis_name: str | None = None
    spectral_norm: bool = False
    logits: int = 1
    biases: bool = True

    @nn.compact
    def __call__(
        self, x: jax.Array, label: jax.Array | None = None, *, train: bool = False, features: bool = False
    ) -> Any:
        """Images [batch, h, w, c] (and labels [batch]) -> logits [batch], or [batch, logits] if several.

        With `features`: (logits, what the last layer sees, float32 [batch, k]).

        Raises:
          ValueError: if the discriminator is conditional and there is no label.
        """
        stages = len(stage_sizes(*x.shape[1:3])) - 1
        x = x.astype(self.dtype)
        for stage, width in enumerate(stage_widths(stages, self.width)):
            normalised = self.batch_norm and stage > 0
            conv = DownConv(width, use_bias=self.biases and not normalised)
            x = maybe_spectral(conv, self.spectral_norm, x, train)
            if normalised:
                x = BatchNorm(axis_name=self.axis_name, scale_init=scale_init)(x, train)
            x = nn.leaky_relu(x, 0.2)
        last = x.reshape(x.shape[0], -1)
        out = nn.Dense(self.logits, use_bias=self.biases, kernel_init=dcgan_init, dtype=self.dtype)
        logits = maybe_spectral(out, self.spectral_norm, last, train).astype(jnp.float32)
        if self.n_classes:
            embedded = _embed(self.n_classes, last.shape[1], 0.02, label, self.spectral_norm, train)
            logits += jnp.sum(embedded * last.astype(jnp.float32), axis=1, keepdims=True)
        logits = logits[:, 0] if self.logits == 1 else logits
        return (logits, last.astype(jnp.float32)) if features else logits


def _embed(
    n_classes: int,
    size: int,
    scale: float,
    label: jax.Array | None,
    spectral_norm: bool = False,
    train: bool = False,
) -> jax.Array:
    embed = nn.Embed(n_classes, size, embedding_init=nn.initializers.normal(scale))
    return maybe_spectral(embed, spectral_norm, needed(label, n_classes), train)


@dataclass(frozen=True, kw_only=True)
class DCGANConfig:
    """Convolutional generator and discriminator (DCGAN)."""

    width: int = 64
    """Channels of the generator at half resolution, doubled at every halving (up to 8 times)."""
    d_width: int = 0
    """The same for the discriminator; 0 takes the generator's."""
    d_batch_norm: bool = True
    """Batch normalisation in the discriminator, but for its first layer."""
    d_spectral_norm: bool = False
    """Spectral normalisation of the discriminator's layers."""
    d_logits: int = 1
    """Logits that the discriminator gives each example; more than 1 only without classes."""
    conditional: bool = False
    """Condition on class labels: embedding in the generator, projection in the discriminator."""
    embedding: int = 32
    """Size of the generator's class embedding."""
    biases: bool = True
    """Biases of layers that no batch normalisation follows; the original code has none."""
    dtype: str = "float32"
    """What the networks compute in: float32 or bfloat16. Parameters stay float32."""

    convolutional = True

    def build(self, shape: tuple[int, ...], n_classes: int) -> tuple[Generator, Discriminator]:
        """Builds the two networks for images of `shape` (height, width, channels).

        Raises:
          ValueError: if `shape` is not that of an image, a width is below 1, the dtype is
            unknown, or the networks are conditional and the data has no classes or there are
            several logits.
        """
        if len(shape) != 3:
            raise InputError(
                f"model: a dcgan needs images (height, width, channels), got examples of shape {shape}"
            )
        check_range("width", self.width, at_least=1, unit="channel")
        check_range("d_width", self.d_width, at_least=0)
        check_range("embedding", self.embedding, at_least=1)
        if self.conditional and not n_classes:
            raise InputError("conditional: expected data with class labels, got data without")
        check_logits(self.d_logits)
        if self.conditional and self.d_logits > 1:
            raise InputError(
                f"d_logits: expected 1 for a conditional dcgan, whose labels are projected on one logit, "
                f"got {self.d_logits}"
            )
        classes = n_classes if self.conditional else 0
        dtype = dtype_of(self.dtype)
        height, width, channels = shape
        generator = Generator(
            shape=(height, width, channels),
            width=self.width,
            n_classes=classes,
            embedding=self.embedding,
            biases=self.biases,
            dtype=dtype,
        )
        discriminator = Discriminator(
            width=self.d_width or self.width,
            batch_norm=self.d_batch_norm,
            n_classes=classes,
            dtype=dtype,
            spectral_norm=self.d_spectral_norm,
            logits=self.d_logits,
            biases=self.biases,
        )
        return generator, discriminator
