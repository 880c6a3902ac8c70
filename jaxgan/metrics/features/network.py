"""Feature networks: uint8 images in, float32 features (and class logits, where there are classes) out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array
_BATCH = 500


@dataclass(frozen=True)
class FeatureNetwork:
    """A named network.

    Attributes:
      name: goes into the names of scores.
      identity: of the weights.
      apply: uint8 images of a fixed batch size -> (features, logits or None).
    """

    name: str
    identity: str
    apply: Callable[[Array], tuple[Array, Array | None]]

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Features [n, d] and logits [n, classes] (or None) of uint8 images [n, h, w, c], in batches."""
        features, logits = [], []
        for start in range(0, len(images), _BATCH):
            part = np.asarray(images[start : start + _BATCH])
            padded = np.concatenate([part, np.zeros((_BATCH - len(part), *part.shape[1:]), part.dtype)])
            f, p = self.apply(jnp.asarray(padded))
            features.append(np.asarray(f)[: len(part)])
            if p is not None:
                logits.append(np.asarray(p)[: len(part)])
        return np.concatenate(features), np.concatenate(logits) if logits else None
