"""Networks for images with holes: gated convolutions, which learn what to trust, and partial ones, which are told.

The last channel that they are given is the mask: 1 where the image is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.models.layers import Conv, class_logits, dtype_of, maybe_spectral, nearest_up, with_classes
from jaxgan.models.translators.critics import Translates


class GatedConv(nn.Module):
    """A convolution whose every output is multiplied by a gate of its own: elu(a) sigmoid(b).

    Attributes:
      features: output channels.
      size: side of the kernel.
      stride: 1 or 2.
      dilation: of the kernel.
      dtype: type of the computation.

    References:
      Yu, Lin, Yang, Shen, Lu, Huang (2019), Free-form image inpainting with gated convolution, eq. 3.
    """

    features: int
    size: int = 3
    stride: int = 1
    dilation: int = 1
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[n, h, w, c] -> [n, ceil(h / stride), ceil(w / stride), features]."""
        both = nn.Conv(
            2 * self.features,
            (self.size, self.size),
            (self.stride, self.stride),
            kernel_dilation=(self.dilation, self.dilation),
            kernel_init=nn.initializers.he_normal(),
            dtype=self.dtype,
        )(x)
        a, b = jnp.split(both, 2, axis=-1)
        return nn.elu(a) * nn.sigmoid(b)


def partial_conv(
    x: jax.Array, known: jax.Array, kernel: jax.Array, bias: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """A convolution that looks at what is known alone, and the mask of what is known after it.

    y = W (x m) size^2 / sum(m) + b where the window has anything known, else 0; the window's sum counts the padding of
    zeros as lost.

    Args:
      x: [n, h, w, c].
      known: [n, h, w, 1], 1 where x is known, else 0.
      kernel: [k, k, c, features], k odd.
      bias: [features].

    Returns:
      [n, h, w, features], and the mask [n, h, w, 1].

    References:
      Liu, Reda, Shih, Wang, Tao, Catanzaro (2018), Image inpainting for irregular holes using partial convolutions, eq.
      1 and 2.
    """
    conv = lambda x, kernel: jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    size = kernel.shape[0] * kernel.shape[1]
    seen = conv(known, jnp.ones((*kernel.shape[:2], 1, 1), x.dtype))
    there = (seen > 0).astype(x.dtype)
    y = conv(x * known, kernel) * (size / jnp.maximum(seen, 1))
    return (y if bias is None else y + bias) * there, there


class GatedNet(nn.Module, kw_only=True):
    """Images with holes, and their mask, to whole images: gated convolutions through two halvings and back.

    A 5x5 convolution; twice a halving and a convolution; dilated ones (2, 4, 8), which see across holes; twice a
    doubling (nearest pixels), joined to the map of its size on the way down, and a convolution; one to the image.

    Attributes:
      channels: of the images that it makes.
      width: channels at full resolution; doubled at every halving.
      n_classes: 0, or the number of classes, whose embedding it sees as further maps of the input.
      embedding: size of that embedding.
      dtype: type of the computation; parameters and images are float32.

    References:
      Yu et al. (2019), section 3.2, of the coarse network, which has no joins and more layers.
    """

    local = True
    """What is made of a pixel depends on its neighbourhood alone, so images of any size do."""

    channels: int = 3
    width: int = 32
    n_classes: int = 0
    embedding: int = 8
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None = None, *, train: bool = False) -> jax.Array:
        """Images and masks [n, h, w, c + 1] (and labels [n]) -> images [n, h, w, channels] in [-1, 1].

        Without classes labels make no difference.

        Raises:
          ValueError: for classes and no label.
        """
        gated = lambda features, **options: GatedConv(features, dtype=self.dtype, **options)
        x = with_classes(x, label, self.n_classes, self.embedding)
        y, maps = gated(self.width, size=5)(x), []
        for i in (2, 4):
            maps.append(y)
            y = gated(i * self.width)(gated(i * self.width, stride=2)(y))
        for dilation in (2, 4, 8):
            y = gated(4 * self.width, dilation=dilation)(y)
        for i in (2, 1):
            skip = maps.pop()
            y = gated(i * self.width)(nearest_up(y, skip.shape[1:3]))
            y = gated(i * self.width)(jnp.concatenate([y, skip], axis=-1))
        out = Conv(self.channels, kernel_init=nn.initializers.lecun_normal(), dtype=self.dtype, name="last")(
            y
        )
        return jnp.tanh(out.astype(jnp.float32))


class SpectralPatchGAN(nn.Module, kw_only=True):
    """Images to a logit for every place of their last map: spectrally normalised 5x5 convolutions of stride 2.

    Attributes:
      width: channels after the first; doubled by the second, at most 4 times as many.
      depth: convolutions.
      n_classes: 0, or the number of classes, on whose embeddings the features of every place are projected.
      dtype: type of the computation; parameters and logits are float32.

    References:
      Yu et al. (2019), section 3.4 (SN-PatchGAN): the loss is taken at every point of a map; theirs has 256 channels.
    """

    width: int = 32
    depth: int = 4
    n_classes: int = 0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None = None, *, train: bool = False) -> jax.Array:
        """Images [n, h, w, c] (and labels [n]) -> logits [n, places]; without classes labels make no difference.

        Raises:
          ValueError: for classes and no label.
        """
        y = x.astype(self.dtype)
        for i in range(self.depth):
            stride = (2, 2) if min(y.shape[1:3]) > 4 else (1, 1)
            conv = nn.Conv(self.width * min(2**i, 4), (5, 5), stride, dtype=self.dtype)
            y = nn.leaky_relu(maybe_spectral(conv, True, y, train), 0.2)
        out = nn.Conv(1, (3, 3), dtype=self.dtype)
        logits = maybe_spectral(out, True, y, train).astype(jnp.float32)
        if self.n_classes:
            logits += class_logits(y, label, self.n_classes, spectral=True, train=train)
        return logits.reshape(len(x), -1)


@dataclass(frozen=True, kw_only=True)
class GatedConfig(Translates):
    """Gated convolutions for images with holes, and a spectrally normalised critic of patches (DeepFill v2)."""

    width: int = 32
    """Channels of the translator at full resolution."""
    d_width: int = 0
    """Channels of the critic after its first layer; 0 takes the translator's."""
    d_depth: int = 4
    """Convolutions of the critic."""
    conditional: bool = False
    """Condition on class labels: maps beside the translator's input, projection in the critic."""
    embedding: int = 8
    """Size of the translator's class embedding."""
    dtype: str = "float32"
    """What the networks compute in: float32 or bfloat16. Parameters stay float32."""

    family = "gated"

    def _networks(self, shape: tuple[int, ...], source: tuple[int, ...], classes: int) -> tuple[Any, Any]:
        if source[:2] != shape[:2] or min(shape[:2]) < 4:
            raise InputError(
                f"model: gated makes images of the size that it is given, at least 4 pixels a side, got {source} for "
                f"{shape}"
            )
        for name, least in (("width", 1), ("d_width", 0), ("d_depth", 1), ("embedding", 1)):
            check_range(name, getattr(self, name), at_least=least)
        dtype = dtype_of(self.dtype)
        critic = SpectralPatchGAN(
            width=self.d_width or self.width, depth=self.d_depth, n_classes=classes, dtype=dtype
        )
        made = GatedNet(
            channels=shape[2], width=self.width, n_classes=classes, embedding=self.embedding, dtype=dtype
        )
        return made, critic
