"""A penalty on the size of the critic's logits, which a Wasserstein loss leaves free to drift."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxgan.common.numerics import at_least_float32
from jaxgan.penalties.base import Penalty, Scene, stateless


def drift() -> Penalty:
    """D(x)^2 on reals, summed over the logits of an example; the paper's weight is 0.001.

    References:
      Karras et al. (2018), Progressive growing of GANs, appendix A.1.
    """

    def values(scene: Scene, keys: jax.Array) -> jax.Array:
        logits = at_least_float32(scene.critic(scene.reals))
        return jnp.square(logits).reshape(logits.shape[0], -1).sum(1)

    return Penalty(stateless(values))
