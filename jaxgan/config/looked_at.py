"""Settings that a game does not look at."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.common.user_files import is_file
from jaxgan.config.config import Config
from jaxgan.config.games import build_game
from jaxgan.data import Spec
from jaxgan.games.game import Game, init

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
    """Fields of the configuration, of those meant for games, that its game does not read.

    The game "gan" reads all of them. Others read them while they are built, those of files of one's own also while a
    step of theirs is traced.

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
    game = build_game(watched, spec)
    if is_file(config.game):
        with contextlib.suppress(Exception):  # which `tried` tells
            jax.eval_shape(lambda: first_step(config, game, spec))
    return [name for name in _OF_THE_GAME if name not in read]


def first_step(config: Config, game: Game, spec: Spec) -> Any:
    """What the first step of a game returns for a batch of zeros."""
    batch = spec.batch(config.batch_size * config.d_steps)
    batch = {name: jnp.zeros(x.shape, x.dtype) for name, x in batch.items()}
    return config.step(game)(init(game, jax.random.key(0), batch), batch)
