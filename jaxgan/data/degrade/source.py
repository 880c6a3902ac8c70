"""Images whose batches also hold what they are to be restored from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import jax
import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.data.degrade.base import Chain
from jaxgan.data.modality import IMAGE, PAIR, Modality
from jaxgan.data.source import Finite, Source
from jaxgan.data.spec import Spec


def spec_with(spec: Spec, chain: Chain, crop: int | None = None) -> Spec:
    """The spec of images, or of crops of them, with what a chain makes of them.

    Raises:
      InputError: for images that a degradation does not take, or smaller ones than the crops.
    """
    shape = spec.shape
    if crop is not None:
        if len(shape) != 3 or not 1 <= crop <= min(shape[:2]):
            raise InputError(
                f"data.crop: expected 1 to {min(shape[:2])} pixels, which the images have, got {crop}"
            )
        shape = (crop, crop, shape[2])
    shapes = {spec.example: shape, **chain.shapes(shape)}
    made = {name: jax.ShapeDtypeStruct(own, np.float32) for name, own in shapes.items()}
    return replace(spec, arrays={**spec.arrays, **made}, modality=PAIR)


@dataclass(frozen=True, eq=False)
class Degraded(Finite):
    """Images as they are stored; what a degradation makes of them is computed with each batch.

    Attributes:
      clean: the images.
      chain: what is done to them.
      crop: side of the squares that are cut out of them at random before, one of each image of a batch; None: none.
    """

    clean: Finite
    chain: Chain
    crop: int | None = None

    modality: ClassVar[Modality] = PAIR
    example: ClassVar[str] = "image"

    @property
    def arrays(self) -> Mapping[str, np.ndarray]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Those of the images."""
        return self.clean.arrays

    name = property(lambda self: self.clean.name)
    class_names = property(lambda self: self.clean.class_names)
    skipped = property(lambda self: self.clean.skipped)
    notes = property(lambda self: (*self.clean.notes, f"images are restored from: {self.chain.text}"))
    opened_with = property(lambda self: self.clean.opened_with)

    @property
    def fingerprint(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """A hash of the images and of what is done to them."""
        crops = "" if self.crop is None else f" of crops of {self.crop}"
        return hashlib.sha256(f"{self.clean.fingerprint} {self.chain.text}{crops}".encode()).hexdigest()

    @cached_property
    def held_out(self) -> Source | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The held-out images, degraded alike."""
        return None if self.clean.held_out is None else degraded(self.clean.held_out, self.chain, self.crop)

    @cached_property
    def complete(self) -> Source | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """All images, degraded alike."""
        return None if self.clean.complete is None else degraded(self.clean.complete, self.chain, self.crop)

    @cached_property
    def spec(self) -> Spec:
        """That of the images, with what is made of them."""
        return spec_with(self.clean.spec, self.chain, self.crop)

    def derived(self, keys: jax.Array, batch: Mapping[str, jax.Array]) -> Mapping[str, jax.Array]:
        """What is made of the images of a batch, as of `Source`, and the images where crops take their place."""
        images, stored = batch[self.example], np.dtype(self.spec.stored)
        if self.crop is None:
            return self.chain(keys, images, stored)
        images = jax.vmap(self._cropped)(keys, images)
        return {self.example: images, **self.chain(keys, images, stored)}

    def _cropped(self, key: jax.Array, image: jax.Array) -> jax.Array:
        h, w, c = image.shape
        down, across = jax.random.split(jax.random.fold_in(key, _CROP))
        side = self.crop or h
        top = jax.random.randint(down, (), 0, h - side + 1)
        left = jax.random.randint(across, (), 0, w - side + 1)
        return jax.lax.dynamic_slice(image, (top, left, 0), (side, side, c))


_CROP = 0x63726F70  # stream of where crops lie


def degraded(source: Source, chain: Chain, crop: int | None = None) -> Degraded:
    """A source of images with what a chain makes of them, or of crops of them.

    Raises:
      InputError: for anything but a finite set of images, or images that the chain does not take.
    """
    if not isinstance(source, Finite) or source.modality.name != IMAGE.name:
        raise InputError(
            f"data.degrade: expected images, got {source.name!r}, which is made of {source.modality.name}s"
        )
    found = Degraded(source, chain, crop)
    _ = found.spec  # raises
    return found
