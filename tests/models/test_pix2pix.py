"""Translators of images: published sizes, patches, what sees what, dropout by keys, a game of two domains."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from models.compiled import apply, start

from jaxgan import InputError
from jaxgan.common.keys import quick
from jaxgan.games import Player, cycle_gan, init, make_step
from jaxgan.losses import LOSSES
from jaxgan.models.pix2pix import DoublingConv, PatchGAN, ResNetTranslator, UNet

# Parameters of the authors' networks (junyanz/pytorch-CycleGAN-and-pix2pix), by module and shape of an image.
COUNTS = [
    (UNet(), (256, 256, 3), 54_413_955),
    (UNet(halvings=7), (128, 128, 3), 41_828_995),
    (UNet(halvings=6), (64, 64, 3), 29_244_035),
    (UNet(halvings=5), (32, 32, 3), 16_659_075),
    (PatchGAN(), (64, 64, 6), 2_768_705),
    (PatchGAN(norm="instance"), (64, 64, 3), 2_764_737),
    (ResNetTranslator(), (256, 256, 3), 11_378_179),
    (ResNetTranslator(blocks=6), (128, 128, 3), 7_837_699),
]
SMALL = {
    "u-net": (UNet(width=2, halvings=4), (16, 24, 3)),
    "odd u-net": (UNet(width=2, halvings=3), (9, 23, 3)),
    "resnet": (ResNetTranslator(width=2, blocks=1), (8, 12, 3)),
}


def started(module, shape, n=2):
    x = jax.random.uniform(quick(1), (n, *shape), minval=-1)
    return start(module, quick(0), x, train=True), x


@pytest.mark.counts
@pytest.mark.parametrize(("module", "shape", "expected"), COUNTS)
def test_parameters_are_as_many_as_the_authors(module, shape, expected):
    shapes = jax.eval_shape(lambda: module.init(quick(0), jnp.zeros((1, *shape)), train=True))
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes["params"])) == expected


@pytest.mark.parametrize(("side", "patches"), [(32, 2), (64, 6), (128, 14), (256, 30), (286, 33)])
def test_patches(side, patches):
    logits = jax.eval_shape(
        lambda x: PatchGAN(width=1).init_with_output(quick(0), x, train=True)[0],
        jnp.zeros((2, side, side, 3)),
    )
    assert logits.shape == (2, patches**2)
    assert logits.dtype == jnp.float32


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", SMALL)
def test_translators_keep_the_size_and_the_range(name, dtype):
    module, shape = SMALL[name]
    variables, x = started(module, shape)
    low = module.clone(dtype=jnp.dtype(dtype))
    for scale, train in itertools.product((1, 30), (True, False)):
        y, _ = apply(low, variables, scale * x, train=train, mutable=("batch_stats",))
        assert y.shape == x.shape
        assert y.dtype == jnp.float32
        assert 0 < jnp.abs(y).max() <= 1
    begun = jax.eval_shape(lambda: low.init(quick(0), x, train=True))
    assert {leaf.dtype for leaf in jax.tree.leaves(begun)} == {jnp.dtype("float32")}


@pytest.mark.parametrize("name", [*SMALL, "patchgan", "instance patchgan"])
def test_a_gradient_reaches_every_parameter(name):
    """Through critics also a second time."""
    critics = {
        "patchgan": PatchGAN(width=2, depth=2),
        "instance patchgan": PatchGAN(width=2, norm="instance"),
    }
    module, shape = SMALL[name] if name in SMALL else (critics[name], (24, 24, 3))
    variables, x = started(module, shape)
    stats = [key for key in variables if key != "params"]

    def value(params, x):
        out = module.apply({**variables, "params": params}, x, train=True, mutable=stats)[0]
        return (out * np.random.default_rng(0).normal(size=out.shape)).sum()

    def penalty(params, x):
        return jnp.square(jax.grad(value, 1)(params, x)).sum()

    for function in (value,) if name in SMALL else (value, penalty):
        grads = jax.jit(jax.grad(function))(variables["params"], x)
        for path, g in jax.tree_util.tree_leaves_with_path(jax.device_get(grads)):
            assert np.isfinite(g).all(), path
            # biases: before an instance norm none matters, and second derivatives do not see the last
            no_matter = "bias" in str(path) and (function is penalty or name not in ("u-net", "patchgan"))
            assert g.any() or no_matter, path


def test_the_u_net_sees_its_own_sizes_on_the_way_down():
    """With the innermost map made 0, the picture still depends on what was there at half resolution."""
    module, shape = SMALL["u-net"]
    variables, x = started(module, shape)
    cut = jax.tree.map(lambda p: p, variables)
    cut["params"]["up_1"]["kernel"] = np.zeros_like(cut["params"]["up_1"]["kernel"])
    make = jax.jit(lambda x: module.apply(cut, x))
    assert jnp.abs(make(x) - make(-x)).max() > 1e-4
    assert variables["params"]["up_0"]["kernel"].shape == (4, 4, 4, 3)  # 2 channels from below, 2 from beside


def test_dropout_belongs_to_the_keys():
    x, keys = jnp.ones((3, 33, 33, 3)), jax.random.split(quick(3), 3)

    def grown(halvings):
        """Images with keys, without them, and with None."""
        module = UNet(width=1, halvings=halvings)
        variables = start(module, quick(0), x, train=True)
        variables = {**variables, "params": jax.tree.map(lambda p: 20 * p, variables["params"])}
        asked = lambda v, **given: module.apply(v, x, **given)
        make = jax.jit(lambda v, keys: (asked(v, keys=keys), asked(v), asked(v, keys=None)))
        return lambda keys: make(variables, keys)

    deep = grown(6)
    drawn, plain, none = deep(keys)
    assert jnp.abs(drawn[0] - drawn[1]).max() > 1e-3
    np.testing.assert_allclose(deep(keys[::-1])[0], drawn[::-1], atol=1e-5)
    np.testing.assert_array_equal(none, plain)
    np.testing.assert_array_equal(plain[0], plain[1])
    drawn, plain, _ = grown(5)(keys)  # of 5 halvings none has dropout, as in the authors' code
    np.testing.assert_array_equal(drawn, plain)


def test_patches_see_seventy_pixels():
    """Of one logit, the pixels that it depends on."""
    module = PatchGAN(width=1, norm="batch")
    x = jax.random.normal(quick(0), (1, 128, 128, 1))
    variables = start(module, quick(1), x, train=True)
    slope = jax.jit(jax.grad(lambda x: module.apply(variables, x)[0, 7 * 14 + 7]))(x)[0, :, :, 0]
    rows, columns = np.nonzero(np.asarray(slope))
    assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == 70


def test_doubling_is_the_transpose_of_halving():
    """<up(y), x> = <y, down(x)>, with down the convolution of stride 2 that pads one pixel."""
    y, x = (
        jax.random.normal(quick(0), (2, 3, 5, 4)),
        jax.random.normal(quick(1), (2, 6, 10, 3)),
    )
    layer = DoublingConv(3)
    variables = layer.init(quick(2), y)
    kernel = variables["params"]["kernel"]
    down = jax.lax.conv_general_dilated(
        x, kernel.swapaxes(2, 3), (2, 2), [(1, 1)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    np.testing.assert_allclose((layer.apply(variables, y) * x).sum(), (y * down).sum(), rtol=1e-4)


def test_the_residual_translator_pads_by_reflection():
    """So a picture of one colour stays one in the first convolution, whose windows leave it."""
    module, x = ResNetTranslator(width=2, blocks=1), jnp.full((1, 16, 16, 3), 0.3)
    _, seen = apply(module, start(module, quick(0), x), x, capture_intermediates=True)
    first = seen["intermediates"]["first"]["__call__"][0]
    np.testing.assert_allclose(first, jnp.broadcast_to(first[:, :1, :1], first.shape), atol=1e-6)
    assert jnp.abs(first).max() > 1e-3


def test_they_play_cycle_gan():
    players = [Player(ResNetTranslator(width=2, blocks=1), optax.adam(1e-3)) for _ in range(2)]
    critics = [Player(PatchGAN(width=2, depth=1, norm="instance"), optax.adam(1e-3)) for _ in range(2)]
    game = cycle_gan(*players, *critics, LOSSES["least_squares"]())
    batch = {name: jax.random.uniform(quick(i), (2, 8, 8, 3)) for i, name in enumerate("ab")}
    state = jax.jit(lambda: init(game, quick(0), batch))()
    after, metrics = jax.jit(make_step(game))(state, batch)
    assert np.isfinite(jax.tree.leaves(jax.device_get(metrics))).all()
    moved = jax.tree.map(
        lambda a, b: not np.array_equal(a, b), state.players["a_to_b"].params, after.players["a_to_b"].params
    )
    assert moved["first"]["kernel"]
    assert moved["last"]["kernel"]


def test_bad_input_is_named():
    with pytest.raises(InputError, match="halvings: expected at least 2, .* got 8 for images of 64x64"):
        started(UNet(), (64, 64, 3))
    with pytest.raises(
        InputError, match="images: expected sides that are multiples of 4 pixels, .* got 8x10"
    ):
        started(ResNetTranslator(width=2), (8, 10, 3))
    with pytest.raises(InputError, match="norm: expected 'batch' or 'instance', got 'group'"):
        started(PatchGAN(norm="group"), (32, 32, 3))
    with pytest.raises(InputError, match="images: expected sides of at least 24 pixels, got 16x16"):
        started(PatchGAN(width=2), (16, 16, 3))
