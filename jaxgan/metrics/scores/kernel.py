"""Kernel distances (maximum mean discrepancy) between two sets of features."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.metrics.scores.resampling import GROUPS, jackknife_error


def _pair(name: str, x: np.ndarray, y: np.ndarray, fewest: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < fewest:
        raise InputError(
            f"{name}: expected two sets [n >= {fewest}, d] of one dimension, got {x.shape} and {y.shape}"
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError(f"{name}: expected finite features, got NaN or infinity")
    return x, y


def _unbiased(xx: np.ndarray, yy: np.ndarray, xy: np.ndarray) -> float:
    """MMD^2 without the terms of an example with itself: Gretton et al. (2012), eq. 3."""
    n, m = len(xx), len(yy)
    within_x = (xx.sum() - np.trace(xx)) / (n * (n - 1))
    within_y = (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return float(within_x + within_y - 2 * xy.mean())


def kernel_distance(
    x: np.ndarray,
    y: np.ndarray,
    *,
    degree: int = 3,
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Unbiased squared MMD with the kernel (x.y / d + 1)^degree: its mean over random subsets, and the error of it.

    Each subset holds `subset_size` examples of either set, drawn without replacement (or as many as the smaller
    set has, if that is less). The value is not multiplied by 1,000, as it is in some tables. It may be negative.

    The spread over subsets, divided by the square root of their number, would be the error of the mean
    for these examples only. As subsets of one set overlap, the error given is that of m-of-n
    subsampling where it is larger: the spread times sqrt(subset_size / n).

    Args:
      x: features of reals [n, d].
      y: features of fakes [m, d].
      degree: degree of the polynomial.
      subsets: number of subsets.
      subset_size: examples of each set in a subset, at most.
      seed: of the subsets.

    Returns:
      The mean and its standard error.

    Raises:
      InputError: for sets of different dimension, fewer than 2 examples, or values that are not finite.

    References:
      Binkowski et al. (2018), Demystifying MMD GANs, section 4 (KID).
    """
    values, error = kernel_subsets(x, y, degree=degree, subsets=subsets, subset_size=subset_size, seed=seed)
    return float(values.mean()), error


def kernel_subsets(
    x: np.ndarray,
    y: np.ndarray,
    *,
    degree: int = 3,
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 0,
    poll: Callable[[], None] = lambda: None,
) -> tuple[np.ndarray, float]:
    """The values of `kernel_distance` for each of its subsets, and the standard error of their mean.

    Two calls with the same x, the same size of y and the same seed use the same subsets of x. Arguments and
    errors are those of `kernel_distance`; `poll` is called before every subset, and what it raises ends the work.
    """
    x, y = _pair("kernel_distance", x, y, 2)
    if subsets < 2 or subset_size < 2 or degree < 1:
        raise InputError(
            "kernel_distance: expected degree >= 1, subsets >= 2 and subset_size >= 2, got "
            f"{degree}, {subsets} and {subset_size}"
        )
    n = min(len(x), len(y))
    size = min(subset_size, n)
    if size == len(x) == len(y):  # one subset only: the spread is that of halves
        values = np.asarray([_polynomial(x, y, degree)])
        halves = _subset_values(x, y, degree, subsets, max(2, n // 2), seed, poll)
        return values, float(np.std(halves, ddof=1) * np.sqrt(0.5))
    values = _subset_values(x, y, degree, subsets, size, seed, poll)
    spread = np.std(values, ddof=1)
    return values, float(spread * max(subsets**-0.5, (size / n) ** 0.5))


def _subset_values(
    x: np.ndarray,
    y: np.ndarray,
    degree: int,
    subsets: int,
    size: int,
    seed: int,
    poll: Callable[[], None],
) -> np.ndarray:
    rng, values = np.random.default_rng(seed), []
    for _ in range(subsets):
        poll()
        of_x, of_y = (rng.choice(len(z), size, replace=False) for z in (x, y))
        values.append(_polynomial(x[of_x], y[of_y], degree))
    return np.asarray(values)


def _polynomial(x: np.ndarray, y: np.ndarray, degree: int) -> float:
    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        base = a @ b.T / x.shape[1] + 1
        result = base
        for _ in range(degree - 1):  # repeated products: a power costs more than the matrix product
            result = result * base
        return result

    return _unbiased(kernel(x, x), kernel(y, y), kernel(x, y))


def gaussian_mmd(
    x: np.ndarray, y: np.ndarray, *, sigma: float = 10.0, normalise: bool = True, block: int = 1000
) -> tuple[float, float | None]:
    """Squared MMD with the kernel exp(-|x - y|^2 / (2 sigma^2)) over all pairs, those of an example with itself too.

    So it is biased, by the convention of CMMD, whose published numbers are 1,000 times this on CLIP embeddings
    of unit length. The error knows of the choice of the fakes only: each of ten parts of them is left out in turn.

    Args:
      x: features of reals [n, d].
      y: features of fakes [m, d].
      sigma: bandwidth of the kernel.
      normalise: whether every feature vector is scaled to unit length first.
      block: rows of the kernel matrix that are held at once.

    Returns:
      The value and its standard error (None if a part has fewer than 2 fakes).

    Raises:
      InputError: for sets of different dimension, an empty set, or values that are not finite.

    References:
      Jayasumana et al. (2024), Rethinking FID, section 4; Gretton et al. (2012), eq. 5.
    """
    x, y = _pair("gaussian_mmd", x, y, 1)
    if normalise:
        x, y = (a / np.maximum(np.linalg.norm(a, axis=1, keepdims=True), 1e-12) for a in (x, y))
    centre = x.mean(0)  # distances are the same, and rounding is smaller
    x, y = x - centre, y - centre

    def sums(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Sums of the kernel between each part of a and each part of b: [GROUPS, GROUPS]."""
        norms, total = np.square(b).sum(1), np.zeros((GROUPS, GROUPS))
        for i, part in enumerate(np.array_split(a, GROUPS)):
            for start in range(0, len(part), block):
                rows = part[start : start + block]
                squared = np.square(rows).sum(1)[:, None] + norms - 2 * rows @ b.T
                columns = np.exp(np.maximum(squared, 0) / (-2 * sigma**2)).sum(0)
                total[i] += [each.sum() for each in np.array_split(columns, GROUPS)]
        return total

    among_fakes = sums(y, y)
    fixed, across = sums(x, x).sum() / len(x) ** 2, sums(x, y).sum(0) / len(x)
    sizes = np.asarray([len(part) for part in np.array_split(y, GROUPS)])

    def mmd(kept: np.ndarray) -> float:
        n = sizes[kept].sum()
        return float(fixed + among_fakes[np.ix_(kept, kept)].sum() / n**2 - 2 * across[kept].sum() / n)

    groups = np.arange(GROUPS)
    without = [mmd(groups[groups != g]) for g in groups] if sizes.min() >= 2 else []
    return mmd(groups), jackknife_error(without) if without else None
