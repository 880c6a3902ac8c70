"""FastGAN (Liu, Zhu, Song, Elgammal 2021), for a few hundred images, and the generator of Projected GAN.

The shorter side is 4 pixels times a power of two, from 32 to 1,024; the longer side is a multiple of that power.
Small feature maps gate the channels of maps 16 times as large (generator) or an eighth as large (discriminator).
Every convolution is spectrally normalised. The discriminator judges the image and every f-th pixel of it,
and reconstructs what it sees from its own features.

The authors' code differs in four things: their generator makes the smaller image of fakes by a 1x1 convolution of its
own (192 weights) from its map of 128 pixels, where here it is reduced like that of reals; pictures of less than 1,024
pixels do not end in tanh; margins of the hinge loss are drawn from [0.8, 1] for every logit, and are 1 here; and
reconstructions are compared by LPIPS on VGG features, here by the mean absolute difference of pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.numerics import at_least_float32
from jaxgan.models.layers import (
    BatchNorm,
    ConditionalBatchNorm,
    Conv,
    DownConv,
    NoiseInjection,
    SkipLayerExcitation,
    SpectralNorm,
    dcgan_init,
    dtype_of,
    glu,
    pixel_norm,
    recomputed,
    scale_init,
)

SIDES = (32, 64, 128, 256, 512, 1024)
BLOCKS = ("alternate", "double", "single")
# Channels by the shorter side of a feature map, as multiples of the width; D's maps of 8 pixels have 16.
_MULTIPLES = {4: 16, 8: 8, 16: 4, 32: 2, 64: 2, 128: 1, 256: 0.5, 512: 0.25, 1024: 0.125}
_D_MULTIPLES = {**_MULTIPLES, 8: 16, 16: 8, 32: 4}
_leaky = partial(nn.leaky_relu, negative_slope=0.2)


def _channels(multiples: dict[int, float], side: int, width: int) -> int:
    return max(int(multiples[side] * width), 1)


def _conv(
    features: int,
    size: int,
    dtype: Any,
    *,
    use_bias: bool = False,
    up: tuple[int, int] | None = None,
) -> SpectralNorm:
    return SpectralNorm(Conv(features, size, use_bias=use_bias, kernel_init=dcgan_init, dtype=dtype, up=up))


def _to_logits(dtype: Any) -> SpectralNorm:
    layer = nn.Conv(1, (4, 4), padding="VALID", use_bias=False, kernel_init=dcgan_init, dtype=dtype)
    return SpectralNorm(layer)


class FirstConv(nn.Module):
    """Latents to the first feature map: a transposed convolution without bias, [n, k] -> [n, *size, features]."""

    features: int
    size: tuple[int, int]

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        """Computes in the type of `z`; parameters are float32."""
        kernel = self.param("kernel", dcgan_init, (*self.size, z.shape[-1], self.features)).astype(z.dtype)
        flat = kernel.transpose(2, 0, 1, 3).reshape(z.shape[-1], -1)
        return (z @ flat).reshape(len(z), *self.size, self.features)


class UpBlock(nn.Module):
    """Twice the size by repetition, then a 3x3 convolution, batch normalisation and GLU, or two of each with noise.

    Attributes:
      features: channels that it makes.
      double: whether there are two convolutions, each with noise added.
      axis_name: mapped axis that batch normalisation averages over.
    """

    features: int
    double: bool = False
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, x: jax.Array, train: bool, y: jax.Array | None = None, keys: jax.Array | None = None
    ) -> jax.Array:
        """[n, h, w, c] -> [n, 2h, 2w, features], in the type of `x`; y [n, k] conditions the normalisation."""
        for i in range(1 + self.double):
            up = (2 * x.shape[1], 2 * x.shape[2]) if i == 0 else None
            x = _conv(2 * self.features, 3, x.dtype, up=up)(x, train)
            if self.double:
                own = None if keys is None else jax.vmap(jax.random.fold_in, (0, None))(keys, i)
                x = NoiseInjection()(x, own)
            if y is None:
                x = BatchNorm(axis_name=self.axis_name, scale_init=scale_init)(x, train)
            else:
                norm = ConditionalBatchNorm(
                    spectral_norm=True, kernel_init=dcgan_init, axis_name=self.axis_name
                )
                x = norm(x, y, train)
            x = glu(x)
        return x


class Generator(nn.Module, kw_only=True):
    """Latents to images.

    Attributes:
      shape: (height, width, channels) of the images.
      width: channels of the maps of 128 pixels; smaller maps have up to 16 times as many.
      blocks: "alternate" makes the doublings to 8, 32, 128 and 512 pixels double (FastGAN), "double" all (Projected
        GAN), "single" none (Projected GAN, lite).
      projected: latents are brought to length sqrt(k), the last convolution has a bias and no tanh follows it, as in
        Projected GAN.
      n_classes: 0, or the number of classes, whose embedding conditions the normalisation (but for the first).
      dtype: type of the computation; parameters and images are float32.
      axis_name: mapped axis that batch normalisation averages over.
      remat: what blocks compute inside is computed again on the way back, and not kept.
    """

    shape: tuple[int, int, int]
    width: int = 64
    blocks: str = "alternate"
    projected: bool = False
    n_classes: int = 0
    dtype: Any = jnp.float32
    axis_name: str | None = None
    remat: bool = False

    @nn.compact
    def __call__(
        self,
        z: jax.Array,
        label: jax.Array | None = None,
        *,
        train: bool = False,
        keys: jax.Array | None = None,
    ) -> jax.Array:
        """[n, k] (labels [n], keys [n] of the noise) -> images [n, h, w, c] in [-1, 1]; without keys fixed noise.

        If `projected`, they are about in [-1, 1]: nothing bounds them.

        Raises:
          ValueError: if the generator is conditional and there is no label.
        """
        doublings = int(math.log2(min(self.shape[:2]))) - 2
        y = None
        if self.n_classes:
            if label is None:
                raise InputError(
                    f"label: expected class indices below {self.n_classes} of shape [batch], got None"
                )
            y = nn.Embed(self.n_classes, z.shape[-1], embedding_init=nn.initializers.normal(1.0))(label)
        z = (pixel_norm(z) if self.projected else z).astype(self.dtype)
        size = self.shape[0] >> doublings, self.shape[1] >> doublings
        x = SpectralNorm(FirstConv(2 * _channels(_MULTIPLES, 4, self.width), size))(z, train)
        x = glu(BatchNorm(axis_name=self.axis_name, scale_init=scale_init)(x, train))
        maps = [x]
        for i in range(1, doublings + 1):
            side = 4 << i
            double = self.blocks == "double" or (self.blocks == "alternate" and i % 2 == 1)
            own = None if keys is None else jax.vmap(jax.random.fold_in, (0, None))(keys, side)
            block = UpBlock(_channels(_MULTIPLES, side, self.width), double, self.axis_name)
            x = recomputed(self.remat, block)(x, train=train, y=y, keys=own)
            if i >= 4 and side < 1024:
                x = SkipLayerExcitation()(x, maps[i - 4], train)
            maps.append(x)
        x = at_least_float32(_conv(self.shape[2], 3, self.dtype, use_bias=self.projected)(x, train))
        return x if self.projected else jnp.tanh(x)


class DownBlock(nn.Module):
    """Half the size by a 4x4 convolution, batch normalisation and leaky ReLU.

    Attributes:
      features: channels that it makes.
      residual: a 3x3 convolution follows, and all is averaged with a 1x1 convolution of the 2x2 means.
      axis_name: mapped axis that batch normalisation averages over.
    """

    features: int
    residual: bool = False
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """[n, h, w, c] -> [n, h/2, w/2, features], in the type of `x`."""

        def activated(y: jax.Array) -> jax.Array:
            return _leaky(BatchNorm(axis_name=self.axis_name, scale_init=scale_init)(y, train))

        y = activated(SpectralNorm(DownConv(self.features, use_bias=False))(x, train))
        if not self.residual:
            return y
        y = activated(_conv(self.features, 3, x.dtype)(y, train))
        n, h, w, c = x.shape
        means = x.reshape(n, h // 2, 2, w // 2, 2, c).mean(axis=(2, 4))
        return (y + activated(_conv(self.features, 1, x.dtype)(means, train))) / 2


class Decoder(nn.Module):
    """A feature map to a picture: doublings with `widths` channels, a 3x3 convolution, tanh."""

    widths: tuple[int, ...]
    channels: int
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """[n, h, w, c] -> [n, 2^k h, 2^k w, channels], at least float32, for k widths."""
        for width in self.widths:
            x = UpBlock(width, axis_name=self.axis_name)(x, train)
        return jnp.tanh(at_least_float32(_conv(self.channels, 3, x.dtype)(x, train)))


class Discriminator(nn.Module, kw_only=True):
    """Images to logits of patches, of the image and of a smaller one, joined.

    Attributes:
      shape: (height, width, channels) of the images.
      width: channels of the maps of 128 pixels.
      reconstruction: weight of `terms`; with 0 there are no decoders.
      dtype: type of the computation; parameters and logits are float32.
      axis_name: mapped axis that batch normalisation averages over.
      remat: what blocks compute inside is computed again on the way back, and not kept.
    """

    shape: tuple[int, int, int]
    width: int = 64
    reconstruction: float = 0.0
    dtype: Any = jnp.float32
    axis_name: str | None = None
    remat: bool = False

    def setup(self) -> None:
        """Makes the parts, as two methods use them."""
        side = min(self.shape[:2])
        wide = lambda side: _channels(_D_MULTIPLES, side, self.width)
        # A map of 2^k pixels has the channels of the next larger side, and one of 256 pixels those of 512.
        if side <= 256:
            self.first = _conv(wide(2 * side), 3, self.dtype)
        else:
            self.first = SpectralNorm(DownConv(wide(side), use_bias=False))
        self.second = DownBlock(wide(512), axis_name=self.axis_name) if side == 1024 else None
        start = min(side, 256)
        sides = [start >> i for i in range(int(math.log2(start)) - 3)]
        self.down = [DownBlock(wide(s), residual=True, axis_name=self.axis_name) for s in sides]
        self.excitations = [SkipLayerExcitation() for _ in sides[2:]]
        self.judge = _conv(wide(8), 1, self.dtype)
        self.judge_norm = BatchNorm(axis_name=self.axis_name, scale_init=scale_init)
        self.logit = _to_logits(self.dtype)

        small = self.small_side
        self.small_first = SpectralNorm(DownConv(wide(2 * small), use_bias=False))
        sides = [small >> i for i in range(int(math.log2(small)) - 4)]
        self.small_down = [DownBlock(wide(s), axis_name=self.axis_name) for s in sides]
        self.small_logit = _to_logits(self.dtype)
        if self.reconstruction:
            widths = tuple(max(m * self.width // 2, 1) for m in (4, 2, 2, 1))[: int(math.log2(small)) - 3]
            decoder = partial(Decoder, widths, self.shape[2], self.axis_name)
            self.decode_large, self.decode_small, self.decode_part = decoder(), decoder(), decoder()

    @property
    def small_side(self) -> int:
        """The shorter side of the smaller image: half, at most 128."""
        return min(min(self.shape[:2]) // 2, 128)

    def __call__(self, x: jax.Array, label: jax.Array | None = None, *, train: bool = False) -> jax.Array:
        """Images [n, h, w, c] -> logits [n, 50] (more for oblong images); labels make no difference."""
        _, large, small = self.features(x, train)
        if self.is_initializing() and self.reconstruction:
            self.terms(x, label, keys=jax.random.split(jax.random.key(0), len(x)), train=train)
        large = self.logit(_leaky(self.judge_norm(self.judge(large, train), train)), train)
        logits = [large, self.small_logit(small, train)]
        return jnp.concatenate([y.reshape(len(x), -1) for y in logits], axis=1).astype(jnp.float32)

    def features(self, x: jax.Array, train: bool) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Maps whose shorter side is 16 (of the image), 8 (of the image) and 8 pixels (of the smaller image)."""
        step = min(self.shape[:2]) // self.small_side
        small = x[:, ::step, ::step].astype(self.dtype)
        y = _leaky(self.first(x.astype(self.dtype), train))
        if self.second is not None:
            y = self.second(y, train)
        maps = [y]
        for i, block in enumerate(self.down):
            y = recomputed(self.remat, block)(y, train=train)
            if i >= 2:
                y = self.excitations[i - 2](y, maps[i - 2], train)
            maps.append(y)
        small = _leaky(self.small_first(small, train))
        for block in self.small_down:
            small = recomputed(self.remat, block)(small, train=train)
        return maps[-2], maps[-1], small

    def terms(
        self, x: jax.Array, label: jax.Array | None = None, *, keys: jax.Array, train: bool = True
    ) -> dict[str, tuple[float, jax.Array]]:
        """What it minimises on reals besides the loss: "reconstruction", with its weight, [n].

        Of each example, the mean absolute difference to its pixels, of the decoded image and the decoded smaller
        image (both at the smaller size), and of one random quarter of the image, summed. The authors compare
        them by LPIPS on VGG features, and draw one quarter for the whole batch.
        """
        if not self.reconstruction:
            return {}
        near, large, small = self.features(x, train)
        step = min(self.shape[:2]) // self.small_side
        rows, columns = jax.vmap(lambda key: jax.random.bernoulli(key, shape=(2,)))(keys).astype(jnp.int32).T

        def quarter(maps: jax.Array) -> jax.Array:
            h, w, c = maps.shape[1] // 2, maps.shape[2] // 2, maps.shape[3]
            cut = lambda y, i, j: jax.lax.dynamic_slice(y, (i * h, j * w, 0), (h, w, c))
            return jax.vmap(cut)(maps, rows, columns)

        part, target = quarter(x)[:, :: max(step // 2, 1), :: max(step // 2, 1)], x[:, ::step, ::step]
        pairs = [
            (self.decode_large(large, train), target),
            (self.decode_small(small, train), target),
            (self.decode_part(quarter(near), train), part),
        ]
        unlike = [jnp.abs(got - wanted).mean(axis=(1, 2, 3)) for got, wanted in pairs]
        return {"reconstruction": (self.reconstruction, sum(unlike[1:], unlike[0]))}


def check_sides(shape: tuple[int, ...], family: str) -> tuple[int, int, int]:
    """(height, width, channels). Raises InputError for a shape that `family` cannot make."""
    if len(shape) != 3:
        raise InputError(
            f"model: {family} needs images (height, width, channels), got examples of shape {shape}"
        )
    height, width, channels = shape
    short, long = min(height, width), max(height, width)
    if short not in SIDES or long % (short // 4):
        raise InputError(
            f"resolution: expected a shorter side of {', '.join(map(str, SIDES))} pixels and a longer side that is a "
            f"multiple of a quarter of it for {family}, got {height}x{width}"
        )
    return height, width, channels


@dataclass(frozen=True, kw_only=True)
class FastGANConfig:
    """Generator and discriminator for few images, which gate their own channels (FastGAN)."""

    width: int = 64
    """Channels of the generator's maps of 128 pixels; smaller maps have up to 16 times as many."""
    d_width: int = 0
    """The same for the discriminator; 0 takes the generator's."""
    reconstruction: float = 8.0
    """Weight of the discriminator's reconstruction of reals (mean absolute difference of pixels); 0: none."""
    dtype: str = "float32"
    """What the networks compute in: float32 or bfloat16. Parameters stay float32."""

    conditional = False
    convolutional = True

    def build(self, shape: tuple[int, ...], n_classes: int) -> tuple[Generator, Discriminator]:
        """Builds the two networks for images of `shape` (height, width, channels); classes are ignored.

        Raises:
          ValueError: if `shape` is not that of an image of such sides, a width is below 1, the weight is negative
            or the dtype is unknown.
        """
        shape = check_sides(shape, "fastgan")
        check_range("width", self.width, at_least=1)
        check_range("d_width", self.d_width, at_least=0)
        check_range("reconstruction", self.reconstruction, at_least=0, below=math.inf)
        dtype = dtype_of(self.dtype)
        return Generator(shape=shape, width=self.width, dtype=dtype), Discriminator(
            shape=shape, width=self.d_width or self.width, reconstruction=self.reconstruction, dtype=dtype
        )
