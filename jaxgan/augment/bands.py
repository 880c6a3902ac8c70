"""Filters that make bands of frequencies of images stronger or weaker."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.augment.warp import reflected_period
from jaxgan.common.errors import InputError

_SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)
_POWER = np.asarray([10, 1, 1, 1]) / 13
"""Share of each band in the power of photographs, whose spectrum falls as 1/f."""


def amplified(image: jax.Array, log_gains: jax.Array) -> jax.Array:
    """Amplifies four bands of an image, each by 2^gain, and keeps the power that photographs would have.

    The bands are octaves, from low frequencies to high ones: [0, 1/8], [1/8, 1/4], [1/4, 1/2] and [1/2, 1] of the
    highest frequency. Outside, the image is mirrored at its border pixels, which are not repeated.

    Args:
      image: [h, w, c], both sides greater than 21 pixels, which is how far the filter reaches.
      log_gains: [4].

    Returns:
      An image of the same shape.

    Raises:
      ValueError: for smaller images.

    References:
      Karras et al. (2020), Training generative adversarial networks with limited data, appendix B.
    """
    reach = _bank().shape[1] // 2
    if min(image.shape[:2]) <= reach:
        height, width = image.shape[:2]
        raise InputError(
            f"filter: expected images with sides greater than {reach} pixels, got {height}x{width}"
        )
    each = jnp.where(jnp.eye(len(_POWER), dtype=bool), jnp.exp2(log_gains)[:, None], 1.0)
    gains = (each / jnp.sqrt((_POWER.astype(each.dtype) * each**2).sum(1, keepdims=True))).prod(0)
    rows, columns = (
        jnp.tensordot(gains.astype(image.dtype), _matrices(size).astype(image.dtype), 1, precision="highest")
        for size in image.shape[:2]
    )
    return jnp.einsum("ph,hwc,qw->pqc", rows, image, columns, precision="highest")


@functools.cache
def _bank() -> np.ndarray:
    """Taps of the four bands, [4, 43]; they sum to the identity."""
    low = np.asarray(_SYM2)
    high = low * (-1.0) ** np.arange(len(low))
    low, high = (np.convolve(taps, taps[::-1]) / 2 for taps in (low, high))
    bands = np.eye(4, 1)
    for i in range(1, 4):
        spread = np.zeros((4, 2 * bands.shape[1] - 1))
        spread[:, ::2] = bands
        bands = np.stack([np.convolve(row, low) for row in spread])
        first = (bands.shape[1] - len(high)) // 2
        bands[i, first : first + len(high)] += high
    return bands


@functools.cache
def _matrices(size: int) -> np.ndarray:
    """What each band makes of a row of pixels, [4, size, size]."""
    bank, mirrored = _bank(), reflected_period(size)
    matrices = np.zeros((len(bank), size, size))
    for n in range(size):
        for k in range(bank.shape[1]):
            matrices[:, n, mirrored[(n + k - bank.shape[1] // 2) % len(mirrored)]] += bank[:, k]
    return matrices
