"""Projected GAN: published sizes, frozen networks that stay frozen, mixing, heads, sizes that it can see."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import shallow_eyes
from models.compiled import normal, start

from jaxgan import GAN, InputError, init, make_step
from jaxgan.common import keys
from jaxgan.common.devices import make_mesh
from jaxgan.common.keys import quick
from jaxgan.config import get_preset
from jaxgan.games import compile_step
from jaxgan.losses import LOSSES
from jaxgan.models import FastGANConfig, MLPConfig, ProjectedConfig
from jaxgan.models.latents import LATENTS
from jaxgan.models.projected import Head, Mixing, seen_size, twice

TINY = ProjectedConfig(width=2, mixing=2, input_size=128, weights="random")


def shapes_of(module, *inputs):
    return jax.eval_shape(lambda: module.init(quick(0), *inputs, train=True))


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


@pytest.mark.counts
@pytest.mark.parametrize(("n_classes", "expected"), [(0, 10_331_328), (1000, 12_940_736)])
def test_parameters_are_as_many_as_the_authors(n_classes, expected):
    """Of the four heads, and of what is frozen. Asking for shapes reads no weights."""
    config = ProjectedConfig(conditional=n_classes > 0, weights="/nowhere")
    _, module = config.build((256, 256, 3), n_classes)
    label = [jnp.zeros(1, jnp.int32)] if n_classes else []
    shapes = shapes_of(module, jnp.zeros((1, 256, 256, 3)), *label)
    assert count(shapes["params"]) == expected
    frozen = shapes["frozen"]["networks"]
    assert count(frozen["features"]["params"]) == 2_958_848
    assert count(frozen["mixing"]) == 376_768


@pytest.mark.parametrize(
    ("name", "expected"), [("projected-gan-256", 105_684_175), ("projected-gan-lite-256", 79_354_307)]
)
def test_generators_are_as_large_as_the_authors(name, expected):
    preset = get_preset(name)
    generator, _ = preset.model.build((256, 256, 3), 0)
    assert count(shapes_of(generator, jnp.zeros((1, preset.latent.dim)))["params"]) == expected


@pytest.mark.parametrize(
    ("shape", "logits"), [((64, 64, 3), 64), ((256, 256, 3), 100), ((32, 64, 1), 4 * 4 * 11)]
)
def test_four_maps_of_logits(shape, logits):
    _, module = ProjectedConfig(weights="random").build(shape, 0)
    out = jax.eval_shape(
        lambda x: module.init_with_output(quick(0), x, train=True)[0], jnp.zeros((2, *shape))
    )
    assert out.shape == (2, logits)
    assert out.dtype == jnp.float32


def test_sizes_that_the_feature_network_sees():
    assert seen_size(64, 64, 224) == (224, 224)
    assert seen_size(32, 44, 224) == (224, 320)  # 308, rounded to a multiple of 32
    assert seen_size(256, 512, 224) == (256, 512)
    with pytest.raises(InputError, match="expected sides that are multiples of 32 pixels, .* got 240x240"):
        seen_size(240, 240, 224)


def test_enlargement_keeps_corners_and_straight_lines():
    ramp = jnp.linspace(0, 1, 5)[:, None] + 10 * jnp.linspace(0, 1, 3)
    expected = np.linspace(0, 1, 10)[:, None] + 10 * np.linspace(0, 1, 6)
    np.testing.assert_allclose(twice(ramp[None, :, :, None])[0, :, :, 0], expected, atol=1e-5)


def test_mixtures_see_all_smaller_maps():
    maps = [jnp.zeros((1, 16 >> i, 16 >> i, 3)) for i in range(4)]
    mixing = Mixing(2)
    variables, mix = start(mixing, quick(0), maps), jax.jit(mixing.apply)
    mixed = mix(variables, maps)
    assert [m.shape for m in mixed] == [(1, 32 >> i, 32 >> i, 2 * c) for i, c in enumerate((1, 1, 2, 4))]
    for i in range(4):
        moved = mix(variables, [m + (j == i) for j, m in enumerate(maps)])
        changes = [bool((a != b).any()) for a, b in zip(moved, mixed, strict=True)]
        assert changes == [j <= i for j in range(4)]


@pytest.fixture(scope="module")
def shallow():
    """Projected GANs with a shallow feature network."""
    with shallow_eyes():
        yield


@pytest.fixture(scope="module")
def played(shallow):
    """Where a game starts, and where it stands after two steps on three devices."""
    generator, _ = MLPConfig(g_widths=(2,), d_widths=(2,)).build((32, 32, 3), 0)
    _, discriminator = TINY.build((32, 32, 3), 0)
    sgd = optax.sgd(0.01)
    gan = GAN(generator, discriminator, LOSSES["hinge"](), sgd, sgd, LATENTS["normal"](5))
    batch = {"image": np.random.default_rng(1).uniform(-1, 1, (6, 32, 32, 3)).astype(np.float32)}
    begun = init(gan, keys.quick(0), batch)
    step = compile_step(make_step(gan), make_mesh(jax.devices()[:3]), how="pmap")
    return begun, step(step(begun, batch)[0], batch)[0]


def test_nothing_moves_what_is_frozen(played):
    """Not by a bit, also where three devices average everything else."""
    before, after = (state.players["discriminator"] for state in played)
    jax.tree.map(np.testing.assert_array_equal, after.stats["frozen"], before.stats["frozen"])
    assert (after.stats["batch_stats"]["head_0"]["BatchNorm_0"]["mean"] != 0).any()
    moved = jax.tree.map(lambda a, b: not np.array_equal(a, b), after.params, before.params)
    assert all(jax.tree.leaves({k: v for k, v in moved["head_3"].items() if "Conv" in k}))


def test_heads_judge_a_batch_on_three_devices_as_on_one():
    x = normal(0, (6, 16, 16, 3))
    alone, split = Head((4,)), Head((4,), axis_name="batch")
    variables = jax.jit(lambda key: alone.init(key, x, None, True))(keys.quick(1))

    def judged(head, variables, x):
        return head.apply(variables, x, None, True, mutable=["batch_stats", "spectral"])

    expected, left = jax.jit(partial(judged, alone))(variables, x)
    mapped = jax.pmap(partial(judged, split), "batch", in_axes=(None, 0), devices=jax.devices()[:3])
    logits, mine = mapped(variables, x.reshape(3, 2, 16, 16, 3))
    np.testing.assert_allclose(logits.reshape(expected.shape), expected, atol=1e-5)
    each = lambda k: jax.tree.map(lambda v: v[k], mine)
    for k in range(3):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), each(k), left)


def test_pictures_are_those_of_the_last_convolution():
    """Nothing bounds them, as in the authors' code; those of FastGAN end in tanh."""
    z = 3.0 * normal(0, (2, 4))
    for config in (ProjectedConfig(width=2, lite=True, weights="random"), FastGANConfig(width=2)):
        generator, _ = config.build((32, 32, 1), 0)
        made = lambda z, generator=generator: generator.init_with_output(
            keys.quick(1), z, capture_intermediates=True, mutable=True
        )
        image, seen = jax.jit(made)(z)
        last = max(seen["intermediates"], key=lambda name: (name.startswith("SpectralNorm"), name))
        y = seen["intermediates"][last]["__call__"][0]
        free = isinstance(config, ProjectedConfig)
        np.testing.assert_allclose(image, y if free else jnp.tanh(y), atol=1e-6)
        assert getattr(config, "bounded", True) != free


def test_labels_make_a_difference(shallow):
    config = ProjectedConfig(width=1, lite=True, mixing=2, input_size=128, weights="random", conditional=True)
    _, module = config.build((32, 32, 1), 3)
    x = jnp.ones((3, 32, 32, 1))
    begin = jax.jit(lambda key, label: module.init_with_output(key, x, label))
    logits, variables = begin(keys.quick(0), np.asarray([0, 1, 1]))
    assert (logits[0] != logits[1]).any()
    np.testing.assert_allclose(logits[1], logits[2], atol=1e-6)
    with pytest.raises(InputError, match="label: expected class indices below 3"):
        jax.eval_shape(module.apply, variables, x)


def test_bad_input_is_named(tmp_path):
    _, module = ProjectedConfig(weights=str(tmp_path / "none.pth")).build((64, 64, 3), 0)
    with pytest.raises(
        InputError, match="model.weights: expected a file of weights, there is none at .*none.pth"
    ):
        module.prepare()
    with pytest.raises(InputError, match="channels: expected 1 or 3 for a projected discriminator, got 4"):
        TINY.build((64, 64, 4), 0)
    with pytest.raises(InputError, match="input_size: expected a multiple of 32 from 128 on, got 96"):
        ProjectedConfig(input_size=96).build((64, 64, 3), 0)
    with pytest.raises(InputError, match="conditional: expected data with class labels"):
        ProjectedConfig(conditional=True).build((64, 64, 3), 0)
