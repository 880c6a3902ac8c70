"""A direction in which a game translates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax


class Translation(NamedTuple):
    """What a game makes for people out of examples: those of one kind from those of another.

    Attributes:
      player: whose average is asked: a module (x, train) -> y.
      source: name of the array in the batch that is translated.
      target: name of the array that the answer is like.
      make: (the network as a function x -> y, a batch) -> translated examples [n, ...].
      conditional: whether the network is told the labels of the batch.
    """

    player: str
    source: str
    target: str
    make: Callable[[Callable[..., Any], Mapping[str, jax.Array]], jax.Array]
    conditional: bool = False
