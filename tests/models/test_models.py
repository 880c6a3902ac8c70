"""Networks: shapes for any image, precision, initialisation, labels."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from models.compiled import apply, start
from models.counted import counted

from jaxgan import InputError
from jaxgan.common.keys import quick
from jaxgan.models import (
    BigGANConfig,
    DCGANConfig,
    MLPConfig,
    ProGANConfig,
    R3GANConfig,
    ResNetConfig,
)
from jaxgan.models.dcgan import stage_sizes, stage_widths

SIZES = [(28, 28, 1), (32, 32, 3), (64, 64, 3), (100, 100, 1), (9, 23, 2), (40, 16, 3), (1, 1, 1), (7, 5, 1)]
SMALL = {  # of any size
    "mlp": MLPConfig(g_widths=(8,), d_widths=(8,)),
    "dcgan": DCGANConfig(width=2),
    "resnet": ResNetConfig(width=2, d_spectral_norm=False),
    "biggan": BigGANConfig(width=2, conditional=False, hierarchical=False),
    "progan": ProGANConfig(width=4, base=1024),
    "r3gan": R3GANConfig(width=8, cardinality=2, blocks=1),
}
SEVERAL_LOGITS = ("mlp", "dcgan", "resnet")  # families with d_logits and d_spectral_norm


def build(config, shape, n_classes=0):
    generator, discriminator = config.build(shape, n_classes)
    z, x = jnp.ones((3, 4)), jnp.ones((3, *shape))
    label = jnp.asarray([0, 1, 1]) if n_classes else None
    g = start(generator, quick(0), z, label, train=True)
    d = start(discriminator, quick(1), x, label, train=True)
    return generator, g, discriminator, d, z, x, label


@pytest.mark.parametrize("shape", SIZES, ids=str)
@pytest.mark.parametrize("name", SMALL)
def test_every_architecture_makes_and_judges_images_of_any_size(name, shape):
    generator, discriminator = SMALL[name].build(shape, 0)
    key = quick(0)
    fake = jax.eval_shape(lambda z: generator.init_with_output(key, z, train=True)[0], jnp.ones((3, 4)))
    assert fake.shape == (3, *shape)
    assert fake.dtype == jnp.float32
    logits = jax.eval_shape(
        lambda x: discriminator.init_with_output(key, x, train=True)[0], jnp.ones((3, *shape))
    )
    assert logits.shape == (3,)
    assert logits.dtype == jnp.float32


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", SMALL)
def test_bfloat16_computes_and_float32_is_kept(name, dtype):
    config = dataclasses.replace(SMALL[name], dtype=dtype)
    generator, g, discriminator, d, z, x, _ = build(config, (8, 8, 1))
    assert {leaf.dtype for leaf in jax.tree.leaves((g["params"], d["params"]))} == {jnp.dtype("float32")}
    jaxpr = str(jax.make_jaxpr(lambda g, z: generator.apply(g, z))(g, z))
    assert ("bf16" in jaxpr) == (dtype == "bfloat16")
    assert jax.eval_shape(generator.apply, g, z).dtype == jnp.float32
    assert jax.eval_shape(discriminator.apply, d, x).dtype == jnp.float32


def test_generated_images_are_bounded_and_points_are_not():
    for name in SMALL:
        generator, g, *_ = build(SMALL[name], (8, 8, 1))
        assert jnp.abs(apply(generator, g, 1e3 * jax.random.normal(quick(1), (50, 4)))).max() <= 1
    generator, g, *_ = build(SMALL["mlp"], (2,))
    points = apply(generator, g, 1e3 * jax.random.normal(quick(1), (50, 4)))
    assert points.shape == (50, 2)
    assert jnp.abs(points).max() > 10


def test_dcgan_halves_to_at_most_seven_pixels_and_doubles_channels():
    assert stage_sizes(28, 28) == [(28, 28), (14, 14), (7, 7), (4, 4)]
    assert stage_sizes(32, 32)[-1] == stage_sizes(64, 64)[-1] == (4, 4)
    assert stage_sizes(100, 60) == [(100, 60), (50, 30), (25, 15), (13, 8), (7, 4)]
    assert stage_sizes(1, 1) == [(1, 1), (1, 1)]
    assert stage_widths(5, 64) == [64, 128, 256, 512, 512]


@pytest.mark.counts
def test_a_dcgan_without_biases_has_the_published_number_of_parameters():
    """64 pixels, 64 channels, 100 latents: by the arithmetic of the layers of Radford et al."""
    assert counted(DCGANConfig(biases=False), (64, 64, 3), 0, 100) == (3_576_704, 2_765_568)
    assert counted(DCGANConfig(), (64, 64, 3), 0, 100) == (3_576_704 + 3, 2_765_568 + 64 + 1)


def test_dcgan_weights_start_from_the_papers_distribution():
    _, g, _, d, *_ = build(DCGANConfig(width=32), (32, 32, 3))
    for variables in (g, d):
        for path, leaf in jax.tree_util.tree_leaves_with_path(variables["params"]):
            name = jax.tree_util.keystr(path)
            if "kernel" in name and leaf.size > 2000:
                assert abs(float(leaf.std()) - 0.02) < 0.002, name
                assert abs(float(leaf.mean())) < 0.002, name
            elif "scale" in name:
                assert abs(float(leaf.mean()) - 1) < 0.02, name


def test_conditional_networks_use_their_labels():
    generator, g, discriminator, d, z, x, label = build(DCGANConfig(width=2, conditional=True), (8, 8, 1), 3)
    z = z.at[:].set(z[0])
    images = apply(generator, g, z, label)
    assert jnp.abs(images[0] - images[1]).max() > 1e-6
    np.testing.assert_allclose(images[1], images[2], atol=1e-6)
    logits = apply(discriminator, d, x, label)
    assert logits[0] != logits[1]
    assert logits[1] == logits[2]
    with pytest.raises(InputError, match="label: expected class indices below 3"):
        apply(generator, g, z)


def test_projection_is_the_inner_product_of_embedding_and_features():
    _, _, discriminator, d, _, x, _ = build(DCGANConfig(width=2, conditional=True), (8, 8, 1), 3)
    plain, _ = DCGANConfig(width=2).build((8, 8, 1), 0)[1], None
    shared = {k: v for k, v in d["params"].items() if not k.startswith("Embed")}
    base = apply(plain, {**d, "params": shared}, x)
    double = jax.tree.map(lambda e: 2 * e, d["params"]["Embed_0"])
    label = jnp.asarray([0, 1, 2])
    once = apply(discriminator, d, x, label) - base
    twice = apply(discriminator, {**d, "params": {**d["params"], "Embed_0": double}}, x, label) - base
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-4)
    assert jnp.abs(once).max() > 0


@pytest.mark.parametrize("name", SEVERAL_LOGITS)
def test_spectral_norm_keeps_the_parameters_and_their_start(name):
    """Same names, same values; its vectors are drawn from the key of the parameters."""
    with_it = dataclasses.replace(SMALL[name], d_spectral_norm=True)
    *_, plain, _, _, _ = build(SMALL[name], (8, 8, 1))
    *_, d, _, _, _ = build(with_it, (8, 8, 1))
    *_, again, _, _, _ = build(with_it, (8, 8, 1))
    assert "spectral" not in plain
    jax.tree.map(np.testing.assert_array_equal, plain, {key: d[key] for key in plain})
    jax.tree.map(np.testing.assert_array_equal, d, again)
    kernels = [p for p, _ in jax.tree_util.tree_leaves_with_path(d["params"]) if "kernel" in str(p)]
    vectors = jax.tree.leaves(d["spectral"])
    assert len(vectors) == len(kernels)
    np.testing.assert_allclose([np.linalg.norm(u) for u in vectors], 1, rtol=1e-5)


@pytest.mark.parametrize("name", SEVERAL_LOGITS)
def test_discriminators_may_give_several_logits(name):
    config = dataclasses.replace(SMALL[name], d_logits=5)
    *_, discriminator, d, _, x, _ = build(config, (8, 8, 1))
    logits, _ = apply(discriminator, d, x, train=True, mutable=True)
    assert logits.shape == (3, 5)
    assert logits.dtype == jnp.float32
    assert len(np.unique(logits[0])) == 5


def test_bad_input_is_named():
    for config in map(SMALL.get, SEVERAL_LOGITS):
        with pytest.raises(InputError, match="d_logits: expected at least 1 logit an example, got 0"):
            dataclasses.replace(config, d_logits=0).build((8, 8, 1), 0)
    with pytest.raises(InputError, match="d_logits: expected 1 for a conditional dcgan, .*, got 2"):
        DCGANConfig(conditional=True, d_logits=2).build((8, 8, 1), 3)
    with pytest.raises(InputError, match="dtype: expected 'float32' or 'bfloat16', got 'float16'"):
        MLPConfig(dtype="float16").build((8, 8, 1), 0)
    with pytest.raises(InputError, match="unknown activation 'rellu'; did you mean 'relu'"):
        MLPConfig(activation="rellu").build((8, 8, 1), 0)
    with pytest.raises(InputError, match=r"a dcgan needs images.*got examples of shape \(2,\)"):
        DCGANConfig().build((2,), 0)
    with pytest.raises(InputError, match="conditional: expected data with class labels"):
        DCGANConfig(conditional=True).build((8, 8, 1), 0)
    with pytest.raises(InputError, match="width: expected at least 1 channel"):
        DCGANConfig(width=0).build((8, 8, 1), 0)
    with pytest.raises(InputError, match="g_widths: expected widths of at least 1"):
        MLPConfig(g_widths=(8, 0)).build((8, 8, 1), 0)
