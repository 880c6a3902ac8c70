"""Consistency: the critic should not see what an augmentation, or a small step in latents, changes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.augment.shifts import Augment, flip_and_shift
from jaxgan.common.errors import InputError
from jaxgan.common.numerics import at_least_float32
from jaxgan.penalties.base import Critic, Penalty, Regenerate, example_keys, is_number, stateless


def consistency(*, augment: Augment = flip_and_shift) -> Penalty:
    """CR: ||D(x) - D(T(x))||^2 on reals, T a random augmentation; summed over k logits.

    Gradients flow through both branches, as in the paper, neither of which is a fixed target. The
    paper's weight is 10.

    Args:
      augment: T, (keys [n], x) -> x, drawing for example i by key i.

    References:
      Zhang, Zhang, Odena, Lee (2020), Consistency regularization for GANs, algorithm 1.
    """
    return stateless(lambda critic, real, fake, key: _inconsistency(critic, augment, real, key, 0))


def balanced_consistency(
    *, real_weight: float = 1.0, fake_weight: float = 1.0, augment: Augment = flip_and_shift
) -> Penalty:
    """bCR: ||D(x) - D(T(x))||^2 on reals plus the same on fakes; summed over k logits.

    Gradients flow through both branches, as in `consistency`. Reals and fakes are augmented
    independently. The paper's weights are 10 and 10: a penalty of weight 10 with the defaults.

    Args:
      real_weight: of the reals' term.
      fake_weight: of the fakes' term.
      augment: T, (keys [n], x) -> x, drawing for example i by key i.

    Raises:
      ValueError: if a weight is negative.

    References:
      Zhao et al. (2021), Improved consistency regularization for GANs, algorithm 1.
    """
    _check_weights(real_weight=real_weight, fake_weight=fake_weight)

    def values(critic: Critic, real: jax.Array, fake: jax.Array, key: jax.Array) -> jax.Array:
        of_reals = _inconsistency(critic, augment, real, key, 0)
        return real_weight * of_reals + fake_weight * _inconsistency(critic, augment, fake, key, 1)

    return stateless(values)


def latent_consistency(
    *, radius: float = 0.03, discriminator_weight: float = 5.0, generator_weight: float = 0.5
) -> Penalty:
    """zCR: D should not tell G(z + dz) from G(z), and G should make them different.

    With dz ~ N(0, radius^2 I), the discriminator's term is discriminator_weight times
    ||D(G(z)) - D(G(z + dz))||^2 (summed over k logits, gradients through both branches), the
    generator's is -generator_weight times the squared difference of G(z + dz) and G(z), averaged
    over coordinates. The two terms have weights of their own, so the penalty's is 1. dz is added
    to z itself, so a latent on a sphere leaves it. With `balanced_consistency` it makes ICR, for
    which StudioGAN takes 0.05, 20 and 0.5 on CIFAR-10.

    Args:
      radius: standard deviation of the step in latents.
      discriminator_weight: lambda_dis.
      generator_weight: lambda_gen.

    Raises:
      ValueError: if `radius` or a weight is negative.

    References:
      Zhao et al. (2021), Improved consistency regularization for GANs, algorithm 2.
    """
    _check_weights(
        radius=radius, discriminator_weight=discriminator_weight, generator_weight=generator_weight
    )

    def neighbours(regenerate: Regenerate, n: int, latent_dim: int, key: jax.Array) -> jax.Array:
        draw = lambda key: jax.random.normal(key, (latent_dim,))
        return regenerate(radius * jax.vmap(draw)(example_keys(key, n, 0)))

    def apply(
        state: Any,
        critic: Critic,
        real: jax.Array,
        fake: jax.Array,
        key: jax.Array,
        *,
        regenerate: Regenerate,
        latent_dim: int,
    ) -> tuple[jax.Array, Any]:
        others = jax.lax.stop_gradient(neighbours(regenerate, fake.shape[0], latent_dim, key))
        return discriminator_weight * _squared_distance(critic(fake), critic(others)), state

    def generator(
        critic: Critic, fake: jax.Array, regenerate: Regenerate, latent_dim: int, key: jax.Array
    ) -> jax.Array:
        others = neighbours(regenerate, fake.shape[0], latent_dim, key)
        return -generator_weight * _squared_distance(fake, others) / (fake.size // fake.shape[0])

    return Penalty(lambda: (), apply, generator, needs_latents=True)


def _inconsistency(critic: Critic, augment: Augment, x: jax.Array, key: jax.Array, stream: int) -> jax.Array:
    return _squared_distance(critic(x), critic(augment(example_keys(key, x.shape[0], stream), x)))


def _squared_distance(a: jax.Array, b: jax.Array) -> jax.Array:
    """||a_i - b_i||^2 for every example i: [batch]."""
    difference = at_least_float32(a) - at_least_float32(b)
    return jnp.square(difference).reshape(a.shape[0], -1).sum(1)


def _check_weights(**weights: float) -> None:
    for name, value in weights.items():
        if is_number(value) and not value >= 0:
            raise InputError(f"{name}: expected a number >= 0, got {value}")
