"""Pictures of samples and of real examples, laid out alike."""

from __future__ import annotations

from typing import Any

from jaxgan.data import Source
from jaxgan.report import pictures
from jaxgan.runs.images.translating import Translator
from jaxgan.runs.sampling import Sampler, grid_labels

COLUMNS = 8


def grid_of(sampler: Sampler | Translator, source: Source, variables: Any) -> bytes | None:
    """A PNG of samples of fixed seeds, with one row a class where there are some; None where nothing is drawn.

    Where images are translated: of inputs, outputs and what these should be, or the way back.
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
    """A PNG of real examples, for comparison; `by_class`: with one row a class, as in the grids."""
    if not pictures.is_drawn(source.modality):
        return None
    reals = source.of_each_class(COLUMNS, 0) if by_class else None
    if reals is None:
        reals = source.some(source.modality.shown, 0, ordered=not by_class)
    return pictures.picture(reals[source.example], source.modality, COLUMNS)
