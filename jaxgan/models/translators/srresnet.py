"""Networks that add detail to images: residual blocks, or dense ones in each other (SRResNet, RRDB), and enlarge them.

What is added is added to the enlarged input, so that a network that adds nothing is bilinear, or bicubic, enlargement.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.models.layers import Conv, dtype_of, with_classes
from jaxgan.models.translators.critics import Translates, critic_of

_DENSE = 5  # convolutions of a dense block
_SCALE = 0.2  # of what a dense block adds


def _he(scale: float) -> Any:
    """Normal weights of He's variance, times a factor; with small ones deep networks begin as their skips alone."""
    return nn.initializers.variance_scaling(2.0 * scale**2, "fan_in", "normal")


def pixel_shuffle(x: jax.Array, scale: int) -> jax.Array:
    """Channels to pixels: [n, h, w, c scale^2] -> [n, h scale, w scale, c], in PyTorch's order of channels.

    References:
      Shi et al. (2016), Real-time single image and video super-resolution using an efficient sub-pixel convolutional
      neural network, eq. 4.
    """
    n, h, w, c = x.shape
    x = x.reshape(n, h, w, c // scale**2, scale, scale)
    return x.transpose(0, 1, 4, 2, 5, 3).reshape(n, h * scale, w * scale, c // scale**2)


def pixel_unshuffle(x: jax.Array, scale: int) -> jax.Array:
    """Pixels to channels, the inverse of `pixel_shuffle`: [n, h scale, w scale, c] -> [n, h, w, c scale^2]."""
    n, h, w, c = x.shape
    x = x.reshape(n, h // scale, scale, w // scale, scale, c)
    return x.transpose(0, 1, 3, 5, 2, 4).reshape(n, h // scale, w // scale, c * scale**2)


class SRResNet(nn.Module, kw_only=True):
    """Images to images of `scale` times their sides.

    3x3 convolutions: one; blocks; for every doubling (or tripling) one to four (nine) times the channels, shuffled to
    pixels; one more; one to the image. Blocks are two convolutions with a ReLU between, without normalisation (EDSR),
    or, where `growth` is above 0, three dense blocks of five convolutions each (ESRGAN), after which there is one more
    convolution around all blocks and enlargement is by nearest pixels.

    Attributes:
      channels: of the images that it makes.
      scale: of the sides: 1, 2, 3, 4 or 8.
      shrink: side of the squares of pixels that become channels before all, and pixels again at the end (FFDNet):
        blocks then see further and cost less. Sides that it does not divide are continued by reflection.
      width: channels.
      blocks: their number.
      growth: channels that each convolution of a dense block adds; 0: residual blocks.
      skip: how the input is enlarged that all is added to: "linear" or "cubic".
      n_classes: 0, or the number of classes, whose embedding the first convolution sees as further maps.
      embedding: size of that embedding.
      dtype: type of the computation; parameters and images are float32.

    References:
      Ledig et al. (2017), Photo-realistic single image super-resolution using a generative adversarial network.
      Lim et al. (2017), Enhanced deep residual networks for single image super-resolution: no normalisation.
      Zhang, Zuo, Zhang (2018), FFDNet: toward a fast and flexible solution for CNN-based image denoising, section 3.1.
      Wang et al. (2018), ESRGAN: enhanced super-resolution generative adversarial networks, section 3.1.
    """

    local = True
    """What is made of a pixel depends on its neighbourhood alone, so images of any size do."""

    channels: int = 3
    scale: int = 1
    shrink: int = 1
    width: int = 64
    blocks: int = 16
    growth: int = 0
    skip: str = "linear"
    n_classes: int = 0
    embedding: int = 8
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None = None, *, train: bool = False) -> jax.Array:
        """Images [n, h, w, c] (and labels [n]) -> images [n, h scale, w scale, channels], of any range.

        Without classes labels make no difference.

        Raises:
          ValueError: for classes and no label.
        """

        def conv(features: int, name: str, y: jax.Array, gain: float = 1.0) -> jax.Array:
            return Conv(features, kernel_init=_he(gain), dtype=self.dtype, name=name)(y)

        given, (h, w) = x, x.shape[1:3]
        if self.shrink > 1:
            fill = ((0, 0), (0, -h % self.shrink), (0, -w % self.shrink), (0, 0))
            x = pixel_unshuffle(jnp.pad(x, fill, mode="symmetric"), self.shrink)
        leaky = lambda y: nn.leaky_relu(y, 0.2 if self.growth else 0.1)
        first = y = conv(self.width, "first", with_classes(x, label, self.n_classes, self.embedding))
        if not self.growth:
            y = leaky(y)
        for i in range(self.blocks):
            if self.growth:
                y = self._dense(y, i, conv)
            else:
                inner = nn.relu(conv(self.width, f"block_{i}_1", y, 0.1))
                y = y + conv(self.width, f"block_{i}_2", inner, 0.1)
        if self.growth:
            y = first + conv(self.width, "body", y)
        for i, factor in enumerate(factors(self.scale)):
            if self.growth:
                y = leaky(conv(self.width, f"up_{i}", y.repeat(factor, 1).repeat(factor, 2)))
            else:
                y = leaky(pixel_shuffle(conv(self.width * factor**2, f"up_{i}", y), factor))
        out = self.channels * self.shrink**2
        y = conv(out, "last", leaky(conv(self.width, "detail", y)), 0.1).astype(jnp.float32)
        if self.shrink > 1:
            y = pixel_shuffle(y, self.shrink)[:, : h * self.scale, : w * self.scale]
        x = given
        if self.growth and self.scale > 1:  # ESRGAN's has no skip around all
            return y
        n, h, w, c = x.shape
        base = x[..., : self.channels]  # a mask comes after the image
        if c < self.channels:
            base = jnp.repeat(x[..., :1], self.channels, -1)
        if self.scale > 1:
            base = jax.image.resize(base, (n, h * self.scale, w * self.scale, self.channels), self.skip)
        return base.astype(jnp.float32) + y

    def _dense(self, x: jax.Array, i: int, conv: Any) -> jax.Array:
        """Three dense blocks, each of which adds a part of what it finds."""
        begun = x
        for j in range(3):
            seen = [x]
            for k in range(_DENSE - 1):
                name = f"block_{i}_{j}_{k}"
                seen.append(nn.leaky_relu(conv(self.growth, name, jnp.concatenate(seen, -1), 0.1), 0.2))
            found = conv(self.width, f"block_{i}_{j}_{_DENSE - 1}", jnp.concatenate(seen, -1), 0.1)
            x = x + _SCALE * found
        return begun + _SCALE * x


def factors(scale: int) -> list[int]:
    """The steps in which images are enlarged: doublings, or one tripling. Raises InputError for another scale."""
    if scale == 3:
        return [3]
    if scale not in (1, 2, 4, 8):
        raise InputError(f"scale: expected 1, 2, 3, 4 or 8, got {scale}")
    return [2] * int(math.log2(scale))


@dataclass(frozen=True, kw_only=True)
class SRResNetConfig(Translates):
    """Residual or dense blocks that add detail and enlarge (SRResNet, RRDB), and a critic of patches."""

    width: int = 64
    """Channels of the translator."""
    blocks: int = 16
    """Number of blocks."""
    growth: int = 0
    """Channels that each convolution of ESRGAN's dense blocks adds (32 in the paper); 0: residual blocks."""
    shrink: int = 1
    """Side of the squares of pixels that are channels inside (FFDNet: 2), which sees further and costs less."""
    skip: Literal["linear", "cubic"] = "linear"
    """How the input is enlarged that all is added to; with cubic it begins as bicubic enlargement."""
    d_width: int = 0
    """Channels of the critic at half resolution; 0 takes the translator's."""
    d_depth: int = 0
    """Halvings of the critic; 0: at most 3, as the images allow."""
    d_norm: Literal["batch", "instance"] = "batch"
    """Normalisation in the critic."""
    conditional: bool = False
    """Condition on class labels: maps beside the translator's input, projection in the critic."""
    embedding: int = 8
    """Size of the translator's class embedding."""
    dtype: str = "float32"
    """What the networks compute in: float32 or bfloat16. Parameters stay float32."""

    family = "srresnet"
    bounded = False

    def _networks(self, shape: tuple[int, ...], source: tuple[int, ...], classes: int) -> tuple[Any, Any]:
        scale = max(1, round(shape[0] / source[0]))
        if (scale * source[0], scale * source[1]) != tuple(shape[:2]):
            raise InputError(
                f"model: srresnet enlarges both sides alike, by a whole number, and does not make "
                f"{shape[0]}x{shape[1]} of {source[0]}x{source[1]}"
            )
        for name, least in (
            ("width", 1),
            ("blocks", 1),
            ("shrink", 1),
            ("growth", 0),
            ("d_width", 0),
            ("embedding", 1),
        ):
            check_range(name, getattr(self, name), at_least=least)
        factors(scale)
        dtype = dtype_of(self.dtype)
        made = SRResNet(
            channels=shape[2],
            scale=scale,
            shrink=self.shrink,
            skip=self.skip,
            width=self.width,
            blocks=self.blocks,
            growth=self.growth,
            n_classes=classes,
            embedding=self.embedding,
            dtype=dtype,
        )
        return made, critic_of(shape, self.d_width or self.width, self.d_depth, self.d_norm, dtype, classes)
