"""Noise in feature maps: added, with a strength that is learned, or dropout."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.common.checks import check_range


class NoiseInjection(nn.Module):
    """x + strength * noise, one noise for all channels of a pixel; the strength, a number, starts at 0.

    With keys, one an example, every example gets fresh noise, drawn by its own key. Without, all get the same
    noise, which is drawn once, when variables are made, and kept in collection "noise".

    References:
      Karras et al. (2020), Analyzing and improving the image quality of StyleGAN, section 2.
    """

    @nn.compact
    def __call__(self, x: jax.Array, keys: jax.Array | None = None) -> jax.Array:
        """[n, h, w, c] (and keys [n]) -> [n, h, w, c], of the type of `x`."""
        strength = self.param("strength", nn.initializers.zeros_init(), ())
        shape = (*x.shape[1:-1], 1)
        draw = lambda: jax.random.normal(self.make_rng("params"), shape)
        kept = self.variable("noise", "fixed", draw) if keys is None or self.is_initializing() else None
        fresh = lambda key: jax.random.normal(key, shape, jnp.float32)
        noise = kept.value if keys is None and kept is not None else jax.vmap(fresh)(keys)
        return x + (strength * noise).astype(x.dtype)


def dropout(x: jax.Array, keys: jax.Array | None, rate: float = 0.5) -> jax.Array:
    """Every number becomes 0 with probability `rate`, and is divided by 1 - rate otherwise.

    Args:
      x: [n, ...].
      keys: one an example, [n], which alone decides what it loses; None leaves `x` as it is.
      rate: in [0, 1).

    Raises:
      ValueError: for a rate out of range.

    References:
      Srivastava et al. (2014), Dropout: a simple way to prevent neural networks from overfitting, section 4.
    """
    check_range("rate", rate, at_least=0, below=1)
    if keys is None:
        return x
    kept = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - rate, x.shape[1:]))(keys)
    return jnp.where(kept, x / (1 - rate), 0).astype(x.dtype)
