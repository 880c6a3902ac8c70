"""Progressive GAN (Karras, Aila, Laine, Lehtinen 2018, Progressive growing of GANs).

The sizes are those of the image, halved while its sides are even and the shorter one has more than 4 pixels. The
parameters of all of them exist from the start, so that a state has one form for the whole training; those of sizes
that are not yet in use stand still. Images always have their full size: smaller ones are enlarged, every pixel to a
square, at the end of the generator, and reduced by means at the start of the discriminator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.numerics import at_least_float32
from jaxgan.models.growth import GROWN, Growth, doubled, faded, halved, times
from jaxgan.models.layers import (
    EqualizedConv,
    EqualizedDense,
    dtype_of,
    minibatch_stddev,
    pixel_norm,
    recomputed,
)
from jaxgan.models.layers.basics import even_sizes

_GAIN = math.sqrt(2)


def _leaky(x: jax.Array) -> jax.Array:
    return nn.leaky_relu(x, 0.2)


class _GeneratorBlock(nn.Module):
    """Two 3x3 convolutions at one size; pixels are normalised after each activation.

    Attributes:
      width: channels.
      size: (height, width) of the first block, which starts from the latent; None: it doubles what it is given.
    """

    width: int
    size: tuple[int, int] | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Latents [n, latent] or maps [n, h, w, c] -> maps of this size."""
        if self.size is None:
            x = EqualizedConv(self.width, gain=_GAIN, name="first")(doubled(x))
        else:
            p, q = self.size
            x = EqualizedDense(p * q * self.width, use_bias=False, gain=_GAIN / 4, name="first")(x)
            bias = self.param("first_bias", nn.initializers.zeros_init(), (self.width,))
            x = x.reshape(-1, p, q, self.width) + bias.astype(x.dtype)
        x = pixel_norm(_leaky(x))
        return pixel_norm(_leaky(EqualizedConv(self.width, gain=_GAIN, name="second")(x)))


class _DiscriminatorBlock(nn.Module):
    """Two 3x3 convolutions at one size, and means of 2x2 pixels.

    Attributes:
      width: channels of the first; what it is given.
      out: channels of the second.
    """

    width: int
    out: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [n, h, w, c] -> [n, h / 2, w / 2, out]."""
        x = _leaky(EqualizedConv(self.width, gain=_GAIN, name="first")(x))
        return halved(_leaky(EqualizedConv(self.out, gain=_GAIN, name="second")(x)))


class _Judge(nn.Module):
    """The last block: the deviation of groups, a 3x3 convolution and two dense layers.

    Attributes:
      width: channels of the convolution.
      hidden: outputs of the first dense layer.
      axis_name: mapped axis over which the batch is split.
    """

    width: int
    hidden: int
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [n, h, w, c] of the smallest size -> logits [n]."""
        x = minibatch_stddev(x, axis_name=self.axis_name)
        x = _leaky(EqualizedConv(self.width, gain=_GAIN, name="conv")(x))
        x = _leaky(EqualizedDense(self.hidden, gain=_GAIN, name="hidden")(x.reshape(x.shape[0], -1)))
        return EqualizedDense(1, name="logit")(x)[:, 0]


class _Network(nn.Module, kw_only=True):
    """What grows, in both networks.

    Attributes:
      shape: (height, width, channels) of the images.
      widths: channels at every size, from the smallest on.
      growth: when it grows.
      stage: the size that it is computed at; None: that of the step, whichever it is, in one program with all.
      dtype: type of the computation; parameters, images and logits are float32.
      remat: what blocks compute inside is computed again on the way back, and not kept.
    """

    shape: tuple[int, int, int]
    widths: tuple[int, ...]
    growth: Growth
    stage: int | None = None
    dtype: Any = jnp.float32
    remat: bool = False

    def setup(self) -> None:
        """What is remembered."""
        self.now = self.variable("growth", "step", lambda: jnp.asarray(GROWN, jnp.int32))

    def _typed(self, x: jax.Array) -> jax.Array:
        return x.astype(self.dtype) if self.dtype == jnp.bfloat16 else at_least_float32(x)

    def _grown(self, x: jax.Array, step: jax.Array | None) -> jax.Array:
        """The answer `_at` the stage of a step, which is remembered; None: of the step that is remembered."""
        if self.is_initializing():
            return self._all(x)
        if step is None:
            step = self.now.value
        elif self.is_mutable_collection("growth"):
            self.now.value = jnp.asarray(step, jnp.int32)
        if self.stage is not None:
            return self._at(self.stage, x, step)
        branches = [lambda own, x, step, k=k: own._at(k, x, step) for k in range(self.growth.stages)]
        return nn.switch(self.growth.index(step), branches, self, x, step)

    def _at(self, stage: int, x: jax.Array, step: jax.Array) -> jax.Array:
        raise NotImplementedError

    def _all(self, x: jax.Array) -> jax.Array:
        """The answer of the grown network, with every layer called once."""
        raise NotImplementedError


class Generator(_Network, kw_only=True):
    """Latents to images; every size has a 1x1 convolution of its own to colours."""

    def setup(self) -> None:
        """Layers of all sizes."""
        super().setup()
        height, width = (side // 2 ** (self.growth.stages - 1) for side in self.shape[:2])
        sizes = [(height, width), *[None] * (self.growth.stages - 1)]
        self.blocks = [_GeneratorBlock(width, size) for width, size in zip(self.widths, sizes, strict=True)]
        self.to_rgb = [EqualizedConv(self.shape[2], size=1) for _ in self.widths]

    def __call__(
        self,
        z: jax.Array,
        label: jax.Array | None = None,
        *,
        train: bool = False,
        step: jax.Array | None = None,
    ) -> jax.Array:
        """[batch, latent] -> images [batch, h, w, c], after training clipped to [-1, 1].

        Args:
          z: latents.
          label: not used.
          train: whether this is training.
          step: of the training; None: the last one that the network was trained in.
        """
        x = at_least_float32(self._grown(self._typed(pixel_norm(z)), step))
        return x if train else jnp.clip(x, -1, 1)

    def detail(self, step: jax.Array, x: jax.Array) -> jax.Array:
        """Real images in the detail of the generator's own at a step."""
        return self.growth.detail(self.stage, step, x)

    def _at(self, stage: int, x: jax.Array, step: jax.Array) -> jax.Array:
        maps: list[Any] = []
        for block in self.blocks[: stage + 1]:
            x = recomputed(self.remat, block)(x)
            maps.append(x)
        image = at_least_float32(self.to_rgb[stage](x))
        if stage:
            old = doubled(at_least_float32(self.to_rgb[stage - 1](maps[-2])))
            image = faded(self.growth.share(stage, step), image, old)
        return times(self.growth.stages - 1 - stage, doubled, image)

    def _all(self, x: jax.Array) -> jax.Array:
        for block, to_rgb in zip(self.blocks, self.to_rgb, strict=True):
            x = block(x)
            image = to_rgb(x)
        return image  # pyright: ignore


class Discriminator(_Network, kw_only=True):
    """Images to logits: the generator mirrored.

    Attributes:
      hidden: outputs of the last hidden layer.
      axis_name: mapped axis over which the batch is split.
      group: examples whose standard deviation is taken together.
    """

    hidden: int = 512
    axis_name: str | None = None
    group = 4

    def setup(self) -> None:
        """Layers of all sizes."""
        super().setup()
        self.from_rgb = [EqualizedConv(width, size=1, gain=_GAIN) for width in self.widths]
        narrower = zip(self.widths[1:], self.widths, strict=False)
        self.blocks = [_DiscriminatorBlock(width, out) for width, out in narrower]
        self.judge = _Judge(self.widths[0], self.hidden, self.axis_name)

    def __call__(
        self,
        x: jax.Array,
        label: jax.Array | None = None,
        *,
        train: bool = False,
        step: jax.Array | None = None,
    ) -> jax.Array:
        """Images [batch, h, w, c] -> logits [batch]; the batch in groups of 4 that are told apart together.

        Args:
          x: images of full size.
          label: not used.
          train: whether this is training.
          step: of the training; None: the last one that the network was trained in.
        """
        return at_least_float32(self._grown(self._typed(x), step))

    def _at(self, stage: int, x: jax.Array, step: jax.Array) -> jax.Array:
        x = times(self.growth.stages - 1 - stage, halved, x)
        maps = _leaky(self.from_rgb[stage](x))
        if stage:
            old = _leaky(self.from_rgb[stage - 1](halved(x)))
            maps = recomputed(self.remat, self.blocks[stage - 1])(maps)
            maps = faded(self.growth.share(stage, step), maps, old)
        for block in reversed(self.blocks[: max(stage - 1, 0)]):
            maps = recomputed(self.remat, block)(maps)
        return self.judge(maps)

    def _all(self, x: jax.Array) -> jax.Array:
        sizes = [times(k, halved, x) for k in range(len(self.widths))]
        maps = [_leaky(own(size)) for own, size in zip(self.from_rgb, reversed(sizes), strict=True)][-1]
        for block in reversed(self.blocks):
            maps = block(maps)
        return self.judge(maps)


@dataclass(frozen=True, kw_only=True)
class ProGANConfig:
    """Convolutional networks that grow from the smallest size to the full one (Progressive GAN)."""

    width: int = 512
    """Most channels."""
    base: int = 8192
    """Channels times 2 at 4x4 pixels, times 4 at 8x8, and so on, where these are not more than the most."""
    start: int = 4
    """Shorter side, in pixels, from which on sizes are not halved any more: training starts there."""
    stable_kimg: float = 600.0
    """Thousands of real images for which a size is trained before the next one is faded in."""
    fade_kimg: float = 600.0
    """Thousands of real images over which a size is faded in."""
    restart: bool = True
    """Forget the optimisers' averages whenever a size begins to be faded in, or has been."""
    dtype: str = "float32"
    """What the networks compute in: float32 or bfloat16. Parameters stay float32."""

    conditional = False
    convolutional = True

    def growth(self, shape: tuple[int, ...], images: int = 64) -> Growth:
        """When the networks for images of `shape` grow, with `images` real ones in a step.

        Raises:
          ValueError: if `shape` is not that of an image, or a number is out of range.
        """
        if len(shape) != 3:
            raise InputError(
                f"model: a progan needs images (height, width, channels), got examples of shape {shape}"
            )
        check_range("start", self.start, at_least=1, unit="pixel")
        check_range("stable_kimg", self.stable_kimg, above=0, unit="thousand images")
        check_range("fade_kimg", self.fade_kimg, at_least=0, unit="thousand images")
        stages = len(even_sizes(*shape[:2], self.start))
        return Growth(stages, round(1000 * self.stable_kimg), round(1000 * self.fade_kimg), images)

    def build(
        self, shape: tuple[int, ...], n_classes: int, *, images: int = 64, stage: int | None = None
    ) -> tuple[Generator, Discriminator]:
        """Builds the two networks for images of `shape` (height, width, channels).

        Args:
          shape: of the images.
          n_classes: not used.
          images: real ones in a step.
          stage: the size that the networks are computed at, of those from the smallest on; None: that of the step.

        Raises:
          ValueError: if `shape` is not that of an image, a number is out of range or the dtype is unknown.
        """
        growth = self.growth(shape, images)
        check_range("width", self.width, at_least=1, unit="channel")
        check_range("base", self.base, at_least=2**growth.stages, unit="channels")
        maps = lambda k: min(self.base // 2**k, self.width)
        height, width, channels = shape
        shared: dict[str, Any] = {
            "shape": (height, width, channels),
            "widths": tuple(maps(k + 1) for k in range(growth.stages)),
            "growth": growth,
            "stage": stage,
            "dtype": dtype_of(self.dtype),
        }
        return Generator(**shared), Discriminator(hidden=maps(0), **shared)
