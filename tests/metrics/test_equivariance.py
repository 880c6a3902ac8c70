"""EQ-T and EQ-R of images that are known everywhere, and so can be moved exactly."""

import math
import pathlib
import runpy

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import InputError
from jaxgan.metrics.scores.equivariance import eq_r, eq_t, rotation, translation

SIDE, KEY = 48, jax.random.key(0)
_RNG = np.random.default_rng(0)
_ANGLE, _RADIUS = (
    _RNG.uniform(0, 2 * np.pi, 20),
    _RNG.uniform(0, 12, 20),
)  # up to half of what pixels can hold
WAVES, PHASES = _RADIUS[:, None] * np.stack([np.cos(_ANGLE), np.sin(_ANGLE)], 1), _RNG.uniform(size=20)


def waves(transform, noise=0.0):
    """A sum of waves, seen at the transformed positions, [1, side, side, 1]."""
    centred = (np.arange(SIDE) + 0.5 - SIDE / 2) / SIDE
    x, y = np.meshgrid(centred, centred)
    there = jnp.stack([x, y, np.ones_like(x)], -1) @ jnp.asarray(transform, jnp.float32).T
    image = jnp.sin(2 * np.pi * (there[..., :2] @ WAVES.T + PHASES)).mean(-1)
    sticking = np.random.default_rng(1).normal(size=image.shape)
    return (image + noise * sticking)[None, :, :, None]


def still(transform):
    """Images that do not move at all."""
    return waves(jnp.eye(3))


def test_what_moves_exactly_has_the_ratio_of_rounding():
    assert eq_t(waves, KEY) > 100
    assert eq_r(waves, KEY) > 50


def test_what_moves_the_wrong_way_or_not_at_all_is_told():
    for make in (still, lambda transform: waves(jnp.linalg.inv(transform))):
        assert eq_t(make, KEY) < 25
        assert eq_r(make, KEY) < 25


@pytest.mark.parametrize("size", [0.01, 0.1])
def test_noise_that_sticks_to_pixels_has_twice_its_variance(size):
    """An image and its moved one each have the noise: the squared error is 2 size^2 on average."""
    expected = 20 * math.log10(2) - 10 * math.log10(2 * size**2)
    assert eq_t(lambda transform: waves(transform, size), KEY) == pytest.approx(expected, abs=0.2)


def test_of_which_pixels_the_error_is_taken():
    """By hand: an image of columns 0, 1, 2, ... that moves by one pixel too few."""
    ramp = lambda transform: jnp.broadcast_to(
        (jnp.arange(8.0) + jnp.round(transform[0, 2] * 8) - (transform[0, 2] > 0))[:, None], (1, 8, 8, 1)
    )
    found = eq_t(ramp, jax.random.key(3), 40, most=0.4)
    shares = np.asarray(jax.random.uniform(jax.random.key(3), (40, 2), minval=-0.4, maxval=0.4), np.float64)
    x, y = np.round(shares * 8).T
    counted = (8 - abs(x)) * (8 - abs(y))
    mse = (counted * (x > 0)).sum() / counted.sum()
    assert found == pytest.approx(20 * math.log10(2) - 10 * math.log10(mse), abs=1e-4)


def test_transforms_are_of_positions():
    np.testing.assert_allclose(translation(0.25, -0.5) @ [1, 1, 1], [1.25, 0.5, 1])
    np.testing.assert_allclose(rotation(math.pi / 2) @ [1, 0, 1], [0, 1, 1], atol=1e-12)


def test_what_cannot_be_measured_is_told():
    with pytest.raises(InputError, match="draws: expected at least 1"):
        eq_t(waves, KEY, 0)
    with pytest.raises(InputError, match="most: expected"):
        eq_t(waves, KEY, most=1.0)
    with pytest.raises(InputError, match="side: expected at least 32"):
        eq_r(lambda transform: jnp.zeros((1, 16, 16, 1)), KEY)


@pytest.mark.parametrize(("fields", "name"), [({"base": 16}, "base"), ({"resolution": 16}, "resolution")])
def test_the_script_names_what_is_too_small_before_any_work(fields, name, capsys):
    script = runpy.run_path(str(pathlib.Path(__file__).parents[2] / "experiments" / "equivariance.py"))
    with pytest.raises(InputError, match=f"^{name}: expected at least 32"):
        script["main"](script["Args"](**fields))
    assert capsys.readouterr().out == ""
