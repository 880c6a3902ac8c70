"""Games from a file of the user's own, FILE.py:NAME."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax

from jaxgan.common.errors import InputError
from jaxgan.common.user_files import call, load_object
from jaxgan.games.game import Game


def load_game(name: str) -> Callable[[Mapping[str, jax.ShapeDtypeStruct], Any], Game]:
    """Loads the game FILE.py:NAME as a function of (batch, config).

    Args:
      name: the file and a name in it: that of a function (batch, config) -> `Game`. The batch says
        by name which arrays a step will have, with shapes and types; the configuration is the run's, whose groups
        build what the game needs, such as config.g_optimizer.build(config.steps).

    Raises:
      InputError: if there is no such file or name, if running the file fails, or for another kind. The function raises
        it for whatever the user's function raises, and if that returns something else.
    """
    function = load_object("game", name, fits=callable)
    if not callable(function):
        raise InputError(
            f"game: expected {name!r} to be a function (batch, config) -> jaxgan.Game, got {function!r}"
        )

    def build(batch: Mapping[str, jax.ShapeDtypeStruct], config: Any) -> Game:
        try:
            game = call("game", name, function, (batch, config), {}, "(batch, config)")
        except InputError as error:
            if isinstance(error.__cause__, KeyError):
                raise InputError(f"{error}; the batch has {', '.join(batch)}") from error.__cause__
            raise
        if not isinstance(game, Game):
            raise InputError(f"game: expected {name!r} to return a jaxgan.Game, got {type(game).__name__}")
        return game

    return build
