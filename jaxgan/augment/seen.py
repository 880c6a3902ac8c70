"""What a critic sees of examples: with noise, in packs, with labels exchanged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.augment.base import Augmentation


def packed(x: jax.Array, degree: int) -> jax.Array:
    """[n, ..., c] -> [n / degree, ..., degree * c]: neighbours joined along the last axis."""
    if degree == 1:
        return x
    grouped = jnp.moveaxis(x.reshape(-1, degree, *x.shape[1:]), 1, -2)
    return grouped.reshape(*grouped.shape[:-2], degree * x.shape[-1])


def noisy(x: jax.Array, sigma: jax.Array, example_keys: jax.Array) -> jax.Array:
    """Adds Gaussian noise of standard deviation `sigma`, drawn with each example's own key."""
    noise = jax.vmap(lambda key: jax.random.normal(key, x.shape[1:], x.dtype))(example_keys)
    return x + sigma * noise


def instance_noise(sigma: Callable[[jax.Array], jax.Array]) -> Augmentation:
    """Gaussian noise on all that the critic sees, of standard deviation sigma(step).

    References:
      Arjovsky, Bottou (2017), Towards principled methods for training GANs, section 3.
      Sonderby et al. (2017), Amortised MAP inference for image super-resolution, section 3.1.1.
    """
    return Augmentation(lambda memory, x, keys, step: noisy(x, sigma(step), keys))


def flipped(
    real: jax.Array, fake: jax.Array, probability: Any, example_keys: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Exchanges the logits of some examples' real and fake.

    Args:
      real: logits of the reals, [n] or [n, k].
      fake: logits of the fakes, of the same shape.
      probability: with which an example is exchanged.
      example_keys: one key for each example, [n].

    Returns:
      The logits of reals and of fakes as they are after that.
    """
    flip = jax.vmap(lambda key: jax.random.bernoulli(key, probability))(example_keys)
    flip = flip.reshape(-1, *(1,) * (real.ndim - 1))
    return jnp.where(flip, fake, real), jnp.where(flip, real, fake)
