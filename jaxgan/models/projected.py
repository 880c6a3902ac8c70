"""Projected GAN (Sauer, Chitta, Mueller, Geiger 2021): a discriminator that looks through a network trained before.

Images are enlarged to `input_size` pixels and shown to EfficientNet-Lite0. Four of its feature maps are mixed, at
random and for good: each map's channels, then each map with the next smaller one, enlarged. A small
discriminator judges each of the four mixtures. The generator is FastGAN's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.models import fastgan
from jaxgan.models.layers import (
    BatchNorm,
    Conv,
    DownConv,
    SpectralNorm,
    dcgan_init,
    dtype_of,
    recomputed,
    scale_init,
)
from jaxgan.models.pretrained import efficientnet

RANDOM = "random"  # in place of a file of weights
_MULTIPLE = 32  # of the sides that the feature network sees
_LEAST = 128  # smallest side whose smallest map leaves a patch to judge


class Mixing(nn.Module):
    """Cross-channel and cross-scale mixing: feature maps to maps of twice their sizes, which see all smaller ones.

    Attributes:
      width: channels of the largest mixture; the others have 1, 2 and 4 times as many.

    References:
      Sauer et al. (2021), Projected GANs converge faster, section 3.2.
    """

    width: int = 64

    @nn.compact
    def __call__(self, maps: list[jax.Array]) -> list[jax.Array]:
        """Maps [n, h, w, c], each of half the size of the one before -> as many mixtures [n, 2h, 2w, c']."""

        def mixed(x: jax.Array, features: int, name: str) -> jax.Array:
            bound = x.shape[-1] ** -0.5
            uniform = lambda key, shape, dtype=jnp.float32: jax.random.uniform(
                key, shape, dtype, -bound, bound
            )
            layer = Conv(features, 1, kernel_init=uniform, bias_init=uniform, dtype=x.dtype, name=name)
            return layer(x)

        channels = [mixed(x, self.width << i, f"channels_{i}") for i, x in enumerate(maps)]
        found: list[jax.Array] = []
        for i in reversed(range(len(maps))):
            x = channels[i] + found[-1] if found else channels[i]
            found.append(mixed(twice(x), x.shape[-1] // 2 if i else x.shape[-1], f"scales_{i}"))
        return found[::-1]


def twice(x: jax.Array) -> jax.Array:
    """Bilinear enlargement whose corners are those of the image: [n, h, w, c] -> [n, 2h, 2w, c]."""
    rows, columns = (jnp.asarray(_corner_weights(side), x.dtype) for side in x.shape[1:3])
    return jnp.einsum("ph,qw,nhwc->npqc", rows, columns, x, optimize="optimal")


def _corner_weights(side: int) -> np.ndarray:
    position = np.arange(2 * side) * (side - 1) / (2 * side - 1)
    return np.maximum(0, 1 - np.abs(position[:, None] - np.arange(side)))


class Head(nn.Module):
    """A mixture to logits of patches: 4x4 convolutions of stride 2, batch-normalised, then one to a logit.

    Attributes:
      widths: channels of the convolutions.
      n_classes: 0, or the number of classes: the logit is then an inner product with what becomes of an embedding.
      axis_name: mapped axis that batch normalisation averages over.
    """

    widths: tuple[int, ...]
    n_classes: int = 0
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None, train: bool) -> jax.Array:
        """[n, h, w, c] (and labels [n]) -> [n, patches], in the type of `x`."""
        for width in self.widths:
            x = SpectralNorm(DownConv(width))(x, train)
            x = nn.leaky_relu(BatchNorm(axis_name=self.axis_name, scale_init=scale_init)(x, train), 0.2)
        features = _LABEL if self.n_classes else 1
        conv = nn.Conv(
            features, (4, 4), padding="VALID", use_bias=False, kernel_init=dcgan_init, dtype=x.dtype
        )
        x = SpectralNorm(conv)(x, train)
        if self.n_classes:
            table = nn.Embed(self.n_classes, _EMBEDDING, embedding_init=nn.initializers.normal(1.0))(label)
            like = nn.leaky_relu(nn.Dense(_LABEL)(table), 0.2).astype(x.dtype)
            x = (x * like[:, None, None]).sum(axis=-1) / math.sqrt(_LABEL)
        return x.reshape(len(x), -1)


_LABEL, _EMBEDDING = 64, 128


class Discriminator(nn.Module, kw_only=True):
    """Images to logits of patches of four mixtures, joined.

    The feature network and the mixing are the collection "frozen", which training leaves as it is.

    Attributes:
      mixing: channels of the largest mixture.
      input_size: pixels of the shorter side to which smaller images are enlarged.
      weights: file of the feature network's weights; "" downloads them once, "random" leaves it untrained.
      n_classes: 0, or the number of classes.
      dtype: type of the computation; parameters and logits are float32.
      axis_name: mapped axis that batch normalisation averages over.
      remat: what the feature network and the heads compute is computed again on the way back, and not kept.
    """

    mixing: int = 64
    input_size: int = 224
    weights: str = ""
    n_classes: int = 0
    dtype: Any = jnp.float32
    axis_name: str | None = None
    remat: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None = None, *, train: bool = False) -> jax.Array:
        """Images [n, h, w, 1 or 3] (and labels [n]) -> logits [n, patches]: 4 x 16 at 224x224, 4 x 25 at 256x256.

        Raises:
          ValueError: if the discriminator is conditional and there is no label.
        """
        if self.n_classes and label is None:
            raise InputError(
                f"label: expected class indices below {self.n_classes} of shape [batch], got None"
            )
        n, h, w, _ = x.shape
        size = seen_size(h, w, self.input_size)
        x = jnp.broadcast_to(x, (n, h, w, 3)).astype(self.dtype)
        if size != (h, w):
            x = jax.image.resize(x, (n, *size, 3), "bilinear")
        network, mixing = efficientnet.EfficientNetLite0(parent=None), Mixing(self.mixing, parent=None)
        frozen = self.variable("frozen", "networks", self._frozen, network, mixing).value
        features = jax.checkpoint(network.apply) if self.remat else network.apply  # pyright: ignore
        maps: Any = features(frozen["features"], x)[0]
        mixtures: Any = mixing.apply(frozen["mixing"], maps)
        widths = tuple(self.mixing << i for i in range(len(mixtures)))
        heads = [
            Head(widths[i:], self.n_classes, self.axis_name, name=f"head_{i}") for i in range(len(widths))
        ]
        logits = [
            recomputed(self.remat, heads[i])(mixture, label, train=train)
            for i, mixture in enumerate(mixtures)
        ]
        return jnp.concatenate(logits, axis=1).astype(jnp.float32)

    def _frozen(self, network: nn.Module, mixing: nn.Module) -> dict[str, Any]:
        rng = self.make_rng("params")
        maps = [jnp.zeros((1, 1, 1, channels)) for channels in efficientnet.CHANNELS]
        if self.weights == RANDOM:
            features = network.init(rng, jnp.zeros((1, 32, 32, 3)))
        else:  # read when it is computed, and not where only shapes are asked for
            features = jax.pure_callback(lambda: efficientnet.pretrained(self.weights), efficientnet.shapes())
        return {"features": features, "mixing": mixing.init(rng, maps)}

    def prepare(self) -> None:
        """Gets the weights. Raises InputError if they cannot be had, or are others."""
        if self.weights != RANDOM:
            efficientnet.pretrained(self.weights)


def seen_size(height: int, width: int, input_size: int) -> tuple[int, int]:
    """The size in which an image is shown to the feature network.

    Raises:
      InputError: for an image that need not be enlarged, with sides that are no multiples of 32.
    """
    factor = input_size / min(height, width)
    if factor > 1:
        rounded = lambda side: max(round(side * factor / _MULTIPLE), 1) * _MULTIPLE
        return rounded(height), rounded(width)
    if height % _MULTIPLE or width % _MULTIPLE:
        raise InputError(
            f"input_size: expected sides that are multiples of {_MULTIPLE} pixels, or a shorter one below "
            f"{input_size}, got {height}x{width}"
        )
    return height, width


@dataclass(frozen=True, kw_only=True)
class ProjectedConfig:
    """FastGAN's generator, and a discriminator that sees through EfficientNet-Lite0 (Projected GAN)."""

    width: int = 128
    """Channels of the generator's maps of 128 pixels; smaller maps have up to 16 times as many."""
    lite: bool = False
    """A generator with one convolution at every size, and without noise."""
    mixing: int = 64
    """Channels of the largest of the four mixtures that the discriminator judges."""
    input_size: int = 224
    """Pixels of the shorter side to which the discriminator enlarges smaller images: a multiple of 32, at least 128."""
    weights: str = ""
    """EfficientNet-Lite0's weights: a .pth or .safetensors file; empty: downloaded once; random: untrained."""
    conditional: bool = False
    """Condition on class labels: normalisation in the generator, inner product with labels in the discriminator."""
    dtype: str = "float32"
    """What the networks compute in: float32 or bfloat16. Parameters stay float32."""

    convolutional = True
    bounded = False

    def build(self, shape: tuple[int, ...], n_classes: int) -> tuple[fastgan.Generator, Discriminator]:
        """Builds the two networks for images of `shape` (height, width, 1 or 3).

        Raises:
          ValueError: for a shape that one of the networks cannot take, numbers out of range, an unknown dtype, or if
            the networks are conditional and the data has no classes.
        """
        shape = fastgan.check_sides(shape, "projected")
        if shape[2] not in (1, 3):
            raise InputError(f"channels: expected 1 or 3 for a projected discriminator, got {shape[2]}")
        check_range("width", self.width, at_least=1)
        check_range("mixing", self.mixing, at_least=1)
        if self.input_size < _LEAST or self.input_size % _MULTIPLE:
            raise InputError(
                f"input_size: expected a multiple of {_MULTIPLE} from {_LEAST} on, got {self.input_size}"
            )
        seen_size(*shape[:2], self.input_size)
        if self.conditional and not n_classes:
            raise InputError("conditional: expected data with class labels, got data without")
        classes, dtype = (n_classes if self.conditional else 0), dtype_of(self.dtype)
        generator = fastgan.Generator(
            shape=shape,
            width=self.width,
            blocks="single" if self.lite else "double",
            projected=True,
            n_classes=classes,
            dtype=dtype,
        )
        return generator, Discriminator(
            mixing=self.mixing,
            input_size=self.input_size,
            weights=self.weights,
            n_classes=classes,
            dtype=dtype,
        )
