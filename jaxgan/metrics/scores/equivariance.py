"""How well a generator's images move and turn with its input: EQ-T and EQ-R, in decibels.

Both compare, at the pixels where that can be done, an image that the generator made of a moved input with the moved
image, and give the peak signal-to-noise ratio for images in [-1, 1]: 20 log10(2) - 10 log10(mean square error). A
transform T [3, 3] takes homogeneous positions (x, y, 1), in widths of the image from its centre, x to the right and
y down: the moved image shows at p what the other shows at T p.

References:
  Karras et al. (2021), Alias-free generative adversarial networks, eqs. 1 and 2, appendix E.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.ndimage import map_coordinates

from jaxgan.common.checks import check_range
from jaxgan.models.layers import upfirdn

Make = Callable[[jax.Array], jax.Array]

_PEAK = 2.0  # of images in [-1, 1]
_UP = 4  # samples a pixel, between which images are interpolated linearly
_LOBES = 3  # of Lanczos' window
_WIDE = 64  # pixels beyond which an ideal filter counts as 0


def translation(x: float, y: float) -> np.ndarray:
    """The transform p -> p + (x, y), [3, 3]."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def rotation(angle: float) -> np.ndarray:
    """The transform that turns positions by `angle`, from x to y, [3, 3]."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def eq_t(make: Make, key: jax.Array, draws: int = 8, *, most: float = 0.125) -> float:
    """EQ-T: equivariance to translations by whole pixels, in dB; the higher the better.

    Args:
      make: a transform [3, 3] -> images [n, h, w, c] of it, in [-1, 1], always of the same latents.
      key: of the translations.
      draws: number of translations, each of all images.
      most: the largest translation along an axis, as a share of the image.

    Raises:
      ValueError: if `draws` is below 1, or `most` not in (0, 1).
    """
    check_range("draws", draws, at_least=1)
    check_range("most", most, above=0, below=1)
    plain = make(jnp.eye(3))
    height, width = plain.shape[1:3]
    shares = np.asarray(jax.random.uniform(key, (draws, 2), minval=-most, maxval=most), np.float64)
    errors = []
    for x, y in np.round(shares * [width, height]).astype(int).tolist():
        moved = make(jnp.asarray(translation(x / width, y / width), jnp.float32))
        there = plain[:, max(y, 0) : height + min(y, 0), max(x, 0) : width + min(x, 0)]
        here = moved[:, max(-y, 0) : height + min(-y, 0), max(-x, 0) : width + min(-x, 0)]
        errors.append((float(jnp.square(there - here).sum()), there.size))
    return _decibels(errors)


def eq_r(make: Make, key: jax.Array, draws: int = 8) -> float:
    """EQ-R: equivariance to rotations by any angle about the centre, in dB; the higher the better.

    An image cannot be turned exactly, as its pixels hold frequencies in the corners of a square that a turned square
    has elsewhere. So both images lose by a filter what not both squares of frequencies hold.

    Args:
      make: as of `eq_t`; images are square, of 32 pixels at least.
      key: of the angles, uniform in [-pi, pi).
      draws: number of rotations, each of all images.

    Raises:
      ValueError: if `draws` is below 1 or images are too small for the filters.
    """
    check_range("draws", draws, at_least=1)
    plain = make(jnp.eye(3))
    side = plain.shape[1]
    check_range("side", side, at_least=32, unit="pixels")
    errors = []
    for angle in np.asarray(
        jax.random.uniform(key, (draws,), minval=-np.pi, maxval=np.pi), np.float64
    ).tolist():
        transform = rotation(angle)
        moved = make(jnp.asarray(transform, jnp.float32))
        turned, known = _turned(plain, transform)
        smooth = _smoothed(moved, _common_band(transform, 1))
        inner = np.pad(np.ones((side - 4 * _LOBES,) * 2, bool), 2 * _LOBES)
        mask = (known & inner)[:, :, None]
        error = jnp.where(mask, jnp.square(turned - smooth), 0.0).sum()
        errors.append((float(error), int(mask.sum()) * plain.shape[0] * plain.shape[3]))
    return _decibels(errors)


def _decibels(errors: list[tuple[float, int]]) -> float:
    total, count = (sum(values) for values in zip(*errors, strict=True))
    return 20 * math.log10(_PEAK) - 10 * math.log10(total / count) if total else math.inf


def _turned(x: jax.Array, transform: np.ndarray) -> tuple[jax.Array, np.ndarray]:
    """Images that show at p what `x` shows at T p, low-passed; and where that is known [h, w]."""
    n, side, _, channels = x.shape
    taps = _common_band(transform, _UP)
    fine = jnp.zeros((n, side * _UP, side * _UP, channels), x.dtype).at[:, ::_UP, ::_UP].set(x)
    fine = _smoothed(fine, taps)
    centred = np.arange(side) + 0.5 - side / 2
    there = np.einsum("ab,byx->ayx", transform[:2, :2], np.stack(np.meshgrid(centred, centred)))
    pixels = there + side / 2 - 0.5  # (x, y), counted from the middle of the first pixel
    known = ((pixels >= 2 * _LOBES) & (pixels <= side - 1 - 2 * _LOBES)).all(axis=0)
    at = [jnp.asarray(pixels[1] * _UP, x.dtype), jnp.asarray(pixels[0] * _UP, x.dtype)]
    sample = lambda image: map_coordinates(image, at, order=1, mode="constant")
    flat = jnp.moveaxis(fine, 3, 1).reshape(-1, *fine.shape[1:3])
    turned = jax.vmap(sample)(flat).reshape(n, channels, side, side)
    return jnp.moveaxis(turned, 1, 3), known


def _smoothed(x: jax.Array, taps: np.ndarray) -> jax.Array:
    reach = len(taps) // 2
    return upfirdn(x, taps, padding=(reach, reach), gain=taps.sum())


def _common_band(transform: np.ndarray, up: int) -> np.ndarray:
    """A low-pass filter for what the lattice of pixels and the transformed one both hold: [taps, taps], symmetric.

    The ideal filter of either is a product of two sincs; theirs is the convolution of both, and its window that of
    both Lanczos windows. There are `up` taps a pixel; those of each phase sum to 1.
    """
    steps = _WIDE * up
    taps = np.fft.ifftshift(np.arange(-steps, steps)) / up
    own = np.stack(np.meshgrid(taps, taps))
    other = np.einsum("ab,byx->ayx", transform[:2, :2], own)
    window = lambda x: np.where(np.abs(x) < _LOBES, np.sinc(x / _LOBES), 0.0)
    both = lambda f: np.fft.ifft2(np.fft.fft2(f(own).prod(0)) * np.fft.fft2(f(other).prod(0))).real
    whole = np.fft.fftshift(both(np.sinc) * both(window))
    reach = 2 * _LOBES * up - 1
    square = whole[steps - reach : steps + reach + 1, steps - reach : steps + reach + 1]
    for i in range(up):
        for j in range(up):
            square[i::up, j::up] /= square[i::up, j::up].sum()
    return square
