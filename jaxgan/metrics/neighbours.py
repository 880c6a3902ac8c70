"""Scores by nearest neighbours: precision and recall, density and coverage, memorisation.

Distances are computed in blocks in float32 on the device; wherever float32 cannot decide, in float64.
The results are those of float64 throughout.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.metrics.pairwise import _compare, _nearest, _own_radii, _Points, _Room, _slices, _tolerance


def prdc(real: np.ndarray, fake: np.ndarray, *, k: int = 5, block: int = 1000) -> dict[str, float]:
    """Precision, recall, density and coverage by k-nearest-neighbour balls, Euclidean, strict <.

    The radius of an example is the distance to its k-th neighbour in its own set, itself excluded.
    Precision: share of fakes inside some real's ball. Recall: share of reals inside some fake's
    ball. Density: mean number of real balls around a fake, over k. Coverage: share of reals
    whose ball holds a fake. Kynkäänniemi et al. publish with k = 3, Naeem et al. with k = 5.

    Args:
      real: [n, d].
      fake: [m, d].
      k: neighbour that sets the radius.
      block: rows of the distance matrix that are held at once; memory is about 12 bytes times block
        times max(n, m), besides the features.

    Returns:
      "precision", "recall", "density", "coverage".

    Raises:
      InputError: unless both sets have more than k examples of the same dimension, all finite.

    References:
      Kynkäänniemi et al. (2019), Improved precision and recall metric, eqs. 1-3; Naeem et al. (2020),
      Reliable fidelity and diversity metrics, eqs. 3-5.
    """
    found = balls(real, fake, k=k, block=block)
    return {
        "precision": float((found.around_fakes > 0).mean()),
        "recall": float(found.reached.mean()),
        "density": float(found.around_fakes.mean() / k),
        "coverage": float(found.covered.mean()),
    }


class Balls(NamedTuple):
    """Which examples lie in which balls.

    Attributes:
      around_fakes: number of reals' balls that each fake lies in, int [m].
      reached: whether each real lies in some fake's ball, bool [n].
      covered: whether each real's ball holds a fake, bool [n].
    """

    around_fakes: np.ndarray
    reached: np.ndarray
    covered: np.ndarray


def balls(real: np.ndarray, fake: np.ndarray, *, k: int = 5, block: int = 1000) -> Balls:
    """What `prdc` counts, for each example; arguments and errors are its own."""
    if k < 1 or block < 1:
        raise InputError(f"prdc: expected k >= 1 and block >= 1, got {k} and {block}")
    a, b = _Points.pair("prdc", real, fake, k)
    in_real = np.zeros(len(b), np.int64)  # real balls around each fake
    in_fake, covered = np.zeros(len(a), bool), np.zeros(len(a), bool)
    # a set that is far off keeps its digits if it is centred on itself; the reals are
    own = b if b is a else _Points(b.exact, b.exact.mean(0, dtype=np.float64))
    real_radius, fake_radius = _own_radii(a, k, block), _own_radii(own, k, block)
    largest, room = float(b.norms.max()), _Room()
    for rows in _slices(len(a), block):
        tolerance = _tolerance(a.small.shape[1], float(a.norms[rows].max()) + largest)
        products = a.products(rows, b, slice(None), room)
        counts, inside, reaching, unsure = _compare(
            products, a.norms[rows], b.norms, real_radius[rows], fake_radius, tolerance
        )
        in_real += np.asarray(counts)
        covered[rows], in_fake[rows] = np.asarray(inside), np.asarray(reaching)
        again = np.flatnonzero(np.asarray(unsure))
        if len(again):
            squared = a.decided(
                again + rows.start, b, np.asarray(products)[again], (real_radius, fake_radius)
            )
            again += rows.start
            within = squared < real_radius[again, None]
            in_real += within.sum(0)
            covered[again], in_fake[again] = within.any(1), (squared < fake_radius).any(1)
    return Balls(in_real, in_fake, covered)


def nearest(x: np.ndarray, y: np.ndarray, *, k: int = 1, block: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest rows of y for each row of x: Euclidean distances [n, k], ascending, and indices [n, k].

    Raises:
      InputError: unless the sets have one dimension, y has k examples or more, and all are finite.
    """
    a, b = _Points.pair("nearest", x, y, k - 1)
    squared, indices = _nearest(a, b, k, block)
    return np.sqrt(squared), indices


class Memorisation(NamedTuple):
    """How close fakes lie to training examples.

    Attributes:
      authenticity: share of fakes that are no copies.
      authentic: whether each fake is none, bool [m].
      distance: of each fake to its nearest training example [m].
      index: of that example [m].
      ratio: of the distance to that example's own to its nearest neighbour in the training set [m].
    """

    authenticity: float
    authentic: np.ndarray
    distance: np.ndarray
    index: np.ndarray
    ratio: np.ndarray


def memorisation(train: np.ndarray, fake: np.ndarray, *, block: int = 1000) -> Memorisation:
    """How close fakes lie to training examples, against how close these lie to each other.

    A fake is a copy by this measure if it lies closer to its nearest training example than any other
    training example does. Authenticity is the share of fakes that are no copies. Fresh reals
    get about one half, not 1.

    Args:
      train: features of the training set [n, d].
      fake: features of fakes [m, d].
      block: rows of the distance matrix that are held at once.

    Raises:
      InputError: as `nearest`.

    References:
      Alaa et al. (2022), How faithful is your synthetic data?, section 4.3 (authenticity).
    """
    a, b = _Points.pair("memorisation", train, fake, 1)
    own = np.sqrt(_own_radii(a, 1, block))
    squared, index = _nearest(b, a, 1, block)
    distance, index = np.sqrt(squared[:, 0]), index[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(own[index] > 0, distance / own[index], np.where(distance > 0, np.inf, 1.0))
    authentic = distance >= own[index]
    return Memorisation(float(authentic.mean()), authentic, distance, index, ratio)
