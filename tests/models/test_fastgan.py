"""FastGAN: published sizes, which map gates which, noise by keys, the smaller image, reconstruction."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from models.compiled import apply, normal, start

from jaxgan import GAN, InputError, init, make_step
from jaxgan.common.keys import quick
from jaxgan.config import get_preset
from jaxgan.losses import LOSSES
from jaxgan.models import FastGANConfig, MLPConfig
from jaxgan.models.fastgan import SIDES, Generator
from jaxgan.models.latents import LATENTS

# Weights of the authors' 1x1 convolution to a picture of 128 pixels, which this generator lacks.
TO_SMALL = 3 * 64
# Parameters of the authors' networks (width 64, latent 256), by side.
COUNTS = {256: (29_127_846, 11_526_160), 1024: (29_176_512, 11_528_192)}
DECODERS = 3_139_488
DECODES = ("decode_large", "decode_small", "decode_part")


def count(module, *inputs):
    shapes = jax.eval_shape(lambda: module.init(quick(0), *inputs, train=True))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes["params"]))


@pytest.mark.counts
@pytest.mark.parametrize("side", COUNTS)
def test_parameters_are_as_many_as_the_authors(side):
    preset = get_preset(f"fastgan-{side}")
    generator, discriminator = preset.model.build((side, side, 3), 0)
    x = jnp.zeros((1, side, side, 3))
    assert count(generator, jnp.zeros((1, preset.latent.dim))) + TO_SMALL == COUNTS[side][0]
    parts = jax.eval_shape(lambda: discriminator.init(quick(0), x, train=True))["params"]
    sizes = {name: sum(leaf.size for leaf in jax.tree.leaves(part)) for name, part in parts.items()}
    assert sum(sizes.values()) == COUNTS[side][1]
    assert sum(size for name, size in sizes.items() if name in DECODES) == DECODERS


def test_the_presets_change_colours_and_places_and_cut_nothing_out():
    for name in ("fastgan-256", "fastgan-1024"):
        preset = get_preset(name)
        assert preset.augment == ("diffaugment",)
        assert dict(preset.augment_options) == {"cutout": 0.0}


@pytest.mark.counts
@pytest.mark.parametrize(("blocks", "expected"), [("double", 105_684_175), ("single", 79_354_307)])
def test_the_generators_of_projected_gan_are_as_large_as_its_authors(blocks, expected):
    generator = Generator(shape=(256, 256, 3), width=128, blocks=blocks, projected=True)
    assert count(generator, jnp.zeros((1, 256))) == expected


@pytest.mark.parametrize(
    "shape",
    [(side, side, 3) for side in SIDES] + [(32, 48, 1), (128, 64, 2), (64, 80, 3), (320, 256, 3)],
    ids=str,
)
def test_every_side(shape):
    generator, discriminator = FastGANConfig(width=1).build(shape, 0)
    make = lambda z: generator.init_with_output(quick(0), z, train=True)[0]
    judge = lambda x: discriminator.init_with_output(quick(0), x, train=True)[0]
    assert jax.eval_shape(make, jnp.ones((2, 5))).shape == (2, *shape)
    patches = lambda side: 8 * side // min(shape[:2]) - 3
    assert jax.eval_shape(judge, jnp.ones((2, *shape))).shape == (
        2,
        2 * patches(shape[0]) * patches(shape[1]),
    )


@pytest.fixture(scope="module")
def made():
    """A generator of 64 pixels, grown so that what happens in it is seen, and its variables."""
    module = FastGANConfig(width=2).build((64, 64, 3), 0)[0]
    z = normal(0, (3, 6))
    variables = start(module, quick(1), z, train=True)
    return module, variables, z


def test_the_first_map_gates_the_one_of_16_times_its_size(made):
    """Its gates are the only skip at 64 pixels, and between 0 and 1 they shrink what is there."""
    module, variables, z = made
    assert {k for k in variables["params"] if "Excitation" in k} == {"SkipLayerExcitation_0"}
    shapes = jax.tree.map(np.shape, variables["params"]["SkipLayerExcitation_0"])
    assert shapes["squeeze"]["kernel"] == (4, 4, 32, 4)  # 16 times the width at 4 pixels, twice at 64
    _, seen = apply(module, variables, z, capture_intermediates=True)
    seen = seen["intermediates"]
    before, after = (seen[k]["__call__"][0] for k in ("UpBlock_3", "SkipLayerExcitation_0"))
    ratio = after[np.abs(before) > 1e-6] / before[np.abs(before) > 1e-6]
    assert 0 < ratio.min() <= ratio.max() < 1


def test_noise_belongs_to_the_keys(made):
    module, variables, z = made
    strong = jax.tree_util.tree_map_with_path(
        lambda path, p: p + 1.0 if "strength" in str(path) else p, variables["params"]
    )
    variables = {**variables, "params": strong}
    make = jax.jit(lambda z, keys: module.apply(variables, z, keys=keys))
    keys = jax.random.split(quick(5), 3)
    drawn, again = make(z, keys), make(z, jax.random.split(quick(6), 3))
    assert jnp.abs(drawn - again).max() > 1e-5
    np.testing.assert_allclose(make(z[::-1], keys[::-1]), drawn[::-1], atol=1e-6)
    fixed = make(z, None)
    np.testing.assert_array_equal(fixed, make(z, None))
    assert jnp.abs(fixed - drawn).max() > 1e-5


def test_half_of_the_logits_see_every_second_pixel_only():
    _, module = FastGANConfig(width=2, reconstruction=0.0).build((32, 32, 3), 0)
    x = jax.random.normal(quick(0), (2, 32, 32, 3))
    variables = start(module, quick(1), x)
    judge = jax.jit(lambda x: module.apply(variables, x))
    moved = judge(x.at[:, 1::2, 1::2].add(1.0)) - judge(x)
    assert (moved[:, :25] != 0).any()
    np.testing.assert_array_equal(moved[:, 25:], 0)
    assert (judge(x.at[:, ::2, ::2].add(1.0)) - judge(x))[:, 25:].any()


def test_reconstruction_is_that_of_a_quarter_that_the_key_draws():
    """With decoders that answer 0, the term is the mean size of all pixels, twice, and of those of one quarter."""
    _, module = FastGANConfig(width=2).build((32, 32, 1), 0)
    x = jnp.zeros((4, 32, 32, 1)).at[:, :16, 16:].set(0.8)  # of four quarters, one
    keys = jax.random.split(quick(3), 64)
    variables = start(module, quick(1), x, train=True)
    dark = jax.tree_util.tree_map_with_path(
        lambda path, p: 0 * p if "decode" in str(path) else p, variables["params"]
    )
    variables = {**variables, "params": dark}
    many = jnp.repeat(x[:1], 64, 0)
    terms = jax.jit(lambda keys: module.apply(variables, many, keys=keys, train=False, method="terms"))
    (weight, values) = terms(keys)["reconstruction"]
    assert weight == 8.0
    np.testing.assert_allclose(jnp.unique(jnp.round(values, 5)), [0.4, 1.2], atol=1e-5)
    assert 6 <= (values > 1).sum() <= 28
    turned = terms(jnp.roll(keys, 16))["reconstruction"][1]  # a key's part is its own, wherever it stands
    np.testing.assert_allclose(turned, jnp.roll(values, 16), rtol=1e-5)


def updated(weight, start=None):
    """The discriminator before and after an update with reconstruction so weighted, and its metrics."""
    generator, _ = MLPConfig(g_widths=(2,), d_widths=(2,)).build((32, 32, 3), 0)
    _, discriminator = FastGANConfig(width=2, reconstruction=weight).build((32, 32, 3), 0)
    sgd, batch = optax.sgd(0.1), {"image": jax.random.uniform(quick(1), (4, 32, 32, 3), minval=-1)}
    gan = GAN(generator, discriminator, LOSSES["hinge"](), sgd, sgd, LATENTS["normal"](5))
    gan = dataclasses.replace(gan, turns=gan.turns[:1])
    start = start or init(gan, quick(0), batch)
    state, metrics = jax.jit(make_step(gan))(start, batch)
    return start, state.players["discriminator"], metrics


def test_reconstruction_trains_the_decoders_beside_the_loss():
    """Decoders learn and keep statistics of their own; those of the rest are what they are without the term."""
    start, after, metrics = updated(2.0)
    before = start.players["discriminator"]
    rest = lambda tree: {name: part for name, part in tree.items() if name not in DECODES}
    plain = before.replace(params=rest(before.params), stats={k: rest(v) for k, v in before.stats.items()})
    _, other, other_metrics = updated(0.0, start.replace(players={**start.players, "discriminator": plain}))
    np.testing.assert_allclose(
        metrics["d/loss"], metrics["d/adversarial"] + 2 * metrics["d/reconstruction"], rtol=1e-5
    )
    assert "d/reconstruction" not in other_metrics
    np.testing.assert_allclose(metrics["d/adversarial"], other_metrics["d/adversarial"], rtol=1e-5)
    different = lambda a, b: not np.array_equal(a, b)
    for collection, kept in other.stats.items():
        own = rest(after.stats[collection])
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), own, kept)
        for name in DECODES:
            old, new = (player.stats[collection][name] for player in (before, after))
            assert any(jax.tree.leaves(jax.tree.map(different, new, old))), (collection, name)
    changed = jax.tree.map(different, after.params, before.params)
    assert all(jax.tree.leaves(changed["decode_part"]))


def test_bad_input_is_named():
    with pytest.raises(InputError, match="resolution: expected a shorter side of 32, 64, .* got 48x48"):
        FastGANConfig().build((48, 48, 3), 0)
    with pytest.raises(InputError, match="a multiple of a quarter of it for fastgan, got 64x70"):
        FastGANConfig().build((64, 70, 3), 0)
    with pytest.raises(InputError, match=r"fastgan needs images .*, got examples of shape \(2,\)"):
        FastGANConfig().build((2,), 0)
    with pytest.raises(InputError, match="reconstruction: expected"):
        FastGANConfig(reconstruction=-1.0).build((64, 64, 3), 0)
