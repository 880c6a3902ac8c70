"""Mode coverage of mixtures in the plane and of stacked digits, by the published protocols."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import chdtr

from jaxgan.common.errors import InputError
from jaxgan.data.stacked import N_MODES, mode_of
from jaxgan.metrics.scores.classes import histogram_kl


def mode_coverage(points: np.ndarray, modes: np.ndarray, std: float) -> dict[str, float]:
    """Modes found, share of high-quality points, and reverse KL of the modes.

    A point is of high quality if it lies within 3 standard deviations of its nearest mode (Euclidean); a mode
    is found if it has at least one such point. Reverse KL is KL(p || uniform) in nats, with p the histogram
    of high-quality points over modes; it is log(number of modes) where there is no such point.

    Args:
      points: generated points [n, 2].
      modes: centres of the modes [k, 2].
      std: standard deviation of each mode.

    Returns:
      "modes", "high_quality", "reverse_kl".

    Raises:
      InputError: for points of another shape, or a distribution without modes.

    References:
      Srivastava et al. (2017), VEEGAN, section 4.1; Lin et al. (2018), PacGAN, section 4.1.
    """
    counts, uniform = mode_counts(points, modes, std)[:-1], np.ones(len(modes))
    return {
        "modes": float((counts > 0).sum()),
        "high_quality": float(counts.sum() / len(points)),
        "reverse_kl": histogram_kl(counts, uniform) if counts.any() else math.log(len(modes)),
    }


def mode_counts(points: np.ndarray, modes: np.ndarray, std: float) -> np.ndarray:
    """How many points lie within 3 standard deviations of each mode, their nearest, and last how many of none: [k + 1].

    Raises:
      InputError: as `mode_coverage`.
    """
    points, modes = np.asarray(points, np.float64), np.asarray(modes, np.float64)
    if points.ndim != 2 or len(modes) == 0 or points.shape[1] != modes.shape[1]:
        raise InputError(
            f"mode_coverage: expected points [n, 2] and modes [k, 2], got {points.shape}, {modes.shape}"
        )
    distances = np.linalg.norm(points[:, None] - modes[None], axis=2)
    good = distances.min(1) <= 3 * std
    counts = np.bincount(distances.argmin(1)[good], minlength=len(modes))
    return np.append(counts, len(points) - good.sum())


def mode_shares(modes: int, dimensions: int) -> np.ndarray:
    """The shares that `mode_counts` has of a uniform mixture of Gaussians itself, [k + 1]."""
    within = float(chdtr(dimensions, 9.0))
    return np.append(np.full(modes, within / modes), 1 - within)


def stacked_modes(digits: np.ndarray) -> dict[str, float]:
    """Modes found among stacked digits, of 1,000, and reverse KL of the modes.

    A mode is a triple of digits; it is found if it has at least one example, however sure the classifier is.
    Reverse KL is KL(p || uniform) over the 1,000 modes in nats, with p the histogram of the examples:
    the generator comes first, as published. The data's own modes are not quite uniform (MNIST has more
    ones than fives), which adds 0.004. The histogram of a finite sample is never flat: n examples of the
    uniform distribution itself get about 999 / 2n, which is 0.0193 for the protocol's 26,000. A single mode
    gets log 1000 = 6.91.

    Args:
      digits: the class of each channel, integers 0 to 9 [n, 3].

    Returns:
      "modes", "reverse_kl".

    Raises:
      InputError: for another shape, no example, or numbers that are no digits.

    References:
      Srivastava et al. (2017), VEEGAN, section 4.2; Lin et al. (2018), PacGAN, section 4.2.
    """
    digits = np.asarray(digits)
    if digits.ndim != 2 or digits.shape[1] != 3 or len(digits) == 0:
        raise InputError(f"stacked_modes: expected digits [n, 3] of at least 1 example, got {digits.shape}")
    if not np.issubdtype(digits.dtype, np.integer) or digits.min() < 0 or digits.max() > 9:
        raise InputError(
            f"stacked_modes: expected integers 0 to 9, got {digits.dtype} from {digits.min()} to {digits.max()}"
        )
    counts = np.bincount(mode_of(digits), minlength=N_MODES)
    return {
        "modes": float((counts > 0).sum()),
        "reverse_kl": histogram_kl(counts, np.ones(N_MODES)),
    }
