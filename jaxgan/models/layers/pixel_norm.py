"""Normalisation of every pixel (or latent) by its own length."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxgan.common.numerics import at_least_float32


def pixel_norm(x: jax.Array, epsilon: float = 1e-8) -> jax.Array:
    """x / sqrt(mean of x^2 over the last axis + epsilon): [..., c] -> [..., c] of the type of `x`.

    The mean square is taken in float32 at least. StyleGAN2 normalises its latents by the same formula.

    References:
      Karras et al. (2018), Progressive growing of GANs, section 4.2.
    """
    values = at_least_float32(x)
    mean_square = jnp.square(values).mean(axis=-1, keepdims=True)
    return (values * jax.lax.rsqrt(mean_square + epsilon)).astype(x.dtype)
