"""The two convolutions of a DCGAN as layers."""

from __future__ import annotations

import flax.linen as nn
import jax

from jaxgan.models.layers import fastconv
from jaxgan.models.layers.basics import Initializer, dcgan_init


class DownConv(nn.Module):
    """4x4 convolution of stride 2: [n, h, w, c] -> [n, ceil(h/2), ceil(w/2), features]."""

    features: int
    use_bias: bool = True
    kernel_init: Initializer = dcgan_init

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Computes in the type of `x`; parameters are float32."""
        kernel = self.param("kernel", self.kernel_init, (4, 4, x.shape[-1], self.features))
        x = fastconv.down(x, kernel.astype(x.dtype))
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
        x = fastconv.up(x, kernel.astype(x.dtype), self.size)
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
            x = x + bias.astype(x.dtype)
        return x
