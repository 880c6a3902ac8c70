"""How alike two images are, pixel by pixel (PSNR) and window by window (SSIM, MS-SSIM)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.numerics import at_least_float32
from jaxgan.metrics.scores.resampling import pairs_error

MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_PAIRS_AT_ONCE = 32


def psnr(x: ArrayLike, y: ArrayLike, *, data_range: float = 255.0) -> jax.Array:
    """Peak signal-to-noise ratio in decibels, per image; infinite for equal images.

    It is 10 log10(data_range^2 / MSE), with the squared error averaged over positions and channels.

    Args:
      x: images [n, h, w, c], uint8 or float.
      y: images of the same shape and kind.
      data_range: largest minus smallest possible value: 255 for uint8, 2 for floats in [-1, 1].

    Returns:
      [n], float32.

    Raises:
      InputError: if the images differ in shape or kind, or the range is not positive.
    """
    x, y = _pair("psnr", x, y, data_range)
    return 10 * jnp.log10(data_range**2 / _average(jnp.square(x - y)))


def ssim(
    x: ArrayLike,
    y: ArrayLike,
    *,
    data_range: float = 255.0,
    window: int = 11,
    sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
) -> jax.Array:
    """Structural similarity, per image: 1 for equal images, about 0 for unrelated ones, at least -1.

    Means and population variances are taken under a Gaussian window (whose weights sum to 1), only where it
    lies inside the image; the result is the mean over positions and channels. pytorch-msssim does the same, and
    so does scikit-image with gaussian_weights=True, use_sample_covariance=False, sigma=1.5 and channel_axis;
    its defaults are a flat 7x7 window and sample covariances. The original MATLAB code shrinks large images
    first; this function never does.

    Args:
      x: images [n, h, w, c], uint8 or float.
      y: images of the same shape and kind.
      data_range: largest minus smallest possible value: 255 for uint8, 2 for floats in [-1, 1].
      window: side of the window in pixels, odd.
      sigma: standard deviation of the window in pixels.
      k1: of the stabiliser (k1 data_range)^2 of the luminance term.
      k2: of the stabiliser (k2 data_range)^2 of the contrast and structure term.

    Returns:
      [n], float32.

    Raises:
      InputError: if the images differ in shape or kind, are smaller than the window, or an option is
        out of range.

    References:
      Wang, Bovik, Sheikh, Simoncelli (2004), Image quality assessment: from error visibility to
      structural similarity, eq. 13 to 16.
    """
    x, y = _pair("ssim", x, y, data_range)
    _check_window("ssim", x.shape, window, sigma, scales=1)
    return _ssim(x, y, *_as(x, _gaussian(window, sigma), (k1 * data_range) ** 2, (k2 * data_range) ** 2))


def ms_ssim(
    x: ArrayLike,
    y: ArrayLike,
    *,
    data_range: float = 255.0,
    weights: Sequence[float] = MS_SSIM_WEIGHTS,
    window: int = 11,
    sigma: float = 1.5,
) -> jax.Array:
    """Multi-scale structural similarity, per image, in [0, 1]: 1 for equal images.

    Each scale contributes its contrast-structure term, and the coarsest one the whole SSIM. The terms are
    averaged over positions, clipped at 0 and raised to the weight of their scale; their product is averaged
    over channels. k1 is 0.01 and k2 0.03. Between scales 2x2 pixels are averaged. As in pytorch-msssim, a side
    that is odd at some scale gets a row of zeros first, which both images share. Such sizes score higher, so
    compare only images of one size, best a multiple of 16. The original code filters and drops pixels instead.
    Five scales of 11 pixels need a side of 161. For smaller images give fewer weights (they are used as they
    are, not normalised) or a smaller window, and say so with the score.

    Args:
      x: images [n, h, w, c], uint8 or float.
      y: images of the same shape and kind.
      data_range: largest minus smallest possible value: 255 for uint8, 2 for floats in [-1, 1].
      weights: exponent of each scale, the finest first.
      window: side of the Gaussian window in pixels, odd.
      sigma: standard deviation of the window in pixels.

    Returns:
      [n], float32.

    Raises:
      InputError: if the images differ in shape or kind, are too small for as many scales, or an option is
        out of range.

    References:
      Wang, Simoncelli, Bovik (2003), Multi-scale structural similarity for image quality assessment, eq. 7.
    """
    x, y = _pair("ms_ssim", x, y, data_range)
    if len(weights) == 0 or min(weights) < 0:
        raise InputError(
            f"weights: expected one non-negative number a scale, at least one, got {tuple(weights)}"
        )
    _check_window("ms_ssim", x.shape, window, sigma, scales=len(weights))
    stabilisers = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return _ms_ssim(x, y, *_as(x, _gaussian(window, sigma), weights, *stabilisers))


def ms_ssim_diversity(
    images: np.ndarray,
    *,
    pairs: int = 1000,
    seed: int = 0,
    data_range: float = 255.0,
    weights: Sequence[float] = MS_SSIM_WEIGHTS,
    window: int = 11,
    sigma: float = 1.5,
) -> tuple[float, float]:
    """Mean MS-SSIM of random pairs of images of one class, and its standard error; lower is more diverse.

    Compare it with the score of as many real images of the class, as noise is diverse too. A pair consists of
    two different images. The standard error allows for pairs that share an image. The authors score images of 128
    pixels, which are too small for five scales of 11 pixels; take window=7 or fewer weights there.

    Args:
      images: [n, h, w, c] of one class, uint8 or float.
      pairs: number of pairs.
      seed: of the pairs.
      data_range: as in `ms_ssim`.
      weights: as in `ms_ssim`.
      window: as in `ms_ssim`.
      sigma: as in `ms_ssim`.

    Returns:
      The mean and the standard error of the mean.

    Raises:
      InputError: for fewer than two images or pairs, and as `ms_ssim`.

    References:
      Odena, Olah, Shlens (2017), Conditional image synthesis with auxiliary classifier GANs, section 4.2.
    """
    if np.ndim(images) != 4 or len(images) < 2:
        raise InputError(f"images: expected [n, h, w, c] with n >= 2, got shape {np.shape(images)}")
    check_range("pairs", pairs, at_least=2)
    rng = np.random.default_rng(seed)
    first = rng.integers(len(images), size=pairs)
    second = (first + rng.integers(1, len(images), size=pairs)) % len(images)  # any other image
    padded = -(-pairs // _PAIRS_AT_ONCE) * _PAIRS_AT_ONCE  # one shape, compiled once
    first, second = np.resize(first, padded), np.resize(second, padded)
    values = [
        ms_ssim(
            images[first[start : start + _PAIRS_AT_ONCE]],
            images[second[start : start + _PAIRS_AT_ONCE]],
            data_range=data_range,
            weights=weights,
            window=window,
            sigma=sigma,
        )
        for start in range(0, padded, _PAIRS_AT_ONCE)
    ]
    scores = np.concatenate([np.asarray(v, np.float64) for v in values])[:pairs]
    return float(scores.mean()), pairs_error(scores, first[:pairs], second[:pairs])


def _pair(caller: str, x: ArrayLike, y: ArrayLike, data_range: float) -> tuple[jax.Array, jax.Array]:
    x, y = jnp.asarray(x), jnp.asarray(y)
    if x.ndim != 4 or x.shape != y.shape or 0 in x.shape:
        raise InputError(
            f"{caller}: expected two sets of images of one shape [n, h, w, c], got {x.shape} and {y.shape}"
        )
    if jnp.issubdtype(x.dtype, jnp.floating) != jnp.issubdtype(y.dtype, jnp.floating):
        raise InputError(f"{caller}: expected both images uint8 or both float, got {x.dtype} and {y.dtype}")
    check_range("data_range", data_range, above=0)
    return at_least_float32(x), at_least_float32(y)


def _check_window(caller: str, shape: tuple[int, ...], window: int, sigma: float, scales: int) -> None:
    if window < 1 or window % 2 == 0:
        raise InputError(f"window: expected an odd number of pixels, got {window}")
    check_range("sigma", sigma, above=0, unit="of pixels")
    smallest = (window - 1) * 2 ** (scales - 1) + 1
    if min(shape[1:3]) < smallest:
        at_scales = f" at {scales} scales" if scales > 1 else ""
        raise InputError(
            f"{caller}: expected images of at least {smallest}x{smallest} pixels for a window of {window}"
            f"{at_scales}, got {shape[1]}x{shape[2]}"
        )


def _gaussian(window: int, sigma: float) -> np.ndarray:
    """Weights of a window of one dimension; they sum to 1."""
    weights = np.exp(-np.square(np.arange(window) - window // 2) / (2 * sigma**2))
    return weights / weights.sum()


def _as(x: jax.Array, *values: ArrayLike) -> list[jax.Array]:
    """Values as arrays of the type of x. As constants they would be compiled in, anew for each data range."""
    return [jnp.asarray(value, x.dtype) for value in values]


def _average(x: jax.Array) -> jax.Array:
    """The mean of each image, [n, h, w, c] -> [n]; axis by axis, as one long float32 sum would lose digits."""
    return x.mean(2).mean(1).mean(1)


class _Moments(NamedTuple):
    mean_x: jax.Array
    mean_y: jax.Array
    var_x: jax.Array
    var_y: jax.Array
    cov: jax.Array


def _slide(moments: _Moments, weights: jax.Array, axis: int) -> _Moments:
    """Moments under a window along `axis`, of points that have moments themselves.

    By the law of total covariance, they are the mean of the covariances plus the covariance of the means. Two
    passes, one for each axis, give the moments of the square window from differences to the means only;
    E[x^2] - E[x]^2 would lose the variance of flat regions in float32.
    """
    size = moments.cov.shape[axis] - len(weights) + 1
    zero = jnp.zeros_like(jax.lax.slice_in_dim(moments.cov, 0, size, axis=axis))

    def average(f: Callable[[_Moments], tuple[jax.Array, ...]], count: int) -> tuple[jax.Array, ...]:
        def add(i: jax.Array, total: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
            part = _Moments(*(jax.lax.dynamic_slice_in_dim(m, i, size, axis=axis) for m in moments))
            return tuple(t + weights[i] * v for t, v in zip(total, f(part), strict=True))

        # A loop, since eleven copies of the body at each of five scales take long to compile.
        return jax.lax.fori_loop(0, len(weights), add, (zero,) * count)

    mean_x, mean_y = average(lambda m: (m.mean_x, m.mean_y), 2)

    def spread(m: _Moments) -> tuple[jax.Array, ...]:
        x, y = m.mean_x - mean_x, m.mean_y - mean_y
        return m.var_x + x * x, m.var_y + y * y, m.cov + x * y

    return _Moments(mean_x, mean_y, *average(spread, 3))


def _maps(
    x: jax.Array, y: jax.Array, gaussian: jax.Array, c1: jax.Array, c2: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The luminance and the contrast-structure term at each position [n, h', w', c]."""
    zeros = jnp.zeros_like(x)
    m = _slide(_slide(_Moments(x, y, zeros, zeros, zeros), gaussian, 2), gaussian, 1)
    luminance = (2 * m.mean_x * m.mean_y + c1) / (jnp.square(m.mean_x) + jnp.square(m.mean_y) + c1)
    return luminance, (2 * m.cov + c2) / (m.var_x + m.var_y + c2)


@jax.jit
def _ssim(x: jax.Array, y: jax.Array, gaussian: jax.Array, c1: jax.Array, c2: jax.Array) -> jax.Array:
    luminance, structure = _maps(x, y, gaussian, c1, c2)
    return _average(luminance * structure)


@jax.jit
def _ms_ssim(
    x: jax.Array, y: jax.Array, gaussian: jax.Array, weights: jax.Array, c1: jax.Array, c2: jax.Array
) -> jax.Array:
    product = jnp.ones((x.shape[0], x.shape[3]), x.dtype)
    for scale, weight in enumerate(weights):
        if scale:
            x, y = _halve(x), _halve(y)
        luminance, structure = _maps(x, y, gaussian, c1, c2)
        value = structure if scale < len(weights) - 1 else luminance * structure
        product = product * jax.nn.relu(value.mean(2).mean(1)) ** weight
    return product.mean(1)


def _halve(x: jax.Array) -> jax.Array:
    """Means of 2x2 pixels; a side that is odd gets a row of zeros in front."""
    n, h, w, c = x.shape
    x = jnp.pad(x, ((0, 0), (h % 2, 0), (w % 2, 0), (0, 0)))
    return x.reshape(n, (h + 1) // 2, 2, (w + 1) // 2, 2, c).mean((2, 4))
