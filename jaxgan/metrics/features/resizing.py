"""Resizes images exactly as the published feature networks expect it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

_FIXED_POINT = 22  # bits after the point of Pillow's weights for 8-bit images
_EXACT = jax.lax.Precision.HIGHEST


def resize_tf1(images: jax.Array, size: int) -> jax.Array:
    """Resizes bilinearly as TensorFlow 1 did by default: without half pixels and without antialiasing.

    Pixel i of the result lies at i * (old size / new size) of the image, between two pixels; the last
    pixel is repeated beyond the border. So corners are not aligned, and a smaller image is a sample
    of the larger one, aliases included.

    Args:
      images: [n, h, w, c] of any type.
      size: side of the result in pixels.

    Returns:
      float32 [n, size, size, c], on the scale of `images`.

    References:
      Parmar, Zhang, Zhu (2022), On aliased resizing and surprising subtleties in GAN evaluation.
    """
    x = images.astype(jnp.float32)
    for axis in (2, 1):
        length = x.shape[axis]
        # In float32, as TensorFlow: the weights are those numbers, rounding included.
        position = np.arange(size, dtype=np.float32) * (np.float32(length) / np.float32(size))
        low = position.astype(np.int32)
        weight = np.expand_dims(position - low, tuple(a for a in range(4) if a != axis))
        below, above = (jnp.take(x, i, axis) for i in (low, np.minimum(low + 1, length - 1)))
        x = below + (above - below) * weight
    return x


def cubic(x: np.ndarray, a: float) -> np.ndarray:
    """The cubic convolution kernel with slope `a` at 1 (Keys 1981, eq. 15 has a = -0.5)."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = a * (((x - 5) * x + 8) * x - 4)
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def bicubic_weights(n_in: int, n_out: int) -> np.ndarray:
    """The matrix [n_out, n_in], float64, of Pillow's bicubic resampling along one axis.

    The kernel has a = -0.5 and half-pixel centres. It is widened by the factor of shrinking, cut at the edges
    and normalised to a sum of 1.
    """
    scale = n_in / n_out
    centres = (np.arange(n_out) + 0.5) * scale
    weights = cubic((np.arange(n_in) + 0.5 - centres[:, None]) / max(scale, 1.0), -0.5)
    return weights / weights.sum(1, keepdims=True)


def resize_pillow(
    images: jax.Array | np.ndarray, shape: tuple[int, int], *, rounded: bool = False
) -> jax.Array:
    """Resizes as Pillow does bicubically, with antialiasing.

    Images are resized across first and then down. Pillow 13 does so for square images too, but not for all
    oblong ones.

    Args:
      images: [n, h, w, c] with values in [0, 255], of any type; with `rounded`, whole numbers.
      shape: height and width of the result, in pixels.
      rounded: False resizes float images, as clean-fid does (Parmar et al. 2022). True gives bit for bit what
        Pillow gives for 8-bit images: weights in fixed point, and rounding and clipping after either axis.

    Returns:
      float32 [n, *shape, c], clipped to [0, 255].
    """
    by_row, by_column = (bicubic_weights(a, b) for a, b in zip(images.shape[1:3], shape, strict=True))
    if not rounded:
        x = jnp.einsum("pw,nhwc->nhpc", jnp.float32(by_column), jnp.float32(images), precision=_EXACT)
        x = jnp.einsum("qh,nhpc->nqpc", jnp.float32(by_row), x, precision=_EXACT)
        return jnp.clip(x, 0.0, 255.0)
    x = _resample_bytes("pw,nhwc->nhpc", by_column, jnp.int32(images))
    return jnp.float32(_resample_bytes("qh,nhpc->nqpc", by_row, x))


def _resample_bytes(axes: str, weights: np.ndarray, x: jax.Array) -> jax.Array:
    fixed = np.trunc(weights * 2**_FIXED_POINT + np.copysign(0.5, weights)).astype(np.int32)
    total = jnp.einsum(axes, fixed, x) + 2 ** (_FIXED_POINT - 1)
    return jnp.clip(total >> _FIXED_POINT, 0, 255)
