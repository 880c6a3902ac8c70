"""Inpainting: parts of images are lost, and a mask tells which."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.checks import check_range
from jaxgan.common.errors import lookup
from jaxgan.data.degrade.base import Degradation

_STROKES, _VERTICES = 4, 4


def inpaint(*, mask: str = "free-form", size: float = 0.5) -> Degradation:
    """A part of the image is lost.

    Args:
      mask: "centre" loses the square in the middle, "box" one anywhere, of `size` of each side; "border" loses all
        around that square in the middle; "free-form" loses strokes of random ways and widths (`size` 0.5 loses about
        a quarter of the image).
      size: above 0 and below 1.

    References:
      Yu et al. (2019), Free-form image inpainting with gated convolution, section 3.3, of strokes; theirs has other
      constants.
    """
    make = lookup("mask", mask, MASKS)
    check_range("size", size, above=0, below=1)
    return Degradation(
        "inpaint", f"a {mask} mask of size {size:g}", mask=lambda key, h, w: make(key, h, w, size)[..., None]
    )


def _square(h: int, w: int, size: float) -> tuple[int, int]:
    return max(1, round(h * size)), max(1, round(w * size))


def _placed(h: int, w: int, top: jax.Array, left: jax.Array, high: int, wide: int) -> jax.Array:
    rows, columns = jnp.arange(h), jnp.arange(w)
    inside = lambda at, start, length: (at >= start) & (at < start + length)
    return (inside(rows, top, high)[:, None] & inside(columns, left, wide)[None]).astype(jnp.float32)


def _centre(key: jax.Array, h: int, w: int, size: float) -> jax.Array:
    high, wide = _square(h, w, size)
    found = np.zeros((h, w), np.float32)
    top, left = (h - high) // 2, (w - wide) // 2
    found[top : top + high, left : left + wide] = 1
    return jnp.asarray(found)


def _border(key: jax.Array, h: int, w: int, size: float) -> jax.Array:
    return 1 - _centre(key, h, w, size)


def _box(key: jax.Array, h: int, w: int, size: float) -> jax.Array:
    (high, wide), (down, across) = _square(h, w, size), jax.random.split(key)
    top = jax.random.randint(down, (), 0, h - high + 1)
    return _placed(h, w, top, jax.random.randint(across, (), 0, w - wide + 1), high, wide)


def _free_form(key: jax.Array, h: int, w: int, size: float) -> jax.Array:
    """Strokes: polygons of some vertices, each with a width, round at their ends."""
    start, turn, far, wide = jax.random.split(key, 4)
    side = min(h, w)
    begin = jax.random.uniform(start, (_STROKES, 1, 2)) * jnp.asarray([h, w])
    angle = jax.random.uniform(turn, (_STROKES, _VERTICES, 1), maxval=2 * jnp.pi)
    length = size * side * jax.random.uniform(far, (_STROKES, _VERTICES, 1), minval=0.2, maxval=0.8)
    ways = length * jnp.concatenate([jnp.cos(angle), jnp.sin(angle)], -1)
    ends = begin + jnp.cumsum(ways, axis=1)
    starts = jnp.concatenate([begin, ends[:, :-1]], axis=1)
    width = size * side * jax.random.uniform(wide, (_STROKES, 1), minval=0.04, maxval=0.16)
    a, way = starts.reshape(-1, 2), ways.reshape(-1, 2)
    at = jnp.stack(jnp.meshgrid(jnp.arange(h), jnp.arange(w), indexing="ij"), -1)[:, :, None] + 0.5
    along = ((at - a) * way).sum(-1) / jnp.maximum((way * way).sum(-1), 1e-6)
    nearest = a + jnp.clip(along, 0, 1)[..., None] * way
    apart = jnp.square(at - nearest).sum(-1)
    reach = jnp.broadcast_to(jnp.maximum(width, 0.75), (_STROKES, _VERTICES)).reshape(-1)
    return (apart <= jnp.square(reach)).any(-1).astype(jnp.float32)


MASKS: dict[str, Callable[[jax.Array, int, int, float], jax.Array]] = {
    "free-form": _free_form,
    "box": _box,
    "centre": _centre,
    "border": _border,
}
"""Name -> (key, height, width, size) -> float32 [h, w], 1 where the image is lost."""
