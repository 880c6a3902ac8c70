"""Which reals scores are computed with, where they are fewer than there are: the same in every run."""

from __future__ import annotations

import numpy as np

from jaxgan.metrics.modes import EVALUATION_SEED


def pick(images: np.ndarray, n: int) -> np.ndarray:
    """n images at random without replacement (at most all), the same in every run, in random order."""
    chosen = order_of(len(images))[:n]
    order = np.argsort(chosen)  # a memory map is read front to back
    picked = np.empty((len(chosen), *images.shape[1:]), images.dtype)
    picked[order] = images[chosen[order]]
    return picked


def picked_labels(labels: np.ndarray | None, n: int) -> np.ndarray | None:
    """The labels of the images that `pick` gives; None without labels."""
    return None if labels is None else labels[order_of(len(labels))[:n]]


def order_of(n: int) -> np.ndarray:
    """Which of n images come first, the same in every run."""
    return np.random.default_rng(EVALUATION_SEED).permutation(n)
