"""Self-attention over the pixels of a feature map."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.common.checks import check_range
from jaxgan.common.numerics import at_least_float32
from jaxgan.models.layers.basics import Initializer
from jaxgan.models.layers.conv import Conv
from jaxgan.models.layers.norm import maybe_spectral


class SelfAttention(nn.Module):
    """x + gamma * attention(x), where gamma is one number that starts at 0.

    Queries and keys have an eighth of the channels and values half of them, all by 1x1 convolutions without bias.
    As in the authors' code, which the paper does not say, keys and values are max-pooled over 2x2 pixels; the
    products of queries and keys are not divided by the root of their size. The softmax is taken in float32 at least.

    Attributes:
      spectral_norm: whether the four convolutions are spectrally normalised.
      kernel_init: initialiser of the four.

    References:
      Zhang et al. (2019), Self-attention generative adversarial networks, eqs. 1 to 3.
    """

    spectral_norm: bool = False
    kernel_init: Initializer = nn.initializers.orthogonal()

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """[n, h, w, c] -> [n, h, w, c], in the type of `x`; parameters are float32.

        Raises:
          ValueError: for less than 8 channels.
        """
        n, h, w, c = x.shape
        check_range("channels", c, at_least=8, unit="channels for attention")

        def conv(features: int, name: str, x: jax.Array) -> jax.Array:
            init = self.kernel_init
            layer = Conv(features, 1, use_bias=False, kernel_init=init, dtype=x.dtype, name=name)
            return maybe_spectral(layer, self.spectral_norm, x, train)

        query = conv(c // 8, "query", x).reshape(n, h * w, -1)
        key = _max_pooled(conv(c // 8, "key", x))
        value = _max_pooled(conv(c // 2, "value", x))
        logits = at_least_float32(jnp.einsum("nqc,nkc->nqk", query, key))
        share = jax.nn.softmax(logits, axis=-1).astype(x.dtype)
        attended = jnp.einsum("nqk,nkc->nqc", share, value).reshape(n, h, w, -1)
        gamma = self.param("gamma", nn.initializers.zeros_init(), ())
        return x + gamma.astype(x.dtype) * conv(c, "out", attended)


def _max_pooled(x: jax.Array) -> jax.Array:
    """The largest of every 2x2 pixels, in rows: [n, h, w, c] -> [n, h // 2 * w // 2, c]."""
    n, h, w, c = x.shape
    cells = x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c)
    return cells.max(axis=(2, 4)).reshape(n, -1, c)
