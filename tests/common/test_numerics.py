"""The root that has a gradient at 0."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.common.numerics import safe_root


@pytest.mark.parametrize("order", [2.0, 3.0])
def test_the_root_is_a_root_with_gradient_zero_at_zero(order):
    x = jnp.asarray([0.0, 0.25, 8.0])
    np.testing.assert_allclose(safe_root(x, order), np.asarray(x) ** (1 / order), rtol=1e-6)
    gradient = jax.grad(lambda x: safe_root(x, order).sum())(x)
    expected = [0.0, *np.asarray(x[1:]) ** (1 / order - 1) / order]
    np.testing.assert_allclose(gradient, expected, rtol=1e-6)
