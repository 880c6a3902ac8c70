"""Penalties made of penalties: applied now and then, or with a weight that changes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError, lookup
from jaxgan.penalties.base import Penalty, Scene, Term, each_term

ArrayLike = jax.typing.ArrayLike
Schedule = Callable[[ArrayLike], ArrayLike]


def lazy(penalty: Penalty, every: int) -> Penalty:
    """Applies `penalty` in one of `every` updates, `every` times as strongly.

    The expected gradient stays the same and the cost falls. The first update is one that applies
    it. Each term counts the updates of its own player. Updates that are skipped do not change the
    memory of what is skipped. (StyleGAN2 runs its lazy penalty as an update of its own and shortens Adam's
    averages for the additional updates: that is a turn with `every`. Here the term joins the
    player's loss, so nothing is added.)

    Args:
      penalty: what to apply.
      every: interval in updates; 1 returns `penalty` itself.

    Raises:
      ValueError: if `every` is less than 1.

    References:
      Karras et al. (2020), Analyzing and improving the image quality of StyleGAN, section 3.1.
    """
    check_range("every", every, at_least=1, unit="update")
    if every == 1:
        return penalty

    def lazily(term: Term) -> Term:
        def value(memory: Any, scene: Scene, keys: jax.Array) -> tuple[jax.Array, Any]:
            def due(inner: Any) -> tuple[jax.Array, Any]:
                values, inner = term.value(inner, scene, keys)
                return every * values, inner

            def skipped(inner: Any) -> tuple[jax.Array, Any]:
                return jnp.zeros_like(shape), inner

            shape = jax.eval_shape(due, memory["inner"])[0]
            values, inner = jax.lax.cond(memory["count"] % every == 0, due, skipped, memory["inner"])
            return values, {"count": memory["count"] + 1, "inner": inner}

        return term._replace(init=_counted(term), value=value)

    return each_term(lazily, penalty)


def scheduled(penalty: Penalty, schedule: Schedule, images_per_update: int) -> Penalty:
    """Multiplies the values of `penalty` by schedule(images seen by the discriminator before).

    Each term counts the updates in which it is applied, so `scheduled(lazy(p, 4), schedule, n)` equals
    `lazy(scheduled(p, schedule, 4 * n), 4)`. A generator's term counts the generator's updates; with
    `images_per_update` of the discriminator and several discriminator updates a step, its schedule runs
    that many times slower.

    Args:
      penalty: what to multiply.
      schedule: images seen (float32 scalar) -> factor; see `weight_schedule`.
      images_per_update: real images that one update shows.

    Raises:
      ValueError: if `images_per_update` is less than 1.
    """
    check_range("images_per_update", images_per_update, at_least=1, unit="image")

    def changing(term: Term) -> Term:
        def value(memory: Any, scene: Scene, keys: jax.Array) -> tuple[jax.Array, Any]:
            values, inner = term.value(memory["inner"], scene, keys)
            # In float32: as an int32 the number of images would overflow.
            factor = schedule(memory["count"].astype(jnp.float32) * images_per_update)
            return values * jnp.asarray(factor, values.dtype), {"count": memory["count"] + 1, "inner": inner}

        return term._replace(init=_counted(term), value=value)

    return each_term(changing, penalty)


def _counted(term: Term) -> Callable[[], Any]:
    return lambda: {"count": jnp.zeros((), jnp.int32), "inner": term.init()}


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
    check_range("images", images, at_least=1)
    if kind == "exponential":
        if not start > 0 or not end > 0:
            raise InputError(f"end: expected positive ends of an exponential schedule, got {start} and {end}")
        log = weight_schedule("linear", math.log(start), math.log(end), images)
        return lambda seen: jnp.exp(log(seen))
    shape = lookup("schedule", kind, _SHAPES)
    return lambda seen: end + (start - end) * shape(jnp.asarray(seen, jnp.float32) / float(images))
