"""What a degradation is, and several of them one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.common.errors import InputError
from jaxgan.data.modality import from_float, to_float

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Degradation:
    """One way to make an image worse.

    Attributes:
      name: such as "denoise", after what undoes it.
      text: what it does, with its numbers.
      apply: (key, image float32 [h, w, c] in [-1, 1]) -> image of another size or number of channels, perhaps.
      shape: shape of an image before -> after. It raises InputError for images that it does not take.
      mask: (key, height, width) -> float32 [h, w, 1], 1 where the image is lost; None: nothing is lost.
    """

    name: str
    text: str
    apply: Callable[[jax.Array, jax.Array], jax.Array] = lambda key, image: image
    shape: Callable[[Shape], Shape] = lambda shape: shape
    mask: Callable[[jax.Array, int, int], jax.Array] | None = None


@dataclass(frozen=True)
class Chain:
    """Degradations, one after the other.

    Attributes:
      parts: in their order.
    """

    parts: tuple[Degradation, ...]

    @property
    def text(self) -> str:
        """What is done, with all numbers."""
        return ", then ".join(part.text for part in self.parts)

    @property
    def masked(self) -> bool:
        """Whether something is lost, of which there is a mask."""
        return any(part.mask is not None for part in self.parts)

    def shapes(self, shape: Sequence[int]) -> dict[str, Shape]:
        """Shapes of what is made of an image of this one: "input" and, if something is lost, "mask".

        Raises:
          InputError: for images that one of the degradations does not take.
        """
        if len(shape) != 3:
            raise InputError(
                f"data.degrade: expected images [height, width, channels], got examples {tuple(shape)}"
            )
        after: Any = tuple(shape)
        for part in self.parts:
            after = part.shape(after)
        return {"input": after} | ({"mask": (*after[:2], 1)} if self.masked else {})

    def __call__(self, keys: jax.Array, images: jax.Array, stored: Any = None) -> Mapping[str, jax.Array]:
        """What is made of images.

        Args:
          keys: one an image, [n].
          images: float32 [n, h, w, c] in [-1, 1].
          stored: type of the files' pixels, such as uint8: the inputs are rounded and clipped to what such files hold.

        Returns:
          "input" [n, h', w', c'] and, if something is lost, "mask" [n, h', w', 1]; where that is 1 the input is 0.
        """
        found = jax.vmap(self._one)(keys, images)
        if stored is not None and jnp.issubdtype(stored, jnp.integer):
            found["input"] = to_float(from_float(found["input"], stored))
        if "mask" in found:
            found["input"] = found["input"] * (1 - found["mask"])
        return found

    def _one(self, key: jax.Array, image: jax.Array) -> dict[str, jax.Array]:
        mask = None
        for i, part in enumerate(self.parts):
            own = jax.random.fold_in(key, i)
            image = part.apply(own, image)
            if part.mask is not None:
                here = part.mask(own, *image.shape[:2])
                mask = here if mask is None else jnp.maximum(mask, here)
        return {"input": image} | ({} if mask is None else {"mask": mask})


def level_of(key: jax.Array, low: float, high: float) -> jax.Array | float:
    """A level for one image: `low`, or a random one from `low` to `high` if that is larger."""
    return jax.random.uniform(key, (), minval=low, maxval=high) if high > low else low


def between(low: float, high: float, unit: str = "") -> str:
    """A level in words: "25" or "5 to 50"."""
    said = f"{low:g}" if high <= low else f"{low:g} to {high:g}"
    return f"{said}{unit}"
