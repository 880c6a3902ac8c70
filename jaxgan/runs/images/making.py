"""What makes examples for people out of a run: a sampler of latents, or a translator of examples."""

from __future__ import annotations

from typing import Any

from jaxgan.config.config import Config
from jaxgan.data import Source, Spec
from jaxgan.games.game import Game
from jaxgan.runs.images.translating import Translator
from jaxgan.runs.sampling import Sampler, sampler_of


def maker_of(
    game: Game, config: Config, spec: Spec, source: Source | None = None
) -> Sampler | Translator | None:
    """The sampler or translator of a game, its configuration and the spec of its data; None if it makes nothing.

    Args:
      game: of the run.
      config: of the run.
      spec: of its data.
      source: of the examples that are translated.
    """
    if game.output is not None:
        return sampler_of(game, config, spec)
    return Translator(game, spec, source) if game.translations else None


def examples_of(maker: Any, source: Source) -> Any:
    """The maker as it is, or, if it translates, one that translates the examples of `source`."""
    return maker.of(source) if isinstance(maker, Translator) else maker
