"""How well units agree with concepts: intersection over union, at the threshold that tells most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxgan.apps.dissect.concepts import Masks, resized_maps
from jaxgan.common.errors import InputError

QUANTILES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99, 0.995)
_LARGEST = 64  # pixels a side that are compared; of larger images only every second, third, ... counts
_CHANNELS = 16  # at once


class Agreement(NamedTuple):
    """Of c units with k concepts.

    Attributes:
      concepts: names, k.
      iou: [c, k], on images that the thresholds were not chosen on.
      quantile: [c, k], of the values of a unit, above which it is said to see the concept.
      threshold: [c, k], the value there.
      area: [k], share of the pixels that are of each concept.
    """

    concepts: list[str]
    iou: np.ndarray
    quantile: np.ndarray
    threshold: np.ndarray
    area: np.ndarray

    def best(self, concept: str, n: int) -> list[int]:
        """The n units that agree best with a concept, the best first."""
        return np.argsort(-self.iou[:, self.concepts.index(concept)], kind="stable")[:n].tolist()


def threshold_of(values: np.ndarray, quantile: float) -> float:
    """The value below which a share `quantile` of the values lies, interpolated linearly."""
    return float(np.quantile(values, quantile))


def iou(seen: np.ndarray, mask: np.ndarray) -> float:
    """|seen and mask| / |seen or mask| over all positions of all images together; 0 where both are empty.

    Args:
      seen: bool, of any shape.
      mask: bool, of the same shape.

    References:
      Bau et al. (2019), GAN dissection, eq. 2: pooled over the data set, not averaged over images.
    """
    union = np.logical_or(seen, mask).sum()
    return float(np.logical_and(seen, mask).sum() / union) if union else 0.0


def agreement(maps: np.ndarray, masks: Masks, quantiles: Sequence[float] = QUANTILES) -> Agreement:
    """Compares the maps of units, scaled bilinearly to the masks' size, with masks of concepts.

    On the first half of the images, for each unit and concept that of the `quantiles` is chosen whose mask has the
    largest ratio of mutual information to joint entropy with the concept's (Bau et al. 2019, eq. 3); IoU is measured on
    the second half. For concepts that are in all images alike, or nowhere, it is 0 or small.

    Args:
      maps: [n, h, w, c], n at least 2.
      masks: by name bool [n, H, W].
      quantiles: of the values of each unit.

    Raises:
      InputError: for fewer images than two, no concepts, or quantiles that are not between 0 and 1.
    """
    n, names = len(maps), list(masks)
    if n < 2 or not names:
        raise InputError(f"images: expected at least 2, and a concept, got {n} and {len(names)}")
    if not quantiles or not all(0 < q < 1 for q in quantiles):
        raise InputError(f"quantiles: expected numbers between 0 and 1, got {tuple(quantiles)}")
    height, width = masks[names[0]].shape[1:]
    stride = max(1, -(-max(height, width) // _LARGEST))
    flat = np.stack([masks[name][:, ::stride, ::stride].reshape(n, -1) for name in names], axis=-1)
    half = n // 2
    fit, test = (part.reshape(-1, len(names)).astype(np.float32) for part in (flat[:half], flat[half:]))
    c = maps.shape[3]
    out = {name: np.zeros((c, len(names))) for name in ("iou", "quantile", "threshold")}
    for first in range(0, c, _CHANNELS):
        some = resized_maps(maps[..., first : first + _CHANNELS], (height, width), stride)
        rows = slice(first, first + some.shape[3])
        values = some[:half].reshape(-1, some.shape[3])
        limits = np.quantile(values, quantiles, axis=0).astype(np.float32)
        told = np.stack([_information(values > limit, fit) for limit in limits])
        chosen = told.argmax(0)  # [channels, concepts]
        rest = some[half:].reshape(-1, some.shape[3])
        shared = np.stack([_overlap(rest > limit, test) for limit in limits])
        pick = lambda x, chosen=chosen: np.take_along_axis(x, chosen[None], axis=0)[0]
        out["iou"][rows] = pick(shared)
        out["quantile"][rows] = np.asarray(quantiles)[chosen]
        out["threshold"][rows] = np.take_along_axis(limits.T, chosen, axis=1)
    return Agreement(names, out["iou"], out["quantile"], out["threshold"], flat.mean((0, 1)))


def _overlap(seen: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """IoU of every unit, bool [p, c], with every concept, [p, k]: [c, k]."""
    both = seen.astype(np.float32).T @ masks
    union = seen.sum(0)[:, None] + masks.sum(0, dtype=np.float64) - both
    return np.divide(both, union, out=np.zeros(both.shape), where=union > 0)


def _information(seen: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Mutual information over joint entropy of units, bool [p, c], and concepts, [p, k]: [c, k], from 0 to 1."""
    p = len(seen)
    both = (seen.astype(np.float32).T @ masks).astype(np.float64) / p
    a, b = seen.mean(0)[:, None], masks.mean(0, dtype=np.float64)[None]
    cells = np.stack([both, a - both, b - both, 1 - a - b + both])
    joint = _entropy(np.maximum(cells, 0)).sum(0)
    apart = _entropy(a) + _entropy(1 - a) + _entropy(b) + _entropy(1 - b)
    return np.divide(apart - joint, joint, out=np.zeros_like(joint), where=joint > 1e-12)


def _entropy(p: np.ndarray) -> np.ndarray:
    """-p log p."""
    return -p * np.log(np.where(p > 0, p, 1.0))
