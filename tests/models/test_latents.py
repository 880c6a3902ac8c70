"""Priors: moments, support, and numbers that belong to an example."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import InputError
from jaxgan.common import keys
from jaxgan.common.keys import quick
from jaxgan.models.latents import LATENTS, get_latent, slerp, truncated


@pytest.mark.parametrize("name", LATENTS)
def test_moments(name):
    z = np.asarray(get_latent(name, 8).sample(quick(0), 20000))
    assert z.shape == (20000, 8)
    assert z.dtype == np.float32
    np.testing.assert_allclose(z.mean(0), 0, atol=0.04)
    variance = {"uniform": 1 / 3}.get(name, 1.0)
    np.testing.assert_allclose(np.cov(z.T), variance * np.eye(8), atol=0.04)


@pytest.mark.parametrize("name", LATENTS)
def test_they_are_the_same_in_64_bits(name):
    latent, key = get_latent(name, 4), quick(2)
    plain = np.asarray(latent.sample(key, 3))
    with jax.enable_x64(True):
        wide = np.asarray(latent.sample(key, 3))
    assert wide.dtype == np.float32
    np.testing.assert_allclose(wide, plain, rtol=1e-6)


def test_supports():
    uniform = get_latent("uniform", 3).sample(quick(1), 5000)
    assert -1 <= uniform.min() < -0.99
    assert 0.99 < uniform.max() < 1
    sphere = np.asarray(get_latent("sphere", 5).sample(quick(1), 100))
    np.testing.assert_allclose(np.linalg.norm(sphere, axis=1), np.sqrt(5), rtol=1e-5)


@pytest.mark.parametrize("name", LATENTS)
def test_a_row_depends_on_its_index_only(name):
    latent, key = get_latent(name, 4), quick(2)
    whole = latent.sample(key, 12)
    np.testing.assert_array_equal(latent.sample(key, 5), whole[:5])
    share = latent.sample(keys.per_example(key, 4, first=8), 4)
    np.testing.assert_array_equal(share, whole[8:])
    assert len(np.unique(whole[:, 0])) == 12


@pytest.mark.parametrize("threshold", [0.04, 0.5, 2.0])
def test_truncated_latents_are_distributed_as_those_within_the_threshold(threshold):
    """Quantiles against those of draws that are drawn anew (NumPy), and each number against its neighbour."""
    z = np.asarray(get_latent("normal", 4).sample(quick(0), 20000)).ravel()
    cut = np.asarray(truncated(z, threshold))
    assert np.abs(cut).max() <= threshold * (1 + 1e-6)
    drawn = np.random.default_rng(0).normal(size=4_000_000)
    drawn = drawn[np.abs(drawn) < threshold]
    shares = np.linspace(0.02, 0.98, 25)
    np.testing.assert_allclose(np.quantile(cut, shares), np.quantile(drawn, shares), atol=0.02 * threshold)
    order = np.argsort(z)
    assert (np.diff(cut[order]) >= 0).all()


def test_an_infinite_threshold_changes_nothing_and_0_all():
    z = jnp.asarray([-7.0, -1.0, 0.0, 0.3, 8.0])
    np.testing.assert_array_equal(truncated(z, jnp.inf), z)
    np.testing.assert_array_equal(truncated(z, 0.0), 0 * z)
    assert np.isfinite(truncated(z, 3.0)).all()


def test_arcs_end_where_they_should():
    a, b = jax.random.normal(quick(0), (2, 5, 4))
    np.testing.assert_allclose(slerp(a, b, jnp.zeros((5, 1))), a, atol=1e-6)
    np.testing.assert_allclose(slerp(a, b, jnp.ones((5, 1))), b, atol=1e-6)
    unit = lambda v: v / jnp.linalg.norm(v, axis=1, keepdims=True)
    middle = slerp(unit(a), unit(b), jnp.full((5, 1), 0.5))
    np.testing.assert_allclose(middle, unit(unit(a) + unit(b)), atol=1e-6)
    np.testing.assert_allclose(slerp(a, 3 * a, jnp.full((5, 1), 0.5)), 2 * a, atol=1e-5)


def test_arcs_broadcast_over_frames():
    """Between latents of one length they are the published ones; animations take all frames at once."""
    z = get_latent("sphere", 6).sample(quick(3), 4)
    ends, shares = jnp.roll(z, -1, axis=0), np.arange(5)[:, None] / 5
    path = slerp(z[:, None], ends[:, None], shares)
    assert path.shape == (4, 5, 6)
    angle = np.arccos((z * ends).sum(1) / 6)[:, None, None]
    expected = np.sin((1 - shares) * angle) * z[:, None] + np.sin(shares * angle) * ends[:, None]
    np.testing.assert_allclose(path, expected / np.sin(angle), atol=1e-5)


def test_equal_priors_draw_by_equal_functions():
    """By which programs are found again."""
    draws = [get_latent(name, dim, scale).draw for name in LATENTS for dim in (3, 4) for scale in (1, 1.5)]
    again = [get_latent(name, dim, scale).draw for name in LATENTS for dim in (3, 4) for scale in (1, 1.5)]
    assert draws == again
    assert len({*draws, *again}) == len(draws)
    scaled = jax.jit(lambda scale: get_latent("normal", 3, scale).draw(quick(0)))(1.5)
    np.testing.assert_allclose(scaled, get_latent("normal", 3, 1.5).draw(quick(0)), rtol=1e-6)


def test_bad_input_is_named():
    with pytest.raises(InputError, match="unknown latent 'norml'; did you mean 'normal'"):
        get_latent("norml", 3)
    with pytest.raises(InputError, match="dim: expected at least 1 latent coordinate, got 0"):
        get_latent("sphere", 0)
    with pytest.raises(InputError, match=r"key: expected one key or 3 of them, got keys of shape \(2,\)"):
        keys.per_example(jax.random.split(quick(0), 2), 3)
