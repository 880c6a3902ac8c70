"""Residual blocks, against reference implementations and their papers' claims."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden.layers import case, hwio, nhwc

from jaxgan.models.layers import R3GANBlock


def test_r3gans_block_against_the_reference():
    given, expected = case("r3gan_residual_block")
    params = {
        "expand": {"kernel": hwio(given["w1"])},
        "expand_bias": jnp.asarray(given["b1"]),
        "grouped": {"kernel": hwio(given["w2_groups2"])},
        "grouped_bias": jnp.asarray(given["b2"]),
        "project": {"kernel": hwio(given["w3"])},
    }
    got = R3GANBlock(blocks=1, cardinality=2).apply({"params": params}, nhwc(given["x"]))
    np.testing.assert_allclose(got, nhwc(expected), rtol=0, atol=1e-5)


def test_r3gans_block_starts_at_the_published_scale_and_as_the_identity():
    given, expected = case("r3gan_init_std")
    x = jax.random.normal(jax.random.key(0), (1, 2, 2, given["channels"]))
    layer = R3GANBlock(given["total_blocks"], given["cardinality"], given["expansion"])
    y, variables = jax.jit(layer.init_with_output)(jax.random.key(1), x)
    np.testing.assert_array_equal(y, x)
    for name, reference in (("expand", "layer1"), ("grouped", "layer2"), ("project", "layer3")):
        std = variables["params"][name]["kernel"].std()
        np.testing.assert_allclose(std, expected[reference], rtol=0.01)


def _block(x):
    layer = R3GANBlock(blocks=2, cardinality=2)
    params = layer.init(jax.random.key(0), x)
    return layer.apply(jax.tree.map(lambda leaf: leaf + 0.1, params), x)


def test_second_derivatives_of_r3gans_block():
    """Of the squared gradient norm, as R1 takes them, against finite differences (float64)."""
    with jax.enable_x64(True):
        x, way = np.random.default_rng(0).normal(size=(2, 2, 3, 3, 4))
        penalty = jax.jit(lambda x: jnp.square(jax.grad(lambda x: jnp.sin(_block(x)).sum())(x)).sum())
        slope = (jax.jit(jax.grad(penalty))(x) * way).sum()
        expected = (penalty(x + 1e-6 * way) - penalty(x - 1e-6 * way)) / 2e-6
        np.testing.assert_allclose(slope, expected, rtol=1e-5)


def test_r3gans_block_computes_in_the_type_of_its_images():
    x = jnp.zeros((2, 4, 4, 4), jnp.bfloat16)
    seen = jax.eval_shape(_block, x)
    assert (seen.dtype, seen.shape) == (jnp.bfloat16, x.shape)
    params = jax.eval_shape(R3GANBlock(2, 2).init, jax.random.key(0), x)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}


def test_groups_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match="cardinality: expected a divisor of 8 channels, got 3"):
        R3GANBlock(1, 3).init(jax.random.key(0), jnp.zeros((1, 4, 4, 4)))
