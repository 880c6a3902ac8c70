"""A network trained before as a player of a game: no turn moves it, and checkpoints hold its weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax


class Frozen(nn.Module):
    """A pure function of variables that training leaves as they are: they are the collection "frozen".

    Attributes:
      look: (variables, images [n, h, w, c] in [-1, 1]) -> arrays [n, ...].
      read: gives the variables, in NumPy; not called where only shapes are asked for.
      shapes: gives their shapes and types.
    """

    look: Callable[[Any, jax.Array], Any]
    read: Callable[[], Any]
    shapes: Callable[[], Any]

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> Any:
        """What the network gives for images."""
        start = lambda: jax.pure_callback(self.read, self.shapes())
        return self.look(self.variable("frozen", "network", start).value, x)

    def prepare(self) -> None:
        """Gets the weights. Raises InputError if they cannot be had, or are others."""
        self.read()
