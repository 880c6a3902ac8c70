"""Filters that are designed: against a reference, SciPy's design, and what a filter is for."""

import jax
import numpy as np
import pytest
from golden.layers import case
from scipy import signal

from jaxgan.models.layers import filtered_leaky, lowpass, radial_lowpass


def response(taps, frequency, rate):
    """Of a row of taps to a wave of this frequency."""
    x = (np.arange(len(taps)) - (len(taps) - 1) / 2) / rate
    return (taps * np.cos(2 * np.pi * frequency * x)).sum()


@pytest.mark.parametrize("name", ["up_filter", "down_filter"])
def test_against_the_reference(name):
    given, expected = case("stylegan3_up_filter_L0_256", "stylegan")
    got = lowpass(given["numtaps"], given["cutoff"], given["width_twice_half_width"], given["fs"])
    np.testing.assert_allclose(got, expected, atol=1e-6)
    layer, _ = case("stylegan3_layer_same_rate", "stylegan")
    np.testing.assert_allclose(lowpass(12, 2.0, 4.0, 16), layer[name], atol=1e-6)


@pytest.mark.parametrize(
    ("taps", "cutoff", "width", "rate"), [(12, 2, 12, 32), (24, 4, 8, 64), (6, 1, 1, 8), (31, 3, 2, 40)]
)
def test_the_design_is_scipys(taps, cutoff, width, rate):
    expected = signal.firwin(taps, cutoff, width=width, fs=rate)
    np.testing.assert_allclose(lowpass(taps, cutoff, width, rate), expected, atol=1e-12)


def test_a_filter_keeps_what_is_below_its_band_and_stops_what_is_above():
    taps = lowpass(48, 8.0, 8.0, 64)
    assert abs(response(taps, 0, 64) - 1) < 1e-9
    assert abs(response(taps, 3.5, 64) - 1) < 1e-2
    assert abs(response(taps, 8, 64) - 0.5) < 1e-2
    assert max(abs(response(taps, f, 64)) for f in np.linspace(12.5, 32, 50)) < 1e-2
    assert lowpass(1, 8.0, 8.0, 64).tolist() == [1.0]


def test_the_radial_filter_is_radial():
    taps = radial_lowpass(49, 8.0, 8.0, 64)
    assert abs(taps.sum() - 1) < 1e-12
    np.testing.assert_allclose(taps, taps.T, atol=1e-15)
    x = (np.arange(49) - 24) / 64
    at = lambda fx, fy: (taps * np.cos(2 * np.pi * (fx * x + fy * x[:, None]))).sum()
    for radius in (2, 6, 8, 10, 14):
        around = [at(radius * np.cos(a), radius * np.sin(a)) for a in np.linspace(0, np.pi / 2, 9)]
        assert np.ptp(around) < 0.02
    assert abs(at(8, 0) - 0.5) < 0.1
    separable = np.outer(lowpass(49, 8.0, 8.0, 64), lowpass(49, 8.0, 8.0, 64))
    corner = lambda f: (f * np.cos(2 * np.pi * 6.5 * (x + x[:, None]))).sum()
    assert (
        corner(taps) < 0.4 < 0.7 < corner(separable)
    )  # of radius 9.2, outside of the circle and inside of the square


def test_a_square_of_taps_is_used_as_its_row_is():
    x = np.random.default_rng(0).normal(size=(2, 9, 8, 3)).astype(np.float32)
    rows = np.asarray([1.0, 3.0, 3.0, 1.0]) / 8
    of = lambda x, taps: filtered_leaky(x, rows, taps, up=2, down=2, padding=(3, 2))
    square, row = jax.jit(lambda x: (of(x, np.outer(rows, rows)), of(x, rows)))(x)
    np.testing.assert_allclose(square, row, atol=1e-5)


def test_the_nonlinearity_between_filters_is_that_of_the_signal():
    """Far above the cutoff nothing is linear, and shifting the samples by half a pixel shifts the answer likewise."""
    n, cutoff = 64, 4.0
    wave = lambda shift: (
        np.sin(2 * np.pi * cutoff * (np.arange(n) + shift) / n)[None, :, None, None] * np.ones((1, n, n, 1))
    )
    up = down = lowpass(24, 12.0, 24.0, 2 * n)
    padding = (24 - 2 + 1, 24 - 2)
    leaky = jax.jit(lambda x: filtered_leaky(x, up, down, up=2, down=2, padding=padding))
    answer = lambda shift: np.asarray(leaky(wave(shift).astype(np.float32)))[0, 16:48, n // 2, 0]
    spectrum = lambda x: np.fft.rfft(x) / len(x)
    moved = spectrum(answer(0)) * np.exp(2j * np.pi * np.fft.rfftfreq(32) * 0.5)
    np.testing.assert_allclose(spectrum(answer(0.5)), moved, atol=2e-3)
    assert np.abs(spectrum(answer(0)))[0] > 0.2  # it is no linear map
