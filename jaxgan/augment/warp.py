"""Affine maps of images without aliasing: enlarged by a wavelet's filter, sampled, reduced by the same filter.

The filter is the low-pass of sym6, which is orthogonal: what is enlarged and reduced again is as it was. It is
applied as products with constant matrices, which accelerators and processors are quick at.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

# Low-pass filter of the wavelet sym6 (Daubechies 1992, Ten lectures on wavelets, table 6.3), as decomposition has it.
_SYM6 = (
    0.015404109327027373,
    0.0034907120842174702,
    -0.11799011114819057,
    -0.048311742585633,
    0.4910559419267466,
    0.787641141030194,
    0.3379294217276218,
    -0.07263752278646252,
    -0.021060292512300564,
    0.04472490177066578,
    0.0017677118642428036,
    -0.007800708325034148,
)
_TAPS = np.asarray(_SYM6) / np.sum(_SYM6)
_MARGIN = len(_TAPS) // 2
"""Pixels of the enlarged image that the filter reaches beyond each side."""


def warped(image: jax.Array, inverse: jax.Array) -> jax.Array:
    """The image whose pixel at q shows the given one at inverse(q).

    Outside, the image is mirrored at its border pixels, which are not repeated, on and on. (The authors' code mirrors
    once, and has zeros beyond.)

    Args:
      image: [h, w, c], both sides at least 2 pixels.
      inverse: of the map, [3, 3], of points (x, y, 1) in pixels, of which (0, 0) is the centre of the image.

    Returns:
      An image of the same shape.

    References:
      Karras et al. (2020), Training generative adversarial networks with limited data, appendix B.
    """
    height, width, channels = image.shape
    y, x = (_grid(size) for size in (height, width))
    x, y = x[None, :], y[:, None]
    column, row = (inverse[i, 0] * x + inverse[i, 1] * y + inverse[i, 2] for i in (0, 1))
    row, column = 2 * row + height - 1, 2 * column + width - 1  # in pixels of the enlarged image
    large = _between(_enlarging(height), image, _enlarging(width))
    rows, columns, _ = large.shape
    flat = large.reshape(-1, channels)
    total = jnp.zeros((*row.shape, channels), image.dtype)
    for i, of_rows in _neighbours(row, rows):
        for j, of_columns in _neighbours(column, columns):
            total += (of_rows * of_columns)[..., None].astype(image.dtype) * flat[i * columns + j]
    return _between(_reducing(height), total, _reducing(width))


def _between(left: np.ndarray, image: jax.Array, right: np.ndarray) -> jax.Array:
    """left X right^T of every channel."""
    left, right = (matrix.astype(image.dtype) for matrix in (left, right))
    return jnp.einsum("ph,hwc,qw->pqc", left, image, right, precision="highest")


def _grid(size: int) -> np.ndarray:
    """Where the pixels of the enlarged result lie, in pixels of the image from its centre."""
    return (np.arange(2 * size + 2 * _MARGIN, dtype=np.float32) + 1 - size - _MARGIN) / 2


def _neighbours(position: jax.Array, period: int) -> list[tuple[jax.Array, jax.Array]]:
    """Numbers of the two pixels around a position, and their shares in it."""
    first = jnp.floor(position)
    share, first = position - first, first.astype(jnp.int32)
    return [(first % period, 1 - share), ((first + 1) % period, share)]


@functools.cache
def _enlarging(size: int) -> np.ndarray:
    """[4 (size - 1), size]: a row mirrored on and on, with twice as many pixels, one period of it."""
    mirrored = reflected_period(size)
    matrix = np.zeros((2 * len(mirrored), size))
    for j in range(len(matrix)):
        for k, tap in enumerate(_TAPS):
            i, odd = divmod(j + _MARGIN - 1 - k, 2)
            if not odd:
                matrix[j, mirrored[i % len(mirrored)]] += 2 * tap
    return matrix


@functools.cache
def _reducing(size: int) -> np.ndarray:
    """[size, 2 (size + margin)]: every second pixel, filtered the other way round."""
    matrix = np.zeros((size, 2 * (size + _MARGIN)))
    for n in range(size):
        matrix[n, 2 * n + 1 : 2 * n + 1 + len(_TAPS)] = _TAPS
    return matrix


def reflected_period(size: int) -> np.ndarray:
    """Indices of a row mirrored at its first and last pixel, over one period: [2 (size - 1)]."""
    return np.asarray([size - 1 - abs(size - 1 - i) for i in range(2 * (size - 1))])
