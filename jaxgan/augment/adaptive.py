"""Augmentation as strong as the critic's overfitting asks for."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxgan.augment.base import Augmentation
from jaxgan.augment.shifts import Augment, flip_and_shift
from jaxgan.augment.strength import steered


def adaptive(
    augment: Augment = flip_and_shift,
    *,
    target: float = 0.6,
    images: float = 500_000,
    interval: int = 4,
    start: float = 0.0,
) -> Augmentation:
    """Every example is augmented with a probability p in [0, 1] that the critic's certainty steers.

    The control is ADA's, `steered`; p = 0 leaves examples exactly as they are. (The authors' own pipeline, which draws
    for each of its transformations with probability p, is `ada`; here `augment` is applied as a whole.)

    Args:
      augment: (keys [n], x) -> x of the same shape, drawing for example i by key i.
      target: of the mean sign of the logits on reals, in (-1, 1).
      images: real images seen while p goes all the way from 0 to 1.
      interval: updates of the critic between two changes of p.
      start: p before the first update.

    Returns:
      The augmentation, with the memory of `steered`.

    Raises:
      ValueError: for numbers out of range.

    References:
      Karras et al. (2020), Training generative adversarial networks with limited data, section 3.
    """

    def change(p: jax.Array, keys: jax.Array, x: jax.Array) -> jax.Array:
        own = jax.vmap(jax.random.split)(keys)
        chosen = jax.vmap(lambda key: jax.random.bernoulli(key, p))(own[:, 0])
        return jnp.where(chosen.reshape(-1, *(1,) * (x.ndim - 1)), augment(own[:, 1], x), x)

    return steered(target=target, images=images, interval=interval, start=start, most=1.0).of(change)


def apa(
    *, target: float = 0.6, images: float = 500_000, interval: int = 4, start: float = 0.0
) -> Augmentation:
    """APA: each real is replaced by a fake with probability p, which ADA's control steers.

    The critic is told that these fakes are real; they are others than those beside them, and no gradient flows
    through them. So are all terms that look at reals, such as R1 (as in the authors' code), and what a critic adds
    itself. Nothing else that it sees is changed.

    Args:
      target: of the mean sign of the logits on what is shown as real, in (-1, 1).
      images: real images seen while p goes all the way from 0 to 1; the authors' is 500,000.
      interval: updates of the critic between two changes of p; the authors' is 4.
      start: p before the first update.

    Returns:
      The augmentation, with the memory of `steered`.

    Raises:
      ValueError: for numbers out of range.

    References:
      Jiang et al. (2021), Deceive D: adaptive pseudo augmentation for GAN training with limited data, section 3.
    """
    p = steered(target=target, images=images, interval=interval, start=start, most=1.0)

    def mix(
        memory: object, reals: jax.Array, fakes: jax.Array, keys: jax.Array, step: jax.Array
    ) -> jax.Array:
        shown = jax.vmap(lambda key: jax.random.bernoulli(key, p.value(memory, step)))(keys)
        return jnp.where(shown.reshape(-1, *(1,) * (reals.ndim - 1)), fakes, reals)

    return Augmentation(lambda memory, x, keys, step: x, p.init, p.learn, mix)
