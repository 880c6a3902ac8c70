"""JPEG: images lose what its quantisation takes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.data.degrade.base import Degradation, Shape, between, level_of

# Of the standard's annex K, which libjpeg scales by the quality.
_LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_CHROMINANCE = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99,
    99, 99, 99, *(99,) * 32,
)  # fmt: skip
_TO_YCC = np.asarray(
    [[0.299, 0.587, 0.114], [-0.168735892, -0.331264108, 0.5], [0.5, -0.418687589, -0.081312411]]
)


def _dct() -> np.ndarray:
    """The orthonormal cosine transform of 8 values as a matrix."""
    k, x = np.mgrid[:8, :8]
    found = np.cos((2 * x + 1) * k * np.pi / 16) / 2
    found[0] /= np.sqrt(2)
    return found


def jpeg(*, quality: float = 20.0, quality_to: float = 0.0) -> Degradation:
    """Images are compressed as JPEG files of 8 bits are, without subsampling of the colours, and decompressed.

    Args:
      quality: from 1 to 100, as libjpeg has it.
      quality_to: if it is larger, every image has a quality of its own, uniform from `quality` to this.

    References:
      ITU-T T.81 (1992), annexes A and K; the scale of libjpeg's qualities.
    """
    check_range("quality", quality, at_least=1, at_most=100)
    check_range("quality_to", quality_to, at_least=0, at_most=100)
    dct = _dct().astype(np.float32)
    ycc = _TO_YCC.astype(np.float32)
    back = np.linalg.inv(_TO_YCC).astype(np.float32)

    def shape(before: Shape) -> Shape:
        if before[2] not in (1, 3):
            raise InputError(f"data.degrade: expected grey or RGB images for jpeg, got {before[2]} channels")
        return before

    def apply(key: jax.Array, image: jax.Array) -> jax.Array:
        h, w, c = image.shape
        own = jnp.floor(jnp.asarray(level_of(key, quality, quality_to), jnp.float32))
        scale = jnp.floor(jnp.where(own < 50, 5000 / own, 200 - 2 * own))
        tables = np.asarray([_LUMINANCE, *[_CHROMINANCE] * (c - 1)], np.float32).reshape(c, 8, 8)
        steps = jnp.clip(jnp.floor((tables * scale + 50) / 100), 1, 255)
        x = jnp.clip(jnp.round((image + 1) * 127.5), 0, 255)
        x = jnp.round(x @ ycc.T) if c == 3 else x
        x = x - np.asarray([128.0, *[0.0] * (c - 1)], np.float32)
        x = jnp.pad(x, ((0, -h % 8), (0, -w % 8), (0, 0)), mode="edge")
        blocks = x.reshape(x.shape[0] // 8, 8, x.shape[1] // 8, 8, c)
        kept = jnp.einsum("ax,by,ixjyc->ijcab", dct, dct, blocks)
        kept = jnp.round(kept / steps) * steps
        x = jnp.einsum("ax,by,ijcab->ixjyc", dct, dct, kept).reshape(x.shape)[:h, :w]
        x = jnp.round(x) + np.asarray([128.0, *[0.0] * (c - 1)], np.float32)
        x = x @ back.T if c == 3 else x
        return jnp.clip(jnp.round(x), 0, 255) / 127.5 - 1

    return Degradation("jpeg", f"JPEG of quality {between(quality, quality_to)}", apply, shape)
