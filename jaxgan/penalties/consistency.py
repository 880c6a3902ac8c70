"""Consistency: the critic should not see what an augmentation, or a small step in latents, changes."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxgan.augment.shifts import Augment, flip_and_shift
from jaxgan.common.checks import check_range
from jaxgan.common.numerics import at_least_float32
from jaxgan.penalties.base import Penalty, Scene, example_keys, stateless


def consistency(*, augment: Augment = flip_and_shift) -> Penalty:
    """CR: ||D(x) - D(T(x))||^2 on reals, T a random augmentation; summed over k logits.

    Gradients flow through both branches, as in the paper, neither of which is a fixed target. The
    paper's weight is 10.

    Args:
      augment: T, (keys [n], x) -> x, drawing for example i by key i.

    References:
      Zhang, Zhang, Odena, Lee (2020), Consistency regularization for GANs, algorithm 1.
    """
    return Penalty(stateless(lambda scene, keys: _inconsistency(scene, augment, scene.reals, keys, 0)))


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

    def values(scene: Scene, keys: jax.Array) -> jax.Array:
        of_reals = _inconsistency(scene, augment, scene.reals, keys, 0)
        return real_weight * of_reals + fake_weight * _inconsistency(scene, augment, scene.fakes, keys, 1)

    return Penalty(stateless(values))


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

    def neighbours(scene: Scene, keys: jax.Array) -> jax.Array:
        n, dim = scene.latents.shape
        steps = jax.vmap(lambda key: jax.random.normal(key, (dim,)))(example_keys(keys, n, 0))
        return scene.generate(scene.latents + radius * steps)

    def discriminator(scene: Scene, keys: jax.Array) -> jax.Array:
        others = neighbours(scene, keys)
        return discriminator_weight * _squared_distance(scene.critic(scene.fakes), scene.critic(others))

    def generator(scene: Scene, keys: jax.Array) -> jax.Array:
        fakes, others = scene.fakes, neighbours(scene, keys)
        return -generator_weight * _squared_distance(fakes, others) / (fakes.size // fakes.shape[0])

    return Penalty(stateless(discriminator, needs_latents=True), stateless(generator, needs_latents=True))


def _inconsistency(scene: Scene, augment: Augment, x: jax.Array, keys: jax.Array, stream: int) -> jax.Array:
    augmented = augment(example_keys(keys, x.shape[0], stream), x)
    return _squared_distance(scene.critic(x), scene.critic(augmented))


def _squared_distance(a: jax.Array, b: jax.Array) -> jax.Array:
    """||a_i - b_i||^2 for every example i: [batch]."""
    difference = at_least_float32(a) - at_least_float32(b)
    return jnp.square(difference).reshape(a.shape[0], -1).sum(1)


def _check_weights(**weights: float) -> None:
    for name, value in weights.items():
        check_range(name, value, at_least=0)
