"""Images are enlarged and reduced with finite impulse response filters, so that nothing is aliased.

A filter is a row of taps, used along both axes, or a rectangle of taps; they are scaled to sum 1. "Convolution" is
the true one here, with the taps reversed, as in the authors' upfirdn. Rows are sums of shifted images and not
convolutions of XLA's: those are slow with one channel a group, and inexact on GPUs that multiply in TF32.

References:
  Zhang (2019), Making convolutional networks shift-invariant again.
  Karras et al. (2020), Analyzing and improving the image quality of StyleGAN, appendix B.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxgan.common.errors import InputError
from jaxgan.models.layers.fast import forms

BINOMIAL = (1.0, 3.0, 3.0, 1.0)
"""The filter of StyleGAN2: taps of order 3. At twice the size it interpolates linearly."""


Taps = Sequence[float] | Sequence[Sequence[float]] | np.ndarray


def normalised_taps(taps: Taps) -> np.ndarray:
    """Taps that sum to 1.

    Raises:
      ValueError: for taps that are no row and no rectangle, or sum to 0.
    """
    found = np.asarray(taps, np.float64)
    if found.ndim not in (1, 2) or not found.size or not np.isfinite(found).all() or not found.sum():
        raise InputError(
            f"taps: expected a row of finite numbers with a sum other than 0, or a rectangle, got {taps}"
        )
    return found / found.sum()


def upfirdn(
    x: jax.Array,
    taps: Taps,
    *,
    up: int = 1,
    down: int = 1,
    padding: tuple[int, int] = (0, 0),
    gain: float = 1.0,
) -> jax.Array:
    """Up, filter, down: zeros in between, padding, convolution, every `down`-th pixel.

    Args:
      x: images [n, h, w, c].
      taps: of the filter: a row for both axes, or a rectangle [k, l]; scaled here to sum 1.
      up: pixels that each pixel becomes, itself and up - 1 zeros after it.
      down: one of so many pixels is kept, beginning with the first.
      padding: zeros before and after, along both axes, counted at the high resolution; negative ones crop.
      gain: of the whole (for a brightness that stays, up^2).

    Returns:
      Images of the type of `x`, of (h up + padding - taps) // down + 1 rows, columns likewise.

    Raises:
      ValueError: if fewer pixels are left than there are taps, or for such taps as `normalised_taps` refuses.
    """
    found = normalised_taps(taps)
    if found.ndim == 2:
        return _by_rectangle(x, found[::-1, ::-1] * gain, up, down, padding)
    row = tuple(found[::-1] * gain**0.5)
    for axis in (1, 2):
        x = _filtered(x, x.shape[axis], row, axis, up, down, padding)
    return x


def _by_rectangle(x: jax.Array, taps: np.ndarray, up: int, down: int, padding: tuple[int, int]) -> jax.Array:
    n, c = x.shape[0], x.shape[3]
    around = (padding[0], padding[1] + up - 1, up - 1)
    x = lax.pad(jnp.moveaxis(x, 3, 1), jnp.zeros((), x.dtype), ((0, 0, 0), (0, 0, 0), around, around))
    for side, size in zip(x.shape[2:], taps.shape, strict=True):
        _check_size(side, size)
    y = lax.conv_general_dilated(
        x.reshape(n * c, *x.shape[2:], 1),
        jnp.asarray(taps, x.dtype)[:, :, None, None],
        (down, down),
        "VALID",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision="highest",
    )
    return jnp.moveaxis(y.reshape(n, c, *y.shape[1:3]), 1, 3)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3, 4, 5, 6))
def _filtered(
    x: jax.Array, size: int, row: tuple[float, ...], axis: int, up: int, down: int, padding: tuple[int, int]
) -> jax.Array:
    """Along one axis of this size. Its gradient is of the same kind, which XLA does not find by itself."""
    config = [(0, 0, 0)] * x.ndim
    config[axis] = (padding[0], padding[1] + up - 1, up - 1)
    x = lax.pad(x, jnp.zeros((), x.dtype), config)
    _check_size(x.shape[axis], len(row))
    left = x.shape[axis] - len(row)
    shifted = lambda k: lax.slice_in_dim(x, k, k + left + 1, down, axis)
    total = shifted(0) * float(row[0])
    for k in range(1, len(row)):
        total = total + shifted(k) * float(row[k])
    return total


def _check_size(side: int, taps: int) -> None:
    if side < taps:
        raise InputError(f"taps: expected at most {side} for images so small, got {taps}")


def _forward(x: jax.Array, *how: Any) -> tuple[jax.Array, None]:
    return _filtered(x, *how), None


def _backward(
    size: int,
    row: tuple[float, ...],
    axis: int,
    up: int,
    down: int,
    padding: tuple[int, int],
    _: None,
    slope: jax.Array,
) -> tuple[jax.Array]:
    given = slope.shape[axis]
    before = len(row) - 1 - padding[0]
    after = (size - 1) * up + len(row) - before - given * down
    return (_filtered(slope, given, row[::-1], axis, down, up, (before, after)),)


_filtered.defvjp(_forward, _backward)


def upsample(x: jax.Array, taps: Sequence[float] = BINOMIAL, factor: int = 2) -> jax.Array:
    """Enlarges images by `factor`, with their brightness kept: [n, h, w, c] -> [n, factor h, factor w, c]."""
    padding = ((len(taps) + factor - 1) // 2, (len(taps) - factor) // 2)
    return upfirdn(x, taps, up=factor, padding=padding, gain=factor**2)


def downsample(x: jax.Array, taps: Sequence[float] = BINOMIAL, factor: int = 2) -> jax.Array:
    """Reduces images by `factor`, zeros around them: [n, h, w, c] -> [n, h // factor, w // factor, c]."""
    padding = ((len(taps) - factor + 1) // 2, (len(taps) - factor) // 2)
    return upfirdn(x, taps, down=factor, padding=padding)


def up_conv(x: jax.Array, kernel: jax.Array, taps: Sequence[float] = BINOMIAL) -> jax.Array:
    """Convolution at twice the size, then the filter: [n, h, w, c] * [k, k, c, o] -> [n, 2h, 2w, o], k odd.

    The kernel is reversed (a true convolution), as in the authors' layers that enlarge and in no others.
    """
    k = odd_side(kernel)
    x = forms.spread_conv(x, jnp.flip(kernel, (0, 1)))
    before = (len(taps) + 1) // 2 + k // 2 - (k - 1)
    after = (len(taps) - 2) // 2 + k // 2 - (k - 2)
    return upfirdn(x, taps, padding=(before, after), gain=4.0)


def down_conv(x: jax.Array, kernel: jax.Array, taps: Sequence[float] = BINOMIAL) -> jax.Array:
    """The filter, then a convolution of stride 2: [n, h, w, c] * [k, k, c, o] -> [n, h // 2, w // 2, o], k odd."""
    k = odd_side(kernel)
    before, after = (len(taps) - 1) // 2 + k // 2, (len(taps) - 2) // 2 + k // 2
    if k == 1:
        return forms.conv(upfirdn(x, taps, down=2, padding=(before, after)), kernel)
    return forms.strided_conv(upfirdn(x, taps, padding=(before, after)), kernel)


def odd_side(kernel: jax.Array) -> int:
    """The side of a kernel [k, k, ...]. Raises InputError unless it is square and odd."""
    height, width = kernel.shape[:2]
    if height != width or height % 2 == 0:
        raise InputError(f"kernel: expected a square of odd side, got {height}x{width}")
    return height
