"""Kernel distances (maximum mean discrepancy) between two sets of features."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError

_ERROR_EXAMPLES = 2000  # of each set, for the error: it need not be more exact


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

    The error is that of the choice of the fakes, for these reals: by how much each of them moves the value, what is
    left where the two sets are alike (the second order of a U-statistic), and what the choice of subsets adds. It is
    estimated from at most 2,000 fakes and reals.

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
    check_range("degree", degree, at_least=1)
    check_range("subsets", subsets, at_least=2)
    check_range("subset_size", subset_size, at_least=2)
    size = min(subset_size, len(x), len(y))
    one = size == len(x) == len(y)  # one subset only
    values = (
        np.asarray([_polynomial(x, y, degree)])
        if one
        else _subset_values(x, y, degree, subsets, size, seed, poll)
    )
    few = lambda a: a[:_ERROR_EXAMPLES]
    kernel = _power(few(y), few(y), degree)
    np.fill_diagonal(kernel, 0)  # no fake with itself
    others = len(kernel) - 1
    among = kernel.sum(1) / others
    gain = 2 * (among - _power(few(y), few(x), degree).mean(1))
    first, second = _orders(gain, np.square(kernel).sum() / (len(kernel) * others), among)
    n, share = len(y), size / len(y)
    drawn = 0 if one else subsets
    more = [1.0, 1.0] if one else [1 + (1 - share**k) / (share**k * drawn) for k in (1, 2)]
    return values, float(np.sqrt(first / n * more[0] + 2 * second / (n * (n - 1)) * more[1]))


def _orders(gain: np.ndarray, squares: float, means: np.ndarray) -> tuple[float, float]:
    """Variances of the first and the second order of an MMD, of one fake and of a pair of fakes.

    Args:
      gain: 2 (mean of k(y_i, y) - mean of k(y_i, x)) of each fake y_i.
      squares: mean of k(y_i, y_j)^2 over the fakes.
      means: mean of k(y_i, y) over the fakes, of each.
    """
    second = max(float(squares - 2 * np.square(means).mean() + means.mean() ** 2), 0.0)
    return max(float(gain.var(ddof=1)) - 4 * second / len(gain), 0.0), second


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


def _power(a: np.ndarray, b: np.ndarray, degree: int) -> np.ndarray:
    base = a @ b.T / a.shape[1] + 1
    result = base
    for _ in range(degree - 1):  # repeated products: a power costs more than the matrix product
        result = result * base
    return result


def _polynomial(x: np.ndarray, y: np.ndarray, degree: int) -> float:
    return _unbiased(_power(x, x, degree), _power(y, y, degree), _power(x, y, degree))


def gaussian_mmd(
    x: np.ndarray, y: np.ndarray, *, sigma: float = 10.0, normalise: bool = True, block: int = 1000
) -> tuple[float, float | None]:
    """Squared MMD with the kernel exp(-|x - y|^2 / (2 sigma^2)) over all pairs, those of an example with itself too.

    So it is biased, by the convention of CMMD, whose published numbers are 1,000 times this on CLIP embeddings
    of unit length. The error is that of the choice of the fakes, for these reals: by how much each of them moves the
    value, and what is left where the two sets are alike.

    Args:
      x: features of reals [n, d].
      y: features of fakes [m, d].
      sigma: bandwidth of the kernel.
      normalise: whether every feature vector is scaled to unit length first.
      block: rows of the kernel matrix that are held at once.

    Returns:
      The value and its standard error (None of a single fake).

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

    def rows(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, float]:
        """The mean of the kernel between each of a and all of b [n], and the mean of its square."""
        norms, means, squares = np.square(b).sum(1), [], 0.0
        for start in range(0, len(a), block):
            part = a[start : start + block]
            squared = np.square(part).sum(1)[:, None] + norms - 2 * part @ b.T
            kernel = np.exp(np.maximum(squared, 0) / (-2 * sigma**2))
            means.append(kernel.mean(1))
            squares += float(np.square(kernel).sum())
        return np.concatenate(means), squares / (len(a) * len(b))

    (among, squares), across = rows(y, y), rows(y, x)[0]
    value = float(rows(x, x)[0].mean() + among.mean() - 2 * across.mean())
    if len(y) < 2:
        return value, None
    first, second = _orders(2 * (among - across), squares, among)
    return value, float(np.sqrt(first / len(y) + 2 * second / len(y) ** 2))
