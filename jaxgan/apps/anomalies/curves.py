"""How well scores tell anomalies: areas under curves with bootstrap intervals, and a threshold for a stated rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import stats

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError


def auroc(scores: np.ndarray, anomalous: np.ndarray) -> float:
    """P(score of an anomaly > score of a normal example), ties counting half: the area under the ROC curve.

    Args:
      scores: [n], higher for anomalies.
      anomalous: bool [n], some true and some false.

    Raises:
      InputError: if all are of one kind.
    """
    n, m = _counts(scores, anomalous)
    ranks = stats.rankdata(scores)
    return float((ranks[anomalous].sum() - n * (n + 1) / 2) / (n * m))


def average_precision(scores: np.ndarray, anomalous: np.ndarray) -> float:
    """Mean over anomalies of the precision at their scores, tied ones together: the area under precision and recall.

    Args and errors are those of `auroc`; a score that knows nothing gets the share of anomalies.
    """
    n, _ = _counts(scores, anomalous)
    order = np.argsort(-scores, kind="stable")
    ordered, found = scores[order], np.cumsum(anomalous[order])
    ends = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)  # of groups of equal scores
    precision, recall = found[ends] / (ends + 1), found[ends] / n
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def _counts(scores: np.ndarray, anomalous: np.ndarray) -> tuple[int, int]:
    if len(scores) != len(anomalous):
        raise InputError(f"scores: expected as many as examples ({len(anomalous)}), got {len(scores)}")
    if not np.isfinite(scores).all():
        raise InputError("scores: expected finite numbers, got some that are not")
    n = int(np.sum(anomalous))
    if not 0 < n < len(anomalous):
        raise InputError(f"anomalous: expected some of both kinds, got {n} anomalies of {len(anomalous)}")
    return n, len(anomalous) - n


def bootstrapped(
    measure: Callable[[np.ndarray, np.ndarray], float],
    scores: np.ndarray,
    anomalous: np.ndarray,
    *,
    times: int = 500,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[float, float, float]:
    """A measure with its percentile interval: anomalies and normal examples are drawn anew, as many as there are.

    The interval is that of these examples; that of other trainings is wider.

    Args:
      measure: `auroc` or `average_precision`.
      scores: as of the measure.
      anomalous: as of the measure.
      times: draws.
      confidence: coverage.
      seed: of the draws.

    Returns:
      (value, low, high).
    """
    values = draws(measure, scores, anomalous, times=times, seed=seed)
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return measure(np.asarray(scores), np.asarray(anomalous, bool)), float(low), float(high)


def draws(
    measure: Callable[[np.ndarray, np.ndarray], float],
    scores: np.ndarray,
    anomalous: np.ndarray,
    *,
    times: int = 500,
    seed: int = 0,
) -> np.ndarray:
    """The measure of so many bootstrap samples, [times]; the arguments are those of `bootstrapped`."""
    scores, anomalous = np.asarray(scores, np.float64), np.asarray(anomalous, bool)
    rng, kinds = np.random.default_rng(seed), [np.flatnonzero(anomalous), np.flatnonzero(~anomalous)]
    values = np.empty(times)
    for i in range(times):
        rows = np.concatenate([rng.choice(kind, len(kind)) for kind in kinds])
        values[i] = measure(scores[rows], anomalous[rows])
    return values


class Threshold(NamedTuple):
    """A score beyond which an example is called anomalous.

    Attributes:
      value: of the threshold: what scores more is anomalous.
      low: of its interval; minus infinity where so few examples tell no lower end.
      high: of its interval; infinity where so few examples tell no upper end.
      rate: of normal examples beyond it that is expected, at most the one that was asked for.
      rate_low: of the interval of that rate, for this threshold.
      rate_high: of the interval of that rate.
      n: normal examples that it was found with.
    """

    value: float
    low: float
    high: float
    rate: float
    rate_low: float
    rate_high: float
    n: int


def threshold(normal: np.ndarray, rate: float, *, confidence: float = 0.95) -> Threshold:
    """The threshold beyond which at most a share `rate` of normal examples is expected, of scores of such.

    It is the k-th largest of n scores with k = floor(rate (n + 1)): of a further example like these the chance to lie
    beyond it is k / (n + 1), whatever their distribution. What that chance is for this one threshold has a beta
    distribution with parameters k and n + 1 - k, which gives its interval; the interval of the threshold itself are the
    scores at ranks that the quantile lies between.

    Args:
      normal: scores [n] of examples that the networks were not trained on.
      rate: false-positive rate, above 0 and below 1.
      confidence: of both intervals.

    Raises:
      InputError: for a rate out of range, or one that so few examples cannot tell, or scores that are not finite.

    References:
      Wilks (1941), Determination of sample sizes for setting tolerance limits.
    """
    check_range("rate", rate, above=0, below=1)
    scores, n = np.sort(np.asarray(normal, np.float64))[::-1], len(normal)
    if not np.isfinite(scores).all():
        raise InputError("scores: expected finite numbers, got some that are not")
    k = math.floor(rate * (n + 1) + 1e-9)
    if k < 1:
        raise InputError(
            f"rate: expected at least 1 / {n + 1}, as {n} normal images tell no smaller rate, got {rate:g}"
        )
    tails = (1 - confidence) / 2, (1 + confidence) / 2
    rate_low, rate_high = stats.beta.ppf(tails, k, n + 1 - k)
    few, many = stats.binom.ppf(tails, n, rate)
    ends = np.concatenate([[np.inf], scores, [-np.inf]])  # at rank 0, and after the last
    low, high = float(ends[int(many) + 1]), float(ends[int(few)])
    return Threshold(float(ends[k]), low, high, k / (n + 1), float(rate_low), float(rate_high), n)
