"""Neighbours and balls by their definition: what `pairwise` computes, slowly and in float64. Tests compare the two."""

from __future__ import annotations

import numpy as np


def squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances [n, m] of points [n, d] and [m, d]."""
    return np.square(x[:, None].astype(np.float64) - y[None]).sum(2)


def nearest(x: np.ndarray, y: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """As `pairwise.nearest`."""
    squared = squared_distances(x, y)
    indices = np.argsort(squared, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(squared, indices, 1), indices


def own_radii(x: np.ndarray, k: int) -> np.ndarray:
    """As `pairwise.own_radii`."""
    squared = squared_distances(x, x)
    np.fill_diagonal(squared, np.inf)
    return np.sort(squared, axis=1)[:, k - 1]


def inside(
    x: np.ndarray, y: np.ndarray, x_radii: np.ndarray, y_radii: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `pairwise.inside`."""
    squared = squared_distances(x, y)
    within = squared < x_radii[:, None]
    return within.sum(0), within.sum(1) > 0, (squared < y_radii).sum(1) > 0
