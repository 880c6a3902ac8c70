"""The Progressive GAN: sizes, its layers in NumPy, and that growing changes nothing at once."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from models.compiled import apply, moved, start

from jaxgan.common.keys import quick
from jaxgan.config import get_preset
from jaxgan.models import ProGANConfig
from jaxgan.models.growth import GROWN

# Trainable parameters with the 1x1 convolutions of all sizes to and from colours: from the published layout.
COUNTS = {
    32: (20_719_628, 20_726_785),
    64: (22_490_383, 22_498_049),
    128: (22_933_394, 22_941_313),
    256: (23_044_309, 23_052_353),
    1024: (23_079_115, 23_087_249),
}
SMALL = ProGANConfig(width=6, base=16, stable_kimg=0.04, fade_kimg=0.08)  # 6 and 4 channels
SHAPE, IMAGES = (16, 8, 3), 8
GROWTH = SMALL.growth(SHAPE, IMAGES)  # sizes 8x4 and 16x8


def build(config=SMALL, shape=SHAPE):
    """Generator and discriminator: module, variables, inputs."""
    rng = np.random.default_rng(0)
    given = [rng.normal(size=(4, 5)), rng.uniform(-1, 1, (4, *shape))]
    found = []
    for module, x in zip(config.build(shape, 0, images=IMAGES), given, strict=True):
        x = jnp.asarray(x, jnp.float32)
        variables = start(module, jax.random.key(0), x, quick=False)
        found.append(
            (module, {**variables, "params": moved(variables["params"], 0.1)}, x)
        )  # biases start at 0
    return found


def answer(module, variables, x, step, stage=None):
    return apply(module.clone(stage=stage), variables, x, train=True, step=step, mutable=("growth",))[0]


@pytest.mark.counts
@pytest.mark.parametrize("resolution", COUNTS)
def test_networks_of_the_published_size(resolution):
    shape = (resolution, resolution, 3)
    for module, x, count in zip(
        ProGANConfig().build(shape, 0),
        (jnp.zeros((4, 512)), jnp.zeros((4, *shape))),
        COUNTS[resolution],
        strict=True,
    ):
        params = jax.eval_shape(module.init, quick(0), x)["params"]
        assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count


@pytest.mark.parametrize("name", ["cifar10", "128", "256", "1024"])
def test_presets_are_of_the_published_settings(name):
    config = get_preset(f"progan-{name}")
    assert config.model == ProGANConfig()
    assert config.steps * config.batch_size == 12_000_000
    size = 32 if name == "cifar10" else int(name)
    assert config.data.resolution in (None, size)
    assert config.model.growth((size, size, 3)).stages == math.log2(size / 4) + 1
    weights, target = dict(config.penalty.weights), config.penalty.target
    assert weights["drift"] == 0.001
    assert weights["gradient_penalty"] * target**2 == pytest.approx(10)
    assert target == (750 if name == "cifar10" else 1)


# --- in NumPy -----------------------------------------------------------------------------------


def leaky(x):
    return np.maximum(x, 0.2 * x)


def normalised(x):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-8)


ROOT = math.sqrt(2)


def conv(params, x, gain=ROOT):
    """Sums over shifted images, weights scaled where they are used."""
    kernel, bias = params["kernel"], params["bias"]
    k, _, inputs, outputs = kernel.shape
    padded = np.pad(x, ((0, 0), (k // 2, k // 2), (k // 2, k // 2), (0, 0)))
    h, w = x.shape[1:3]
    out = np.zeros((*x.shape[:3], outputs))
    for i in range(k):
        for j in range(k):
            out += padded[:, i : i + h, j : j + w] @ (kernel[i, j] * gain / math.sqrt(k * k * inputs))
    return out + bias


def dense(params, x, gain):
    return x @ (params["kernel"] * gain / math.sqrt(x.shape[1])) + params.get("bias", 0)


def up(x):
    return x.repeat(2, 1).repeat(2, 2)


def down(x):
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).mean((2, 4))


def generated(params, z, share):
    first, second = params["blocks_0"], params["blocks_1"]
    x = dense(first["first"], normalised(z), math.sqrt(2) / 4).reshape(-1, 8, 4, 6) + first["first_bias"]
    x = normalised(leaky(conv(first["second"], normalised(leaky(x)))))
    old = up(conv(params["to_rgb_0"], x, 1))
    x = normalised(leaky(conv(second["first"], up(x))))
    x = normalised(leaky(conv(second["second"], x)))
    return share * conv(params["to_rgb_1"], x, 1) + (1 - share) * old


def judged(params, x, share):
    old = leaky(conv(params["from_rgb_0"], down(x)))
    new = leaky(conv(params["from_rgb_1"], x))
    new = down(leaky(conv(params["blocks_0"]["second"], leaky(conv(params["blocks_0"]["first"], new)))))
    x, judge = share * new + (1 - share) * old, params["judge"]
    deviation = np.full((*x.shape[:3], 1), np.sqrt(x.var(0) + 1e-8).mean())  # of the one group of 4
    x = leaky(conv(judge["conv"], np.concatenate([x, deviation], -1))).reshape(len(x), -1)
    return dense(judge["logit"], leaky(dense(judge["hidden"], x, math.sqrt(2))), 1)[:, 0]


@pytest.mark.parametrize(("step", "share"), [(10, 0.5), (GROWN, 1.0)])
def test_both_networks_are_those_of_the_paper(step, share):
    for (module, variables, x), formula in zip(build(), (generated, judged), strict=True):
        params = jax.tree.map(lambda p: np.asarray(p, np.float64), variables["params"])
        expected = formula(params, np.asarray(x, np.float64), share)
        for stage in (None, 1):
            np.testing.assert_allclose(answer(module, variables, x, step, stage), expected, atol=2e-5)


def test_weights_start_from_the_unit_normal_and_biases_from_0():
    for module, _, x in build(dataclasses.replace(SMALL, width=48, base=512)):
        params = start(module, quick(0), x)["params"]
        for path, value in jax.tree_util.tree_leaves_with_path(params):
            expected = 1 if path[-1].key == "kernel" else 0
            assert abs(float(value.std()) - expected) <= 5 * expected / math.sqrt(value.size), path


# --- growing ------------------------------------------------------------------------------------


def test_growing_changes_nothing_at_once():
    """A grown network whose new size counts nothing gives what the smaller one gives, bit by bit."""
    config = ProGANConfig(width=6, base=64, stable_kimg=0.04, fade_kimg=0.08)
    shape = (16, 16, 1)
    growth = config.growth(shape, IMAGES)
    assert growth.stages == 3
    for stage in (0, 1):
        step = next(s for s in range(100) if growth.stage(s) == stage and growth.share(stage, s) == 1)
        assert growth.share(stage + 1, step) == 0
        for module, variables, x in build(config, shape):
            small, grown = (answer(module, variables, x, step, k) for k in (stage, stage + 1))
            np.testing.assert_array_equal(grown, small)
            later = answer(module, variables, x, step + 30, stage + 1)
            assert not np.array_equal(later, small)
        x = build(config, shape)[1][2]
        np.testing.assert_array_equal(growth.detail(stage + 1, step, x), growth.detail(stage, step, x))


def test_a_step_is_computed_alike_by_one_program_of_all_sizes_and_by_one_of_its_own():
    for module, variables, x in build():
        for step in range(20):
            expected = answer(module, variables, x, step, GROWTH.stage(step))
            np.testing.assert_allclose(answer(module, variables, x, step), expected, atol=1e-5)


def test_images_of_small_sizes_are_squares_of_one_colour():
    (generator, variables, z), _ = build()
    x = answer(generator, variables, z, 0)
    np.testing.assert_array_equal(x, up(np.asarray(x)[:, ::2, ::2]))
    assert not np.array_equal(x, up(up(np.asarray(x)[:, ::4, ::4])))


def test_a_network_remembers_the_step_that_it_was_trained_in():
    for module, variables, x in build():
        grown = apply(module, variables, x)
        np.testing.assert_allclose(
            grown,
            np.clip(answer(module, variables, x, GROWN), -1, 1)
            if grown.ndim > 1
            else answer(module, variables, x, GROWN),
            atol=1e-6,
        )
        trained, left = apply(module, variables, x, train=True, step=10, mutable=("growth",))
        assert left["growth"]["step"] == 10
        again = apply(module, {**variables, **left}, x)
        np.testing.assert_allclose(again, np.clip(trained, -1, 1) if trained.ndim > 1 else trained, atol=1e-6)
        assert not np.allclose(again, grown, atol=1e-3)


@pytest.mark.parametrize("network", [0, 1])
def test_parameters_of_later_sizes_stand_still(network):
    module, variables, x = build()[network]
    how = {"train": True, "mutable": ["growth"]}
    asked = lambda params, step: module.apply({**variables, "params": params}, x, step=step, **how)[0]
    gradient = jax.jit(jax.grad(lambda params, step: jnp.square(asked(params, step)).sum()))
    moved = lambda step: {
        name
        for name, g in jax.device_get(gradient(variables["params"], step)).items()
        if any(leaf.any() for leaf in jax.tree.leaves(g))
    }
    smallest = [{"blocks_0", "to_rgb_0"}, {"from_rgb_0", "judge"}][network]
    largest = [{"blocks_0", "blocks_1", "to_rgb_1"}, {"from_rgb_1", "blocks_0", "judge"}][network]
    assert moved(0) == smallest
    assert moved(10) == smallest | largest
    assert moved(30) == largest
