"""Mode coverage of 2-D mixtures, by the published protocol."""

from __future__ import annotations

import math

import numpy as np

from jaxgan.errors import InputError
from jaxgan.metrics.distances import histogram_kl


def mode_coverage(points: np.ndarray, modes: np.ndarray, std: float) -> dict[str, float]:
    """Modes found, share of high-quality points, and reverse KL of the modes.

    A point is of high quality within 3 standard deviations of its nearest mode (Euclidean); a mode
    is found with at least one such point. Reverse KL is KL(p || uniform) in nats, with p the
    histogram of high-quality points over modes; log(number of modes) where there is no such point.

    Args:
      points: [n, 2].
      modes: [k, 2].
      std: standard deviation of each mode.

    Returns:
      "modes", "high_quality", "reverse_kl".

    Raises:
      InputError: for points of another shape, or a distribution without modes.

    References:
      Srivastava et al. (2017), VEEGAN, section 4.1; Lin et al. (2018), PacGAN, section 4.1.
    """
    points, modes = np.asarray(points, np.float64), np.asarray(modes, np.float64)
    if points.ndim != 2 or len(modes) == 0 or points.shape[1] != modes.shape[1]:
        raise InputError(
            f"mode_coverage: expected points [n, 2] and modes [k, 2], got {points.shape}, {modes.shape}"
        )
    distances = np.linalg.norm(points[:, None] - modes[None], axis=2)
    good = distances.min(1) <= 3 * std
    counts = np.bincount(distances.argmin(1)[good], minlength=len(modes))
    uniform = np.ones(len(modes))
    return {
        "modes": float((counts > 0).sum()),
        "high_quality": float(good.mean()),
        "reverse_kl": histogram_kl(counts, uniform) if good.any() else math.log(len(modes)),
    }
