"""Scores of restored images with intervals over images, beside those of another method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxgan.common.packages import need
from jaxgan.common.statistics import mean_interval
from jaxgan.metrics.restoration import similarities


def ssim_over(made: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mean of SSIM's map over the pixels of a mask, for every image.

    Windows (Gaussian, sigma 1.5) at the edge of the mask look beyond it, where both images are the same.

    Args:
      made: uint8 or uint16 [n, h, w, c].
      truth: the same.
      mask: [h, w] or [n, h, w], not 0 where it counts.
    """
    need(["skimage"], "SSIM over a mask", "pip install 'jaxgan[restore]'")
    from skimage.metrics import structural_similarity  # pyright: ignore[reportMissingImports]

    masks = np.broadcast_to(mask, truth.shape[:3]) != 0
    span = float(np.iinfo(truth.dtype).max)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": -1}
    found = []
    for x, y, own in zip(made, truth, masks, strict=True):
        full: Any = structural_similarity(x, y, data_range=span, full=True, **options)[1]
        found.append(full[own].mean())
    return np.asarray(found)


def table_of(
    what: str, ours: np.ndarray, others: Mapping[str, np.ndarray], truth: np.ndarray, **more: Any
) -> list[dict[str, Any]]:
    """Rows of PSNR, SSIM and, of large images, MS-SSIM: ours beside every other method's.

    Args:
      what: of the task.
      ours: images uint8 or uint16 [n, h, w, c].
      others: name of a method -> its images.
      truth: what they should be.
      more: of every row.
    """
    mine, rows = similarities(ours, truth), []
    for name, images in others.items():
        theirs = similarities(images, truth)
        scores = [score for score in mine if score != "rmse"]
        rows += [row(what, score, mine[score], name, theirs[score], **more) for score in scores]
    return rows


def row(
    what: str,
    score: str,
    ours: Sequence[float] | np.ndarray,
    baseline: str,
    theirs: Sequence[float] | np.ndarray,
    *,
    better: str = "higher",
    **more: Any,
) -> dict[str, Any]:
    """One row of a table: the mean over images, with its 95 % interval, of us and of a baseline.

    "difference" is of each image's two scores, whose interval is narrower than those of both.
    """
    mine, other = (mean_interval(np.asarray(x, np.float64)) for x in (ours, theirs))
    gain = mean_interval(np.asarray(ours, np.float64) - np.asarray(theirs, np.float64))
    return {
        "what": what,
        "score": score,
        "better": better,
        "ours": mine.mean,
        "interval": [mine.low, mine.high],
        "baseline": baseline,
        "baseline_value": other.mean,
        "baseline_interval": [other.low, other.high],
        "difference": gain.mean,
        "difference_interval": [gain.low, gain.high],
        "n": mine.n,
        **more,
    }
