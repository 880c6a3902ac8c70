"""Path length regularisation: equal steps in latents or styles are to make equal steps in examples."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.numerics import at_least_float32, safe_root
from jaxgan.penalties.base import Penalty, Scene, Term, example_keys


def path_length(*, decay: float = 0.01, shrink: int = 1) -> Penalty:
    """(||J^T y|| - a)^2 with J the Jacobian of the generator, y random, and a the average of ||J^T y||.

    A term of the generator. J is taken in the styles w of a generator that has them, where ||.|| is the root of
    the mean over layers of the square norms and nothing is augmented, and in z otherwise. y is standard normal, divided
    by the root of the number of pixels (of all axes but the last). a is a moving average over updates, this one
    included, and starts at 0; gradients flow through this update's share of it, as in the authors' code. The paper's
    weight is 2, applied in one of four updates, on half of the examples.

    Args:
      decay: share of this update's mean in the average.
      shrink: one of so many examples is looked at, and stands for all of them.

    Raises:
      ValueError: if `decay` is not in (0, 1] or `shrink` below 1; when traced, if it does not divide the batch.

    References:
      Karras et al. (2020), Analyzing and improving the image quality of StyleGAN, section 3.2.
    """
    check_range("decay", decay, above=0, at_most=1)
    check_range("shrink", shrink, at_least=1)

    def value(average: Any, scene: Scene, keys: jax.Array) -> tuple[jax.Array, Any]:
        n, *shape = scene.fakes.shape
        if n % shrink:
            raise InputError(f"shrink: expected a divisor of the {n} examples, got {shrink}")
        latents = scene.latents[::shrink]
        codes, make = (latents, scene.generate) if scene.styles is None else scene.styles(latents)
        draw = jax.vmap(lambda key: jax.random.normal(key, shape))
        directions = draw(example_keys(keys, n, 0)[::shrink]) / math.prod(shape[:-1]) ** 0.5
        slopes = jax.grad(lambda codes: (at_least_float32(make(codes)) * directions).sum())(codes)
        squares = jnp.square(at_least_float32(slopes)).sum(-1)
        lengths = safe_root(squares.reshape(len(codes), -1).mean(1))
        average = average + decay * (scene.mean(lengths.mean()) - average)
        values = jnp.square(lengths - average)
        return jnp.repeat(values, shrink), jax.lax.stop_gradient(average)

    return Penalty(generator=Term(lambda: jnp.zeros((), jnp.float32), value, needs_latents=True))
