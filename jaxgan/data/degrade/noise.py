"""Denoising: noise is added to images."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError, lookup
from jaxgan.data.degrade.base import Degradation, between, level_of

_LEAST = 0.01  # of Poisson noise: photons are counted by 32 bits
Noise = Callable[[jax.Array, jax.Array, jax.Array | float], jax.Array]


def denoise(*, noise: str = "gaussian", level: float = 25.0, level_to: float = 0.0) -> Degradation:
    """Noise is added.

    Args:
      noise: "gaussian", of standard deviation `level` / 255 of the range; "poisson", of that at white, and less in the
        dark; "salt-and-pepper", which turns `level` % of the pixels black or white, all channels together.
      level: how much.
      level_to: if it is larger, every image has a level of its own, uniform from `level` to this.
    """
    add = lookup("noise", noise, NOISES)
    most = 100 if noise == "salt-and-pepper" else 1000
    check_range("level", level, at_least=0, at_most=most)
    check_range("level_to", level_to, at_least=0, at_most=most)
    if noise == "poisson" and level < _LEAST:
        raise InputError(f"level: expected at least {_LEAST} of poisson noise, got {level:g}")

    def apply(key: jax.Array, image: jax.Array) -> jax.Array:
        amount, own = jax.random.split(key)
        return add(own, image, level_of(amount, level, level_to))

    unit = " %" if noise == "salt-and-pepper" else " / 255"
    return Degradation("denoise", f"{noise} noise of {between(level, level_to, unit)}", apply)


def _gaussian(key: jax.Array, image: jax.Array, level: jax.Array | float) -> jax.Array:
    return image + 2 * level / 255 * jax.random.normal(key, image.shape)


def _poisson(key: jax.Array, image: jax.Array, level: jax.Array | float) -> jax.Array:
    """Of so many photons at white that their spread there is the level; what is darker than black sends none."""
    photons = jnp.square(255 / level)
    counted = jax.random.poisson(key, photons * jnp.maximum(image + 1, 0) / 2, image.shape)
    return 2 * counted / photons - 1


def _salt_and_pepper(key: jax.Array, image: jax.Array, level: jax.Array | float) -> jax.Array:
    chance = jax.random.uniform(key, (*image.shape[:2], 1))
    share = level / 100
    return jnp.where(chance < share / 2, -1.0, jnp.where(chance < share, 1.0, image))


NOISES: dict[str, Noise] = {
    "gaussian": _gaussian,
    "poisson": _poisson,
    "salt-and-pepper": _salt_and_pepper,
}
"""Name -> (key, image in [-1, 1], level) -> image with noise."""
