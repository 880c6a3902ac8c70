"""Residual networks: the published numbers of parameters, and what the papers say of their blocks and labels."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from models.compiled import apply, moved, start
from models.counted import counted

from jaxgan import InputError
from jaxgan.common.keys import quick
from jaxgan.config import get_preset
from jaxgan.config.presets import RESNET
from jaxgan.models import ResNetConfig
from jaxgan.models.layers import ClassHead
from jaxgan.models.resnet import doubling, stage_sizes

# Of the reference implementations mimicry (SNGAN), BigGAN-PyTorch (SAGAN at 128 pixels) and StudioGAN, or by the
# arithmetic of the published layers (WGAN-GP).
PUBLISHED = {
    "sngan-cifar10": (4_276_739, 1_053_825),
    "sngan-48": (4_878_083, 10_141_441),
    "sngan-64": (12_220_675, 10_141_441),
    "sngan-128": (32_150_787, 29_017_857),
    "wgan-gp-cifar10": (1_204_483, 1_053_825),
    "csngan-cifar10": (4_304_387, 1_055_105),
    "sagan-cifar10": (4_386_308, 1_075_586),
    "sagan-128": (42_017_412, 39_448_258),
}


@pytest.mark.counts
@pytest.mark.parametrize("name", PUBLISHED)
def test_presets_have_the_published_numbers_of_parameters(name):
    preset, config = RESNET[name], get_preset(name)
    n_classes = preset.n_classes if config.model.conditional else 0
    assert counted(config.model, preset.shape, n_classes, config.latent.dim) == PUBLISHED[name]


@pytest.mark.counts
def test_thin_and_other_networks_have_the_published_numbers_of_parameters():
    thin = dataclasses.replace(get_preset("sagan-128").model, d_hidden="in_always")
    assert counted(thin, (128, 128, 3), 1000, 128)[1] == 30_010_134
    classifying = get_preset("cwgan-gp-cifar10").model
    assert counted(classifying, (32, 32, 3), 10, 128)[1] == 1_053_825 + 128 * 10 + 10


def test_sizes_and_channels_are_those_of_the_papers():
    assert stage_sizes(32, 32) == [(32, 32), (16, 16), (8, 8), (4, 4)]
    assert stage_sizes(48, 48)[-1] == (6, 6)
    assert stage_sizes(28, 28)[-1] == (7, 7)
    assert stage_sizes(64, 64)[-1] == stage_sizes(256, 256)[-1] == (4, 4)
    assert stage_sizes(100, 60) == [(100, 60), (50, 30), (25, 15), (13, 8), (7, 4)]
    assert doubling(3) == (1, 2, 4, 8)
    assert doubling(5) == (1, 2, 4, 8, 16, 16)
    assert doubling(6) == (1, 2, 4, 8, 8, 16, 16)
    assert doubling(7) == (1, 1, 2, 4, 8, 8, 16, 16)


SMALL = ResNetConfig(width=4, d_width=4)


def networks(config, shape=(8, 8, 3), n_classes=0):
    """Modules and variables of both, whose parameters are moved from where they start; and inputs."""
    rng = np.random.default_rng(0)
    z = jnp.asarray(rng.normal(size=(4, 6)), jnp.float32)
    x = jnp.asarray(rng.uniform(-1, 1, (4, *shape)), jnp.float32)
    label = jnp.arange(4) % n_classes if n_classes else None
    pairs = []
    for module, given in zip(config.build(shape, n_classes), (z, x), strict=True):
        variables = start(module, quick(0), given, label, train=True)
        pairs.append((module, {**variables, "params": moved(variables["params"], 0.05)}))
    return *pairs, z, x, label


def test_the_logit_is_linear_in_features_that_are_summed_over_pixels():
    """Of an image whose features are the same everywhere, a sum counts all pixels, and a mean none."""
    values = {}
    for pooling in ("sum", "mean"):
        _, (d, variables), _, x, _ = networks(dataclasses.replace(SMALL, d_pooling=pooling))
        _, state = apply(d, variables, x, mutable=("intermediates",), capture_intermediates=True)
        seen = state["intermediates"]
        last = nn.relu(seen["DownBlock_3"]["__call__"][0])
        pooled = last.sum((1, 2)) if pooling == "sum" else last.mean((1, 2))
        kept = {
            **variables,
            "params": variables["params"]["ClassHead_0"],
            "spectral": variables["spectral"]["ClassHead_0"],
        }
        expected = apply(ClassHead(spectral_norm=True), kept, pooled, None, train=False)
        np.testing.assert_allclose(seen["__call__"][0], expected, rtol=1e-5, atol=1e-5)
        values[pooling] = last.shape[1:3]
    assert values == {"sum": (4, 4), "mean": (4, 4)}


@pytest.mark.parametrize("head", ["projection", "ac", "concat"])
def test_labels_reach_the_discriminator_as_its_head_says(head):
    config = dataclasses.replace(SMALL, conditional=True, head=head)
    _, (d, variables), _, x, label = networks(config, n_classes=3)
    same = apply(d, variables, x, label)
    other = apply(d, variables, x, (label + 1) % 3)
    if head == "ac":
        np.testing.assert_array_equal(same, other)
        assert d.classifies
        classes = apply(d, variables, x, classify=True)
        assert (classes.shape, classes.dtype) == ((4, 3), jnp.float32)
        assert float(jnp.abs(classes[0] - classes[1]).max()) > 1e-4
        return
    assert not d.classifies
    assert float(jnp.abs(same - other).min()) > 1e-5
    with pytest.raises(InputError, match="label: expected class indices below 3"):
        apply(d, variables, x)
    with pytest.raises(InputError, match="classify: expected a head of kind 'ac' with classes"):
        apply(d, variables, x, label, classify=True)


def test_concatenation_lets_a_label_change_which_image_is_better():
    """Added to the features at the end, it could not: labels would move all logits by the same."""
    config = dataclasses.replace(SMALL, conditional=True, head="concat")
    _, (d, variables), _, x, _ = networks(config, n_classes=3)
    zeros, ones = (apply(d, variables, x, jnp.full(4, label)) for label in (0, 1))
    change = ones - zeros
    assert np.abs(change - change[0]).max() > 1e-5


@pytest.mark.parametrize("modulation", ["label", "latent", "none"])
def test_labels_reach_the_generator_as_its_modulation_says(modulation):
    config = dataclasses.replace(SMALL, conditional=True, modulation=modulation)
    (g, variables), _, z, _, label = networks(config, n_classes=3)
    same, other = apply(g, variables, z, label), apply(g, variables, z, (label + 1) % 3)
    assert float(jnp.abs(same - other).max()) > 1e-4
    norm = variables["params"]["UpBlock_0"]["norm1"]
    assert set(norm) == {"scale", "bias"} if modulation == "none" else {"gain", "bias"} <= set(norm)
    with pytest.raises(InputError, match="label: expected class indices below 3"):
        apply(g, variables, z)


def test_without_classes_the_latent_modulates_and_every_class_starts_as_no_class():
    (_, variables), *_ = networks(dataclasses.replace(SMALL, modulation="latent"))
    assert variables["params"]["UpBlock_0"]["norm1"]["gain_hidden"]["kernel"].shape == (6, 32)
    g, _ = dataclasses.replace(SMALL, conditional=True).build((8, 8, 3), 3)
    z, label = jnp.ones((3, 6)), jnp.arange(3)
    start = jax.jit(lambda key: g.init_with_output(key, z, label, train=False))
    images, variables = start(quick(0))
    np.testing.assert_allclose(images[0], images[1], atol=1e-6)
    norm = variables["params"]["UpBlock_0"]["norm1"]
    assert not any(leaf.any() for leaf in jax.tree.leaves(norm))


@pytest.mark.parametrize("side", [8, 16])
def test_attention_follows_the_map_of_its_side_in_both_networks(side):
    config = dataclasses.replace(SMALL, attention=side, d_width=8)
    shapes = {}
    for name, module, x in zip(
        "gd", config.build((32, 32, 3), 0), (jnp.ones((2, 6)), jnp.ones((2, 32, 32, 3))), strict=True
    ):
        call = lambda key, m=module, x=x: m.init_with_output(
            key,
            x,
            train=False,
            mutable=True,
            capture_intermediates=lambda layer, _: type(layer).__name__ == "SelfAttention",
        )[1]["intermediates"]
        (seen,) = jax.tree.leaves(jax.eval_shape(call, quick(0)))
        shapes[name] = seen.shape[1:3]
    assert shapes == {"g": (side, side), "d": (side, side)}


def test_bad_input_is_named():
    for fields, shape, n_classes, message in [
        ({}, (2,), 0, "model: a resnet needs images"),
        ({"width": 0}, (8, 8, 1), 0, "width: expected at least 1 channel, got 0"),
        ({"conditional": True}, (8, 8, 1), 0, "conditional: expected data with class labels"),
        ({"conditional": True, "d_logits": 2}, (8, 8, 1), 3, "d_logits: expected 1, as labels are projected"),
        ({"head": "acc"}, (8, 8, 1), 0, "unknown head 'acc'; did you mean 'ac'"),
        ({"modulation": "labels"}, (8, 8, 1), 0, "unknown modulation 'labels'; did you mean 'label'"),
        (
            {"attention": 12},
            (32, 32, 1),
            0,
            r"attention: expected 0 or one of the sides \[32, 16, 8\] of maps, got 12",
        ),
        (
            {"attention": 4},
            (32, 32, 1),
            0,
            r"attention: expected 0 or one of the sides \[32, 16, 8\] of maps, got 4",
        ),
        ({"d_downs": 5}, (32, 32, 1), 0, "d_downs: expected an integer from 0 to 4, got 5"),
    ]:
        with pytest.raises(InputError, match=message):
            dataclasses.replace(SMALL, **fields).build(shape, n_classes)
