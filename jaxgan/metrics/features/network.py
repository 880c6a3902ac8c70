"""Feature networks: uint8 images in, float32 features (and class logits, where there are classes) out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.errors import InputError


@dataclass(frozen=True)
class FeatureNetwork:
    """A named network.

    Attributes:
      name: goes into the names of scores.
      identity: of the weights.
      apply: uint8 images of a fixed batch size -> (features, logits or None).
      batch: that batch size; fewer where an image takes much memory.
    """

    name: str
    identity: str
    apply: Callable[[jax.Array], tuple[jax.Array, jax.Array | None]]
    batch: int = 500

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Features [n, d] and logits [n, classes] (or None) of uint8 images [n, h, w, c], in batches."""
        return in_batches(self.apply, images, self.batch)


def in_batches(apply: Callable[[jax.Array], Any], images: np.ndarray, batch: int) -> Any:
    """What `apply` gives for all of `images`, as NumPy arrays.

    Args:
      apply: [batch, ...] -> a tree of [batch, ...].
      images: [n, ...], n at least 1; the last batch is filled with zeros, whose outputs are dropped.
      batch: examples a call.

    Raises:
      InputError: if there are no images.
    """
    if not len(images):
        raise InputError(f"images: expected at least one, got shape {np.shape(images)}")
    parts = []
    for start in range(0, len(images), batch):
        part = np.asarray(images[start : start + batch])
        padded = np.concatenate([part, np.zeros((batch - len(part), *part.shape[1:]), part.dtype)])
        parts.append(jax.tree.map(np.asarray, apply(jnp.asarray(padded))))
    return jax.tree.map(lambda *xs: np.concatenate(xs)[: len(images)], *parts)
