"""Images of any size through a network, in tiles that overlap and are blended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError

_AT_ONCE = 1024  # tiles


def starts(length: int, side: int, overlap: int) -> list[int]:
    """Where tiles of `side` pixels begin that cover `length` and overlap by at least `overlap`; the last one fits."""
    if length <= side:
        return [0]
    step = max(1, side - overlap)
    return [*range(0, length - side, step), length - side]


def _ramp(side: int, overlap: int) -> np.ndarray:
    """Weights along a tile: 1 in the middle, falling towards both edges over the overlap, and never 0."""
    distance = np.minimum(np.arange(side), np.arange(side)[::-1]) + 1.0
    return np.minimum(distance / (overlap + 1), 1.0)


def by_tiles(
    arrays: Mapping[str, np.ndarray],
    make: Callable[[Mapping[str, np.ndarray]], np.ndarray],
    *,
    tile: tuple[int, int],
    overlap: int,
    scale: int = 1,
) -> np.ndarray:
    """What a network makes of images, tile by tile.

    An image smaller than a tile is continued by reflection. Where tiles overlap their weighted mean is taken.

    Args:
      arrays: name -> images float32 [n, h, w, c] of one size each, such as inputs and masks.
      make: arrays of tiles [m, *tile, c] by name -> what is made of them [m, scale * tile, k].
      tile: height and width of a tile.
      overlap: pixels by which neighbours overlap.
      scale: of the sides of what is made.

    Returns:
      float32 [n, h scale, w scale, k].

    Raises:
      InputError: for a tile of no pixels, or an overlap as large as the tile.
    """
    if min(tile) < 1:
        raise InputError(f"tile: expected at least 1 pixel a side, got {tile[0]}x{tile[1]}")
    check_range("overlap", overlap, at_least=0, at_most=min(tile) - 1, unit="pixels")
    n, h, w = next(iter(arrays.values())).shape[:3]
    pad = max(tile[0] - h, 0), max(tile[1] - w, 0)
    padded = {
        name: np.pad(x, ((0, 0), (0, pad[0]), (0, pad[1]), (0, 0)), mode="symmetric")
        for name, x in arrays.items()
    }
    rows, columns = starts(h, tile[0], overlap), starts(w, tile[1], overlap)
    places = [(i, top, left) for i in range(n) for top in rows for left in columns]
    size = (h + pad[0]) * scale, (w + pad[1]) * scale
    total, weights = None, np.zeros((1, *size, 1), np.float32)
    ramps = [_ramp(side * scale, overlap * scale) for side in tile]
    weight = (ramps[0][:, None] * ramps[1])[..., None].astype(np.float32)
    for start in range(
        0, len(places), _AT_ONCE
    ):  # a photo has many tiles, which would take many times its memory
        part = places[start : start + _AT_ONCE]
        cut = lambda x, part=part: np.stack([x[i, t : t + tile[0], u : u + tile[1]] for i, t, u in part])
        made = make({name: cut(x) for name, x in padded.items()})
        if made.shape[1:3] != (tile[0] * scale, tile[1] * scale):
            raise InputError(
                f"tile: expected what is made to be {scale} times as large, got {made.shape[1:3]}"
            )
        if total is None:
            total = np.zeros((n, *size, made.shape[-1]), np.float32)
        for (i, top, left), one in zip(part, made, strict=True):
            down = slice(top * scale, (top + tile[0]) * scale)
            across = slice(left * scale, (left + tile[1]) * scale)
            total[i, down, across] += weight * one
            if i == 0:
                weights[0, down, across] += weight
    assert total is not None
    return (total / weights)[:, : h * scale, : w * scale]


def tile_of(module: Any, shape: tuple[int, ...]) -> tuple[int, int]:
    """The tiles that suit a network trained on images of this shape.

    They are as large as these: a network that sees all of an image at once has learned that size. One that looks at
    neighbourhoods alone takes larger ones, whose edges are fewer.
    """
    local = getattr(module, "local", False)
    return (max(shape[0], _LOCAL), max(shape[1], _LOCAL)) if local else (shape[0], shape[1])


_LOCAL = 96
