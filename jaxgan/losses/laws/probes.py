"""What the laws give to a loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxgan.losses.base import Criterion, Loss


def halves(loss: Loss) -> list[tuple[str, Criterion]]:
    """Name and function of the two halves."""
    return [("discriminator", loss.discriminator), ("generator", loss.generator)]


def random_logits(shape: tuple[int, ...], seed: int, scale: float = 2.0, dtype: Any = np.float32) -> Any:
    """Normal (real_logits, fake_logits), each of `shape`."""
    real, fake = np.random.default_rng(seed).normal(0, scale, (2, *shape))
    return real.astype(dtype), fake.astype(dtype)
