"""R3GAN (Huang, Gokaslan, Kuleshov, Tompkin 2024, The GAN is dead; long live the GAN! A modern baseline GAN).

Residual networks of grouped convolutions without normalisation. The discriminator halves an image while its sides are
even and the shorter one has more than 4 pixels; the generator goes back through the same sizes. So sides of 32
pixels become 16, 8 and 4, those of 28 become 14 and 7, and images of any size are used as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.numerics import at_least_float32
from jaxgan.models.layers import Conv, R3GANBlock, downsample, dtype_of, recomputed, upsample
from jaxgan.models.layers.basics import even_sizes
from jaxgan.models.layers.residual import fan_in_init


def stage_widths(stages: int, width: int, full: int) -> list[int]:
    """Channels of every stage: `width` in the `full` smallest ones, then half of those before."""
    return [width // 2 ** max(0, stage + 1 - full) for stage in range(stages)]


class _Network(nn.Module, kw_only=True):
    """What both networks are made of.

    Attributes:
      width: channels of the smallest stages.
      full: how many stages have these; every further one has half of the one before.
      cardinality: groups of the 3x3 convolutions at `width` channels; in proportion at fewer.
      blocks: residual blocks of a stage.
      expansion: channels inside a block, as a multiple of those outside.
      n_classes: 0, or the number of classes.
      dtype: type of the computation in all stages but the smallest; parameters, images and logits are float32.
      remat: what blocks compute inside is computed again on the way back, and not kept.
    """

    width: int = 768
    full: int = 4
    cardinality: int = 96
    blocks: int = 2
    expansion: int = 2
    n_classes: int = 0
    dtype: Any = jnp.float32
    remat: bool = False

    def _stage(self, stage: int, stages: int, x: jax.Array) -> jax.Array:
        """The residual blocks of a stage."""
        groups = max(1, self.cardinality * x.shape[-1] // self.width)
        for block in range(self.blocks):
            name = f"stage{stage}_block{block}"
            x = recomputed(self.remat, R3GANBlock(self.blocks * stages, groups, self.expansion, name=name))(x)
        return x

    def _typed(self, stage: int, x: jax.Array) -> jax.Array:
        """In the type that a stage computes in."""
        return x.astype(self.dtype) if stage and self.dtype == jnp.bfloat16 else at_least_float32(x)

    def _pointwise(self, features: int, x: jax.Array, name: str) -> jax.Array:
        """A 1x1 convolution."""
        init = fan_in_init(1.0)
        return Conv(features, 1, use_bias=False, kernel_init=init, dtype=x.dtype, name=name)(x)

    def _embed(self, size: int, scale: float, label: jax.Array | None) -> jax.Array:
        """A linear function, without bias, of the label as a one-hot vector."""
        if label is None:
            raise InputError(
                f"label: expected class indices below {self.n_classes} of shape [batch], got None"
            )
        init = nn.initializers.normal(scale * self.n_classes**-0.5)
        return nn.Embed(self.n_classes, size, embedding_init=init, name="embedding")(label)


class Generator(_Network, kw_only=True):
    """Latents to images: a learnt basis of the smallest maps, times a linear function of z, through residual stages.

    Attributes:
      shape: (height, width, channels) of the images.
      embedding: size of the classes' embedding, which is appended to the latent.
    """

    shape: tuple[int, int, int]
    embedding: int = 64

    @nn.compact
    def __call__(self, z: jax.Array, label: jax.Array | None = None, *, train: bool = False) -> jax.Array:
        """[batch, latent] (and labels [batch]) -> images [batch, h, w, c], after training clipped to [-1, 1].

        Raises:
          ValueError: if the generator is conditional and there is no label.
        """
        sizes = even_sizes(*self.shape[:2])
        widths = stage_widths(len(sizes), self.width, self.full)
        if self.n_classes:
            z = jnp.concatenate([z, self._embed(self.embedding, 1.0, label)], axis=1)
        x = nn.Dense(widths[0], use_bias=False, kernel_init=fan_in_init(1.0), name="linear")(z)
        x = x[:, None, None] * self.param("basis", nn.initializers.normal(1.0), (*sizes[0], widths[0]))
        for stage, width in enumerate(widths):
            x = self._typed(stage, x)
            if stage:
                if width != x.shape[-1]:
                    x = self._pointwise(width, x, f"stage{stage}_narrow")
                x = upsample(x)
            x = self._stage(stage, len(widths), x)
        x = self._pointwise(self.shape[2], at_least_float32(x), "image")
        return x if train else jnp.clip(x, -1, 1)


class Discriminator(_Network, kw_only=True):
    """Images to logits: the generator mirrored, then one weighted mean a channel and a linear function of them.

    With classes, that function has as many outputs as the narrowest maps have channels, and the logit is their inner
    product with the label's embedding.
    """

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None = None, *, train: bool = False) -> jax.Array:
        """Images [batch, h, w, c] (and labels [batch]) -> logits [batch].

        Raises:
          ValueError: if the discriminator is conditional and there is no label.
        """
        sizes = even_sizes(*x.shape[1:3])
        widths = stage_widths(len(sizes), self.width, self.full)
        x = self._pointwise(widths[-1], self._typed(len(sizes) - 1, x), "image")
        for stage in reversed(range(len(widths))):
            x = self._stage(stage, len(widths), self._typed(stage, x))
            if stage:
                x = downsample(x)
                if widths[stage - 1] != x.shape[-1]:
                    x = self._pointwise(widths[stage - 1], x, f"stage{stage}_widen")
        x = at_least_float32(x)
        p, q = sizes[0]
        basis = self.param("basis", nn.initializers.normal((p * q) ** -0.5), (p, q, widths[0]))
        features = widths[0] if self.n_classes else 1
        linear = nn.Dense(features, use_bias=False, kernel_init=fan_in_init(1.0), name="linear")
        x = linear((x * basis).sum((1, 2)))
        if self.n_classes:
            x = x * self._embed(features, features**-0.5, label)
        return at_least_float32(x.sum(1))


@dataclass(frozen=True, kw_only=True)
class R3GANConfig:
    """Residual networks of grouped convolutions, without normalisation (R3GAN)."""

    width: int = 768
    """Channels of the smallest stages, from 4x4 pixels on."""
    full: int = 4
    """How many stages have so many; every further one has half of the one before."""
    cardinality: int = 96
    """Groups of the 3x3 convolutions at that width; fewer in proportion in narrower stages."""
    blocks: int = 2
    """Residual blocks of a stage."""
    expansion: int = 2
    """Channels inside a block, as a multiple of those outside."""
    conditional: bool = False
    """Condition on class labels: embedding in the generator, projection in the discriminator."""
    embedding: int = 64
    """Size of the generator's class embedding."""
    dtype: str = "float32"
    """What all stages but the smallest compute in: float32 or bfloat16. Parameters stay float32."""

    convolutional = True

    def build(self, shape: tuple[int, ...], n_classes: int) -> tuple[Generator, Discriminator]:
        """Builds the two networks for images of `shape` (height, width, channels).

        Raises:
          ValueError: if `shape` is not that of an image, a number is out of range, groups do not divide the channels
            of a stage, the dtype is unknown, or the networks are conditional and the data has no classes.
        """
        if len(shape) != 3:
            raise InputError(
                f"model: an r3gan needs images (height, width, channels), got examples of shape {shape}"
            )
        for name in ("width", "full", "cardinality", "blocks", "expansion", "embedding"):
            check_range(name, getattr(self, name), at_least=1)
        for width in stage_widths(len(even_sizes(*shape[:2])), self.width, self.full):
            groups, inside = max(1, self.cardinality * width // self.width), width * self.expansion
            if width < 1 or inside % groups:
                raise InputError(
                    f"width: expected channels that {groups} groups divide in every stage, got {inside} in one"
                )
        if self.conditional and not n_classes:
            raise InputError("conditional: expected data with class labels, got data without")
        shared: dict[str, Any] = {
            "width": self.width,
            "full": self.full,
            "cardinality": self.cardinality,
            "blocks": self.blocks,
            "expansion": self.expansion,
            "n_classes": n_classes if self.conditional else 0,
            "dtype": dtype_of(self.dtype),
        }
        height, width, channels = shape
        generator = Generator(shape=(height, width, channels), embedding=self.embedding, **shared)
        return generator, Discriminator(**shared)
