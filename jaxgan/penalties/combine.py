"""Penalties made of penalties: applied now and then, or with a weight that changes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgan.common.errors import InputError, lookup
from jaxgan.penalties.base import Critic, Penalty, is_number

ArrayLike = jax.typing.ArrayLike
Schedule = Callable[[ArrayLike], ArrayLike]


def lazy(penalty: Penalty, every: int) -> Penalty:
    """Applies `penalty` in one of `every` discriminator updates, `every` times as strongly.

    The expected gradient stays the same and the cost falls. The first update is one that applies
    it. (StyleGAN2 runs its lazy penalty as an update of its own and shortens Adam's averages for
    the additional updates; here the term joins the adversarial loss, so nothing is added.) Updates
    that are skipped do not change the state of what is skipped. The generator's term, if there is
    one, is applied in every update of the generator, as it is.

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

    def apply(
        state: Any, critic: Critic, real: jax.Array, fake: jax.Array, key: jax.Array, **latents: Any
    ) -> tuple[jax.Array, Any]:
        def due(inner: Any) -> tuple[jax.Array, Any]:
            values, inner = penalty.apply(inner, critic, real, fake, key, **latents)
            return every * values, inner

        def skipped(inner: Any) -> tuple[jax.Array, Any]:
            return jnp.zeros_like(due_shape[0]), inner

        due_shape = jax.eval_shape(due, state["inner"])
        values, inner = jax.lax.cond(state["count"] % every == 0, due, skipped, state["inner"])
        return values, {"count": state["count"] + 1, "inner": inner}

    return penalty._replace(init=_counted(penalty), apply=apply)


def scheduled(penalty: Penalty, schedule: Schedule, images_per_update: int) -> Penalty:
    """Multiplies the values of `penalty` by schedule(images seen by the discriminator before).

    It counts the updates in which it is applied, so `scheduled(lazy(p, 4), schedule, n)` equals
    `lazy(scheduled(p, schedule, 4 * n), 4)`. The generator's term, if there is one, is left as it
    is: it has no count.

    Args:
      penalty: what to multiply.
      schedule: images seen (float32 scalar) -> factor; see `weight_schedule`.
      images_per_update: real images that one update shows.

    Raises:
      ValueError: if `images_per_update` is less than 1.
    """
    if is_number(images_per_update) and images_per_update < 1:
        raise InputError(f"images_per_update: expected at least 1 image, got {images_per_update}")

    def apply(
        state: Any, critic: Critic, real: jax.Array, fake: jax.Array, key: jax.Array, **latents: Any
    ) -> tuple[jax.Array, Any]:
        values, inner = penalty.apply(state["inner"], critic, real, fake, key, **latents)
        # In float32: as an int32 the number of images would overflow.
        factor = schedule(state["count"].astype(jnp.float32) * images_per_update)
        return values * jnp.asarray(factor, values.dtype), {"count": state["count"] + 1, "inner": inner}

    return penalty._replace(init=_counted(penalty), apply=apply)


def _counted(penalty: Penalty) -> Callable[[], Any]:
    return lambda: {"count": jnp.zeros((), jnp.int32), "inner": penalty.init()}


# Over [0, 1] and not over images, whose number may be too large for optax's int32.
_SHAPES: dict[str, Schedule] = {
    "constant": optax.constant_schedule(1.0),
    "linear": optax.linear_schedule(1.0, 0.0, 1),
    "cosine": optax.cosine_decay_schedule(1.0, 1),
}


def weight_schedule(kind: str, start: float, end: float, images: int) -> Schedule:
    """A factor as a function of images seen: from `start` to `end` over `images`, then `end`.

    Args:
      kind: "constant" (always `start`), "linear", "cosine" (half a cosine, flat at both ends), or
        "exponential" (a straight line in the logarithm; both ends positive).
      start: the factor before the first image.
      end: the factor after `images` and for ever; larger or smaller than `start`.
      images: how many images the way takes.

    Returns:
      The schedule, for `scheduled`.

    Raises:
      ValueError: for an unknown kind, fewer than 1 image, or an exponential with an end at or below 0.
    """
    if images < 1:
        raise InputError(f"images: expected at least 1, got {images}")
    if kind == "exponential":
        if not start > 0 or not end > 0:
            raise InputError(f"end: expected positive ends of an exponential schedule, got {start} and {end}")
        log = weight_schedule("linear", math.log(start), math.log(end), images)
        return lambda seen: jnp.exp(log(seen))
    shape = lookup("schedule", kind, _SHAPES)
    return lambda seen: end + (start - end) * shape(jnp.asarray(seen, jnp.float32) / float(images))
