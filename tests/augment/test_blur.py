"""Blur that fades, against SciPy's convolution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from jaxgan import InputError
from jaxgan.augment import blurred, fading_blur
from jaxgan.common.keys import quick

X = np.random.default_rng(0).normal(size=(2, 24, 20, 3)).astype(np.float32)


@pytest.mark.parametrize("sigma", [0.5, 1.4, 3.0])
def test_the_filter_is_that_of_the_paper(sigma):
    reach = int(3 * sigma)
    taps = 2.0 ** -((np.arange(-reach, reach + 1) / sigma) ** 2)
    taps /= taps.sum()
    expected = X
    for axis in (1, 2):
        expected = ndimage.convolve1d(expected, taps, axis, mode="constant")
    np.testing.assert_allclose(blurred(jnp.asarray(X), sigma, 9), expected, atol=1e-5)


def test_it_fades_to_nothing():
    blur = fading_blur(lambda step: 2.0 - step, 2.0)
    see = jax.jit(lambda step: blur.see((), jnp.asarray(X), jax.random.split(quick(0), 2), step))
    spread = [float(see(step).std()) for step in (0.0, 1.0, 1.5, 2.0, 9.0)]
    assert sorted(spread) == spread
    assert spread[0] < 0.5 * spread[-1]
    np.testing.assert_array_equal(see(1.9), X)
    with pytest.raises(InputError, match="most: expected"):
        fading_blur(lambda step: 0.0 * step, 0.0)
