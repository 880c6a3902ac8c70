"""Divergences of finite distributions in closed form, by which the claims of losses are verified.

Each takes two arrays of positive probabilities, p (data) and q (fakes), in float64, and returns a
number that is 0 where they are equal.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Distribution = Any


def kl(p: Distribution, q: Distribution) -> float:
    """Kullback-Leibler: sum p log(p / q)."""
    return float(np.sum(p * np.log(p / q)))


def reverse_kl(p: Distribution, q: Distribution) -> float:
    """Kullback-Leibler the other way round: sum q log(q / p)."""
    return kl(q, p)


def jensen_shannon(p: Distribution, q: Distribution) -> float:
    """Jensen-Shannon: 1/2 KL(p || m) + 1/2 KL(q || m) with m = (p + q) / 2, at most log 2."""
    m = (p + q) / 2
    return 0.5 * kl(p, m) + 0.5 * kl(q, m)


def pearson(p: Distribution, q: Distribution) -> float:
    """Pearson chi-squared: sum (p - q)^2 / q."""
    return float(np.sum((p - q) ** 2 / q))


def neyman(p: Distribution, q: Distribution) -> float:
    """Neyman chi-squared: sum (p - q)^2 / p."""
    return pearson(q, p)


def squared_hellinger(p: Distribution, q: Distribution) -> float:
    """Squared Hellinger distance: sum (sqrt p - sqrt q)^2, at most 2 (some authors halve it)."""
    return float(np.sum((np.sqrt(p) - np.sqrt(q)) ** 2))


def total_variation(p: Distribution, q: Distribution) -> float:
    """Total variation: 1/2 sum |p - q|, at most 1."""
    return float(0.5 * np.sum(np.abs(p - q)))


def triangular(p: Distribution, q: Distribution) -> float:
    """Triangular discrimination (twice Vincze-Le Cam): sum (p - q)^2 / (p + q), at most 2.

    It is twice Pearson's chi-squared of p (or of q) from (p + q) / 2.
    """
    return float(np.sum((p - q) ** 2 / (p + q)))


def alpha_divergence(p: Distribution, q: Distribution, alpha: float) -> float:
    """Alpha-divergence: sum q (u^alpha - 1 - alpha (u - 1)) / (alpha (alpha - 1)) with u = p / q.

    Alpha may be any number but 0 and 1. With alpha = 1/2 it is twice the squared Hellinger distance, with
    2 half of Pearson's, with -1 half of Neyman's.
    """
    u = p / q
    return float(np.sum(q * (u**alpha - 1 - alpha * (u - 1))) / (alpha * (alpha - 1)))


def paired_jensen_shannon(p: Distribution, q: Distribution) -> float:
    """Jensen-Shannon divergence of (real, fake) pairs from (fake, real) pairs: p x q from q x p."""
    return jensen_shannon(np.outer(p, q).ravel(), np.outer(q, p).ravel())


def paired_least_squares(p: Distribution, q: Distribution) -> float:
    """2 t / (2 + t) with t the triangular discrimination: what squared differences of pairs measure.

    The least of sum_ij p_i q_j (c_i - c_j - 1)^2 over c solves a linear system whose solution is
    proportional to (p - q) / (p + q), with value (2 - t) / (2 + t) = 1 - 2 t / (2 + t).
    """
    t = triangular(p, q)
    return 2 * t / (2 + t)


def average_least_squares(p: Distribution, q: Distribution) -> float:
    """4 t / (2 + 3 t) with t the triangular discrimination: what squared differences to averages measure."""
    t = triangular(p, q)
    return 4 * t / (2 + 3 * t)


DIVERGENCES: dict[str, Callable[[Distribution, Distribution], float]] = {
    "kl": kl,
    "reverse_kl": reverse_kl,
    "jensen_shannon": jensen_shannon,
    "pearson": pearson,
    "neyman": neyman,
    "squared_hellinger": squared_hellinger,
    "total_variation": total_variation,
    "triangular": triangular,
    "paired_jensen_shannon": paired_jensen_shannon,
    "paired_least_squares": paired_least_squares,
    "average_least_squares": average_least_squares,
}

LOG2 = math.log(2)
