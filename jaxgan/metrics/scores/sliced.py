"""The sliced Wasserstein distance: distances of one-dimensional projections."""

from __future__ import annotations

import numpy as np

from jaxgan.common.errors import InputError


def sliced_wasserstein(x: np.ndarray, y: np.ndarray, *, projections: int = 128, seed: int = 0) -> float:
    """Square root of the mean squared 2-Wasserstein distance of projections onto random directions.

    Args:
      x: points [n, d].
      y: points [n, d].
      projections: number of directions, uniform on the sphere.
      seed: of the directions.

    Raises:
      InputError: if the sets differ in shape.

    References:
      Rabin et al. (2012), Wasserstein barycenter and its application to texture mixing.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.shape != y.shape or x.ndim != 2:
        raise InputError(
            f"sliced_wasserstein: expected two sets of one shape [n, d], got {x.shape} and {y.shape}"
        )
    directions = np.random.default_rng(seed).normal(size=(x.shape[1], projections))
    directions /= np.linalg.norm(directions, axis=0)
    gaps = np.sort(x @ directions, axis=0) - np.sort(y @ directions, axis=0)
    return float(np.sqrt(np.square(gaps).mean()))


def sliced_wasserstein_error(x: np.ndarray, y: np.ndarray, *, projections: int = 128, seed: int = 0) -> float:
    """Standard error of `sliced_wasserstein` that comes from the choice of x, by the delta method.

    To first order a point moves the squared distance of a projection by its Kantorovich potential, whose slope is
    twice the way that the point is moved. Arguments are those of `sliced_wasserstein`.

    References:
      del Barrio, Loubes (2019), Central limit theorems for empirical transportation cost in general dimension.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    directions = np.random.default_rng(seed).normal(size=(x.shape[1], projections))
    directions /= np.linalg.norm(directions, axis=0)
    along, moved = x @ directions, np.zeros(len(x))
    order = np.argsort(along, axis=0)
    ordered = np.take_along_axis(along, order, axis=0)
    gaps = ordered - np.sort(y @ directions, axis=0)
    total = float(np.square(gaps).mean())
    steps = (gaps[1:] + gaps[:-1]) * np.diff(ordered, axis=0)  # 2 x the mean gap between two neighbours
    potential = np.concatenate([np.zeros((1, projections)), np.cumsum(steps, axis=0)])
    np.add.at(moved, order.ravel(), potential.ravel())
    if total == 0:
        return 0.0
    return float((moved / projections).std(ddof=1) / np.sqrt(len(x)) / (2 * np.sqrt(total)))
