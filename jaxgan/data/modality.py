"""Modalities: how examples of one kind are turned to what a model sees and back, and what people see of them.

A modality that comes with the package is drawn by the function that `jaxgan.report.pictures.DRAWERS` has under
its name, and scored by the one in `jaxgan.metrics.evaluator.EVALUATORS`. Any other may carry both itself, as
`draw` and `score`. One that carries neither is trained and sampled all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.errors import InputError


def to_float(images: jax.Array) -> jax.Array:
    """Scales the whole range of an unsigned integer type (pixels of 8 or 16 bits) to float32 in [-1, 1]."""
    return images.astype(jnp.float32) / (np.iinfo(images.dtype).max / 2) - 1.0


def from_float(images: jax.Array, dtype: Any = np.uint8) -> jax.Array:
    """Rounds float images in [-1, 1] to the nearest pixels of an unsigned integer type; others are clipped."""
    most = np.iinfo(dtype).max
    return jnp.clip(jnp.round((images + 1.0) * (most / 2)), 0, most).astype(dtype)


def _in_numbers(shape: tuple[int, ...], dtype: Any) -> str:
    return f"{'x'.join(map(str, shape))}, {dtype}"


def _image_in_words(shape: tuple[int, ...], dtype: Any) -> str:
    height, width, channels = shape
    return f"{height}x{width}, {channels} channel{'s' * (channels > 1)}, {dtype}"


def _point_in_words(shape: tuple[int, ...], dtype: Any) -> str:
    (d,) = shape
    where = {1: "on the line", 2: "in the plane"}.get(d, f"of {d} coordinates")
    return f"points {where}, {dtype}"


@dataclass(frozen=True)
class Modality:
    """What is known of one kind of examples, whatever their number, size and source.

    Attributes:
      name: a noun for one example, such as "image"; messages and run.json use it.
      to_model: stored examples [n, ...] -> float32 [n, ...] in the range that the model sees. It must be pure.
      from_model: (what the model makes, type of stored examples) -> examples as they are stored; by default what the
        model makes. It must be pure.
      mirror: examples [n, ...] -> the same ones with left and right exchanged; None where that means nothing.
      bounded: whether what the model sees lies in [-1, 1].
      shown: the number of examples that a picture shows.
      is_picture: whether one example is a picture by itself, so that it can be a PNG file or a frame of an animation.
      in_words: (shape, type) of a stored example -> a description of it.
      draw: (examples, columns, reference) -> a PNG file, as of `jaxgan.report.pictures.picture`; None leaves it to the
        package.
      score: source -> `jaxgan.metrics.Evaluator`; None leaves it to the package.
    """

    name: str
    _: KW_ONLY
    to_model: Callable[[jax.Array], jax.Array] = lambda x: x.astype(jnp.float32)
    from_model: Callable[[jax.Array, Any], jax.Array] = lambda x, dtype: x
    mirror: Callable[[jax.Array], jax.Array] | None = None
    bounded: bool = False
    shown: int = 64
    is_picture: bool = False
    in_words: Callable[[tuple[int, ...], Any], str] = _in_numbers
    draw: Callable[..., bytes] | None = None
    score: Callable[[Any], Any] | None = None

    def within(self, bounded: bool) -> Modality:
        """The modality itself, or one that differs only in whether it is bounded."""
        return self if self.bounded == bounded else replace(self, bounded=bounded)


IMAGE = Modality(
    "image",
    to_model=to_float,
    from_model=from_float,
    mirror=lambda images: images[:, :, ::-1],
    bounded=True,
    is_picture=True,
    in_words=_image_in_words,
)
"""Pixels [height, width, channels] of 8 or 16 bits: grey, grey and alpha, RGB, or RGBA."""

POINT = Modality("point", shown=2500, in_words=_point_in_words)
"""float32 [coordinates], as they are."""


PAIR = replace(IMAGE, name="pair", shown=24)
"""Images in pairs: what is made, "image", from what is given, "input"; all of them are as `IMAGE` has them."""

DOMAINS = replace(IMAGE, name="translated image", shown=24)
"""Images of two domains, "a" and "b", without pairs; all of them are as `IMAGE` has them."""


def modality_of(shape: tuple[int, ...]) -> Modality:
    """What the shape of one example alone suggests: images if it is [height, width, channels], else points."""
    return IMAGE if len(shape) == 3 else POINT


MODALITIES: dict[str, Modality] = {modality.name: modality for modality in (IMAGE, POINT, PAIR, DOMAINS)}
"""Modalities by name, for runs that are opened without their data; a package of one's own may add to it."""


def check_stored(what: str, modality: Modality, arrays: Mapping[str, Any], example: str) -> None:
    """Raises InputError for arrays that hold no pixels, where those of the modality are turned to what a model sees.

    Args:
      what: gave the arrays, for messages.
      modality: of all of them; where `to_float` does not turn them, they may be anything.
      arrays: name -> examples [n, ...], of which the types are looked at.
      example: name of the one that is modelled, of which the shape is looked at, too.
    """
    if modality.to_model is not to_float:
        return
    for name, x in arrays.items():
        kind, shape = getattr(x, "dtype", type(x).__name__), tuple(np.shape(x))
        if kind not in (np.uint8, np.uint16):
            raise InputError(f"{what}: expected uint8 or uint16 for {modality.name}s, got {kind} in {name!r}")
        if name == example and (len(shape) != 4 or (modality.name == "image" and not 1 <= shape[3] <= 4)):
            raise InputError(
                f"{what}: expected {modality.name}s [n, height, width, 1 to 4 channels], got shape {shape} in {name!r}"
            )


def find_modality(name: str) -> Modality:
    """The modality called `name`; for an unknown name, one whose examples stay as the model made them."""
    return MODALITIES.get(name, Modality(name))
