"""Scores of a classifier's predictions, and the divergence of histograms."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from jaxgan.common.errors import InputError


def inception_score(logits: np.ndarray, *, splits: int = 10) -> tuple[float, float]:
    """The exponential of the mean KL(p(y|x) || p(y)): its mean and deviation (ddof 0) over consecutive parts.

    Args:
      logits: class logits [n, classes] of a classifier.
      splits: number of parts; each has its own p(y).

    Raises:
      InputError: for fewer examples than parts.

    References:
      Salimans et al. (2016), Improved techniques for training GANs, section 4.
    """
    logits = np.asarray(logits, np.float64)
    if len(logits) < splits:
        raise InputError(
            f"logits: expected at least {splits} examples for {splits} splits, got {len(logits)}"
        )
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    scores = []
    for part in np.array_split(log_p, splits):
        marginal = np.exp(part).mean(0)
        scores.append(np.exp((np.exp(part) * (part - np.log(np.maximum(marginal, 1e-300)))).sum(1).mean()))
    return float(np.mean(scores)), float(np.std(scores))


def inception_score_error(logits: np.ndarray, *, splits: int = 10) -> float:
    """Standard error of `inception_score` that comes from the choice of the examples, by the delta method.

    To first order an example moves the mean KL of its part by KL(p(y|x) || p(y)) over the size of the part: what it
    does to p(y) cancels. The spread over the parts says the same, but from ten numbers.

    Args:
      logits: as of `inception_score`.
      splits: as of `inception_score`.
    """
    logits = np.asarray(logits, np.float64)
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    variance = 0.0
    for part in np.array_split(log_p, splits):
        marginal = np.exp(part).mean(0)
        kl = (np.exp(part) * (part - np.log(np.maximum(marginal, 1e-300)))).sum(1)
        if len(kl) > 1:
            variance += np.exp(2 * kl.mean()) * kl.var(ddof=1) / len(kl)
    return float(np.sqrt(variance)) / splits


def histogram_kl(counts: ArrayLike, reference: ArrayLike) -> float:
    """KL(p || q) of two histograms, in nats.

    A bin that is empty in p adds nothing; one that is empty in q alone makes the divergence infinite.
    """
    p = np.asarray(counts, np.float64) / np.sum(counts)
    q = np.asarray(reference, np.float64) / np.sum(reference)
    with np.errstate(divide="ignore"):
        terms = np.where(p > 0, p * (np.log(np.where(p > 0, p, 1.0)) - np.log(q)), 0.0)
    return float(terms.sum())


def histogram_kl_error(counts: ArrayLike, reference: ArrayLike) -> float:
    """Standard error of `histogram_kl` that comes from the choice of the examples in `counts`.

    The first order is the delta method's: the spread of log p/q over the examples. Where p is near q it vanishes, and
    what remains of it in a finite sample is that of the second order, 2 KL n ~ chi-squared, which counts instead.

    Args:
      counts: of the examples in each bin [k], not shares.
      reference: as of `histogram_kl`; positive wherever there is an example.
    """
    counts = np.asarray(counts, np.float64)
    n, some = counts.sum(), counts > 0
    if n < 2:
        return 0.0
    p, q = counts[some] / n, np.asarray(reference, np.float64)[some] / np.sum(reference)
    ratio, free = np.log(p) - np.log(q), some.sum() - 1
    spread = float((p * ratio**2).sum() - (p * ratio).sum() ** 2)
    first = spread - free / n if spread * n > free + np.sqrt(2 * free) else 0.0
    return float(np.sqrt(first / n + free / (2 * n**2)))
