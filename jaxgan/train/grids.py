"""Pictures of samples and of real examples, laid out alike."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from jaxgan.data import Source, other_split
from jaxgan.games.game import GameState
from jaxgan.report import pictures
from jaxgan.runs.images.translating import Translator
from jaxgan.runs.sampling import Sampler, grid_labels

COLUMNS = 8
_PAIRS = 32  # of a picture of reconstructions


def pictures_of(members: Any, state: GameState) -> Iterator[tuple[str, bytes]]:
    """Draws the pictures of a state, a PNG each, under their names: "samples", or one of `jaxgan.runs.folder.KINDS`.

    Args:
      members: whose game and data they are, as of `jaxgan.train.members`.
      state: of a member, whole.
    """
    game, sampler, source = members.game, members.sampler, members.source
    variables = game.averaged(state)
    if (png := grid_of(sampler, source, variables)) is not None:
        yield "samples", png
    if not pictures.is_drawn(source.modality) or sampler.n_classes or isinstance(sampler, Translator):
        return
    if sampler.encodes:
        truth = _unseen(source)
        z = sampler.encode(game.at_rest(state, game.encoding.player), truth)
        again = sampler.decode(variables, z)
        pairs = np.stack([truth, again], 1).reshape(-1, *truth.shape[1:])
        if (png := pictures.picture(pairs, source.modality, COLUMNS)) is not None:
            yield "reconstructions", png
    if game.walks is not None:
        z, columns = game.walks()
        if (png := pictures.picture(sampler.decode(variables, z), source.modality, columns)) is not None:
            yield "traversals", png


@lru_cache(maxsize=1)
def _unseen(source: Source) -> np.ndarray:
    """Examples that were not trained on, or any where there are no such."""
    other = other_split(source)
    return (source if other is None else other).some(_PAIRS, 0)[source.example]


def grid_of(sampler: Sampler | Translator, source: Source, variables: Any) -> bytes | None:
    """A PNG of samples of fixed seeds, with one row a class where there are some; None where nothing is drawn.

    Where images are translated, it shows inputs, outputs and what these should be, or the way back.

    Args:
      sampler: makes the samples.
      source: the data, which say how examples are drawn.
      variables: of what is averaged, as of `Game.averaged`.
    """
    if not pictures.is_drawn(source.modality):
        return None
    if isinstance(sampler, Translator):
        panels, each = sampler.panels(variables, source.modality.shown)
        return pictures.picture(panels, source.modality, each * max(1, COLUMNS // each))
    labels = grid_labels(sampler.n_classes, COLUMNS)
    n = source.modality.shown if labels is None else len(labels)
    fakes, reals = sampler.by_seed(variables, range(n), labels), source.some(n, 0)[source.example]
    return pictures.picture(fakes, source.modality, COLUMNS, reals)


def reals_of(source: Source, by_class: bool) -> bytes | None:
    """A PNG of real examples, to compare samples with; None where nothing is drawn.

    Args:
      source: of the examples.
      by_class: whether there is one row a class, as in the grids.
    """
    if not pictures.is_drawn(source.modality):
        return None
    reals = source.of_each_class(COLUMNS, 0) if by_class else None
    if reals is None:
        reals = source.some(source.modality.shown, 0, ordered=not by_class)
    return pictures.picture(reals[source.example], source.modality, COLUMNS)
