"""Residual blocks, against reference implementations and their papers' claims."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden.layers import case, hwio, nhwc
from models.compiled import normal

from jaxgan.common import keys
from jaxgan.common.keys import quick
from jaxgan.models.layers import (
    DeepDownBlock,
    DeepUpBlock,
    DownBlock,
    R3GANBlock,
    UpBlock,
    average_down,
    nearest_up,
)


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
    x = normal(0, (1, 2, 2, given["channels"]))
    layer = R3GANBlock(given["total_blocks"], given["cardinality"], given["expansion"])
    y, variables = jax.jit(layer.init_with_output)(quick(1), x)
    np.testing.assert_array_equal(y, x)
    for name, reference in (("expand", "layer1"), ("grouped", "layer2"), ("project", "layer3")):
        std = variables["params"][name]["kernel"].std()
        np.testing.assert_allclose(std, expected[reference], rtol=0.01)


def _block(x):
    layer = R3GANBlock(blocks=2, cardinality=2)
    params = layer.init(keys.quick(0), x)
    return layer.apply(jax.tree.map(lambda leaf: leaf + 0.1, params), x)


def test_second_derivatives_of_r3gans_block():
    """Of the squared gradient norm, as R1 takes them, against finite differences (float64)."""
    with jax.enable_x64(True):
        x, way = np.random.default_rng(0).normal(size=(2, 2, 3, 3, 4))
        penalty = jax.jit(
            jax.value_and_grad(lambda x: jnp.square(jax.grad(lambda x: jnp.sin(_block(x)).sum())(x)).sum())
        )
        slope = (penalty(x)[1] * way).sum()
        expected = (penalty(x + 1e-6 * way)[0] - penalty(x - 1e-6 * way)[0]) / 2e-6
        np.testing.assert_allclose(slope, expected, rtol=1e-5)


def test_r3gans_block_computes_in_the_type_of_its_images():
    x = jnp.zeros((2, 4, 4, 4), jnp.bfloat16)
    seen = jax.eval_shape(_block, x)
    assert (seen.dtype, seen.shape) == (jnp.bfloat16, x.shape)
    params = jax.eval_shape(R3GANBlock(2, 2).init, quick(0), x)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}


def test_groups_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match="cardinality: expected a divisor of 8 channels, got 3"):
        R3GANBlock(1, 3).init(quick(0), jnp.zeros((1, 4, 4, 4)))


def _placed(given, names):
    """The reference's parameters under our names."""
    params = {}
    for theirs, ours in names.items():
        if f"{theirs}.gain" in given:
            params[ours] = {"scale": jnp.asarray(given[f"{theirs}.gain"])}
        else:
            params[ours] = {"kernel": hwio(given[f"{theirs}.weight"])}
        params[ours]["bias"] = jnp.asarray(given[f"{theirs}.bias"])
    return params


CONVS = {"conv1": "conv1", "conv2": "conv2", "conv_sc": "skip"}


def test_the_up_block_against_the_reference():
    given, expected = case("resnet_g_block", "resnet")
    layer, x = UpBlock(features=3, size=(6, 6)), nhwc(given["x"])
    variables = layer.init(quick(0), x, None, True)
    params = _placed(given["params"], {**CONVS, "bn1": "norm1", "bn2": "norm2"})
    got, _ = layer.apply({**variables, "params": params}, x, None, True, mutable=["batch_stats"])
    np.testing.assert_allclose(got, nhwc(expected), rtol=0, atol=1e-5)


def test_the_down_block_against_the_reference():
    given, expected = case("resnet_d_block_preact", "resnet")
    params = _placed(given["params"], CONVS)
    got = DownBlock(features=3, hidden=3).apply({"params": params}, nhwc(given["x"]), True)
    np.testing.assert_allclose(got, nhwc(expected), rtol=0, atol=1e-5)


def test_pixels_are_doubled_and_averaged_at_odd_sizes_too():
    x = jnp.arange(6.0).reshape(1, 2, 3, 1)
    up = nearest_up(x, (3, 5))[0, :, :, 0]
    np.testing.assert_array_equal(up, [[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [3, 3, 4, 4, 5]])
    down = average_down(jnp.arange(9.0).reshape(1, 3, 3, 1))[0, :, :, 0]
    np.testing.assert_array_equal(down, [[2, 3.5], [6.5, 8]])


BLOCKS = {
    "up": (UpBlock(features=4, size=(5, 6)), (None, True)),
    "down": (DownBlock(features=6, hidden=3), (True,)),
    "first": (DownBlock(features=6, hidden=6, first=True), (True,)),
    "deep up": (DeepUpBlock(features=4, size=(5, 6)), (None, True)),
    "deep down": (DeepDownBlock(features=8), (True,)),
}


def _of_block(name, x, change=lambda path, leaf: leaf):
    layer, rest = BLOCKS[name]
    variables = layer.init(keys.quick(0), x, *rest)
    params = jax.tree_util.tree_map_with_path(
        lambda path, leaf: change(jax.tree_util.keystr(path), leaf + 0.1), variables["params"]
    )
    return params, layer.apply({**variables, "params": params}, x, *rest, mutable=["batch_stats"])[0]


def test_beside_the_deep_blocks_channels_are_dropped_and_joined():
    """Where the last convolution is 0, x is left: without its last channels, or with others beside."""
    silent = lambda path, leaf: 0 * leaf if "conv4" in path else leaf
    x = normal(1, (2, 3, 3, 6))
    _, up = _of_block("deep up", x, silent)
    np.testing.assert_allclose(up, nearest_up(x[..., :4], (5, 6)), atol=1e-6)
    params, down = _of_block("deep down", x, silent)
    np.testing.assert_allclose(down[..., :6], average_down(x), atol=1e-6)
    skip = params["skip"]
    np.testing.assert_allclose(
        down[..., 6:], average_down(x) @ skip["kernel"][0, 0] + skip["bias"], atol=1e-5
    )
    assert [params[f"conv{i}"]["kernel"].shape[:2] for i in (1, 2, 3, 4)] == [(1, 1), (3, 3), (3, 3), (1, 1)]
    assert {params[f"conv{i}"]["kernel"].shape[-1] for i in (1, 2, 3)} == {2}  # a quarter of 8


def test_the_deep_blocks_against_their_definition():
    """ReLU, or norm and ReLU, before each of 1x1, 3x3, 3x3 and 1x1; where pixels are averaged and doubled."""
    x, relu = normal(1, (2, 4, 4, 6)), jax.nn.relu

    def conv(params, x):
        out = jax.lax.conv_general_dilated(
            x, params["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return out + params["bias"]

    def norm(params, x):
        plain = (x - x.mean((0, 1, 2))) / jnp.sqrt(x.var((0, 1, 2)) + 1e-5)
        return params["scale"] * plain + params["bias"]

    p, down = _of_block("deep down", x)
    inside = conv(p["conv3"], relu(conv(p["conv2"], relu(conv(p["conv1"], relu(x))))))
    inside, beside = conv(p["conv4"], average_down(relu(inside))), average_down(x)
    beside = jnp.concatenate([beside, conv(p["skip"], beside)], axis=-1)
    np.testing.assert_allclose(down, beside + inside, rtol=1e-4, atol=1e-4)
    x = x[:, :3, :3]
    p, up = _of_block("deep up", x)
    inside = nearest_up(relu(norm(p["norm2"], conv(p["conv1"], relu(norm(p["norm1"], x))))), (5, 6))
    inside = conv(p["conv3"], relu(norm(p["norm3"], conv(p["conv2"], inside))))
    inside = conv(p["conv4"], relu(norm(p["norm4"], inside)))
    np.testing.assert_allclose(up, nearest_up(x[..., :4], (5, 6)) + inside, rtol=1e-4, atol=1e-4)


def test_only_the_first_block_hears_what_is_negative():
    """By a 1x1 convolution beside it, all do; where that is 0, a ReLU is the first thing that x meets."""
    x = -jnp.abs(normal(1, (2, 4, 4, 6))) - 0.1
    silent = lambda path, leaf: 0 * leaf if "skip" in path else (-leaf if "conv1" in path else leaf)
    for name in ("first", "down", "deep down"):
        _, once = _of_block(name, x, silent)
        _, twice = _of_block(name, 2 * x, silent)
        beside = 6 if name == "deep down" else 0
        twice = twice[..., :beside] - average_down(x) if beside else twice
        heard = float(jnp.abs(once[..., :beside] - twice if beside else once - twice).max()) > 1e-4
        assert heard == (name == "first"), name


def test_blocks_that_change_nothing_have_nothing_beside():
    x = jnp.ones((1, 4, 4, 6))
    for layer, rest in (
        (UpBlock(features=6), (None, True)),
        (DownBlock(features=6, hidden=6, down=False), (True,)),
        (DeepDownBlock(features=6, down=False), (True,)),
    ):
        params = jax.eval_shape(lambda key, m=layer, r=rest: m.init(key, x, *r), quick(0))["params"]
        assert "skip" not in params


@pytest.mark.parametrize("name", BLOCKS)
def test_second_derivatives_of_preactivation_blocks(name):
    """Of the squared gradient norm, as R1 takes them, against finite differences (float64)."""
    with jax.enable_x64(True):
        x, way = np.random.default_rng(0).normal(size=(2, 2, 3, 3, 6))
        value = lambda x: jnp.sin(_of_block(name, x)[1]).sum()
        penalty = jax.jit(jax.value_and_grad(lambda x: jnp.square(jax.grad(value)(x)).sum()))
        slope = (penalty(x)[1] * way).sum()
        expected = (penalty(x + 1e-6 * way)[0] - penalty(x - 1e-6 * way)[0]) / 2e-6
        assert abs(expected) > 1e-3
        np.testing.assert_allclose(slope, expected, rtol=1e-5)


@pytest.mark.parametrize("name", BLOCKS)
def test_preactivation_blocks_compute_in_the_type_of_their_images(name):
    x = jnp.zeros((2, 3, 3, 6), jnp.bfloat16)
    params, seen = jax.eval_shape(lambda x: _of_block(name, x), x)
    assert seen.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}


def test_deep_blocks_refuse_channels_in_the_wrong_direction():
    x = jnp.ones((1, 4, 4, 6))
    with pytest.raises(ValueError, match="features: expected at most the 6 channels of x, got 7"):
        DeepUpBlock(features=7).init(quick(0), x, None, True)
    with pytest.raises(ValueError, match="features: expected at least the 6 channels of x, got 5"):
        DeepDownBlock(features=5).init(quick(0), x, True)
