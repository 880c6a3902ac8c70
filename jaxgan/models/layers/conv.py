"""The two convolutions of a DCGAN as layers, and a 3x3 convolution of a repeated image, which is the second of them."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

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


class RepeatedConv(nn.Module):
    """Every pixel is repeated 2x2 times, then a 3x3 convolution without bias: [n, h, w, c] -> [n, 2h, 2w, features].

    On a CPU it is the transposed 4x4 convolution of stride 2 that it equals, whose kernel is the 3x3 kernel
    convolved with 2x2 ones, and which does with fewer products.
    """

    features: int
    kernel_init: Initializer = dcgan_init

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Computes in the type of `x`; parameters are float32."""
        kernel = self.param("kernel", self.kernel_init, (3, 3, x.shape[-1], self.features)).astype(x.dtype)
        size = (2 * x.shape[1], 2 * x.shape[2])
        if fastconv.enabled() and x.dtype == jnp.float32:
            spread = jnp.asarray([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], x.dtype)
            wide = jnp.einsum("ai,bj,ijco->abco", spread, spread, kernel, precision="highest")
            return fastconv.up(x, wide, size)
        x = x.repeat(2, axis=1).repeat(2, axis=2)
        return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
