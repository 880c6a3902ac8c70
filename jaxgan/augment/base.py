"""What an augmentation of a critic's examples is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax


class Augmentation(NamedTuple):
    """A change of all that a critic sees: of reals and of fakes alike, whoever's turn it is.

    Attributes:
      see: (memory, x, keys, step) -> x of the same shape and type. There is one key an example, [n]; the
        keys differ between reals and fakes and between turns. Gradients flow through it to the fakes.
      init: () -> memory, arrays only; () if nothing is remembered.
      learn: (memory, real_logits, fake_logits) -> memory, after every update of the critic, from the logits of
        what it saw, less the threshold of the loss: the sign says what the critic takes an example for. None
        where the memory never changes.
      mix: (memory, reals, fakes, keys, step) -> what the critic is shown as reals, before it is changed by `see`.
        The fakes are others than those beside the reals, of the same labels. None shows the reals.
    """

    see: Callable[[Any, jax.Array, jax.Array, jax.Array], jax.Array]
    init: Callable[[], Any] = lambda: ()
    learn: Callable[[Any, jax.Array, jax.Array], Any] | None = None
    mix: Callable[[Any, jax.Array, jax.Array, jax.Array, jax.Array], jax.Array] | None = None
