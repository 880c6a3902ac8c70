"""Layers with equalised learning rates: weights are stored at unit scale and scaled where they are used.

Karras et al. (2018), Progressive growing of GANs, section 4.1: with w = w_stored * gain / sqrt(fan-in), all
weights have about the same size for Adam, whose steps do not depend on the size of gradients.
"""

from __future__ import annotations

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.models.layers import fir
from jaxgan.models.layers.fast import forms


def scaled_leaky(x: jax.Array, clamp: float | None = None) -> jax.Array:
    """Leaky ReLU of slope 0.2 times sqrt(2), which keeps the second moment; then clamped, if asked, to +-`clamp`.

    References:
      Karras et al. (2020), Analyzing and improving the image quality of StyleGAN, appendix B.
    """
    x = nn.leaky_relu(x, 0.2) * math.sqrt(2)
    return x if clamp is None else jnp.clip(x, -clamp, clamp)


class EqualizedDense(nn.Module):
    """Dense layer with an equalised learning rate: x w gain m / sqrt(inputs) + m b, where m is `lr_multiplier`.

    Weights start at N(0, 1) / m, so m changes how fast the layer learns and not what it starts from.

    Attributes:
      features: outputs.
      use_bias: whether a bias is added.
      bias_init: where the stored bias starts; it counts m times.
      lr_multiplier: m; StyleGAN's mapping network has 0.01.
      gain: of the weights.
    """

    features: int
    use_bias: bool = True
    bias_init: float = 0.0
    lr_multiplier: float = 1.0
    gain: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[..., inputs] -> [..., features]; computes in the type of `x`, parameters are float32."""
        init = nn.initializers.normal(1 / self.lr_multiplier)
        kernel = self.param("kernel", init, (x.shape[-1], self.features))
        x = x @ (kernel * (self.gain * self.lr_multiplier / math.sqrt(x.shape[-1]))).astype(x.dtype)
        if self.use_bias:
            bias = self.param("bias", nn.initializers.constant(self.bias_init), (self.features,))
            x = x + (bias * self.lr_multiplier).astype(x.dtype)
        return x


class EqualizedConv(nn.Module):
    """Convolution of odd size with an equalised learning rate: its weights are w gain / sqrt(inputs * size^2).

    Attributes:
      features: output channels.
      size: side of the kernel, odd.
      down: halves the image, which is filtered by `taps` before.
      use_bias: whether a bias is added.
      gain: of the weights.
      taps: of the filter that `down` needs.
    """

    features: int
    size: int = 3
    down: bool = False
    use_bias: bool = True
    gain: float = 1.0
    taps: tuple[float, ...] = fir.BINOMIAL

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[n, h, w, c] -> [n, h, w, features], with `down` [n, h // 2, w // 2, features], in the type of `x`."""
        shape = (self.size, self.size, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.normal(1.0), shape)
        fir.odd_side(kernel)
        kernel = (kernel * (self.gain / math.sqrt(math.prod(shape[:3])))).astype(x.dtype)
        if self.down:
            x = fir.down_conv(x, kernel, self.taps)
        else:
            x = forms.conv(x, kernel)
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
            x = x + bias.astype(x.dtype)
        return x
