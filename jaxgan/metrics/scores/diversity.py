"""How much of the data a generator covers (bins), and how often it repeats itself (birthdays)."""

from __future__ import annotations

import math
import warnings
from typing import NamedTuple

import numpy as np
import scipy.special

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError

_LLOYD_ITERATIONS = 100  # at most
_LLOYD_AT_ONCE = 10  # until it is seen whether they still change anything


def ndb(
    real: np.ndarray,
    fake: np.ndarray,
    *,
    bins: int = 100,
    significance: float = 0.05,
    seed: int = 0,
) -> dict[str, float]:
    """Number of statistically different bins, and the Jensen-Shannon divergence of their proportions.

    The bins are the cells of k-means on the reals. In each bin, the shares of reals and of fakes are compared
    by a two-sided z-test for two proportions with the pooled standard error. Fakes of the data's own
    distribution differ in about `significance` of the bins, so that and not 0 is the best that can be
    expected. The count grows with the number of examples: compare only scores of as many examples. The
    authors' code can whiten the data and drop dimensions; this function takes the features as they are.

    Args:
      real: features or flattened pixels [n, d].
      fake: the same of fakes [m, d].
      bins: number of bins.
      significance: level of the test.
      seed: of k-means++.

    Returns:
      "ndb": number of different bins; "ndb_over_k": their share; "js": the divergence in nats, at most log 2;
      "ndb_over_k_error" and "js_error": their standard errors due to the choice of the fakes.

    Raises:
      InputError: for sets of different dimension, values that are not finite, fewer distinct reals than bins,
        or an option out of range.

    References:
      Richardson, Weiss (2018), On GANs and GMMs.
    """
    from scipy.cluster.vq import vq  # which is slow to import, here as below

    real, fake = _features("real", real), _features("fake", fake)
    if real.shape[1] != fake.shape[1]:
        raise InputError(f"ndb: expected two sets of one dimension, got {real.shape} and {fake.shape}")
    check_range("bins", bins, at_least=1, at_most=len(real), unit="(the number of reals)")
    check_range("significance", significance, above=0, below=1)
    centres = _kmeans(real, bins, np.random.default_rng(seed))
    p = np.bincount(vq(real, centres)[0], minlength=bins) / len(real)
    counts = np.bincount(vq(fake, centres)[0], minlength=bins)

    q, n, m = counts / len(fake), len(real), len(fake)
    z = _two_proportions(p, n, q, m)
    doubtful = (p + q > 0) & (p + q < 2)  # bins that hold all, or nothing, of both are certain
    share = float((scipy.special.erfc(np.abs(z) / math.sqrt(2)) < significance).mean())
    return {
        "ndb": round(share * bins),
        "ndb_over_k": share,
        "js": _jensen_shannon(p, q),
        "ndb_over_k_error": _share_error(z[doubtful], n / (n + m), significance) * doubtful.mean(),
        "js_error": _jensen_shannon_error(p, q, m),
    }


def _two_proportions(p: np.ndarray, n: int, q: np.ndarray, m: int) -> np.ndarray:
    """The z-statistics of the test for equal proportions, with the pooled standard error."""
    pooled = (p * n + q * m) / (n + m)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return (q - p) / np.where(error > 0, error, 1.0)  # no error: both are 0 or both 1


def _share_error(z: np.ndarray, own: float, significance: float) -> float:
    """Standard error of the share of z that are significant, of which the fakes' luck has the variance `own`.

    Fresh fakes would give each bin a z around its true value, which is the one found, shrunk by what luck alone adds.
    """
    if not len(z):
        return 0.0
    bound, spread = math.sqrt(2) * scipy.special.erfcinv(significance), math.sqrt(own)
    true = z * math.sqrt(max(0.0, 1 - own / max(float(np.square(z).mean()), 1e-12)))
    beyond = scipy.special.ndtr((true - bound) / spread) + scipy.special.ndtr((-true - bound) / spread)
    return float(np.sqrt((beyond * (1 - beyond)).sum()) / len(z))


def _jensen_shannon_error(p: np.ndarray, q: np.ndarray, m: int) -> float:
    """Standard error of the divergence by the choice of the m examples in q, by the delta method."""
    some = q > 0
    gain = np.log(2 * q[some] / (p[some] + q[some])) / 2
    spread = float((q[some] * gain**2).sum() - (q[some] * gain).sum() ** 2)
    return float(np.sqrt(max(spread, 0.0) / m))


def _jensen_shannon(p: np.ndarray, q: np.ndarray) -> float:
    """The divergence in nats, which is the square of SciPy's distance."""
    from scipy.spatial.distance import jensenshannon

    with np.errstate(invalid="ignore"):  # rounding may take the divergence of equal histograms below 0
        return float(np.nan_to_num(jensenshannon(p, q))) ** 2


def _kmeans(x: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Lloyd's algorithm from k-means++: centres [k, d]. An empty cell keeps its centre."""
    from scipy.cluster.vq import kmeans2

    centres, labels = _plus_plus(x, k, rng), np.empty(0)
    for _ in range(_LLOYD_ITERATIONS // _LLOYD_AT_ONCE):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of empty cells
            centres, found = kmeans2(x, centres, iter=_LLOYD_AT_ONCE, minit="matrix", check_finite=False)
        if labels is not None and np.array_equal(found, labels):
            break
        labels = found
    return centres


def _plus_plus(x: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """k rows of x, each new one with probability proportional to its squared distance to those before.

    SciPy's own k-means++ gives the like in a time that grows with k^2: 48 s for 100 of 5,000 digits.
    """
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


class Birthday(NamedTuple):
    """The nearest pairs in random batches of examples.

    Attributes:
      nearest: [repeats, sample], Euclidean distances: column s - 1 holds that of the nearest pair among the
        first s examples of a batch; infinite for s = 1.
      pairs: [repeats, 2], the indices of the nearest pair of each whole batch: look at these examples.
    """

    nearest: np.ndarray
    pairs: np.ndarray

    def probability(self, threshold: float) -> np.ndarray:
        """Share of batches that hold a pair within `threshold`, for batches of 1, 2, ... examples: [sample]."""
        return (self.nearest <= threshold).mean(0)

    def batch_size(self, threshold: float) -> int | None:
        """Size of the smallest batch that holds a pair within `threshold` half of the time; None beyond `sample`."""
        likely = self.probability(threshold) >= 0.5
        return int(likely.argmax()) + 1 if likely.any() else None

    def support(self, threshold: float) -> float:
        """Estimated number of different examples: s (s - 1) / (2 log 2), with s = `batch_size(threshold)`.

        Of N equally likely examples, s draws are all different with probability prod(1 - i / N), about
        exp(-s (s - 1) / 2N), which is 1/2 at this N. For large s the estimate is s^2 / (2 log 2), or 0.72 s^2;
        the authors round that to s^2. Where examples are not equally likely, it estimates 1 / sum(p^2), which
        is less than their number. Its relative error is about 1.4 / sqrt(repeats). It is infinite where no
        batch size reaches 1/2.
        """
        size = self.batch_size(threshold)
        return math.inf if size is None else size * (size - 1) / (2 * math.log(2))


def birthday(features: np.ndarray, *, sample: int, repeats: int = 100, seed: int = 0) -> Birthday:
    """The birthday-paradox test: how large a batch must be to hold near-duplicates.

    Duplicates are pairs within a threshold of the distance, which you choose by looking at the nearest pairs;
    `Birthday` gives all answers as functions of it. A set of as many reals gives the floor. No batch holds an
    example twice, and no two batches share one if there are at least `sample` times `repeats` examples. With
    fewer, batches are drawn anew from the same examples and are not independent.

    Args:
      features: features or flattened pixels of generated examples [n, d].
      sample: size of the largest batch.
      repeats: number of batches.
      seed: of the batches.

    Raises:
      InputError: for features that are not finite or fewer than `sample`, for a `sample` below 2, or for
        `repeats` below 1.

    References:
      Arora, Zhang (2017), Do GANs actually learn the distribution? An empirical study.
    """
    features = _features("features", features)
    check_range("sample", sample, at_least=2, at_most=len(features), unit="(the number of examples)")
    check_range("repeats", repeats, at_least=1)
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
