"""Scores by nearest neighbours: precision and recall, density and coverage, memorisation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.metrics.scores import pairwise
from jaxgan.metrics.scores.pairwise import Points


def prdc(real: np.ndarray, fake: np.ndarray, *, k: int = 5, block: int = 1000) -> dict[str, float]:
    """Precision, recall, density and coverage by k-nearest-neighbour balls.

    The ball of an example reaches to its k-th nearest neighbour in its own set, itself excluded; an example at
    exactly that Euclidean distance lies outside. Precision is the share of fakes inside some real's ball,
    recall the share of reals inside some fake's ball, density the mean number of reals' balls around a fake,
    over k, and coverage the share of reals whose ball holds a fake. Kynkäänniemi et al. publish with k = 3,
    Naeem et al. with k = 5.

    Args:
      real: features of reals [n, d].
      fake: features of fakes [m, d].
      k: number of the neighbour that sets the radius.
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
      around_fakes: the number of reals' balls that each fake lies in, int [m].
      reached: whether each real lies in some fake's ball, bool [n].
      covered: whether each real's ball holds a fake, bool [n].
    """

    around_fakes: np.ndarray
    reached: np.ndarray
    covered: np.ndarray


def balls(real: np.ndarray, fake: np.ndarray, *, k: int = 5, block: int = 1000) -> Balls:
    """What `prdc` counts, example by example; arguments and errors are those of `prdc`."""
    if k < 1 or block < 1:
        raise InputError(f"prdc: expected k >= 1 and block >= 1, got {k} and {block}")
    a, b = Points.pair("prdc", real, fake, k)
    # a set that is far off keeps its digits if it is centred on itself; the reals are
    own = b if b is a else Points(b.exact, b.exact.mean(0, dtype=np.float64))
    real_radii, fake_radii = pairwise.own_radii(a, k, block), pairwise.own_radii(own, k, block)
    around_fakes, covered, reached = pairwise.inside(a, b, real_radii, fake_radii, block)
    return Balls(around_fakes, reached, covered)


def nearest(x: np.ndarray, y: np.ndarray, *, k: int = 1, block: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest rows of y for each row of x: Euclidean distances [n, k], ascending, and indices [n, k].

    Raises:
      InputError: unless the sets have one dimension, y has k examples or more, and all are finite.
    """
    a, b = Points.pair("nearest", x, y, k - 1)
    squared, indices = pairwise.nearest(a, b, k, block)
    return np.sqrt(squared), indices


class Memorisation(NamedTuple):
    """How close fakes lie to training examples.

    Attributes:
      authenticity: the share of fakes that are no copies.
      authentic: whether each fake is no copy, bool [m].
      distance: the distance of each fake to its nearest training example [m].
      index: the index of that example [m].
      ratio: that distance over the example's own distance to its nearest neighbour in the training set [m].
    """

    authenticity: float
    authentic: np.ndarray
    distance: np.ndarray
    index: np.ndarray
    ratio: np.ndarray


def memorisation(train: np.ndarray, fake: np.ndarray, *, block: int = 1000) -> Memorisation:
    """How close fakes lie to training examples, compared with how close these lie to each other.

    By this measure a fake is a copy if it lies closer to its nearest training example than any other
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
    a, b = Points.pair("memorisation", train, fake, 1)
    own = np.sqrt(pairwise.own_radii(a, 1, block))
    squared, index = pairwise.nearest(b, a, 1, block)
    distance, index = np.sqrt(squared[:, 0]), index[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(own[index] > 0, distance / own[index], np.where(distance > 0, np.inf, 1.0))
    authentic = distance >= own[index]
    return Memorisation(float(authentic.mean()), authentic, distance, index, ratio)
