"""Consistency: the critic should not see what an augmentation, or a small step in latents, changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.errors import InputError
from jaxgan.penalties.base import Critic, Penalty, Regenerate, example_keys, is_number, stateless
from jaxgan.precision import at_least_float32

Array = jax.Array
Augment = Callable[[Array, Array], Array]


def flip_and_shift(keys: Array, x: Array) -> Array:
    """The default augmentation of the consistency penalties; every example is drawn by its own key.

    Images [n, h, w, c] are mirrored left to right half of the time and moved by whole pixels, along
    each axis uniformly by up to 1/8 of its side (rounded down) either way; what comes in from
    outside is reflected at the border pixel, which is not repeated. To anything else noise from
    N(0, 0.05^2) is added.

    Args:
      keys: one for each example, [n].
      x: examples.

    Returns:
      Examples of the same shape and type.
    """
    if x.ndim != 4:
        return x + 0.05 * jax.vmap(lambda key: jax.random.normal(key, x.shape[1:], x.dtype))(keys)

    def moved(key: Array, image: Array) -> Array:
        row_key, column_key, flip_key = jax.random.split(key, 3)
        rows = _shifted_indices(row_key, image.shape[0])
        columns = _shifted_indices(column_key, image.shape[1])
        columns = jnp.where(jax.random.bernoulli(flip_key), image.shape[1] - 1 - columns, columns)
        return image[rows[:, None], columns]

    return jax.vmap(moved)(keys, x)


def _shifted_indices(key: Array, size: int) -> Array:
    shift = jax.random.randint(key, (), -(size // 8), size // 8 + 1)
    inside = jnp.abs(jnp.arange(size) + shift)
    return size - 1 - jnp.abs(size - 1 - inside)


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

    def values(critic: Critic, real: Array, fake: Array, key: Array) -> Array:
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

    def neighbours(regenerate: Regenerate, n: int, latent_dim: int, key: Array) -> Array:
        draw = lambda key: jax.random.normal(key, (latent_dim,))
        return regenerate(radius * jax.vmap(draw)(example_keys(key, n, 0)))

    def apply(
        state: Any,
        critic: Critic,
        real: Array,
        fake: Array,
        key: Array,
        *,
        regenerate: Regenerate,
        latent_dim: int,
    ) -> tuple[Array, Any]:
        others = jax.lax.stop_gradient(neighbours(regenerate, fake.shape[0], latent_dim, key))
        return discriminator_weight * _squared_distance(critic(fake), critic(others)), state

    def generator(critic: Critic, fake: Array, regenerate: Regenerate, latent_dim: int, key: Array) -> Array:
        others = neighbours(regenerate, fake.shape[0], latent_dim, key)
        return -generator_weight * _squared_distance(fake, others) / (fake.size // fake.shape[0])

    return Penalty(lambda: (), apply, generator, needs_latents=True)


def _inconsistency(critic: Critic, augment: Augment, x: Array, key: Array, stream: int) -> Array:
    return _squared_distance(critic(x), critic(augment(example_keys(key, x.shape[0], stream), x)))


def _squared_distance(a: Array, b: Array) -> Array:
    """||a_i - b_i||^2 for every example i: [batch]."""
    difference = at_least_float32(a) - at_least_float32(b)
    return jnp.square(difference).reshape(a.shape[0], -1).sum(1)


def _check_weights(**weights: float) -> None:
    for name, value in weights.items():
        if is_number(value) and not value >= 0:
            raise InputError(f"{name}: expected a number >= 0, got {value}")
