"""Penalties on the critic's gradient in its inputs.

They differ in two things only: the points at which the gradient is taken, and what a gradient costs. The approximate
ones take a finite difference in its place, and so no second derivative.
A gradient belongs to one example, which a critic with batch normalisation breaks; k logits of one
example are summed.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgan.common import keys
from jaxgan.common.checks import check_range
from jaxgan.common.numerics import at_least_float32, safe_root
from jaxgan.penalties.base import Critic, Penalty, Plain, Scene, example_keys, stateless

Points = Callable[[Scene, jax.Array], tuple[jax.Array, Critic]]
Cost = Callable[[jax.Array], jax.Array]


def _penalty(points: Points, cost: Cost) -> Penalty:
    """`cost` (of gradients [batch, size], one value each) at `points` (of the scene, and keys)."""

    def values(scene: Scene, keys: jax.Array) -> jax.Array:
        x, critic = points(scene, keys)
        gradient = jax.grad(lambda inputs: at_least_float32(critic(inputs)).sum())(x)
        return cost(at_least_float32(gradient).reshape(scene.reals.shape[0], -1))

    return Penalty(stateless(values))


def _real(scene: Scene, key: jax.Array) -> tuple[jax.Array, Critic]:
    return _before(scene.plain_reals, scene.reals, scene.critic)


def _fake(scene: Scene, key: jax.Array) -> tuple[jax.Array, Critic]:
    return _before(scene.plain_fakes, scene.fakes, scene.critic)


def _before(plain: Plain | None, seen: jax.Array, critic: Critic) -> tuple[jax.Array, Critic]:
    """Examples before they are augmented, and the critic of those."""
    if plain is None:
        return seen, critic
    x, see = plain
    return x, lambda inputs: critic(see(inputs))


def _interpolates(scene: Scene, key: jax.Array) -> tuple[jax.Array, Critic]:
    """e x + (1 - e) G(z), with one e ~ U[0, 1] an example."""
    real, fake = scene.reals, scene.fakes
    share = _share(keys.per_example(key, real.shape[0]), real)
    return fake + share * (real - fake), scene.critic


def _share(example_keys: jax.Array, x: jax.Array) -> jax.Array:
    """U[0, 1], one number an example of `x`, broadcastable to it."""
    share = jax.vmap(jax.random.uniform)(example_keys)
    return share.reshape((x.shape[0],) + (1,) * (x.ndim - 1))


def _squared(gradient: jax.Array) -> jax.Array:
    return jnp.square(gradient).sum(1)


def _half_squared(gradient: jax.Array) -> jax.Array:
    return 0.5 * _squared(gradient)


def _distance_to(target: float, one_sided: bool, order: float) -> Cost:
    check_range("target", target, at_least=0)
    check_range("order", order, at_least=1, unit="(math.inf included)")

    def cost(gradient: jax.Array) -> jax.Array:
        excess = _norm(gradient, order) - target
        return jnp.square(jax.nn.relu(excess) if one_sided else excess)

    return cost


def _norm(x: jax.Array, order: float) -> jax.Array:
    """The p-norm of each row. Its gradient is 0 at 0, and shared by entries that tie for the largest."""
    if order == 2:
        return safe_root(_squared(x))
    size = jnp.abs(x)
    if order == 1:
        return size.sum(1)
    if order == math.inf:
        return size.max(1)
    # Divided by the largest entry, so that no power overflows; as a constant, for it cancels.
    largest = jax.lax.stop_gradient(size.max(1))
    scale = jnp.where(largest > 0, largest, 1.0)
    return scale * safe_root(jnp.power(size / scale[:, None], order).sum(1), order)


def gradient_penalty(*, target: float = 1.0, one_sided: bool = False, order: float = 2.0) -> Penalty:
    """WGAN-GP: (||grad D(x')|| - target)^2 at random points between reals and fakes.

    x' = e x + (1 - e) G(z) with one e ~ U[0, 1] an example. The paper's weight is 10.

    Args:
      target: the norm that costs nothing; 0 gives the zero-centred penalty on interpolates.
      one_sided: only norms above `target` cost (WGAN-LP).
      order: p of the norm in which the *gradient* is measured, any p >= 1 or `math.inf`. It is the
        dual of the norm that measures distances of inputs: a critic whose gradients have p-norm at
        most 1 is 1-Lipschitz for the q-norm with 1/p + 1/q = 1. So a Banach Wasserstein GAN on
        L^q takes order = q / (q - 1): inf for L^1, 1 for L^inf. Norms are plain sums over
        coordinates, not averages.

    Raises:
      ValueError: if `target` is negative or `order` below 1.

    References:
      Gulrajani et al. (2017), Improved training of Wasserstein GANs, eq. 3.
      Petzka, Fischer, Lukovnikov (2018), On the regularization of Wasserstein GANs (one-sided).
      Adler, Lunz (2018), Banach Wasserstein GAN, section 3 (dual norms).
    """
    return _penalty(_interpolates, _distance_to(target, one_sided, order))


def lipschitz_penalty(*, target: float = 1.0, order: float = 2.0) -> Penalty:
    """WGAN-LP: max(0, ||grad D(x')|| - target)^2, that is `gradient_penalty(one_sided=True)`.

    A 1-Lipschitz critic may have smaller gradients anywhere; only larger ones cost.

    Args:
      target: the largest norm that costs nothing.
      order: of the norm, as in `gradient_penalty`.

    Raises:
      ValueError: if `target` is negative or `order` below 1.

    References:
      Petzka, Fischer, Lukovnikov (2018), On the regularization of Wasserstein GANs.
    """
    return gradient_penalty(target=target, one_sided=True, order=order)


def zero_centered() -> Penalty:
    """0-GP: ||grad D(x')||^2 at random points between reals and fakes; no factor 1/2.

    The points are those of `gradient_penalty`; the gradient is that of the logit.

    References:
      Thanh-Tung, Tran, Venkatesh (2019), Improving generalization and stability of GANs.
    """
    return _penalty(_interpolates, _squared)


def dragan(*, target: float = 1.0, scale: float = 0.5) -> Penalty:
    """DRAGAN: (||grad D(x')|| - target)^2 at random points around reals.

    As in the authors' code, x' = x + e scale s u: u ~ U[0, 1) is drawn for every coordinate, so noise
    is never negative; e ~ U[0, 1) is one number an example; and s is the standard deviation (biased) of
    all numbers in the batch of reals, one for the whole batch. (The paper writes Gaussian noise.) The paper's weight
    is 10.

    Args:
      target: the norm that costs nothing.
      scale: size of the perturbation, in standard deviations.

    Raises:
      ValueError: if `target` or `scale` is negative.

    References:
      Kodali, Abernethy, Hays, Kira (2017), On convergence and stability of GANs.
    """
    check_range("scale", scale, at_least=0)

    def around_reals(scene: Scene, key: jax.Array) -> tuple[jax.Array, Critic]:
        real, draw = scene.reals, jax.random.uniform
        n = real.shape[0]
        noise = jax.vmap(lambda k: draw(k, real.shape[1:], real.dtype))(example_keys(key, n, 0))
        std = jnp.sqrt(scene.mean(jnp.square(real - scene.mean(real.mean())).mean()))
        return real + _share(example_keys(key, n, 1), real) * scale * std * noise, scene.critic

    return _penalty(around_reals, _distance_to(target, one_sided=False, order=2.0))


def r1() -> Penalty:
    """1/2 ||grad D(x)||^2 on reals: with weight gamma, the gamma/2 of the papers.

    StyleGAN2, R3GAN and Mescheder et al. write gamma/2; where a library leaves the 1/2 out, its
    weight is half of ours. The gradient is that in the reals as the data have them: where the critic sees
    them augmented, it is taken through the augmentation, as ADA, DiffAugment and R3GAN do.

    References:
      Mescheder, Geiger, Nowozin (2018), Which training methods for GANs do actually converge?, eq. 9.
    """
    return _penalty(_real, _half_squared)


def r2() -> Penalty:
    """1/2 ||grad D(G(z))||^2 on fakes: with weight gamma, the gamma/2 of the papers, as `r1`.

    References:
      Mescheder, Geiger, Nowozin (2018), Which training methods for GANs do actually converge?, eq. 10.
    """
    return _penalty(_fake, _half_squared)


def r1_approximate(*, sigma: float = 0.01) -> Penalty:
    """1/2 (D(x + sigma n) - D(x))^2 / sigma^2 on reals, n ~ N(0, I): `r1` without a second derivative.

    Its mean over n goes to 1/2 ||grad D(x)||^2 with sigma to 0; one n an example is drawn in each update. So the weight
    is that of `r1`, gamma. (Lin et al. leave out the 1/2 and the sigma^2: their 100 at sigma 0.01 is gamma 0.02.) In
    low precision the difference of logits is rounded, and sigma must be larger: they have 0.1 for videos.

    Args:
      sigma: standard deviation of the noise in each coordinate.

    Raises:
      ValueError: unless sigma is positive.

    References:
      Lin et al. (2025), Diffusion adversarial post-training for one-step video generation, section 3.
      Hyun et al. (2025), Scalable GANs with transformers (on reals and fakes).
    """
    return _approximate(_real, lambda scene: scene.reals, sigma)


def r2_approximate(*, sigma: float = 0.01) -> Penalty:
    """1/2 (D(G(z) + sigma n) - D(G(z)))^2 / sigma^2 on fakes: `r2` without a second derivative, as `r1_approximate`.

    Args:
      sigma: standard deviation of the noise in each coordinate.

    Raises:
      ValueError: unless sigma is positive.

    References:
      Hyun et al. (2025), Scalable GANs with transformers.
    """
    return _approximate(_fake, lambda scene: scene.fakes, sigma)


def _approximate(points: Points, seen: Callable[[Scene], jax.Array], sigma: float) -> Penalty:
    check_range("sigma", sigma, above=0)

    def values(scene: Scene, keys: jax.Array) -> jax.Array:
        x, critic = points(scene, keys)
        logits = lambda found: at_least_float32(found).reshape(scene.reals.shape[0], -1).sum(1)
        draws = example_keys(keys, scene.reals.shape[0], 0)
        shape = (x.size // len(draws),)
        noise = jax.vmap(lambda key: jax.random.normal(key, shape, x.dtype))(draws).reshape(x.shape)
        before = logits(scene.critic(seen(scene)))
        return 0.5 * jnp.square((logits(critic(x + sigma * noise)) - before) / sigma)

    return Penalty(stateless(values))
