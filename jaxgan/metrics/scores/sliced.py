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
