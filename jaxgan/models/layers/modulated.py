"""Convolutions whose input channels a style scales, and whose outputs are brought back to unit variance."""

from __future__ import annotations

import math
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.common.numerics import at_least_float32
from jaxgan.models.layers import fir
from jaxgan.models.layers.equalized import EqualizedDense
from jaxgan.models.layers.fast import forms


def demodulation(kernel: jax.Array, style: jax.Array, epsilon: float = 1e-8) -> jax.Array:
    """1 / sqrt(sum of (style * kernel)^2 + epsilon) over all that reaches an output: [h, w, c, o], [n, c] -> [n, o].

    Times this, the modulated kernel of every example and output channel has square sum 1 (eq. 3 of
    Karras et al. 2020). It is computed in float32 at least.
    """
    squares = jnp.square(at_least_float32(kernel)).sum(axis=(0, 1))
    sums = jnp.matmul(jnp.square(at_least_float32(style)), squares, precision="highest")
    return lax.rsqrt(sums + epsilon)


def modulated_conv(
    x: jax.Array,
    kernel: jax.Array,
    style: jax.Array,
    *,
    demodulate: bool = True,
    up: bool = False,
    taps: Sequence[float] = fir.BINOMIAL,
    margin: int = 0,
    epsilon: float = 1e-8,
) -> jax.Array:
    """Convolution with a kernel of each example's own: w'[i, j, c, o] = style[c] w[i, j, c, o], demodulated.

    The style scales the input and the demodulation the output, which is the same as to scale the kernels, and
    one convolution does for the whole batch. It computes in the type of `x`.

    Args:
      x: [n, h, w, c].
      kernel: [k, k, c, o], k odd.
      style: [n, c].
      demodulate: whether every output channel is divided by the root of the square sum of its w'.
      up: twice the size, by `fir.up_conv`.
      taps: of its filter.
      margin: how many pixels the image grows on all sides, by zeros around it.
      epsilon: added to the square sum.

    Returns:
      [n, h, w, o], or [n, 2h, 2w, o], for images of the size h, w with their margins.

    References:
      Karras et al. (2020), Analyzing and improving the image quality of StyleGAN, eqs. 1 and 3.
    """
    around = (margin, margin)
    y = jnp.pad(x * style[:, None, None].astype(x.dtype), ((0, 0), around, around, (0, 0)))
    w = kernel.astype(x.dtype)
    fir.odd_side(w)
    if up:
        y = fir.up_conv(y, w, taps)
    else:
        y = forms.conv(y, w)
    if demodulate:
        y = y * demodulation(kernel, style, epsilon)[:, None, None].astype(x.dtype)
    return y


class ModulatedConv(nn.Module):
    """A modulated convolution with the affine layer "affine" that makes styles of w, and without bias.

    Kernels start at N(0, 1) and, without demodulation (as in StyleGAN2's layers to RGB), styles are divided by the
    root of the fan-in; demodulation would take such a factor out again. Styles start at 1 on average.

    Attributes:
      features: output channels.
      size: side of the kernel, odd.
      demodulate: whether outputs are brought to unit variance.
      up: whether the image is enlarged to twice its size.
      taps: of the filter that `up` needs.

    References:
      Karras et al. (2020), Analyzing and improving the image quality of StyleGAN, section 2 and appendix B.
    """

    features: int
    size: int = 3
    demodulate: bool = True
    up: bool = False
    taps: tuple[float, ...] = fir.BINOMIAL

    @nn.compact
    def __call__(self, x: jax.Array, w: jax.Array) -> jax.Array:
        """[n, h, w, c] and w [n, latent] -> [n, h, w, features], of twice the size with `up`.

        It computes in the type of `x`; parameters and styles are float32.
        """
        shape = (self.size, self.size, x.shape[-1], self.features)
        style = EqualizedDense(x.shape[-1], bias_init=1.0, name="affine")(at_least_float32(w))
        if not self.demodulate:
            style = style / math.sqrt(math.prod(shape[:3]))
        kernel = self.param("kernel", nn.initializers.normal(1.0), shape)
        return modulated_conv(x, kernel, style, demodulate=self.demodulate, up=self.up, taps=self.taps)
