"""What images show, and where: masks of concepts, built in, of a classifier, or of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.ndimage

from jaxgan.apps.attributes import Attributes, eight_bits
from jaxgan.common.errors import InputError, unknown
from jaxgan.common.user_files import load_object
from jaxgan.report.pictures import displayed

Masks = dict[str, np.ndarray]
Segmenter = Callable[[np.ndarray], Masks]
"""uint8 images [n, h, w, c] -> masks by the names of concepts, bool [n, h, w]."""

_HUES = {"red": (345, 15), "orange": (15, 45), "yellow": (45, 70), "green": (70, 165), "cyan": (165, 195)}
_HUES |= {
    "blue": (195, 255),
    "purple": (255, 290),
    "pink": (290, 345),
}  # degrees, from one to below the other
_GREY, _DARK, _LIGHT = 0.15, 0.25, 0.85  # saturation below which there is no hue; values of black and white


def colours(images: np.ndarray) -> Masks:
    """Pixels by colour: black, white and grey, and eight hues where they are saturated by 15 % at least."""
    rgb = np.broadcast_to(displayed(images), (*images.shape[:3], 3)).astype(np.float32) / 255
    most, least = rgb.max(-1), rgb.min(-1)
    spread = most - least
    saturation = spread / np.maximum(most, 1e-6)
    r, g, b = np.moveaxis(rgb, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        hue = np.where(
            most == r, (g - b) / spread % 6, np.where(most == g, (b - r) / spread + 2, (r - g) / spread + 4)
        )
    hue = np.nan_to_num(hue) * 60
    dark = most < _DARK
    plain = ~dark & (saturation < _GREY)
    found = {
        "colour: black": dark,
        "colour: white": plain & (most >= _LIGHT),
        "colour: grey": plain & (most < _LIGHT),
    }
    if images.shape[-1] < 3:
        return found
    for name, (low, high) in _HUES.items():
        inside = (hue >= low) & (hue < high) if low < high else (hue >= low) | (hue < high)
        found[f"colour: {name}"] = inside & ~dark & ~plain
    return found


def edges(images: np.ndarray) -> Masks:
    """Pixels where brightness changes by a sixth of its range or more, from side to side of a Sobel filter."""
    grey = displayed(images).astype(np.float32).mean(-1) / 255
    across, down = (scipy.ndimage.sobel(grey, axis=axis, mode="nearest") / 4 for axis in (2, 1))
    return {"edge": np.hypot(across, down) > 1 / 6}


def foreground(images: np.ndarray) -> Masks:
    """Pixels whose colour is not that of the background, the median of the border, by 12 % of the range or more."""
    x = displayed(images).astype(np.float32) / 255
    n, _, _, c = x.shape
    border = np.concatenate([x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1]], axis=1)
    far = np.abs(x - np.median(border.reshape(n, -1, c), axis=1)[:, None, None]).max(-1)
    return {"foreground": far > 0.12}


def regions(images: np.ndarray) -> Masks:
    """The nine parts of the image, which are the same in all of them."""
    n, h, w, _ = images.shape
    rows, columns = np.indices((h, w))
    found = {}
    for i, down in enumerate(("top", "middle", "bottom")):
        for j, across in enumerate(("left", "centre", "right")):
            inside = (rows * 3 // h == i) & (columns * 3 // w == j)
            found[f"region: {down} {across}"] = np.broadcast_to(inside, (n, h, w))
    return found


BUILT_IN: dict[str, Segmenter] = {
    "colour": colours,
    "edge": edges,
    "foreground": foreground,
    "region": regions,
}


def class_evidence(attributes: Attributes) -> Segmenter:
    """Where a classifier sees each of its classes: what speaks for it there is above 0, and the image has it."""
    look = attributes.evidence
    if look is None:
        raise InputError(f"concepts: expected a network for the evidence of classes, got {attributes.name!r}")

    def segment(images: np.ndarray) -> Masks:
        maps, present = look(images), attributes.scores(images) > 0.5
        size = images.shape[1:3]
        found = {}
        for i, name in enumerate(attributes.names):
            scaled = resized_maps(maps[..., i : i + 1], size)[..., 0]
            found[f"class: {name}"] = (scaled > 0) & present[:, i, None, None]
        return found

    return segment


def resized_maps(maps: np.ndarray, size: tuple[int, int], stride: int = 1) -> np.ndarray:
    """Maps [n, h, w, c] scaled bilinearly to another size; values are those at the centres of pixels.

    Args:
      maps: as said.
      size: (height, width).
      stride: every so manieth row and column alone is computed.
    """
    for axis, length in ((1, size[0]), (2, size[1])):
        old = maps.shape[axis]
        if old == length and stride == 1:
            continue
        at = np.clip((np.arange(0, length, stride) + 0.5) * old / length - 0.5, 0, old - 1)
        low = np.minimum(at.astype(int), max(old - 2, 0))
        share = (at - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(4)])
        a, b = maps.take(low, axis), maps.take(np.minimum(low + 1, old - 1), axis)
        maps = a + share * (b - a)
    return maps


def own_segmenter(name: str) -> Segmenter:
    """The function NAME in FILE.py: uint8 images [n, h, w, c] -> {concept: mask bool [n, h, w]}.

    Raises:
      InputError: if there is no such function; when it is called, for what it raises or gives that are no masks, or not
        those of the concepts of the first call.
    """
    concepts: list[str] = []
    function = load_object("concepts", name, fits=callable)
    if not callable(function):
        raise InputError(
            f"concepts: expected a function images -> {{concept: mask}}, got {type(function).__name__}"
        )

    def segment(images: np.ndarray) -> Masks:
        try:
            given: Any = function(images)
        except InputError:
            raise
        except Exception as error:  # whatever the user's function raises
            raise InputError(f"concepts: {name!r} raised {type(error).__name__}: {error}") from error
        if not isinstance(given, Mapping) or not given:
            raise InputError(f"concepts: expected {{concept: mask}} of {name!r}, got {type(given).__name__}")
        masks = {str(key): np.asarray(value) for key, value in given.items()}
        for key, mask in masks.items():
            if mask.shape != images.shape[:3] or mask.dtype != bool:
                raise InputError(
                    f"concepts: expected bool of shape {images.shape[:3]} for {key!r} of {name!r}, got {mask.dtype} of "
                    f"shape {mask.shape}"
                )
        concepts[:] = concepts or masks
        if set(concepts) != masks.keys():
            raise InputError(
                f"concepts: expected the same of {name!r} for all images (a mask may be empty), got {', '.join(masks)} "
                f"after {', '.join(concepts)}"
            )
        return masks

    return segment


def together(segmenters: Sequence[Segmenter]) -> Segmenter:
    """All concepts of several functions."""

    def segment(images: np.ndarray) -> Masks:
        eight, found = eight_bits(images), {}
        for each in segmenters:
            found |= each(eight)
        return found

    return segment


def built_in(names: Sequence[str]) -> list[Segmenter]:
    """Functions of BUILT_IN by name. Raises InputError for one that there is not."""
    for name in names:
        if name not in BUILT_IN:
            raise unknown("concept", name, [*BUILT_IN, "class", "FILE.py:NAME"])
    return [BUILT_IN[name] for name in names]
