"""Transformers over patches: sizes, positions, what depends on what, starts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from models.compiled import apply, normal, start

from jaxgan import InputError
from jaxgan.common.keys import quick
from jaxgan.config import get_preset
from jaxgan.models import GATConfig
from jaxgan.models.gat import Attention, SlowDense, positions, rotated

TINY = GATConfig(width=8, depth=4, heads=2)


def count(module, *inputs):
    shapes = jax.eval_shape(lambda: module.init(quick(0), *inputs, train=True))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes["params"]))


def dense(inputs, outputs):
    return inputs * outputs + outputs


@pytest.mark.parametrize(
    ("config", "shape"),
    [(GATConfig(), (64, 64, 3)), (GATConfig(patch=2, width=768, heads=12), (32, 32, 4))],
    ids=["S/4", "B/2"],
)
def test_parameters_by_hand(config, shape):
    """From the layers of the authors' code, without its patch embedding in the generator, which it multiplies by 0."""
    w, depth, patch = config.width, config.depth, config.patch**2 * shape[2]
    hidden, latent, classes, label = int(2 / 3 * 4 * w), 64, 1000, 2048
    branches = (
        dense(w, 3 * w) + dense(w, w) + 2 * (w // config.heads) + dense(w, 2 * hidden) + dense(hidden, w)
    )
    style = lambda size: dense(size, w) + dense(w, w)
    pictures = 4 * (dense(w, patch) + dense(w, w))
    g = depth * (branches + dense(w, 4 * w)) + pictures
    d = dense(patch, w) + w + depth * (branches + 4 * w) + w
    conditional = GATConfig(**{**vars(config), "conditional": True})
    generator, discriminator = config.build(shape, 0)
    z, x, y = jnp.zeros((1, latent)), jnp.zeros((1, *shape)), jnp.zeros(1, jnp.int32)
    assert count(generator, z) == g + style(latent)
    assert count(discriminator, x) == d + dense(w, 1)
    generator, discriminator = conditional.build(shape, classes)
    assert count(generator, z, y) == g + style(2 * latent) + classes * latent
    assert count(discriminator, x, y) == d + dense(w, label) + 2 * dense(label, label) + classes * label


@pytest.mark.parametrize("shape", [(8, 8, 1), (16, 12, 3)])
def test_any_image_of_whole_patches(shape):
    generator, discriminator = TINY.build(shape, 0)
    z, x = jnp.ones((2, 5)), jnp.ones((2, *shape))
    shape_of = lambda module, x: jax.eval_shape(lambda: module.init_with_output(quick(0), x)[0]).shape
    assert shape_of(generator, z) == x.shape
    assert shape_of(discriminator, x) == (2,)


def test_rotary_positions_are_relative():
    """Products of queries and keys depend on how far tokens are apart, in rows and in columns; lengths stay."""
    q, k = normal(0, (2, 1, 1, 1, 8))
    everywhere = lambda x: rotated(jnp.broadcast_to(x, (1, 1 + 12, 1, 8)), 3, 4)[0, :, 0]
    turned_q, turned_k = everywhere(q), everywhere(k)
    np.testing.assert_array_equal(turned_q[0], q[0, 0, 0])  # a token before the grid stays
    np.testing.assert_array_equal(turned_q[1], q[0, 0, 0])  # as does the first of the grid
    products = np.asarray(turned_q[1:] @ turned_k[1:].T).reshape(3, 4, 3, 4)
    for row, column in ((0, 1), (1, 0), (1, 2)):
        a = products[: 3 - row, : 4 - column, row:, column:]
        same = [a[i, j, i, j] for i in range(3 - row) for j in range(4 - column)]
        np.testing.assert_allclose(same, same[0], rtol=1e-4)
    assert np.ptp(products) > 0.1
    assert products[0, 0, 0, 1] != pytest.approx(products[0, 0, 1, 0], rel=1e-3)
    np.testing.assert_allclose(np.linalg.norm(turned_q, axis=1), np.linalg.norm(q), rtol=1e-5)


def test_sinusoidal_positions():
    grid = positions(2, 3, 8).reshape(2, 3, 8)
    assert grid.shape == (2, 3, 8)
    x = np.asarray([1.0, 0.01])
    np.testing.assert_allclose(
        grid[1, 2], np.concatenate([np.sin(2 * x), np.cos(2 * x), np.sin(x), np.cos(x)])
    )
    assert len(np.unique(grid.reshape(6, 8), axis=0)) == 6


def test_attention_by_hand():
    """One head of depth 4 and one token of the grid, whose position is 0: plain softmax attention."""
    x = normal(0, (1, 3, 4))
    layer = Attention(1, (1, 1))
    params = start(layer, quick(1), x)["params"]
    params = {**params, "query_scale": jnp.full(4, 1.5), "key_scale": jnp.full(4, 2.0)}
    p = jax.tree.map(np.asarray, params)
    q, k, v = np.split(np.asarray(x)[0] @ p["qkv"]["kernel"], 3, axis=1)
    unit = lambda y: y / np.sqrt((y**2).mean(1, keepdims=True) + 1e-6)
    scores = (1.5 * unit(q)) @ (2.0 * unit(k)).T / 2
    share = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    expected = share @ v @ p["out"]["kernel"]
    np.testing.assert_allclose(apply(layer, {"params": params}, x)[0], expected, atol=1e-5)


def test_layers_of_styles_start_as_xavier_has_them_and_learn_a_hundredth_as_fast():
    """x W m + b m of weights that start at 1 / m times Xavier's, m = 0.01, without a factor of the fan-in."""
    x = normal(0, (64, 200))
    layer = SlowDense(600)
    params = start(layer, quick(1), x)["params"]
    bound = (6 / 800) ** 0.5
    assert 99 * bound < float(jnp.abs(params["kernel"]).max()) <= 100 * bound
    params = {**params, "bias": jnp.full(600, 3.0)}
    np.testing.assert_allclose(
        apply(layer, {"params": params}, x), 0.01 * (x @ params["kernel"] + 3), rtol=1e-4, atol=1e-4
    )


def test_patches_are_embedded_by_weights_of_xavier():
    """Of their numbers and the width of a token; token by token, row by row."""
    config = GATConfig(patch=4, width=384, depth=4, heads=6)
    _, discriminator = config.build((8, 12, 3), 0)
    x = normal(0, (1, 8, 12, 3))
    variables = start(discriminator, quick(1), x)
    kernel = variables["params"]["patches"]["kernel"].reshape(48, 384)
    bound = (6 / (48 + 384)) ** 0.5
    assert 0.99 * bound < float(jnp.abs(kernel).max()) <= bound
    _, seen = apply(discriminator, variables, x, capture_intermediates=True)
    tokens = seen["intermediates"]["patches"]["__call__"][0].reshape(2, 3, 384)
    patch = x[0, 4:8, 8:12].reshape(-1)
    np.testing.assert_allclose(tokens[1, 2], patch @ kernel, rtol=1e-4, atol=1e-4)


def test_the_preset_penalises_as_the_authors_do():
    preset = get_preset("gat-pixels-64")
    assert dict(preset.penalty.weights) == {"r1_approximate": 0.1, "r2_approximate": 0.1}


def test_pictures_of_four_depths_are_summed():
    """Without the last of the four, the picture is another; without all, it is black."""
    generator, _ = GATConfig(width=8, depth=8, heads=2).build((8, 8, 1), 0)
    z = normal(0, (2, 5))
    variables = start(generator, quick(1), z)
    names = [name for name in variables["params"] if name.startswith("picture") and "style" not in name]
    assert names == ["picture_1", "picture_3", "picture_5", "picture_7"]
    without = lambda gone: {
        "params": {
            k: jax.tree.map(np.zeros_like, v) if k in gone else v for k, v in variables["params"].items()
        }
    }
    whole = apply(generator, variables, z)
    for name in names:
        assert jnp.abs(apply(generator, without([name]), z) - whole).max() > 1e-3
    np.testing.assert_array_equal(apply(generator, without(names), z), 0)


def test_patches_go_where_they_belong():
    """What one token says becomes one patch of the picture: its pixels, row by row."""
    generator, _ = GATConfig(patch=2, width=8, depth=4, heads=2).build((4, 6, 1), 0)
    z = jnp.ones((1, 5))
    variables = start(generator, quick(1), z)
    rows = jnp.asarray([0.1, 0.2, 0.3, 0.4])
    dark = {
        k: {"kernel": 0 * v["kernel"], "bias": rows / 4}
        if k.startswith("picture") and "style" not in k
        else v
        for k, v in variables["params"].items()
    }
    picture = apply(generator, {"params": dark}, z)[0, :, :, 0]
    np.testing.assert_allclose(picture, jnp.tile(jnp.tanh(rows.reshape(2, 2)), (2, 3)), atol=1e-5)


def test_bad_input_is_named():
    with pytest.raises(InputError, match="patch: expected a divisor of 10 and 8 pixels, got 4"):
        TINY.build((10, 8, 1), 0)
    with pytest.raises(InputError, match="width: expected a multiple of 4 x 2 heads, got 12"):
        GATConfig(width=12, depth=4, heads=2).build((8, 8, 1), 0)
    with pytest.raises(InputError, match="depth: expected a multiple of 4 blocks, got 6"):
        GATConfig(width=8, depth=6, heads=2).build((8, 8, 1), 0)
    with pytest.raises(InputError, match=r"a gat needs images .*, got examples of shape \(2,\)"):
        TINY.build((2,), 0)
    with pytest.raises(InputError, match="conditional: expected data with class labels"):
        GATConfig(conditional=True).build((8, 8, 1), 0)
