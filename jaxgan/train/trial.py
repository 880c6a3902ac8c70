"""Files of the user's own, tried before a run begins: what is wrong with them is one line that names them."""

from __future__ import annotations

import pathlib
import traceback
from collections.abc import Collection
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.common.errors import InputError
from jaxgan.common.laws import first_line
from jaxgan.common.user_files import split
from jaxgan.config.config import Config
from jaxgan.config.games import build_game
from jaxgan.config.own_files import own_files
from jaxgan.data import Spec
from jaxgan.games.game import init
from jaxgan.train.batch_parts import check_parts
from jaxgan.train.members import Members


def tried(members: Members, *, weights: bool = True) -> None:
    """Traces a step of members where files of the user's own take part, computing nothing; gets weights of others.

    Networks that hold weights trained before have a method `prepare()`, which gets them.

    Args:
      members: of the run.
      weights: whether such weights are got.

    Raises:
      InputError: in one line that names the file, for whatever is raised while it is traced; for such weights that
        cannot be had; for parts of a batch that cannot be.
    """
    check_parts(members)
    for player in members.game.players.values() if weights else ():
        getattr(player.module, "prepare", lambda: None)()
    names = own_files(members.config)
    if not names:
        return
    game, n = members.game, members.config.batch_size * members.config.d_steps

    def step() -> Any:
        batch = {name: jnp.zeros(x.shape, x.dtype) for name, x in members.source.spec.batch(n).items()}
        return members.config.step(game)(init(game, jax.random.key(0), batch), batch)

    try:
        jax.eval_shape(step)
    except Exception as error:  # whatever code of the user's raises
        raise _told(names, error) from error


def _told(names: Collection[str], error: Exception) -> InputError:
    """The error with the place in the user's file that raised it; or else with all of the user's files."""
    paths = {split(name)[0].resolve(): name for name in names}
    frames = traceback.extract_tb(error.__traceback__)
    places = [
        (paths[path], frame) for frame in frames if (path := pathlib.Path(frame.filename).resolve()) in paths
    ]
    says = (
        first_line(error) if isinstance(error, InputError) else f"{type(error).__name__}: {first_line(error)}"
    )
    if places and not isinstance(error, InputError):
        name, frame = places[-1]
        return InputError(f"{split(name)[0]}, line {frame.lineno}, in {frame.name}: raised {says}")
    return InputError(f"{', '.join(dict.fromkeys(names))}: {says}")


# --- settings that a game does not look at ---------------------------------------------------------

_OF_THE_GAME = (
    "schedule_kimg",
    "reuse_fakes",
    "loss",
    "loss_options",
    "label_smoothing",
    "augment",
    "augment_options",
    "model",
    "latent",
    "penalty",
    "dynamics",
    "g_optimizer",
    "d_optimizer",
    "e_optimizer",
    "ema",
)
"""Fields that only the game reads; a game of one's own reads those that it likes."""


def unread(config: Config, spec: Spec, given: Collection[str]) -> list[str]:
    """Those of the settings `given` that the game of the configuration, which is not "gan", does not look at.

    Args:
      config: of the run.
      spec: of the data.
      given: names of flags.

    Raises:
      InputError: if the game cannot be built.
    """
    without = unread_fields(config, spec)
    fields = {flag: flag.removeprefix("--").replace("-", "_").partition(".")[0] for flag in given}
    fields |= dict.fromkeys(["--lr"], "") | {"--g-lr": "g_optimizer", "--d-lr": "d_optimizer"}
    ignored = [flag for flag in given if fields[flag] in without]
    if "--lr" in given and {"g_optimizer", "d_optimizer"} <= {*without}:
        ignored.append("--lr")
    return sorted(ignored)


def unread_fields(config: Config, spec: Spec) -> list[str]:
    """Fields of the configuration, of those meant for games, that the building of its game does not read.

    The game "gan" reads all of them.

    Raises:
      InputError: if the game cannot be built.
    """
    if config.game == "gan":
        return []
    read: set[str] = set()

    class Watched(Config):
        """A configuration that notes which of its fields are read."""

        def __getattribute__(self, name: str) -> Any:
            read.add(name)
            return super().__getattribute__(name)

    watched = object.__new__(Watched)
    vars(watched).update(vars(config))
    build_game(watched, spec)
    return [name for name in _OF_THE_GAME if name not in read]
