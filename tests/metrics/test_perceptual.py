"""Distances of feature maps against lpips, path lengths against closed forms."""

import helpers
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import InputError
from jaxgan.metrics.scores.perceptual import perceptual_distance, perceptual_path_length
from jaxgan.metrics.scores.resampling import trimmed_mean
from jaxgan.models.latents import normal, sphere

GOLDEN = dict(np.load(helpers.GOLDEN / "similarity.npz"))
FEATURES = {"f": [GOLDEN["f0"], GOLDEN["f1"]], "g": [GOLDEN["g0"], GOLDEN["g1"]]}
WEIGHTS = [GOLDEN["w0"], GOLDEN["w1"]]
SQUARED = lambda x, y: jnp.square(x - y).sum(1)


def stored(scale=1.0):
    """A network whose images [2, 1] are numbers: 0 stands for the maps f, 1 for g."""

    def layers(images):
        pairs = zip(FEATURES["f"], FEATURES["g"], strict=True)
        return [jnp.where(images[:, :, None, None] == 0, scale * f, g) for f, g in pairs]

    return layers


F, G = np.zeros((2, 1)), np.ones((2, 1))


# --- perceptual distance -------------------------------------------------------------------------


def test_the_distance_is_that_of_lpips():
    np.testing.assert_allclose(perceptual_distance(stored(), F, G), GOLDEN["lpips"], rtol=1e-6)
    got = perceptual_distance(stored(), F, G, weights=WEIGHTS)
    np.testing.assert_allclose(got, GOLDEN["lpips_weighted"], rtol=1e-6)
    jitted = jax.jit(lambda x, y, w: perceptual_distance(stored(), x, y, weights=w))
    np.testing.assert_allclose(jitted(F, G, WEIGHTS), got, rtol=1e-6)


def test_the_distance_is_symmetric_and_blind_to_the_length_of_features():
    one = perceptual_distance(stored(), F, G, weights=WEIGHTS)
    np.testing.assert_allclose(perceptual_distance(stored(), G, F, weights=WEIGHTS), one, rtol=1e-6)
    np.testing.assert_allclose(perceptual_distance(stored(7.0), F, G, weights=WEIGHTS), one, rtol=1e-5)
    np.testing.assert_array_equal(perceptual_distance(stored(), F, F), 0)


def test_opposite_features_are_at_four_and_layers_add_up():
    layers = lambda x: [x[:, None, None] * jnp.ones((1, 3, 2, 5)), x[:, None, None] * jnp.ones((1, 1, 1, 2))]
    np.testing.assert_allclose(perceptual_distance(layers, jnp.ones((4, 1)), -jnp.ones((4, 1))), 8, rtol=1e-6)
    first = [np.ones(5), np.zeros(2)]
    got = perceptual_distance(layers, jnp.ones((4, 1)), -jnp.ones((4, 1)), weights=first)
    np.testing.assert_allclose(got, 4, rtol=1e-6)


def test_gradients_are_finite_where_features_vanish():
    x = jnp.ones((1, 2, 2, 3)).at[0, 0, 1].set(0.0)
    gradient = jax.grad(lambda x: perceptual_distance(lambda x: [x], x, jnp.ones_like(x)).sum())(x)
    assert jnp.isfinite(gradient).all()


def test_bad_feature_maps_are_named():
    with pytest.raises(InputError, match="images of one shape"):
        perceptual_distance(stored(), F, G[:1])
    with pytest.raises(InputError, match=r"network_layers: expected feature maps \[2, h, w, c\]"):
        perceptual_distance(lambda x: [x], F, G)
    with pytest.raises(InputError, match=r"weights: expected one vector a layer, of \[8, 6\] channels"):
        perceptual_distance(stored(), F, G, weights=WEIGHTS[:1])
    with pytest.raises(InputError, match="weights: expected non-negative"):
        perceptual_distance(stored(), F, G, weights=[WEIGHTS[0], -WEIGHTS[1]])


# --- path length -----------------------------------------------------------------------------------

MATRIX = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4)), jnp.float32)
TRACE = float(jnp.square(MATRIX).sum())
ALL = {"n": 20000, "batch": 5000, "quantile": (0.0, 1.0)}


def linear(z):
    return z @ MATRIX


def test_a_line_through_a_linear_generator():
    """E |A (b - a)|^2 = 2 tr(A A') for standard normal a and b; twice the points, four times the length."""
    mean, error = perceptual_path_length(linear, normal(3), SQUARED, jax.random.key(0), space="w", **ALL)
    assert abs(mean - 2 * TRACE) < 4 * error
    assert error < 0.02 * mean
    twice, _ = perceptual_path_length(
        linear, normal(3), SQUARED, jax.random.key(0), space="w", mapping=lambda z: 2 * z, **ALL
    )
    assert twice == pytest.approx(4 * mean, rel=1e-3)


@pytest.mark.parametrize("sampling", ["full", "end"])
def test_an_arc_through_a_linear_generator(sampling):
    """On the sphere of radius sqrt(3), angles have density sin / 2: E[angle^2] = (pi^2 - 4) / 2.

    The direction of travel is uniform, so A stretches its square by tr(A A') / 3.
    """
    mean, error = perceptual_path_length(
        linear, sphere(3), SQUARED, jax.random.key(1), sampling=sampling, **ALL
    )
    expected = 3 * (np.pi**2 - 4) / 2 * TRACE / 3
    assert abs(mean - expected) < 4 * error
    assert error < 0.02 * mean


@pytest.mark.parametrize(("sampling", "expected"), [("full", 8), ("end", 16)])
def test_where_on_the_path_matters_to_a_curved_generator(sampling, expected):
    """For G(w) = w^2 the squared speed is 4 p^2 (b - a)^2 with E[p^2 q^2] = var p var q + 2 cov^2."""
    mean, error = perceptual_path_length(
        jnp.square, normal(2), SQUARED, jax.random.key(2), space="w", sampling=sampling, **ALL
    )
    assert abs(mean - 2 * expected) < 4 * error
    assert error < 0.05 * mean


def test_the_batch_size_does_not_matter():
    of = lambda n, batch: perceptual_path_length(
        linear, normal(3), SQUARED, jax.random.key(3), n=n, batch=batch, quantile=(0.1, 0.8)
    )
    np.testing.assert_allclose(of(50, 7), of(50, 50), rtol=1e-3)
    assert of(49, 7)[0] != pytest.approx(of(50, 7)[0], rel=1e-3)
    other = perceptual_path_length(linear, normal(3), SQUARED, jax.random.key(4), n=50)
    assert other[0] != pytest.approx(of(50, 7)[0], rel=1e-2)


def test_the_trimmed_mean_and_its_error():
    values = np.random.default_rng(0).exponential(size=(2000, 400)) ** 2
    results = np.asarray([trimmed_mean(row, 0.05, 0.75) for row in values])
    low, high = (np.quantile(values[0], q, method=m) for q, m in ((0.05, "lower"), (0.75, "higher")))
    kept = [v for v in values[0] if low <= v <= high]
    assert results[0, 0] == pytest.approx(np.mean(kept))
    assert results[:, 1].mean() == pytest.approx(results[:, 0].std(), rel=0.1)
    whole = trimmed_mean(values[0], 0, 1)
    assert whole == pytest.approx((values[0].mean(), values[0].std(ddof=1) / 20))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"space": "y"}, "unknown space 'y'"),
        ({"sampling": "start"}, "unknown sampling 'start'"),
        ({"mapping": jnp.abs}, 'mapping: expected None with space="z"'),
        ({"n": 1}, "n: expected at least 2, got 1"),
        ({"epsilon": 0.0}, "epsilon: expected a positive number"),
        ({"quantile": (0.9, 0.1)}, "quantile: expected 0 <= lower < upper <= 1"),
    ],
)
def test_bad_paths_are_named(options, message):
    with pytest.raises(InputError, match=message):
        perceptual_path_length(linear, normal(3), SQUARED, jax.random.key(0), **({"n": 4} | options))
