"""What scores are computed with: reals that are the same in every run, and whether there are enough."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxgan.data.rows import Rows
from jaxgan.metrics.collect import Sample
from jaxgan.metrics.image_scores import Metric
from jaxgan.metrics.modes import EVALUATION_SEED


def pick(images: Any, n: int) -> Rows:
    """n images at random without replacement (at most all), the same in every run, in random order, none read yet."""
    return Rows(images, order_of(len(images))[:n])


def picked_labels(labels: np.ndarray | None, n: int) -> np.ndarray | None:
    """The labels of the images that `pick` gives; None without labels."""
    return None if labels is None else labels[order_of(len(labels))[:n]]


def order_of(n: int) -> np.ndarray:
    """Which of n images come first, the same in every run."""
    return np.random.default_rng(EVALUATION_SEED).permutation(n)


def cannot(metric: Metric, real: Sample, fake: Sample) -> str:
    """Why a metric cannot be computed from these samples; "" if it can."""
    if metric.classes and fake.logits is None:
        return "the features have no classes"
    if metric.spatial and fake.spatial is None:
        return "the features do not know where things are, as only Inception's do"
    if metric.images and not metric.features and fake.images.dtype != np.uint8:
        return "it looks at pixels of 8 bits, and these have 16"
    if metric.reals and len(real.images) < metric.reals:
        return f"at least {metric.reals} reals are needed, and there are {len(real.images)}"
    if metric.labels and (real.labels is None or fake.labels is None):
        return "reals and fakes need labels"
    if metric.features and min(len(real.features), len(fake.features)) <= 5:
        return f"more than 5 reals and fakes are needed, and there are {real.n} and {fake.n}"
    return ""
