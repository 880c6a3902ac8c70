"""Path length regularisation: equal steps in latents are to make equal steps in examples."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.common.errors import InputError
from jaxgan.common.numerics import at_least_float32, is_number
from jaxgan.penalties.base import Penalty, Scene, Term, example_keys


def path_length(*, decay: float = 0.01) -> Penalty:
    """(||J^T y|| - a)^2 with J the Jacobian of the generator in z, y random, and a the average of ||J^T y||.

    A term of the generator. y is standard normal, divided by the root of the number of pixels (of all axes
    but the last). a is a moving average over updates, this one included, and starts at 0; gradients flow through
    this update's share of it, as in the authors' code. The paper's weight is 2, applied in one of four
    updates, on half of the examples, in w and not z.

    Args:
      decay: share of this update's mean in the average.

    Raises:
      ValueError: if `decay` is not in (0, 1].

    References:
      Karras et al. (2020), Analyzing and improving the image quality of StyleGAN, section 3.2.
    """
    if is_number(decay) and not 0 < decay <= 1:
        raise InputError(f"decay: expected 0 < decay <= 1, got {decay}")

    def value(average: Any, scene: Scene, keys: jax.Array) -> tuple[jax.Array, Any]:
        shape = scene.fakes.shape[1:]
        pixels = scene.fakes[0].size // shape[-1]
        draw = jax.vmap(lambda key: jax.random.normal(key, shape))
        directions = draw(example_keys(keys, scene.fakes.shape[0], 0)) / pixels**0.5
        slopes = jax.grad(lambda z: (at_least_float32(scene.generate(z)) * directions).sum())(scene.latents)
        squared = jnp.square(at_least_float32(slopes)).sum(1)
        positive = squared > 0  # at 0 the root has no derivative
        lengths = jnp.where(positive, jnp.sqrt(jnp.where(positive, squared, 1.0)), 0.0)
        average = average + decay * (scene.mean(lengths.mean()) - average)
        return jnp.square(lengths - average), jax.lax.stop_gradient(average)

    return Penalty(generator=Term(lambda: jnp.zeros((), jnp.float32), value, needs_latents=True))
