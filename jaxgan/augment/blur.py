"""Blur of all that a critic sees, which is to fade early in a run."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.augment.base import Augmentation
from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError


def blurred(x: jax.Array, sigma: jax.Array, reach: int) -> jax.Array:
    """Images [n, h, w, c] under a filter with taps 2^-(k / sigma)^2 for |k| <= min(3 sigma, reach), zeros around.

    Below a sigma of 1/3 there is one tap, and images stay as they are.
    """
    k = jnp.arange(-reach, reach + 1)
    sigma = jnp.maximum(jnp.asarray(sigma, x.dtype), 1e-6)
    taps = jnp.where(jnp.abs(k) <= 3 * sigma, jnp.exp2(-jnp.square(k / sigma)), 0.0).astype(x.dtype)
    taps = taps / taps.sum()
    n, h, w, c = x.shape
    single = jnp.moveaxis(x, 3, 1).reshape(n * c, h, w, 1)
    for shape in ((-1, 1, 1, 1), (1, -1, 1, 1)):
        single = lax.conv_general_dilated(
            single,
            taps.reshape(shape),
            (1, 1),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            precision="highest",
        )
    return jnp.moveaxis(single.reshape(n, c, h, w), 1, 3)


def fading_blur(sigma: Callable[[jax.Array], jax.Array], most: float) -> Augmentation:
    """Blur by a filter with taps 2^-(k / sigma)^2, of sigma(step) pixels, 0 at some time.

    It keeps a critic from looking at details first, where a generator without noise is easily told from reals.

    Args:
      sigma: step -> where taps have fallen to half; a Gaussian's standard deviation is 0.85 times that.
      most: the largest sigma that there is.

    Raises:
      ValueError: if `most` is not positive.

    References:
      Karras et al. (2021), Alias-free generative adversarial networks, appendix F.
    """
    check_range("most", most, above=0)
    reach = math.floor(3 * most)

    def see(memory: object, x: jax.Array, keys: jax.Array, step: jax.Array) -> jax.Array:
        if x.ndim != 4:
            raise InputError(f"blur: expected images [n, h, w, c], got examples of shape {x.shape[1:]}")
        now = sigma(step)
        return lax.cond(now > 1 / 3, lambda x: blurred(x, now, reach), lambda x: x, x)

    return Augmentation(see)
