"""Feature networks: uint8 images in, float32 features (and what else a network gives) out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.errors import InputError


class Outputs(NamedTuple):
    """What a network gives for n images, float32; None stands for what it does not give.

    Attributes:
      features: [n, d]; what distances of sets are computed from.
      logits: [n, classes]; of a network that classifies.
      spatial: [n, e], features that know where in the image things are.
    """

    features: Any
    logits: Any = None
    spatial: Any = None


@dataclass(frozen=True)
class FeatureNetwork:
    """A named network.

    Attributes:
      name: of the network.
      identity: of its weights; changes when they do.
      apply: uint8 images of any number -> outputs; each number is a program of its own.
      batch: images a call, at most; fewer where an image takes much memory.
      outputs: names of the `Outputs` that are given. A function of the user's own (`own.from_function`) may
        leave out its logits.
      label: what names of scores carry; "" for the name.
    """

    name: str
    identity: str
    apply: Callable[[jax.Array], Outputs]
    batch: int = 500
    outputs: tuple[str, ...] = ("features",)
    label: str = ""

    def __post_init__(self) -> None:
        """Takes the name for the label if there is none."""
        object.__setattr__(self, "label", self.label or self.name)

    @property
    def signature(self) -> str:
        """Name and identity: scores of one signature compare."""
        return f"{self.name}@{self.identity}"

    def batch_for(self, n: int) -> int:
        """Images a call where there are `n` in all: a multiple of 100 that hardly exceeds them, at most `batch`."""
        return min(self.batch, max(-(-n // 100), 1) * 100)

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Features [n, d] and logits [n, classes] (or None) of uint8 images [n, h, w, c], in batches."""
        return in_batches(lambda part: self.apply(part)[:2], images, self.batch_for(len(images)))

    def all_outputs(self, images: np.ndarray) -> Outputs:
        """All that the network gives for uint8 images [n, h, w, c], in batches, as NumPy arrays."""
        return in_batches(self.apply, images, self.batch_for(len(images)))


def polled(network: FeatureNetwork, poll: Callable[[], None]) -> FeatureNetwork:
    """The same network, which calls `poll` before every batch; what that raises ends the work."""

    def apply(images: jax.Array) -> Outputs:
        poll()
        return network.apply(images)

    return replace(network, apply=apply)


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
