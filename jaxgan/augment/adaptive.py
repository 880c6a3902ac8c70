"""Augmentation as strong as the critic's overfitting asks for."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.augment.base import Augmentation
from jaxgan.augment.shifts import Augment, flip_and_shift
from jaxgan.common.errors import InputError
from jaxgan.common.numerics import at_least_float32, is_number


def adaptive(
    augment: Augment = flip_and_shift,
    *,
    target: float = 0.6,
    images: float = 500_000,
    interval: int = 4,
    start: float = 0.0,
) -> Augmentation:
    """ADA's control: every example is augmented with a probability p that the critic's certainty steers.

    After every `interval` updates, p rises if the mean sign of the critic's logits on reals, r_t, was above
    `target` in them, and falls otherwise; it stays in [0, 1]. p = 0 leaves examples exactly as they are. (The
    authors' pipeline of 18 transformations draws for each of them with probability p; here `augment` is
    applied as a whole.)

    Args:
      augment: (keys [n], x) -> x of the same shape, drawing for example i by key i.
      target: of r_t, in (-1, 1).
      images: real images (or packs, where the critic judges packs) seen while p goes all the way from 0 to 1; the
        authors' is 500,000.
      interval: updates of the critic between two changes of p; the authors' is 4.
      start: p before the first update.

    Returns:
      The augmentation. Its memory holds "p", and "signs" and "updates" since p changed last.

    Raises:
      ValueError: for numbers out of range.

    References:
      Karras et al. (2020), Training generative adversarial networks with limited data, section 3.
    """
    if is_number(target) and not -1 < target < 1:
        raise InputError(f"target: expected a mean sign in (-1, 1), got {target}")
    if is_number(images) and not 0 < images < math.inf:
        raise InputError(f"images: expected a finite number > 0, got {images}")
    if not 1 <= interval < math.inf:
        raise InputError(f"interval: expected at least 1 update, got {interval}")
    if is_number(start) and not 0 <= start <= 1:
        raise InputError(f"start: expected a probability in [0, 1], got {start}")

    def init() -> Any:
        zero = jnp.zeros((), jnp.float32)
        return {"p": jnp.asarray(start, jnp.float32), "signs": zero, "updates": jnp.zeros((), jnp.int32)}

    def see(memory: Any, x: jax.Array, keys: jax.Array, step: jax.Array) -> jax.Array:
        own = jax.vmap(jax.random.split)(keys)
        chosen = jax.vmap(lambda key: jax.random.bernoulli(key, memory["p"]))(own[:, 0])
        return jnp.where(chosen.reshape(-1, *(1,) * (x.ndim - 1)), augment(own[:, 1], x), x)

    def learn(memory: Any, real_logits: jax.Array, fake_logits: jax.Array) -> Any:
        sign = jnp.sign(at_least_float32(real_logits))
        signs, updates = memory["signs"] + sign.mean(), memory["updates"] + 1
        due = updates >= interval
        way = jnp.sign(signs / updates - target) * interval * real_logits.shape[0] / images
        p = jnp.where(due, jnp.clip(memory["p"] + way, 0, 1), memory["p"])
        keep = lambda value: jnp.where(due, jnp.zeros_like(value), value)
        return {"p": p, "signs": keep(signs), "updates": keep(updates)}

    return Augmentation(see, init, learn)
