"""How much of the data a generator covers, and how often it repeats itself."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import scipy.sparse
import scipy.special

from jaxgan.common.errors import InputError
from jaxgan.metrics.resampling import bootstrap_error

_LLOYD_ITERATIONS = 100


def ndb(
    real: np.ndarray,
    fake: np.ndarray,
    *,
    bins: int = 100,
    significance: float = 0.05,
    seed: int = 0,
) -> dict[str, float]:
    """Number of statistically different bins, and the Jensen-Shannon divergence of their proportions.

    The bins are the cells of k-means on the reals. In each, the shares of reals and of fakes are compared
    by a two-sided z-test for two proportions with the pooled standard error. Fakes of the data's own
    distribution differ in about `significance` of the bins, so that and not 0 is the best that can be
    expected. The count grows with the number of examples: compare scores of as many examples only. The
    authors' code may whiten the data and drop dimensions of it; this one takes the features as they are.

    Args:
      real: features or flattened pixels [n, d].
      fake: [m, d].
      bins: number of bins.
      significance: level of the test.
      seed: of k-means++.

    Returns:
      "ndb": different bins; "ndb_over_k": their share; "js": the divergence in nats, at most log 2;
      "ndb_over_k_error" and "js_error": standard errors, of the fakes' luck alone (bootstrap of their bins).

    Raises:
      InputError: for sets of different dimension, values that are not finite, fewer distinct reals than bins,
        or an option out of range.

    References:
      Richardson, Weiss (2018), On GANs and GMMs.
    """
    real, fake = _features("real", real), _features("fake", fake)
    if real.shape[1] != fake.shape[1]:
        raise InputError(f"ndb: expected two sets of one dimension, got {real.shape} and {fake.shape}")
    if not 1 <= bins <= len(real):
        raise InputError(f"bins: expected 1 to {len(real)}, the number of reals, got {bins}")
    if not 0 < significance < 1:
        raise InputError(f"significance: expected a number between 0 and 1, got {significance}")
    centres = _kmeans(real, bins, np.random.default_rng(seed))
    p = np.bincount(_nearest_centre(real, centres), minlength=bins) / len(real)
    counts = np.bincount(_nearest_centre(fake, centres), minlength=bins)

    def share(counts: np.ndarray) -> float:
        unlikely = _two_proportions(p, len(real), counts / len(fake), len(fake)) < significance
        return float(unlikely.mean())

    divergence = lambda counts: _jensen_shannon(p, counts / len(fake))
    return {
        "ndb": round(share(counts) * bins),
        "ndb_over_k": share(counts),
        "js": divergence(counts),
        "ndb_over_k_error": bootstrap_error(share, counts),
        "js_error": bootstrap_error(divergence, counts),
    }


def _two_proportions(p: np.ndarray, n: int, q: np.ndarray, m: int) -> np.ndarray:
    """Two-sided p-values of the z-test for equal proportions, with the pooled standard error."""
    pooled = (p * n + q * m) / (n + m)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    z = np.abs(p - q) / np.where(error > 0, error, 1.0)  # no error: both are 0 or both 1
    return scipy.special.erfc(z / math.sqrt(2))


def _jensen_shannon(p: np.ndarray, q: np.ndarray) -> float:
    middle = (p + q) / 2
    return float((scipy.special.rel_entr(p, middle) + scipy.special.rel_entr(q, middle)).sum() / 2)


def _kmeans(x: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Lloyd's algorithm from k-means++: centres [k, d]."""
    centres = _plus_plus(x, k, rng)
    labels = _nearest_centre(x, centres)
    for _ in range(_LLOYD_ITERATIONS):
        counts = np.bincount(labels, minlength=k)
        members = scipy.sparse.csr_array((np.ones(len(x)), (labels, np.arange(len(x)))), (k, len(x)))
        filled = counts > 0  # an empty cell keeps its centre
        centres[filled] = (members @ x)[filled] / counts[filled, None]
        previous, labels = labels, _nearest_centre(x, centres)
        if np.array_equal(labels, previous):
            break
    return centres


def _plus_plus(x: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """k rows of x, each new one with probability proportional to its squared distance to those before."""
    centres = [x[rng.integers(len(x))]]
    squared = np.square(x - centres[0]).sum(1)
    while len(centres) < k:
        total = squared.sum()
        if total == 0:
            raise InputError(
                f"real: expected at least {k} distinct examples for {k} bins, got {len(centres)}"
            )
        centres.append(x[rng.choice(len(x), p=squared / total)])
        squared = np.minimum(squared, np.square(x - centres[-1]).sum(1))
    return np.stack(centres)


def _nearest_centre(x: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return (np.square(centres).sum(1) - 2 * x @ centres.T).argmin(1)


class Birthday(NamedTuple):
    """Nearest pairs in random batches of examples.

    Attributes:
      nearest: [repeats, sample], Euclidean: column s - 1 holds the distance of the nearest pair among the first
        s examples of a batch; infinite for s = 1.
      pairs: [repeats, 2], indices of the nearest pair of each whole batch: look at these examples.
    """

    nearest: np.ndarray
    pairs: np.ndarray

    def probability(self, threshold: float) -> np.ndarray:
        """Share of batches with a pair within `threshold`, for batches of 1, 2, ... examples: [sample]."""
        return (self.nearest <= threshold).mean(0)

    def batch_size(self, threshold: float) -> int | None:
        """Smallest batch that has a pair within `threshold` with probability 1/2; None beyond `sample`."""
        likely = self.probability(threshold) >= 0.5
        return int(likely.argmax()) + 1 if likely.any() else None

    def support(self, threshold: float) -> float:
        """Estimated number of different examples, s (s - 1) / (2 log 2) with s = `batch_size(threshold)`.

        Of N equally likely examples, s draws are all different with probability prod(1 - i / N), about
        exp(-s (s - 1) / 2N): 1/2 at this N. For large s it is s^2 / (2 log 2), 0.72 s^2; the authors round
        that to s^2. Where examples are not equally likely it estimates 1 / sum(p^2), which is less than their
        number. The relative error is about 1.4 / sqrt(repeats). Infinite where no batch size reaches 1/2.
        """
        size = self.batch_size(threshold)
        return math.inf if size is None else size * (size - 1) / (2 * math.log(2))


def birthday(features: np.ndarray, *, sample: int, repeats: int = 100, seed: int = 0) -> Birthday:
    """The birthday-paradox test: how large a batch must be to hold near-duplicates.

    What counts as a duplicate is a threshold on the distance, to be chosen by looking at the nearest
    pairs; `Birthday` has all answers as functions of it. A set of as many reals gives the floor. Batches
    have no example twice. They share none either if there are at least `sample` times `repeats` examples;
    with fewer they are drawn anew from the same ones, and are not independent.

    Args:
      features: of generated examples [n, d]; flattened pixels are fine.
      sample: largest batch.
      repeats: number of batches.
      seed: of the batches.

    Raises:
      InputError: for features that are not finite or fewer than `sample`, a sample below 2, or no repeat.

    References:
      Arora, Zhang (2017), Do GANs actually learn the distribution? An empirical study.
    """
    features = _features("features", features)
    if not 2 <= sample <= len(features):
        raise InputError(f"sample: expected 2 to {len(features)}, the number of examples, got {sample}")
    if repeats < 1:
        raise InputError(f"repeats: expected at least 1, got {repeats}")
    rng = np.random.default_rng(seed)
    nearest, pairs = np.empty((repeats, sample)), np.empty((repeats, 2), np.int64)
    disjoint = len(features) // sample
    order = np.empty(0, np.int64)
    for i in range(repeats):
        if i % disjoint == 0:
            order = rng.permutation(len(features))
        chosen = order[i % disjoint * sample :][:sample]
        distance, partner = _nearest_before(features[chosen])
        nearest[i] = np.minimum.accumulate(distance)
        last = distance.argmin()
        pairs[i] = chosen[partner[last]], chosen[last]
    return Birthday(nearest, pairs)


def _nearest_before(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance of each row to the nearest row before it (infinite for the first), and that row's index."""
    centred = x - x.mean(0)  # small numbers, whose products keep more digits
    norms = np.square(centred).sum(1)
    squared = norms[:, None] + norms[None] - 2 * centred @ centred.T
    squared[np.triu_indices(len(x))] = np.inf
    partner = squared.argmin(1)
    distance = np.linalg.norm(x - x[partner], axis=1)  # again, exactly: equal rows are at 0
    distance[0] = np.inf
    return distance, partner


def _features(name: str, x: np.ndarray) -> np.ndarray:
    x = np.asarray(x, np.float64)
    if x.ndim != 2 or 0 in x.shape:
        raise InputError(f"{name}: expected features [n, d], got shape {x.shape}")
    if not np.isfinite(x).all():
        raise InputError(f"{name}: expected finite numbers, got NaN or infinity")
    return x
