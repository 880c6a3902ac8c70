"""Pictures of samples and of real examples, laid out alike."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from jaxgan.data import Images, Source
from jaxgan.report import pictures
from jaxgan.runs.sampling import Sampler, grid_labels

COLUMNS = 8
_POINTS = 2500


def grid_of(sampler: Sampler, source: Source, variables: Any) -> bytes:
    """A PNG of samples of fixed seeds: images with one row a class, or points over the data's."""
    if not isinstance(source, Images):
        return pictures.picture(sampler.by_seed(variables, range(_POINTS)), reference=_points(source))
    labels = grid_labels(sampler.n_classes, COLUMNS)
    n = COLUMNS**2 if labels is None else len(labels)
    return pictures.picture(sampler.by_seed(variables, range(n), labels), COLUMNS)


def reals_of(source: Source, by_class: bool) -> bytes:
    """A PNG of real examples, for comparison; `by_class`: with one row a class, as in the grids."""
    if not isinstance(source, Images):
        return pictures.picture(_points(source), COLUMNS)
    order = np.random.default_rng(0).permutation(len(source))
    chosen = np.sort(order[: COLUMNS**2])
    if by_class and source.labels is not None:
        rows = [order[source.labels[order] == c][:COLUMNS] for c in range(source.n_classes)]
        chosen = np.concatenate([row for row in rows if len(row) == COLUMNS] or [order[: COLUMNS**2]])
    return pictures.picture(np.asarray(source.images[chosen]), COLUMNS)


def _points(source: Any) -> np.ndarray:
    return np.asarray(source.sample(jax.random.key(0), _POINTS)[0])
