"""What a penalty is, and the pieces that several of them share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from jaxgan.common import keys
from jaxgan.common.numerics import is_number

Critic = Callable[[jax.Array], jax.Array]
Regenerate = Callable[[jax.Array], jax.Array]

__all__ = ["Critic", "Penalty", "Regenerate", "example_keys", "is_number", "stateless"]


class Penalty(NamedTuple):
    """A regulariser: a term of the discriminator's loss, and of the generator's where it has one.

    All terms are one value an example, [batch], in at least float32; the caller takes their mean and
    multiplies it by the penalty's weight. `critic` maps a batch of inputs to logits, [batch] or
    [batch, k]; `key` is one key or a key for each example.

    Attributes:
      init: () -> state, arrays only; () if nothing is remembered.
      apply: (state, critic, real, fake, key) -> (values, state), the discriminator's term. If
        `needs_latents`, it is called with two keywords more:
        `regenerate`, noise [batch, latent_dim] -> G(z + noise) for the very z (and labels, and
        weights) that `fake` came from; and `latent_dim`, the size of z. What `regenerate` returns
        is a constant here: nothing is learned by the generator.
      generator: None, or (critic, fake, regenerate, latent_dim, key) -> values, added with the same
        weight to the generator's loss. It must be differentiated in the generator's parameters
        through both `fake` and `regenerate`; it has no state.
      needs_latents: whether `apply` takes `regenerate` and `latent_dim`.
    """

    init: Callable[[], Any]
    apply: Callable[..., tuple[jax.Array, Any]]
    generator: Callable[[Critic, jax.Array, Regenerate, int, jax.Array], jax.Array] | None = None
    needs_latents: bool = False


def stateless(values: Callable[[Critic, jax.Array, jax.Array, jax.Array], jax.Array]) -> Penalty:
    """The penalty of a function (critic, real, fake, key) -> values."""

    def apply(
        state: Any, critic: Critic, real: jax.Array, fake: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, Any]:
        return values(critic, real, fake, key), state

    return Penalty(lambda: (), apply)


def example_keys(key: jax.Array, n: int, stream: int) -> jax.Array:
    """A key for each of `n` examples, [n], independent between streams."""
    return jax.vmap(jax.random.fold_in, (0, None))(keys.per_example(key, n), stream)
