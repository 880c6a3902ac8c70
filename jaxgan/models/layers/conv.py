"""Convolutions as layers: of stride 1, also with a change of size or of a repeated image, and the two of a DCGAN."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
from flax.linen.dtypes import promote_dtype

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.models.layers.basics import Initializer, dcgan_init
from jaxgan.models.layers.fast import forms, strided


class Conv(nn.Module):
    """Convolution of stride 1 whose images keep their size, or are doubled before or halved after it.

    Parameters and values are those of Flax's `nn.Conv` with padding "SAME"; on a CPU it takes less time.

    Attributes:
      features: output channels.
      size: side of the kernel.
      groups: of channels; each output channel sees those of its group.
      use_bias: whether a bias is added.
      kernel_init: initialiser of the kernel [size, size, inputs / groups, features].
      bias_init: initialiser of the bias.
      dtype: of the computation; None: the type that x and the parameters, which are float32, have in common.
      up: (height, width), about twice those of x, to which pixels are doubled (and cut) before.
      down: whether the mean of every 2x2 pixels is taken after; at odd ends, of those that are there.
    """

    features: int
    size: int = 3
    groups: int = 1
    use_bias: bool = True
    kernel_init: Initializer = nn.initializers.lecun_normal()
    bias_init: Initializer = nn.initializers.zeros_init()
    dtype: Any = None
    up: tuple[int, int] | None = None
    down: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[n, h, w, c] -> [n, h, w, features], or of the other size.

        Raises:
          ValueError: for other shapes of `x`, channels that do not divide into groups, or a size that doubled
            images do not have.
        """
        if x.ndim != 4:
            raise InputError(f"x: expected images [n, h, w, c], got shape {x.shape}")
        check_range("groups", self.groups, at_least=1)
        for name, channels in (("inputs", x.shape[-1]), ("features", self.features)):
            if channels % self.groups:
                raise InputError(f"groups: expected a divisor of {channels} {name}, got {self.groups}")
        shape = (self.size, self.size, x.shape[-1] // self.groups, self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        bias = self.param("bias", self.bias_init, (self.features,)) if self.use_bias else None
        x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)
        y = self._convolved(x, kernel)
        return y if bias is None else y + bias

    def _convolved(self, x: jax.Array, kernel: jax.Array) -> jax.Array:
        h, w = x.shape[1:3]
        if self.up is not None:
            if self.down or any(-(-new // 2) != old for new, old in zip(self.up, (h, w), strict=True)):
                raise InputError(f"up: expected None, or a size that halves to {(h, w)}, got {self.up}")
            if self.up == (2 * h, 2 * w):
                return forms.doubled_conv(x, kernel)
            return forms.conv(nearest_up(x, self.up), kernel)
        if self.down and h % 2 == w % 2 == 0:
            return forms.conv_halved(x, kernel)
        y = forms.conv(x, kernel)
        return average_down(y) if self.down else y


def nearest_up(x: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Every pixel twice along both axes, cut to `size`: [n, h, w, c] -> [n, *size, c]."""
    return forms.doubled(x)[:, : size[0], : size[1]]


def average_down(x: jax.Array) -> jax.Array:
    """The mean of every 2x2 pixels: [n, h, w, c] -> [n, ceil(h / 2), ceil(w / 2), c]; at odd ends, of those there."""
    return nn.avg_pool(x, (2, 2), (2, 2), "SAME", count_include_pad=False).astype(x.dtype)


class DownConv(nn.Module):
    """4x4 convolution of stride 2: [n, h, w, c] -> [n, ceil(h/2), ceil(w/2), features]."""

    features: int
    use_bias: bool = True
    kernel_init: Initializer = dcgan_init

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Computes in the type of `x`; parameters are float32."""
        kernel = self.param("kernel", self.kernel_init, (4, 4, x.shape[-1], self.features))
        x = strided.down(x, kernel.astype(x.dtype))
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
            x = x + bias.astype(x.dtype)
        return x


class UpConv(nn.Module):
    """Transposed 4x4 convolution of stride 2: [n, p, q, c] -> [n, *size, features]."""

    features: int
    size: tuple[int, int]
    use_bias: bool = True
    kernel_init: Initializer = dcgan_init

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Computes in the type of `x`; parameters are float32."""
        kernel = self.param("kernel", self.kernel_init, (4, 4, x.shape[-1], self.features))
        x = strided.up(x, kernel.astype(x.dtype), self.size)
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
            x = x + bias.astype(x.dtype)
        return x
