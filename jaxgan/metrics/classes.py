"""Scores of the predictions of a classifier, and divergences of histograms."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from jaxgan.common.errors import InputError


def inception_score(logits: np.ndarray, *, splits: int = 10) -> tuple[float, float]:
    """exp of the mean KL(p(y|x) || p(y)), over `splits` consecutive parts: mean and deviation (ddof 0).

    Args:
      logits: class logits [n, classes] of a classifier.
      splits: number of parts; p(y) is that of the part.

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
    """KL(p || q) in nats of two histograms; an empty bin of p adds nothing, one of q only makes it infinite."""
    p = np.asarray(counts, np.float64) / np.sum(counts)
    q = np.asarray(reference, np.float64) / np.sum(reference)
    with np.errstate(divide="ignore"):
        terms = np.where(p > 0, p * (np.log(np.where(p > 0, p, 1.0)) - np.log(q)), 0.0)
    return float(terms.sum())
