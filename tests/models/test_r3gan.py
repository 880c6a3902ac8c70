"""R3GAN: published sizes and starts, its authors' code on small inputs, schedules counted in images."""

import dataclasses
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from golden.layers import cases, hwio, nhwc
from models.compiled import apply, moved, normal, start

from jaxgan import GAN, InputError, init, make_step
from jaxgan.common.keys import quick
from jaxgan.config import get_preset
from jaxgan.losses import LOSSES
from jaxgan.models import MLPConfig, R3GANConfig
from jaxgan.models.latents import LATENTS
from jaxgan.models.layers.basics import even_sizes
from jaxgan.models.r3gan import stage_widths
from jaxgan.penalties import r1, r2, weight_schedule

CASES = cases("r3gan")
TINY = R3GANConfig(width=8, cardinality=4, full=2)
UNCONDITIONAL = R3GANConfig()
CONDITIONAL = R3GANConfig(conditional=True)
IMAGENET = R3GANConfig(width=1536, full=5, conditional=True)

# Trainable parameters of the networks that the authors' code builds.
COUNTS = [
    (UNCONDITIONAL, (32, 32, 3), 0, 20_732_160, 20_683_776),
    (CONDITIONAL, (32, 32, 3), 10, 20_781_952, 21_280_512),
    (UNCONDITIONAL, (64, 64, 3), 0, 22_429_824, 22_381_440),
    (UNCONDITIONAL, (256, 256, 3), 0, 23_057_952, 23_009_568),
    (IMAGENET, (32, 32, 3), 1000, 82_914_304, 86_548_992),
    (IMAGENET, (64, 64, 3), 1000, 103_570_432, 107_205_120),
]
PRESETS = ["cifar10-unconditional", "cifar10", "ffhq-64", "ffhq-256", "imagenet-32", "imagenet-64"]


def build(config, shape, n_classes=0):
    """Modules, variables and inputs, by name."""
    label = jnp.arange(3) % n_classes if n_classes else None
    modules = dict(zip("gd", config.build(shape, n_classes), strict=True))
    given = {"g": jnp.ones((3, 64)), "d": normal(0, (3, *shape))}
    return {
        name: (module, start(module, quick(1), given[name], label), given[name], label)
        for name, module in modules.items()
    }


@pytest.mark.counts
@pytest.mark.parametrize(("published", "preset"), list(zip(COUNTS, PRESETS, strict=True)))
def test_networks_of_the_published_size(published, preset):
    config, shape, n_classes, *expected = published
    own = get_preset(f"r3gan-{preset}")
    assert dataclasses.replace(own.model, dtype="float32") == config
    assert own.data.resolution in (None, shape[0])
    label = jnp.zeros((2,), jnp.int32) if n_classes else None
    for module, x, count in zip(
        config.build(shape, n_classes), (jnp.zeros((2, 64)), jnp.zeros((2, *shape))), expected, strict=True
    ):
        params = jax.eval_shape(module.init, quick(0), x, label)["params"]
        assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count


def test_stages_of_any_image():
    assert even_sizes(32, 32) == [(4, 4), (8, 8), (16, 16), (32, 32)]
    assert even_sizes(28, 28) == [(7, 7), (14, 14), (28, 28)]
    assert even_sizes(100, 60) == [(25, 15), (50, 30), (100, 60)]
    assert even_sizes(9, 23) == [(9, 23)]
    assert stage_widths(7, 768, 4) == [768, 768, 768, 768, 384, 192, 96]
    widths = {}
    for name, (module, variables, x, label) in build(TINY, (32, 16, 3)).items():
        _, seen = apply(module, variables, x, label, capture_intermediates=True)
        seen = {key: value["__call__"][0] for key, value in seen["intermediates"].items() if "block1" in key}
        widths[name] = {key.partition("_")[0]: value.shape[1:] for key, value in seen.items()}
    assert widths["g"] == widths["d"]
    assert widths["g"] == {"stage0": (8, 4, 8), "stage1": (16, 8, 8), "stage2": (32, 16, 4)}


def test_groups_are_as_wide_in_narrower_stages():
    _, variables, *_ = build(TINY, (16, 16, 3))["d"]
    kernels = {
        name: block["grouped"]["kernel"].shape
        for name, block in variables["params"].items()
        if "block" in name
    }
    assert kernels["stage0_block0"] == kernels["stage1_block1"] == (3, 3, 16 // 4, 16)
    assert kernels["stage2_block0"] == (3, 3, 8 // 2, 8)


def test_the_critics_basis_against_the_reference():
    case = CASES["r3gan_discriminative_basis"]
    given, x = case["inputs"], nhwc(case["inputs"]["x"])
    _, discriminator = R3GANConfig(width=4, cardinality=1, blocks=1).build((4, 4, 4), 0)
    params = start(discriminator, quick(0), x)["params"]  # whose block is the identity
    params["image"]["kernel"] = jnp.eye(4)[None, None]
    params["basis"] = hwio(given["basis_w"])[:, :, 0]
    params["linear"]["kernel"] = jnp.asarray(given["w"]).T
    np.testing.assert_allclose(
        apply(discriminator, {"params": params}, x), np.ravel(case["output"]), rtol=0, atol=1e-6
    )


def test_losses_and_penalties_against_the_authors_trainer():
    case = CASES["rpgan_r1_r2"]
    given, expected = case["inputs"], case["output"]

    class Critic(nn.Module):
        @nn.compact
        def __call__(self, x, label=None, *, train=False):
            return (self.param("a", lambda _: jnp.asarray(given["a"])) * x**2).sum(1)

    class Fakes(nn.Module):
        @nn.compact
        def __call__(self, z, label=None, *, train=False):
            return self.param("x", lambda _: jnp.asarray(given["fake"]))

    still = optax.sgd(0.0)
    penalties = {"r1": (given["gamma"], r1()), "r2": (given["gamma"], r2())}
    loss, latent = LOSSES["relativistic_paired"](), LATENTS["normal"](2)
    gan = GAN(Fakes(), Critic(), loss, still, still, latent, penalties=penalties)
    batch = {"image": jnp.asarray(given["real"])}
    _, metrics = jax.jit(make_step(gan))(init(gan, quick(0), batch), batch)
    for name, value in (
        ("d/loss", expected["d_loss"]),
        ("g/loss", expected["g_loss"]),
        ("d/adversarial", np.mean(expected["adv"])),
        ("d/r1", np.mean(expected["r1"]) / 2),  # the half is ours, the weight gamma
        ("d/r2", np.mean(expected["r2"]) / 2),
    ):
        np.testing.assert_allclose(metrics[name], value, rtol=1e-6, err_msg=name)


def test_every_weight_starts_at_the_published_scale():
    """Gain / sqrt(fan-in), in blocks times L^(-1/4), the last convolution of each at 0."""
    config, n = R3GANConfig(width=64, cardinality=8, conditional=True), 100
    inside, gain = 128, math.sqrt(2 / 1.04) * 6**-0.25  # two blocks in each of three stages
    shared = {"expand": gain / 8, "grouped": gain / math.sqrt(9 * inside / 8), "project": 0}
    own = {
        "g": {"linear": 128**-0.5, "basis": 1, "image": 64**-0.5, "embedding": n**-0.5},
        "d": {"linear": 64**-0.5, "basis": 1 / 4, "image": 3**-0.5, "embedding": (n * 64) ** -0.5},
    }
    for name, (_, variables, *_) in build(config, (16, 16, 3), n).items():
        found = set()
        for path, value in jax.tree_util.tree_leaves_with_path(variables["params"]):
            keys = [entry.key for entry in path]
            part = keys[0] if "block" not in keys[0] else keys[1]
            expected = {**shared, **own[name]}.get(part, 0)  # biases start at 0
            np.testing.assert_allclose(value.std(), expected, rtol=0.1, err_msg=part)
            found.add(part)
        assert found == {*shared, *own[name], "expand_bias", "grouped_bias"}


@pytest.mark.parametrize("name", ["g", "d"])
def test_both_networks_start_linear(name):
    """All blocks are the identity, and there is no bias but in them."""
    module, variables, x, _ = build(TINY, (16, 16, 3))[name]
    answer = lambda variables, x: apply(module, variables, x, train=True)
    np.testing.assert_allclose(answer(variables, 3 * x), 3 * answer(variables, x), rtol=1e-4, atol=1e-6)
    assert not answer(variables, 0 * x).any()
    # off the start, where the last convolutions of the blocks are 0
    assert answer(moved(variables, 0.05), 0 * x).all()


def test_labels_are_embedded_and_projected():
    """D(x, y) = <features(x), embedding of y>."""
    parts = build(dataclasses.replace(TINY, conditional=True, embedding=5), (8, 8, 3), 3)
    module, variables, x, label = parts["d"]
    logits = jnp.stack([apply(module, variables, x, jnp.full(3, k)) for k in range(3)], 1)
    table = variables["params"]["embedding"]["embedding"]
    assert table.shape == (3, 8)
    mixture = np.stack([table[1] - 3 * table[2], *table[1:]])
    mixed = {**variables["params"], "embedding": {"embedding": mixture}}
    np.testing.assert_allclose(
        apply(module, {"params": mixed}, x, jnp.zeros(3, int)), logits[:, 1] - 3 * logits[:, 2], atol=1e-5
    )
    doubled = {**variables["params"], "embedding": {"embedding": 2 * table}}
    np.testing.assert_allclose(
        apply(module, {"params": doubled}, x, label), 2 * apply(module, variables, x, label), rtol=1e-5
    )
    _, variables, *_ = parts["g"]
    assert variables["params"]["linear"]["kernel"].shape == (64 + 5, 8)
    for name in "gd":
        with pytest.raises(InputError, match=r"label: expected class indices below 3 .* got None"):
            apply(*parts[name][:3])


@pytest.mark.parametrize("name", ["g", "d"])
def test_all_stages_but_the_smallest_compute_in_bfloat16(name):
    module, variables, x, label = build(dataclasses.replace(TINY, dtype="bfloat16"), (16, 16, 3))[name]
    _, seen = apply(module, variables, x, label, capture_intermediates=True)
    types = {
        key: value["__call__"][0].dtype for key, value in seen["intermediates"].items() if "block" in key
    }
    assert len(types) == 6
    for key, dtype in types.items():
        assert dtype == (jnp.float32 if key.startswith("stage0") else jnp.bfloat16), key


def test_numbers_of_64_bits_stay():
    with jax.enable_x64(True):
        for module, variables, x, label in build(TINY, (8, 8, 1)).values():
            variables, x = jax.tree.map(lambda p: np.asarray(p, np.float64), (variables, x))
            assert apply(module, variables, x, label, train=True).dtype == jnp.float64


def test_published_schedules_in_images():
    """Of the penalty, the rate, b2 and the average, at the images that the authors' schedulers were asked about."""
    case = CASES["r3gan_schedule_cifar"]
    small = MLPConfig(g_widths=(4,), d_widths=(4,))
    batch = 500  # which divides the points
    config = dataclasses.replace(
        get_preset("r3gan-cifar10"), model=small, augment=(), augment_options=(), batch_size=batch
    )
    game = config.build((2,), 0)
    examples = {"image": jnp.ones((batch, 2))}
    state, step = init(game, quick(0), examples), jax.jit(make_step(game))
    memory = lambda count: jax.tree.map(lambda x: jnp.full_like(x, count), state.memory)
    penalties = lambda count: step(state.replace(memory=memory(count)), examples)[1]
    start = penalties(0)
    assert {(name, weight) for name, weight in config.penalty.weights} == {("r1", 0.05), ("r2", 0.05)}
    for images, expected in zip(case["inputs"]["points"], case["output"], strict=True):
        count = int(images) // batch
        for name in ("d/r1", "d/r2"):
            np.testing.assert_allclose(
                0.05 * penalties(count)[name] / start[name], expected["gamma"], rtol=1e-5
            )
        for player in game.players.values():
            rate, b2 = rate_and_b2(player.optimizer, count)
            np.testing.assert_allclose(rate, expected["lr"], rtol=1e-5)
            np.testing.assert_allclose(b2, expected["beta2"], rtol=1e-6)
        decay = game.players["generator"].average(count)
        np.testing.assert_allclose(decay, 0.5 ** (batch / max(expected["ema_nimg"], 1e-8)), rtol=1e-6)
        way = weight_schedule("cosine", 0.0, 0.55, int(case["inputs"]["total_nimg"]))
        np.testing.assert_allclose(way(images), expected["aug_p"], rtol=1e-6, atol=1e-9)


def rate_and_b2(optimizer, count):
    """Of an Adam whose b1 is 0, told from its updates by 1 with two pasts, `count` updates after its start."""
    params = jnp.zeros(2)
    state = optax.tree_utils.tree_set(
        optimizer.init(params), count=jnp.asarray(count), nu=jnp.asarray([1.0, 0.0])
    )
    ones, zeros = optimizer.update(jnp.ones(2), state, params)[0]
    # -rate sqrt(c) / sqrt(v) with v = 1 and v = 1 - b2, where c = 1 - b2^(count + 1)
    b2 = 1 - (ones / zeros) ** 2
    return -ones / jnp.sqrt(1 - b2 ** (count + 1)), b2


def test_schedules_do_not_depend_on_discriminator_updates():
    """A step of d_steps updates shows d_steps batches."""
    small = MLPConfig(g_widths=(4,), d_widths=(4,))
    changes = {
        "model": small,
        "augment": (),
        "augment_options": (),
        "batch_size": 10,
        "schedule_kimg": 0.2,
        "d_steps": 4,
    }
    game = dataclasses.replace(get_preset("r3gan-cifar10"), **changes).build((2,), 0)
    for player, updates in (("generator", 5), ("discriminator", 20)):  # 200 images
        rate, b2 = rate_and_b2(game.players[player].optimizer, updates)
        np.testing.assert_allclose((rate, b2), (5e-5, 0.99), rtol=1e-5)
        rate, b2 = rate_and_b2(game.players[player].optimizer, updates - 1)
        assert rate > 5.01e-5
        assert b2 < 0.9899
    np.testing.assert_allclose(game.players["generator"].average(5), 0.5 ** (40 / 5e6), rtol=1e-7)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"width": 0}, "width: expected"),
        ({"cardinality": 3}, r"width: expected channels that 3 groups divide in every stage, got 16 in one"),
        ({"full": 1, "width": 2}, r"width: expected .* got 0 in one"),
        ({"blocks": 0}, "blocks: expected"),
        ({"conditional": True}, "conditional: expected data with class labels, got data without"),
        ({"dtype": "float16"}, "dtype: expected"),
    ],
)
def test_networks_that_cannot_be(config, message):
    with pytest.raises(InputError, match=message):
        dataclasses.replace(TINY, **config).build((32, 32, 3), 0)


def test_points_are_refused():
    with pytest.raises(InputError, match=r"an r3gan needs images .* got examples of shape \(2,\)"):
        TINY.build((2,), 0)
