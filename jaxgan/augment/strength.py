"""How strongly is augmented: a probability p that is fixed, follows the run, or is steered by the critic."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgan.augment.base import Augmentation
from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.numerics import at_least_float32, is_number


class Strength(NamedTuple):
    """The probability p with which something is done to an example.

    Attributes:
      value: (memory, step) -> p.
      init: () -> memory, as of `Augmentation`.
      learn: (memory, real_logits, fake_logits) -> memory, as of `Augmentation`.
    """

    value: Callable[[Any, jax.Array], jax.Array]
    init: Callable[[], Any] = lambda: ()
    learn: Callable[[Any, jax.Array, jax.Array], Any] | None = None

    def of(self, change: Callable[[jax.Array, jax.Array, jax.Array], jax.Array]) -> Augmentation:
        """The augmentation that applies (p, keys, x) -> x with this p."""
        see = lambda memory, x, keys, step: change(self.value(memory, step), keys, x)
        return Augmentation(see, self.init, self.learn)


def rising(p: float, steps: float) -> Strength:
    """p along half a cosine: from 0 to `p` in `steps` steps, and `p` from then on; in no steps, always `p`.

    Raises:
      ValueError: if a number is negative.
    """
    check_range("p", p, at_least=0)
    check_range("steps", steps, at_least=0)

    def value(memory: Any, step: jax.Array) -> jax.Array:
        done = jnp.clip(jnp.asarray(step, jnp.float32) / steps, 0, 1) if steps else jnp.ones(())
        return p * (1 - jnp.cos(jnp.pi * done)) / 2

    return Strength(value)


def steered(
    *,
    target: float = 0.6,
    images: float = 500_000,
    interval: int = 4,
    start: float = 0.0,
    most: float = math.inf,
) -> Strength:
    """ADA's control: p rises while the critic is surer of the reals than `target`, and falls otherwise.

    After every `interval` updates p changes by a step, up if the mean sign of the critic's logits on reals, r_t, was
    above `target` in them. It never falls below 0.

    Args:
      target: of r_t, in (-1, 1).
      images: real images (or packs, where the critic judges packs) seen while p goes all the way from 0 to 1; the
        authors' is 500,000.
      interval: updates of the critic between two changes of p; the authors' is 4.
      start: p before the first update.
      most: the largest p; the authors have none.

    Returns:
      The strength. Its memory holds "p", and "signs" and "updates" since p changed last.

    Raises:
      ValueError: for numbers out of range.

    References:
      Karras et al. (2020), Training generative adversarial networks with limited data, section 3.
    """
    check_range("target", target, above=-1, below=1)
    check_range("images", images, above=0, below=math.inf)
    check_range("interval", interval, at_least=1, below=math.inf)
    if is_number(start) and not (0 <= start <= most and start < math.inf):
        most_said = "a strength >= 0" if most == math.inf else f"a probability in [0, {most:g}]"
        raise InputError(f"start: expected {most_said}, got {start}")

    def init() -> Any:
        zero = jnp.zeros((), jnp.float32)
        return {"p": jnp.asarray(start, jnp.float32), "signs": zero, "updates": jnp.zeros((), jnp.int32)}

    def learn(memory: Any, real_logits: jax.Array, fake_logits: jax.Array) -> Any:
        sign = jnp.sign(at_least_float32(real_logits))
        signs, updates = memory["signs"] + sign.mean(), memory["updates"] + 1
        due = updates >= interval
        way = jnp.sign(signs / updates - target) * interval * real_logits.shape[0] / images
        p = jnp.where(due, jnp.clip(memory["p"] + way, 0, most), memory["p"])
        keep = lambda value: jnp.where(due, jnp.zeros_like(value), value)
        return {"p": p, "signs": keep(signs), "updates": keep(updates)}

    return Strength(lambda memory, step: memory["p"], init, learn)
