"""Regularisers of the discriminator, in the manner of optax: pairs (init, apply).

`init() -> state` and `apply(state, critic, real, fake, key) -> (values, state)`. `critic` maps a
batch of inputs to logits, `real` and `fake` are batches of inputs, `values` holds one number an
example, [batch]; the caller takes the mean and multiplies by the penalty's weight. A stateless
penalty's state is (). Gradients are those of the critic with respect to its inputs; they belong
to one example each, which a critic with batch normalisation breaks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgan import keys
from jaxgan.errors import InputError, lookup
from jaxgan.precision import at_least_float32

Array = jax.Array
Critic = Callable[[Array], Array]


class Penalty(NamedTuple):
    """A regulariser: `init() -> state`, `apply(state, critic, real, fake, key) -> (values, state)`."""

    init: Callable[[], Any]
    apply: Callable[[Any, Critic, Array, Array, Array], tuple[Array, Any]]


def _stateless(values: Callable[[Critic, Array, Array, Array], Array]) -> Penalty:
    def apply(state: Any, critic: Critic, real: Array, fake: Array, key: Array) -> tuple[Array, Any]:
        return values(critic, real, fake, key), state

    return Penalty(lambda: (), apply)


def _squared_gradient_norm(critic: Critic, x: Array) -> Array:
    """||d critic(x_i) / d x_i||^2 for every example i: [batch]; k logits of one example are summed."""
    gradient = jax.grad(lambda inputs: at_least_float32(critic(inputs)).sum())(x)
    return jnp.square(at_least_float32(gradient).reshape(x.shape[0], -1)).sum(1)


def _safe_sqrt(x: Array) -> Array:
    """sqrt with gradient 0 at 0, where that of jnp.sqrt is infinite and poisons whole batches."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def gradient_penalty(*, target: float = 1.0, one_sided: bool = False) -> Penalty:
    """WGAN-GP: (||grad D(x')|| - target)^2 at random points between reals and fakes.

    x' = e x + (1 - e) G(z) with one e ~ U[0, 1] an example. The paper's weight is 10.

    Args:
      target: the norm that costs nothing; 0 gives the zero-centred penalty on interpolates.
      one_sided: only norms above `target` cost (WGAN-LP).

    Raises:
      ValueError: if `target` is negative.

    References:
      Gulrajani et al. (2017), Improved training of Wasserstein GANs, eq. 3.
      Petzka, Fischer, Lukovnikov (2018), On the regularization of Wasserstein GANs (one-sided).
    """
    if isinstance(target, float | int) and target < 0:
        raise InputError(f"target: expected a gradient norm >= 0, got {target}")

    def values(critic: Critic, real: Array, fake: Array, key: Array) -> Array:
        n = real.shape[0]
        share = jax.vmap(jax.random.uniform)(keys.per_example(key, n))
        share = share.reshape((n,) + (1,) * (real.ndim - 1))
        norm = _safe_sqrt(_squared_gradient_norm(critic, fake + share * (real - fake)))
        excess = norm - target
        return jnp.square(jax.nn.relu(excess) if one_sided else excess)

    return _stateless(values)


def r1() -> Penalty:
    """1/2 ||grad D(x)||^2 on reals: with weight gamma, the gamma/2 of the papers.

    StyleGAN2, R3GAN and Mescheder et al. write gamma/2; where a library leaves the 1/2 out, its
    weight is half of ours.

    References:
      Mescheder, Geiger, Nowozin (2018), Which training methods for GANs do actually converge?, eq. 9.
    """
    return _stateless(lambda critic, real, fake, key: 0.5 * _squared_gradient_norm(critic, real))


def r2() -> Penalty:
    """1/2 ||grad D(G(z))||^2 on fakes: with weight gamma, the gamma/2 of the papers, as `r1`.

    References:
      Mescheder, Geiger, Nowozin (2018), Which training methods for GANs do actually converge?, eq. 10.
    """
    return _stateless(lambda critic, real, fake, key: 0.5 * _squared_gradient_norm(critic, fake))


def lazy(penalty: Penalty, every: int) -> Penalty:
    """Applies `penalty` in one of `every` discriminator updates, `every` times as strongly.

    The expected gradient stays the same and the cost falls. The first update is one that applies
    it. (StyleGAN2 runs its lazy penalty as an update of its own and shortens Adam's averages for
    the additional updates; here the term joins the adversarial loss, so nothing is added.)

    Args:
      penalty: what to apply.
      every: interval in discriminator updates; 1 returns `penalty` itself.

    Raises:
      ValueError: if `every` is less than 1.

    References:
      Karras et al. (2020), Analyzing and improving the image quality of StyleGAN, section 3.1.
    """
    if every < 1:
        raise InputError(f"every: expected an interval of at least 1 update, got {every}")
    if every == 1:
        return penalty

    def init() -> Any:
        return {"count": jnp.zeros((), jnp.int32), "inner": penalty.init()}

    def apply(state: Any, critic: Critic, real: Array, fake: Array, key: Array) -> tuple[Array, Any]:
        def due(inner: Any) -> tuple[Array, Any]:
            values, inner = penalty.apply(inner, critic, real, fake, key)
            return every * values, inner

        def skipped(inner: Any) -> tuple[Array, Any]:
            return jnp.zeros_like(due_shape[0]), inner

        due_shape = jax.eval_shape(due, state["inner"])
        values, inner = jax.lax.cond(state["count"] % every == 0, due, skipped, state["inner"])
        return values, {"count": state["count"] + 1, "inner": inner}

    return Penalty(init, apply)


PENALTIES: dict[str, Callable[..., Penalty]] = {
    "gradient_penalty": gradient_penalty,
    "r1": r1,
    "r2": r2,
}


def get_penalty(name: str, **options: Any) -> Penalty:
    """The penalty called `name`, built with `options`.

    Raises:
      ValueError: if there is no such penalty, or an option's value is out of range.
      TypeError: if the penalty has no such option.
    """
    return lookup("penalty", name, PENALTIES)(**options)
