"""Residual blocks: R3GAN's without normalisation, and the pre-activation ones of SNGAN, BigGAN and BigGAN-deep."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.models.layers.basics import Initializer
from jaxgan.models.layers.conv import Conv, average_down, nearest_up
from jaxgan.models.layers.norm import BatchNorm, maybe_spectral

# Leaky ReLU of slope 0.2 after weights of variance gain^2 / fan-in keeps the second moment.
LEAKY_GAIN = math.sqrt(2 / (1 + 0.2**2))


def fan_in_init(gain: float) -> Initializer:
    """N(0, gain^2 / fan-in): of a kernel [..., inputs, outputs], the fan-in is all but the outputs."""

    def init(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        return gain / math.sqrt(math.prod(shape[:-1])) * jax.random.normal(key, shape, dtype)

    return init


class R3GANBlock(nn.Module):
    """x + 1x1(act(grouped 3x3(act(1x1(x))))), act a bias and a leaky ReLU of slope 0.2; nothing is normalised.

    Weights start as in Fixup: those of the last convolution at 0, so that the block starts as the identity, and
    those of the others at the scale of He et al. times L^(-1/4) for L blocks.

    Attributes:
      blocks: L, the residual blocks of the whole network.
      cardinality: groups of the 3x3 convolution.
      expansion: channels inside, as a multiple of those outside.

    References:
      Huang et al. (2024), The GAN is dead; long live the GAN! A modern baseline GAN, section 3.
      Zhang, Dauphin, Ma (2019), Fixup initialization, section 3.
    """

    blocks: int
    cardinality: int
    expansion: int = 2

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[n, h, w, c] -> [n, h, w, c], in the type of `x`; parameters are float32.

        Raises:
          ValueError: if the channels inside do not divide into groups.
        """
        check_range("blocks", self.blocks, at_least=1)
        check_range("cardinality", self.cardinality, at_least=1)
        inside = x.shape[-1] * self.expansion
        if inside % self.cardinality:
            raise InputError(f"cardinality: expected a divisor of {inside} channels, got {self.cardinality}")
        gain = LEAKY_GAIN * self.blocks**-0.25

        def conv(name: str, features: int, size: int, gain: float, groups: int, x: jax.Array) -> jax.Array:
            init = fan_in_init(gain)
            return Conv(features, size, groups, use_bias=False, kernel_init=init, dtype=x.dtype, name=name)(x)

        def activated(name: str, x: jax.Array) -> jax.Array:
            bias = self.param(name, nn.initializers.zeros_init(), (x.shape[-1],))
            return nn.leaky_relu(x + bias.astype(x.dtype), 0.2)

        y = activated("expand_bias", conv("expand", inside, 1, gain, 1, x))
        y = activated("grouped_bias", conv("grouped", inside, 3, gain, self.cardinality, y))
        return x + conv("project", x.shape[-1], 1, 0.0, 1, y)


class _Preactivation(nn.Module, kw_only=True):
    """What pre-activation blocks share (He et al. 2016, Identity mappings in deep residual networks).

    Attributes:
      features: channels of the result.
      spectral_norm: whether all convolutions are spectrally normalised.
      kernel_init: initialiser of the convolutions on the way.
      skip_init: of that beside it.
    """

    features: int
    spectral_norm: bool = False
    kernel_init: Initializer = nn.initializers.orthogonal()
    skip_init: Initializer = nn.initializers.orthogonal()

    def conv(
        self, name: str, features: int, size: int, x: jax.Array, train: bool, **change: Any
    ) -> jax.Array:
        """A convolution with bias of `size` x `size` pixels, in the type of `x`; `change`: of `Conv`."""
        init = self.skip_init if name == "skip" else self.kernel_init
        layer = Conv(features, size, kernel_init=init, dtype=x.dtype, name=name, **change)
        return maybe_spectral(layer, self.spectral_norm, x, train)


class _Up(_Preactivation, kw_only=True):
    """Of a generator, whose blocks are normalised.

    Attributes:
      size: (height, width) of the result, about twice those of x; None: those of x.
      norm: makes a batch normalisation, or a conditional one if the block is given a condition.
    """

    size: tuple[int, int] | None = None
    norm: Callable[..., Any] = BatchNorm

    def active(self, name: str, x: jax.Array, y: jax.Array | None, train: bool) -> jax.Array:
        """ReLU after normalisation."""
        norm = self.norm(name=name)
        return nn.relu(norm(x, train) if y is None else norm(x, y, train))

    def resized(self, x: jax.Array) -> jax.Array:
        """Upsampled, if the block does that."""
        return x if self.size is None else nearest_up(x, self.size)


class UpBlock(_Up, kw_only=True):
    """norm-ReLU-up-3x3-norm-ReLU-3x3 plus up-1x1, up doubling pixels; nothing is done beside if nothing changes.

    References:
      Gulrajani et al. (2017), Improved training of Wasserstein GANs, appendix F.
      Miyato et al. (2018), Spectral normalization for GANs, tables 4 and 5.
    """

    @nn.compact
    def __call__(self, x: jax.Array, y: jax.Array | None, train: bool) -> jax.Array:
        """[n, h, w, c] and a condition [n, k], or None -> [n, *size, features], in the type of `x`."""
        inside = self.active("norm1", x, y, train)
        inside = self.conv("conv1", self.features, 3, inside, train, up=self.size)
        inside = self.conv("conv2", self.features, 3, self.active("norm2", inside, y, train), train)
        if self.size is not None or x.shape[-1] != self.features:
            x = self.resized(self.conv("skip", self.features, 1, x, train))
        return x + inside


class DownBlock(_Preactivation, kw_only=True):
    """ReLU-3x3-ReLU-3x3-down plus 1x1-down, down averaging pixels; nothing is done beside if nothing changes.

    Attributes:
      hidden: channels between the two convolutions: those of the result in SAGAN and BigGAN ("wide"), of x in SNGAN.
      down: whether the image is halved.
      first: the first block, of images: no ReLU at the start.

    References:
      As of `UpBlock`.
    """

    hidden: int
    down: bool = True
    first: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """[n, h, w, c] -> [n, h, w, features], or half as many pixels, in the type of `x`."""
        inside = self.conv("conv1", self.hidden, 3, x if self.first else nn.relu(x), train)
        inside = self.conv("conv2", self.features, 3, nn.relu(inside), train, down=self.down)
        changes = self.down or x.shape[-1] != self.features
        if self.down:
            x = average_down(x)
        if changes:
            x = self.conv("skip", self.features, 1, x, train)
        return x + inside


class DeepUpBlock(_Up, kw_only=True):
    """The bottleneck of BigGAN-deep: 1x1, 3x3, 3x3, 1x1 with a quarter of x's channels inside, each after norm-ReLU.

    Pixels are doubled before the first 3x3. Beside it, x loses its last channels where the result has fewer.

    References:
      Brock, Donahue, Simonyan (2019), Large scale GAN training, appendix B and figure 16.
    """

    @nn.compact
    def __call__(self, x: jax.Array, y: jax.Array | None, train: bool) -> jax.Array:
        """[n, h, w, c] and a condition [n, k], or None -> [n, *size, features], in the type of `x`.

        Raises:
          ValueError: if the result is to have more channels than x.
        """
        if self.features > x.shape[-1]:
            raise InputError(
                f"features: expected at most the {x.shape[-1]} channels of x, got {self.features}"
            )
        hidden = _quarter(x.shape[-1])
        inside = self.conv("conv1", hidden, 1, self.active("norm1", x, y, train), train)
        inside = self.active("norm2", inside, y, train)
        inside = self.conv("conv2", hidden, 3, inside, train, up=self.size)
        inside = self.conv("conv3", hidden, 3, self.active("norm3", inside, y, train), train)
        inside = self.conv("conv4", self.features, 1, self.active("norm4", inside, y, train), train)
        return self.resized(x[..., : self.features]) + inside


class DeepDownBlock(_Preactivation, kw_only=True):
    """The bottleneck of BigGAN-deep's discriminator: ReLU before each of 1x1, 3x3, 3x3, down-1x1, a quarter inside.

    Beside it, x gains the missing channels by a 1x1 convolution.

    Attributes:
      down: whether the image is halved.

    References:
      As of `DeepUpBlock`.
    """

    down: bool = True

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """[n, h, w, c] -> [n, h, w, features], or half as many pixels, in the type of `x`.

        Raises:
          ValueError: if the result is to have fewer channels than x.
        """
        missing = self.features - x.shape[-1]
        if missing < 0:
            raise InputError(
                f"features: expected at least the {x.shape[-1]} channels of x, got {self.features}"
            )
        hidden, inside = _quarter(self.features), x
        for name, size in (("conv1", 1), ("conv2", 3), ("conv3", 3)):
            inside = self.conv(name, hidden, size, nn.relu(inside), train)
        inside = nn.relu(inside)
        if self.down:
            x, inside = average_down(x), average_down(inside)
        if missing:
            x = jnp.concatenate([x, self.conv("skip", missing, 1, x, train)], axis=-1)
        return x + self.conv("conv4", self.features, 1, inside, train)


def _quarter(channels: int) -> int:
    return max(channels // 4, 1)
