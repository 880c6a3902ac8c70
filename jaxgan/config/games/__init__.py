"""Games by name: how each is built of a configuration, and what a batch of its data holds.

A new game is a line in `GAMES`, and a function (spec, config, *, options) -> Game beside it. Its keyword arguments with
numbers as defaults are the hyper-parameters that `--game-options NAME VALUE ...` sets. "gan" is built by the
configuration itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgan.common.errors import InputError, in_group, renamed, unknown
from jaxgan.common.user_files import is_file
from jaxgan.config.games import encoding, translating
from jaxgan.config.options import typed_options
from jaxgan.data import IMAGE, Spec, modality_of
from jaxgan.data.modality import DOMAINS, PAIR
from jaxgan.data.spec import LABEL
from jaxgan.games.files import load_game
from jaxgan.games.game import Game


class Recipe(NamedTuple):
    """How a game is made of a configuration.

    Attributes:
      build: (spec of the data, configuration, **hyper-parameters) -> game.
      spec: (shape of an example, number of classes, configuration) -> spec of data that the game takes, where only the
        shape is known; None: one array "image", and labels where there are classes.
      stage: (configuration, first step, steps) -> the stage in which all of these are, or None, of a game that has
        stages: its `build` then takes `stage`, too, the only steps that the game is then asked for (None: all).
      d_steps: whether there may be several discriminator updates a step.
      whole: configuration -> whether a step needs the whole batch at once, as of memory that holds examples.
    """

    build: Callable[..., Game]
    spec: Callable[[tuple[int, ...], int, Any], Spec] | None = None
    whole: Callable[[Any], bool] = lambda config: False
    stage: Callable[[Any, int, int], int | None] | None = None
    d_steps: bool = False


GAMES: dict[str, Recipe] = {
    "translation": Recipe(translating.translation_of, translating.spec_of_pairs),
    "cycle_gan": Recipe(translating.cycle_gan_of, translating.spec_of_domains, translating.has_pool),
    "vae": Recipe(encoding.vae_of),
    "autoencoder": Recipe(encoding.autoencoder_of),
    "aae": Recipe(encoding.aae_of),
    "vae_gan": Recipe(encoding.vae_gan_of),
    "bigan": Recipe(encoding.bigan_of),
    "infogan": Recipe(encoding.infogan_of),
    "fanogan": Recipe(encoding.f_anogan_of, stage=encoding.stage_of_f_anogan, d_steps=True),
}
"""Games besides "gan" by the name that `--game` takes."""


def check_game(name: str) -> None:
    """Raises InputError for a game that does not exist, naming the nearest."""
    if name != "gan" and name not in GAMES and not is_file(name):
        raise unknown("game", name, ("gan", *GAMES, "FILE.py:NAME"))


def check_modality(config: Any, spec: Spec) -> None:
    """Raises InputError for pairs of images, or domains, where a game makes images of latents."""
    translates = is_file(config.game) or (config.game in GAMES and GAMES[config.game].spec is not None)
    if spec.modality.name in (PAIR.name, DOMAINS.name) and not translates:
        raise InputError(
            f"data.source: expected images of one kind for the game {config.game!r}, got {spec.modality.name}s; the "
            "presets pix2pix (--data.source pairs:A,B) and cyclegan (domains:A,B) translate"
        )


def build_game(config: Any, spec: Spec, stage: int | None = None) -> Game:
    """The game of a configuration that is not "gan"; `stage` is as of `Config.build`.

    Raises:
      InputError: for a hyper-parameter that does not exist, or what the recipe refuses.
    """
    if is_file(config.game):
        return load_game(config.game)(spec.batch(), config)
    recipe, given = GAMES[config.game], config.game_options
    known = {
        name: own
        for name, own in inspect.signature(recipe.build).parameters.items()
        if own.kind is inspect.Parameter.KEYWORD_ONLY and name != "stage"
    }
    if config.d_steps != 1 and not recipe.d_steps:
        raise InputError(f"d_steps: expected 1 with the game {config.game!r}, got {config.d_steps}")
    with renamed(in_group("game_options", dict(given))):
        options = typed_options(f"game {config.game!r}", given, known)
        return recipe.build(spec, config, **({} if recipe.stage is None else {"stage": stage}), **options)


def stage_of(config: Any, first: int, steps: int) -> int | None:
    """The stage of a configuration's game in all `steps` steps from `first` on; None: it has none, or several."""
    recipe = GAMES.get(config.game)
    return None if recipe is None or recipe.stage is None else recipe.stage(config, first, steps)


def needs_whole_batches(config: Any) -> bool:
    """Whether the steps of a configuration's game need the whole batch at once, and no shares of it."""
    return config.game in GAMES and GAMES[config.game].whole(config)


def spec_for(config: Any, shape: tuple[int, ...], n_classes: int = 0) -> Spec:
    """The spec of data of which only the shape of an example and the number of classes are known."""
    recipe = GAMES.get(config.game)
    if recipe is not None and recipe.spec is not None:
        return recipe.spec(shape, n_classes, config)
    return plain_spec(shape, n_classes)


def plain_spec(shape: tuple[int, ...], n_classes: int = 0) -> Spec:
    """The spec of images or points "image" of this shape, with labels where there are classes."""
    arrays: Mapping[str, Any] = {"image": jax.ShapeDtypeStruct(shape, np.float32)}
    if n_classes:
        arrays = {**arrays, LABEL: jax.ShapeDtypeStruct((), np.int32)}
    modality = modality_of(shape)
    return Spec(arrays, "image", n_classes, "uint8" if modality is IMAGE else "float32", modality)
