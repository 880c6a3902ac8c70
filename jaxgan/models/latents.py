"""Priors p(z) that the generator starts from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgan.common import keys
from jaxgan.common.checks import check_range
from jaxgan.common.errors import lookup
from jaxgan.common.numerics import is_number


class Latent(NamedTuple):
    """A prior over vectors of `dim` coordinates, each with mean 0.

    Attributes:
      dim: number of coordinates.
      draw: one key -> one vector [dim], float32. A `Draw`, or any pure function.
    """

    dim: int
    draw: Callable[[jax.Array], jax.Array]

    def sample(self, key: jax.Array, n: int) -> jax.Array:
        """Draws [n, dim]; row i depends on its own key (`keys.per_example`) only."""
        return jax.vmap(self.draw)(keys.per_example(key, n))


@dataclasses.dataclass(frozen=True)
class Draw:
    """Draws one vector: `scale` times what `of` draws of `dim` coordinates. Equal draws share compiled programs."""

    of: Callable[[jax.Array, int], jax.Array]
    dim: int
    scale: float = 1.0

    def __call__(self, key: jax.Array) -> jax.Array:
        """The vector [dim] of a key."""
        z = self.of(key, self.dim)
        return z if self.scale == 1 else self.scale * z


def _latent(of: Callable[[jax.Array, int], jax.Array], dim: int) -> Latent:
    check_range("dim", dim, at_least=1, unit="latent coordinate")
    return Latent(dim, Draw(of, dim))


def _normal(key: jax.Array, dim: int) -> jax.Array:
    return jax.random.normal(key, (dim,), jnp.float32)


def _uniform(key: jax.Array, dim: int) -> jax.Array:
    return jax.random.uniform(key, (dim,), jnp.float32, minval=-1.0, maxval=1.0)


def _sphere(key: jax.Array, dim: int) -> jax.Array:
    z = _normal(key, dim)
    return z * jax.lax.rsqrt(jnp.mean(jnp.square(z)) + 1e-12)


def normal(dim: int) -> Latent:
    """Independent standard normal coordinates. Raises ValueError if `dim` is less than 1."""
    return _latent(_normal, dim)


def uniform(dim: int) -> Latent:
    """Independent coordinates, uniform on [-1, 1). Raises ValueError if `dim` is less than 1.

    References:
      Radford, Metz, Chintala (2016), Unsupervised representation learning with DCGANs, section 4.
    """
    return _latent(_uniform, dim)


def sphere(dim: int) -> Latent:
    """Uniform on the sphere of radius sqrt(dim). Raises ValueError if `dim` is less than 1.

    With that radius each coordinate has variance 1, as with `normal`; ProGAN and StyleGAN scale
    their latents in the same way.

    References:
      White (2016), Sampling generative networks; Karras et al. (2018), Progressive growing of GANs.
    """
    return _latent(_sphere, dim)


def truncated(z: jax.Array, threshold: float | jax.Array) -> jax.Array:
    """Standard normal numbers, moved so that they are distributed as those of them within +- `threshold`.

    The distribution is that of drawing each number anew until it is not beyond the threshold, but each stays a
    monotone function of what it was: equal shares of the distribution lie between it and 0.

    Args:
      z: standard normal numbers, of any shape.
      threshold: at least 0; infinity changes nothing.

    References:
      Brock, Donahue, Simonyan (2019), Large scale GAN training, section 3.1.
    """
    root, z = 2**0.5, jnp.asarray(z)
    kept = jax.lax.erf(jnp.asarray(threshold, z.dtype) / root)
    moved = root * jax.lax.erf_inv(kept * jax.lax.erf(z / root))
    return jnp.where(kept < 1, moved, z)


def slerp(a: jax.Array, b: jax.Array, t: jax.Array) -> jax.Array:
    """Interpolates along the arc from a to b: directions spherically, lengths linearly.

    High-dimensional Gaussian latents lie near a sphere, which a straight line between them would leave.

    Args:
      a: vectors [..., d], at t = 0.
      b: vectors [..., d], at t = 1.
      t: share of the way [..., 1].

    Returns:
      Vectors, of the shape that the arguments broadcast to.

    References:
      White (2016), Sampling generative networks, section 3.1.
    """
    length = lambda v: jnp.sqrt(jnp.square(v).sum(-1, keepdims=True))
    tiny = jnp.finfo(a.dtype).tiny
    a_length, b_length = length(a), length(b)
    a, b = a / jnp.maximum(a_length, tiny), b / jnp.maximum(b_length, tiny)
    cosine = (a * b).sum(-1, keepdims=True)
    across = b - cosine * a
    sine = length(across)
    angle = t * jnp.arctan2(sine, cosine)  # precise also near 0, where arccos is not
    direction = a * jnp.cos(angle) + across / jnp.maximum(sine, tiny) * jnp.sin(angle)
    return (a_length + t * (b_length - a_length)) * direction


LATENTS: dict[str, Callable[[int], Latent]] = {"normal": normal, "uniform": uniform, "sphere": sphere}


def get_latent(name: str, dim: int, scale: float = 1.0) -> Latent:
    """Builds the prior called `name`, of `dim` coordinates multiplied by `scale`.

    Raises:
      ValueError: if there is no such prior, `dim` is below 1 or `scale` not positive.
    """
    latent = lookup("latent", name, LATENTS)(dim)
    check_range("scale", scale, above=0)
    if is_number(scale) and isinstance(latent.draw, Draw):
        return Latent(dim, dataclasses.replace(latent.draw, scale=float(scale)))
    return Latent(dim, lambda key: scale * latent.draw(key))  # traced, or an array
