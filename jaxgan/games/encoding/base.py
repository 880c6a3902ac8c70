"""What games with an encoder share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Encoding(NamedTuple):
    """How a game turns examples to latents: whoever rebuilds examples, or scores anomalies, goes by it.

    Attributes:
      player: that encodes: its average, if it has one, is applied as (x, train=False) -> answer.
      code: answer -> latents [n, dim] that the game's output takes.
    """

    player: str
    code: Callable[[Any], jax.Array] = lambda answer: answer


def halves(answer: Any) -> tuple[jax.Array, jax.Array]:
    """Mean and log-variance [n, dim] of an encoder's answer: a pair, or both side by side [n, 2 dim].

    The log-variance is kept in [-15, 15], softly at neither end: beyond it there is no gradient to follow.
    """
    mean, log_variance = answer if isinstance(answer, tuple | list) else jnp.split(answer, 2, -1)
    return mean, jnp.clip(log_variance, -15.0, 15.0)


def mean_of(answer: Any) -> jax.Array:
    """The mean [n, dim] of an encoder's answer, as of `halves`."""
    return halves(answer)[0]


def divergence(mean: jax.Array, log_variance: jax.Array) -> jax.Array:
    """KL divergence of N(mean, exp(log_variance)) from the standard normal, [n], in nats.

    References:
      Kingma, Welling (2014), Auto-encoding variational Bayes, appendix B.
    """
    return 0.5 * (jnp.exp(log_variance) + jnp.square(mean) - 1 - log_variance).sum(-1)


def drawn(keys: jax.Array, mean: jax.Array, log_variance: jax.Array) -> jax.Array:
    """One draw of N(mean, exp(log_variance)) for each key, [n, dim]."""
    noise = jax.vmap(lambda key: jax.random.normal(key, mean.shape[1:]))(keys)
    return mean + jnp.exp(log_variance / 2) * noise
