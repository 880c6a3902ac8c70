"""The engine of neighbours against the same by brute force in float64."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.metrics.scores import brute_force, pairwise
from jaxgan.metrics.scores.pairwise import Points


def plain(rng):
    return rng.normal(size=(90, 5)), rng.normal(0.3, 1.2, (75, 5))


def clusters(rng):
    """Far from each other, and much smaller than their distance: float32 alone cannot tell neighbours apart."""
    centres = 100 * rng.normal(size=(3, 8))
    draw = lambda n: centres[rng.integers(3, size=n)] + 1e-4 * rng.normal(size=(n, 8))
    return draw(90).astype(np.float32), draw(75).astype(np.float32)


def grid(rng):
    """Whole numbers: many distances are equal, and exact."""
    return rng.integers(-3, 4, (90, 3)).astype(float), rng.integers(-3, 4, (75, 3)).astype(float)


def collapsed(rng):
    x = rng.normal(size=(90, 4))
    return x, np.repeat(x[:3], 25, axis=0)


SETS = [plain, clusters, grid, collapsed]


@pytest.mark.parametrize("block", [16, 1000])
@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("sets", SETS)
def test_the_engine_is_brute_force(sets, k, block):
    x, y = sets(np.random.default_rng(k))
    a, b = Points.pair("test", x, y, k)
    squared, indices = pairwise.nearest(a, b, k, block)
    expected, where = brute_force.nearest(x, y, k)
    rounding = 1e-14 * np.square(np.concatenate([x, y]) - x.mean(0, dtype=np.float64)).sum(1).max()
    np.testing.assert_allclose(squared, expected, rtol=1e-12, atol=rounding)
    if sets is plain:
        np.testing.assert_array_equal(indices, where)
    distance = brute_force.squared_distances(x, y)
    np.testing.assert_allclose(np.take_along_axis(distance, indices, 1), expected, rtol=1e-12, atol=rounding)
    radii = pairwise.own_radii(a, k, block), pairwise.own_radii(b, k, block)
    for found, points in zip(radii, (x, y), strict=True):
        np.testing.assert_allclose(found, brute_force.own_radii(points, k), rtol=1e-12)
    got, wanted = pairwise.inside(a, b, *radii, block), brute_force.inside(x, y, *radii)
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("sets", SETS)
def test_products_of_an_accelerator_lead_to_the_same(sets):
    """There they are XLA's, not those of NumPy."""
    x, y = sets(np.random.default_rng(0))
    a, b = Points.pair("test", x, y, 3)
    expected = pairwise.own_radii(a, 3, 32), pairwise.inside(a, b, np.ones(90), np.ones(75), 32)
    a.device, b.device = jnp.asarray(a.small), jnp.asarray(b.small)
    np.testing.assert_array_equal(pairwise.own_radii(a, 3, 32), expected[0])
    for one, other in zip(pairwise.inside(a, b, np.ones(90), np.ones(75), 32), expected[1], strict=True):
        np.testing.assert_array_equal(one, other)
