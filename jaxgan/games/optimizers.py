"""Optimisers, and what goes around them to keep a player's weights in shape.

All are optax transformations, pure and without randomness.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError

ArrayLike = jax.typing.ArrayLike
PyTree = Any
Rate = optax.ScalarOrSchedule
OutputAxis = Callable[[tuple[str, ...], jax.Array], int | None]


def adam(
    learning_rate: Rate, b1: float = 0.9, b2: Rate = 0.999, eps: float = 1e-8
) -> optax.GradientTransformation:
    """Adam: `optax.adam`, eps outside the root.

    Where b2 is a schedule, its value at an update weighs the average of the squares and corrects it, as when that
    number of PyTorch's Adam is changed between updates.

    References:
      Kingma, Ba (2015), Adam: a method for stochastic optimization, algorithm 1.
    """
    return optax.chain(_moments(b1, b2, eps), optax.scale_by_learning_rate(learning_rate))


def _moments(b1: float, b2: Rate, eps: float) -> optax.GradientTransformation:
    if not callable(b2):
        return optax.scale_by_adam(b1, b2, eps)
    at = lambda count: optax.scale_by_adam(b1, b2(count), eps)  # pyright: ignore
    update: Any = lambda updates, state, params=None: at(state.count).update(updates, state, params)
    return optax.GradientTransformation(at(0).init, update)


def optimistic_adam(
    learning_rate: Rate, b1: float = 0.9, b2: Rate = 0.999, eps: float = 1e-8
) -> optax.GradientTransformation:
    """Adam that steps against 2 r_t - r_(t-1), where Adam steps against r_t.

    r_t is Adam's corrected first moment over the root of its second. On a saddle point, where
    gradient descent-ascent circles, this ends in the middle. The first step is Adam's own. (It is put
    together from optax's parts without Nesterov's look-ahead, which optax's own `optimistic_adam`
    adds, and so takes schedules.)

    References:
      Daskalakis et al. (2018), Training GANs with optimism, algorithm 1.
    """
    return optax.chain(
        _moments(b1, b2, eps),
        optax.scale_by_optimistic_gradient(alpha=1.0, beta=1.0),
        optax.scale_by_learning_rate(learning_rate),
    )


def sgd(
    learning_rate: Rate, b1: float = 0.0, b2: float = 0.0, eps: float = 0.0
) -> optax.GradientTransformation:
    """Gradient descent with heavy-ball momentum b1: m <- b1 m + g. `b2` and `eps` have no use here."""
    return optax.sgd(learning_rate, momentum=b1 or None)


def rmsprop(
    learning_rate: Rate, b1: float = 0.0, b2: float = 0.9, eps: float = 1e-8
) -> optax.GradientTransformation:
    """RMSProp: g over (the root of an average of g^2 with decay b2, plus eps), heavy-ball momentum b1.

    The average starts from 0 and is not corrected, so the first steps are long. What WGAN with clipped
    weights was trained with, at learning rate 5e-5 and b1 = 0.

    References:
      Arjovsky, Chintala, Bottou (2017), Wasserstein GAN, algorithm 1.
    """
    return optax.rmsprop(learning_rate, decay=b2, eps=eps, eps_in_sqrt=False, momentum=b1 or None)


def restarted(optimizer: optax.GradientTransformation, at: Sequence[int]) -> optax.GradientTransformation:
    """Forgets all that `optimizer` remembers before each of the updates with the numbers `at`, the first being 0.

    So Adam's correction of its averages begins anew, and parameters that stood still until then make no long steps;
    schedules begin anew as well.

    References:
      Karras et al. (2018), Progressive growing of GANs (in the authors' code, whenever a size is added).
    """

    def init(params: PyTree) -> PyTree:
        return {"count": jnp.zeros((), jnp.int32), "inner": optimizer.init(params)}

    def update(updates: PyTree, state: Any, params: PyTree | None = None) -> tuple[PyTree, Any]:
        fresh = (state["count"] == jnp.asarray(at, jnp.int32)).any()
        inner = jax.lax.cond(
            fresh,
            lambda _: optimizer.init(params),  # pyright: ignore
            lambda inner: inner,
            state["inner"],
        )
        updates, inner = optimizer.update(updates, inner, params)
        return updates, {"count": state["count"] + 1, "inner": inner}

    return optax.GradientTransformation(init, update)


# Name -> (learning_rate, b1, b2, eps) -> transformation; rates may be schedules or traced scalars, and so may b2 of
# the two Adams.
OPTIMIZERS: dict[str, Callable[..., optax.GradientTransformation]] = {
    "adam": adam,
    "optimistic_adam": optimistic_adam,
    "sgd": sgd,
    "rmsprop": rmsprop,
}


def clip_weights(limit: float) -> optax.GradientTransformation:
    """Keeps every parameter in [-limit, limit]: chain it last, after the learning rate.

    Updates become what leads to the clipped parameters, exactly: rounding does not take a
    parameter past the limit. The paper's limit is 0.01.

    Args:
      limit: largest absolute value of a parameter, as its type has it.

    Raises:
      ValueError: if `limit` is not positive; when updating, if there are no parameters.

    References:
      Arjovsky, Chintala, Bottou (2017), Wasserstein GAN, algorithm 1, line 7.
    """
    check_range("limit", limit, above=0)

    def update(updates: PyTree, state: Any, params: PyTree | None = None) -> tuple[PyTree, Any]:
        if params is None:
            raise InputError("params: clip_weights expected the parameters, got None")
        return jax.tree.map(clipped, updates, params), state

    def clipped(step: jax.Array, value: jax.Array) -> jax.Array:
        bound = jnp.asarray(limit, value.dtype)
        step = jnp.clip(value + step.astype(value.dtype), -bound, bound) - value
        # value + (bound - value) may be rounded to the wrong side of the bound: one float less then.
        arrived = value + step
        fixed = jax.lax.stop_gradient(step)  # nextafter has no derivative
        lower, higher = (jnp.nextafter(fixed, jnp.full_like(step, end)) for end in (-jnp.inf, jnp.inf))
        return jnp.where(arrived > bound, lower, jnp.where(arrived < -bound, higher, step))

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def kernel_output_axis(path: tuple[str, ...], value: jax.Array) -> int | None:
    """The axis of a parameter that counts its outputs: the last one of a leaf called "kernel", or None.

    None for all other leaves, and for kernels of rank 1. Kernels of linear layers are [in, out], those of
    convolutions [height, width, in, out].
    """
    return value.ndim - 1 if path[-1] == "kernel" and value.ndim >= 2 else None


def orthogonal_regularisation(
    weight: float, off_diagonal: bool = True, output_axis: OutputAxis = kernel_output_axis
) -> optax.GradientTransformation:
    """Adds the gradient of weight ||W^T W * (1 - I)||_F^2, summed over kernels, to the gradients.

    Chain it first. W is a kernel as a matrix [everything else, outputs], so that W^T W holds the inner
    products of its filters. The gradient is 4 weight W (W^T W * (1 - I)); implementations that write
    2 weight have half of ours.

    Args:
      weight: BigGAN's is 1e-4.
      off_diagonal: leave the filters' norms alone; otherwise ||W^T W - I||_F^2.
      output_axis: (path of names, parameter) -> the axis of its outputs, or None to leave it alone.

    Raises:
      ValueError: if `weight` is negative; when updating, if there are no parameters.

    References:
      Brock et al. (2017), Neural photo editing with introspective adversarial networks, section 3.3.
      Brock, Donahue, Simonyan (2019), Large scale GAN training, eq. 2 (with the diagonal) and 3.
    """
    check_range("weight", weight, at_least=0)

    def update(updates: PyTree, state: Any, params: PyTree | None = None) -> tuple[PyTree, Any]:
        if params is None:
            raise InputError("params: orthogonal_regularisation expected the parameters, got None")
        return jax.tree_util.tree_map_with_path(regularised, updates, params), state

    def regularised(path: Any, gradient: jax.Array, value: jax.Array) -> jax.Array:
        names = tuple(str(getattr(entry, "key", getattr(entry, "name", entry))) for entry in path)
        axis = output_axis(names, value)
        if axis is None:
            return gradient
        last = jnp.moveaxis(value, axis, -1)
        w = last.reshape(-1, last.shape[-1])
        identity = jnp.eye(w.shape[1], dtype=w.dtype)
        gram = jnp.matmul(w.T, w, precision="highest")
        excess = gram * (1 - identity) if off_diagonal else gram - identity
        slope = 4 * weight * jnp.matmul(w, excess, precision="highest")
        return gradient + jnp.moveaxis(slope.reshape(last.shape), -1, axis).astype(gradient.dtype)

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)
