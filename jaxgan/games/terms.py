"""Terms of a turn: weighted, added up and reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax

from jaxgan.common.errors import InputError
from jaxgan.games.view import View
from jaxgan.penalties import Scene, Term


def starts(turn: str, terms: Mapping[str, tuple[Any, Term]]) -> dict[str, Callable[[], Any]]:
    """What the terms of a turn remember at the start: for `Game.memory`."""
    return {f"{turn}/{name}": term.init for name, (_, term) in terms.items()}


def weighed(
    view: View, loss: jax.Array, terms: Mapping[str, tuple[Any, Term]], scene: Scene, pack: int = 1
) -> jax.Array:
    """`loss` plus the weighted means of the terms, which are reported unweighted under their names.

    Args:
      view: the turn; the terms' memories are `view.memory["<turn>/<name>"]`, as of `starts`.
      loss: what they are added to.
      terms: name -> (weight, term).
      scene: what they look at.
      pack: examples of the turn that make one of the scene.
    """
    for name, (weight, term) in terms.items():
        slot = f"{view.name}/{name}"
        values, view.memory[slot] = term.value(view.memory[slot], scene, view.keys(slot)[::pack])
        if values.ndim != 1:
            raise InputError(
                f"{slot}: expected one value an example, [batch], got shape {list(values.shape)}"
            )
        loss += weight * view.log(name, values.mean())
    return loss
