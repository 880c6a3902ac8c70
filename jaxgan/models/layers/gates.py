"""Gates: feature maps that are multiplied by numbers between 0 and 1, which other features decide."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.common.errors import InputError
from jaxgan.models.layers.basics import Initializer, dcgan_init
from jaxgan.models.layers.norm import maybe_spectral


def glu(x: jax.Array) -> jax.Array:
    """Gated linear unit: the first half of the channels times the sigmoid of the second, [..., 2c] -> [..., c].

    Raises:
      ValueError: for an odd number of channels.

    References:
      Dauphin et al. (2017), Language modeling with gated convolutional networks, eq. 1.
    """
    if x.shape[-1] % 2:
        raise InputError(f"channels: expected an even number for gates, got {x.shape[-1]}")
    value, gate = jnp.split(x, 2, axis=-1)
    return value * nn.sigmoid(gate)


class SkipLayerExcitation(nn.Module):
    """`x` times a gate for each channel, which a smaller (or larger) feature map of the same example decides.

    That map is averaged to 4x4 pixels, each the mean of those that it covers or touches; a 4x4 convolution, swish, a
    1x1 convolution and a sigmoid, without biases, make one number a channel of it.

    Attributes:
      spectral_norm: whether the two convolutions are spectrally normalised.
      kernel_init: initialiser of the two.

    References:
      Liu et al. (2021), Towards faster and stabilized GAN training for high-fidelity few-shot image synthesis, eq. 1.
    """

    spectral_norm: bool = True
    kernel_init: Initializer = dcgan_init

    @nn.compact
    def __call__(self, x: jax.Array, other: jax.Array, train: bool) -> jax.Array:
        """[n, h, w, c] and [n, p, q, k] -> [n, h, w, c], in the type of `x`; parameters are float32."""

        def conv(size: int, name: str, y: jax.Array) -> jax.Array:
            layer = nn.Conv(
                x.shape[-1],
                (size, size),
                padding="VALID",
                use_bias=False,
                kernel_init=self.kernel_init,
                dtype=x.dtype,
                name=name,
            )
            return maybe_spectral(layer, self.spectral_norm, y, train)

        pooled = _four_means(_four_means(other, 1), 2)
        return x * nn.sigmoid(conv(1, "gate", nn.silu(conv(4, "squeeze", pooled))))


def _four_means(x: jax.Array, axis: int) -> jax.Array:
    """Means of four shares of an axis, which overlap by one if its size is no multiple of 4."""
    size = x.shape[axis]
    starts_and_ends = [(i * size // 4, -(-(i + 1) * size // 4)) for i in range(4)]
    parts = [jax.lax.slice_in_dim(x, start, end, axis=axis) for start, end in starts_and_ends]
    return jnp.stack([part.mean(axis) for part in parts], axis)
