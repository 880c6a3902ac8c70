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


def histogram_kl(counts: ArrayLike, reference: ArrayLike) -> float:
    """KL(p || q) of two histograms, in nats.

    A bin that is empty in p adds nothing; one that is empty in q alone makes the divergence infinite.
    """
    p = np.asarray(counts, np.float64) / np.sum(counts)
    q = np.asarray(reference, np.float64) / np.sum(reference)
    with np.errstate(divide="ignore"):
        terms = np.where(p > 0, p * (np.log(np.where(p > 0, p, 1.0)) - np.log(q)), 0.0)
    return float(terms.sum())
