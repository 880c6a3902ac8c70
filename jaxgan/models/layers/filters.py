"""Signals of limited frequency: their schedule over layers, low-pass filters, and a nonlinearity that keeps the limit.

References:
  Karras et al. (2021), Alias-free generative adversarial networks, sections 3.1 and 3.2.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np
from scipy import special

from jaxgan.common.checks import check_range
from jaxgan.models.layers import fir
from jaxgan.models.layers.equalized import scaled_leaky

FIRST_CUTOFF = 2.0
FIRST_STOPBAND = 2**2.1
LAST_STOPBAND = 2**0.3  # relative to the last cutoff


class Signal(NamedTuple):
    """What a layer gives.

    Attributes:
      cutoff: highest frequency, in periods a width of the image.
      half_width: of the transition band above it.
      rate: samples a width of the image.
      size: samples on a side, margins included.
      channels: of the feature map.
    """

    cutoff: float
    half_width: float
    rate: int
    size: int
    channels: int


def layer_schedule(
    resolution: int,
    channels: int,
    *,
    base: int,
    most: int,
    layers: int = 14,
    critical: int = 2,
    margin: int = 10,
) -> list[Signal]:
    """The signals of all layers and, as the last, of the layer to RGB.

    Args:
      resolution: of the image, a power of 2.
      channels: of the image.
      base: a signal of cutoff f has base / (2 f) channels.
      most: channels at most.
      layers: number of layers, without the one to RGB.
      critical: of the last ones, sampled at twice their cutoff, without a transition band to spare.
      margin: samples on each side around the image, at every rate.

    References:
      Karras et al. (2021), section 3.2.
    """
    last = resolution / 2
    share = np.minimum(np.arange(layers + 1) / (layers - critical), 1)
    cutoffs = FIRST_CUTOFF * (last / FIRST_CUTOFF) ** share
    stopbands = FIRST_STOPBAND * (last * LAST_STOPBAND / FIRST_STOPBAND) ** share
    rates = np.exp2(np.ceil(np.log2(np.minimum(2 * stopbands, resolution))))
    sizes = rates + 2 * margin
    sizes[-2:] = resolution
    widths = np.rint(np.minimum(base / 2 / cutoffs, most))
    widths[-1] = channels
    half_widths = np.maximum(stopbands, rates / 2) - cutoffs
    return [
        Signal(float(cutoff), float(half), int(rate), int(size), int(width))
        for cutoff, half, rate, size, width in zip(cutoffs, half_widths, rates, sizes, widths, strict=True)
    ]


def lowpass(taps: int, cutoff: float, width: float, rate: float) -> np.ndarray:
    """Kaiser's low-pass filter: a windowed sinc of so many taps that sum to 1; one tap is the identity.

    Args:
      taps: number of taps.
      cutoff: frequency where the transition band has its middle.
      width: of the transition band.
      rate: samples a unit of length; all three are frequencies in the same unit.
    """
    x = _positions(taps)
    row = np.sinc(2 * cutoff / rate * x) * _kaiser(taps, width, rate)
    return row / row.sum()


def radial_lowpass(taps: int, cutoff: float, width: float, rate: float) -> np.ndarray:
    """The same for both axes at once [taps, taps], and radially symmetric: a windowed jinc."""
    x = _positions(taps)
    r = np.maximum(np.hypot(x[:, None], x) / rate, 1e-12)
    window = _kaiser(taps, width, rate)
    square = special.j1(2 * np.pi * cutoff * r) / r * np.outer(window, window)
    return square / square.sum()


def _positions(taps: int) -> np.ndarray:
    check_range("taps", taps, at_least=1)
    return np.arange(taps) - (taps - 1) / 2


def _kaiser(taps: int, width: float, rate: float) -> np.ndarray:
    """Kaiser's window for a transition band of this width (Kaiser 1974; Oppenheim, Schafer, section 7.5.3)."""
    attenuation = 2.285 * (taps - 1) * np.pi * 2 * width / rate + 7.95  # dB
    if attenuation > 50:
        beta = 0.1102 * (attenuation - 8.7)
    elif attenuation > 21:
        beta = 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    else:
        beta = 0.0
    return np.kaiser(taps, beta)


def filtered_leaky(
    x: jax.Array,
    up_taps: fir.Taps,
    down_taps: fir.Taps,
    *,
    up: int,
    down: int,
    padding: tuple[int, int],
    clamp: float | None = None,
) -> jax.Array:
    """Leaky ReLU between a change to a higher sampling rate and one to a lower: [n, h, w, c] -> [n, h', w', c].

    Args:
      x: images.
      up_taps: of the filter after `up`, with gain up^2.
      down_taps: of the filter before `down`; of both, a row for both axes or a rectangle.
      up: factor of the sampling rate before the nonlinearity.
      down: divisor of it after the nonlinearity.
      padding: zeros before and after at the high rate, along both axes; negative ones crop.
      clamp: largest absolute value of what the nonlinearity gives.
    """
    x = scaled_leaky(fir.upfirdn(x, up_taps, up=up, padding=padding, gain=up**2), clamp)
    return fir.upfirdn(x, down_taps, down=down)
