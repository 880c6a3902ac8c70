"""StyleGAN2: its published sizes, styles, noise, truncation, discriminator, presets, and what training asks of it."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from golden.layers import case
from models.compiled import apply, start
from models.compiled import moved as off

from jaxgan import InputError, compile_step, init, make_mesh, make_step
from jaxgan.common.keys import quick
from jaxgan.config import PRESETS, EMAConfig, LatentConfig, get_preset
from jaxgan.config.presets.stylegan2 import auto
from jaxgan.models import StyleGAN2Config
from jaxgan.models.layers import EqualizedConv, minibatch_stddev, scaled_leaky, upsample
from jaxgan.models.stylegan2 import stage_sizes

TINY = StyleGAN2Config(base=64, most=4, style=6, mapping_layers=2, group=2)
N, LATENT = 6, 5
# Preset -> parameters of generator and discriminator, as instantiated in the authors' code.
COUNTS = {
    "stylegan2-ffhq-1024": (30_370_060, 29_012_513),
    "stylegan2-config-e": (24_900_764, 24_038_161),
    "stylegan2-paper256": (24_767_458, 24_001_089),
    "stylegan2-auto-64": (22_243_608, 23_407_361),
    "stylegan2-auto-128": (22_949_277, 23_882_369),
    "stylegan2-auto-256": (23_191_522, 24_001_089),
    "stylegan2-auto-512": (28_700_647, 28_982_849),
    "stylegan2-cifar10": (19_947_539, 20_720_641),
    "stylegan2-cifar10-cond": (20_215_315, 23_089_664),
}
CONFIG_F = {256: (30_034_338, 28_864_129), 512: (30_276_583, 28_982_849)}


def size(module, *inputs):
    params = jax.eval_shape(lambda: module.init(quick(0), *inputs, train=True))["params"]
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def counted(config, shape, n_classes=0, latent=512):
    generator, discriminator = config.build(shape, n_classes)
    label = jnp.zeros(2, jnp.int32)
    return size(generator, jnp.zeros((2, latent)), label), size(discriminator, jnp.zeros((2, *shape)), label)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def moved(module, *inputs):
    """Variables with parameters that are nowhere 0, so that noise counts."""
    variables = start(module, quick(1), *inputs)
    return {**variables, "params": off(variables["params"])}


@pytest.fixture(scope="module")
def made():
    """A generator of 8x8 images that always mixes, its variables, latents and keys."""
    generator = dataclasses.replace(TINY, mixing=1.0).build((8, 8, 3), 0)[0]
    z = normal(N, LATENT)
    variables = moved(generator, z)
    variables["batch_stats"]["to_w"]["mean"] = normal(6, seed=9)
    return generator, variables, z, jax.random.split(quick(2), N)


# --- sizes -----------------------------------------------------------------------------------------


@pytest.mark.counts
@pytest.mark.parametrize("name", COUNTS)
def test_parameters_of_presets_are_those_of_the_authors_code(name):
    config, preset = get_preset(name), PRESETS[name]
    assert counted(config.model, preset.shape, preset.n_classes, config.latent.dim) == COUNTS[name]


@pytest.mark.counts
@pytest.mark.parametrize("resolution", CONFIG_F)
def test_parameters_of_config_f_at_other_resolutions(resolution):
    assert counted(StyleGAN2Config(), (resolution, resolution, 3)) == CONFIG_F[resolution]


@pytest.mark.counts
@pytest.mark.parametrize("layers", [(8, 2_101_248), (2, 525_312)])
def test_parameters_of_the_mapping_network(layers):
    generator = StyleGAN2Config(mapping_layers=layers[0]).build((8, 8, 3), 0)[0]
    assert size_of_mapping(generator) == layers[1]


def size_of_mapping(generator):
    params = jax.eval_shape(lambda: generator.init(quick(0), jnp.zeros((2, 512))))["params"]
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params["to_w"]))


@pytest.mark.parametrize(
    ("sides", "sizes"),
    [
        ((32, 32), [(4, 4), (8, 8), (16, 16), (32, 32)]),
        ((28, 28), [(7, 7), (14, 14), (28, 28)]),
        ((48, 80), [(6, 10), (12, 20), (24, 40), (48, 80)]),
        ((5, 9), [(5, 9)]),
    ],
)
def test_images_grow_from_what_halving_leaves(sides, sizes):
    assert stage_sizes(*sides) == sizes
    generator, discriminator = TINY.build((*sides, 2), 0)
    z = jnp.zeros((2, LATENT))
    made = lambda module, x: jax.eval_shape(lambda: module.init_with_output(quick(0), x)[0]).shape
    assert made(generator, z) == (2, *sides, 2)
    assert made(discriminator, jnp.zeros((2, *sides, 2))) == (2,)


@pytest.mark.parametrize(
    ("config", "shape", "n_classes", "message"),
    [
        (TINY, (33, 33, 3), 0, "shape: expected images whose sides can be halved until .* got 33x33"),
        (TINY, (100, 60, 3), 0, "such as 28x28, 64x64 or 48x80, got 100x60"),
        (TINY, (3, 8, 3), 0, "got 3x8"),
        (TINY, (2,), 0, r"a stylegan2 needs images \(height, width, channels\), got examples of shape \(2,\)"),
        (dataclasses.replace(TINY, conditional=True), (8, 8, 3), 0, "conditional: expected data with class labels"),
        (dataclasses.replace(TINY, base=15), (16, 16, 3), 0, "base: expected at least 16 for such images, got 15"),
        (dataclasses.replace(TINY, mixing=1.5), (8, 8, 3), 0, "mixing"),
        (dataclasses.replace(TINY, most=0), (8, 8, 3), 0, "most: expected at least 1"),
        (dataclasses.replace(TINY, mean_decay=1.0), (8, 8, 3), 0, "mean_decay"),
        (dataclasses.replace(TINY, clamp=-1.0), (8, 8, 3), 0, "clamp: expected at least 0"),
        (dataclasses.replace(TINY, dtype="float16"), (8, 8, 3), 0, "dtype: expected 'float32' or 'bfloat16'"),
    ],
)  # fmt: skip
def test_what_cannot_be_built_is_told(config, shape, n_classes, message):
    with pytest.raises(InputError, match=message):
        config.build(shape, n_classes)


# --- styles, noise, truncation -----------------------------------------------------------------------


def test_mixed_styles_are_two_latents_and_belong_to_the_examples_key(made):
    generator, variables, z, keys = made
    own = apply(generator, variables, z, method="mapping")
    assert own.shape == (N, 4, 6)
    np.testing.assert_array_equal(own, jnp.repeat(own[:, :1], 4, axis=1))
    mixed = apply(generator, variables, z, keys=keys, method="mapping")
    same = (mixed == own).all(-1)
    assert same[:, 0].all()  # the first layer keeps its own
    assert not same[:, -1].any()
    assert (same[:, 1:] <= same[:, :-1]).all()  # and after the change there is one other
    assert all(len(jnp.unique(row, axis=0)) == 2 for row in mixed)
    assert len(set(same.sum(1).tolist())) > 1
    turned = apply(generator, variables, z[::-1], keys=keys[::-1], method="mapping")
    np.testing.assert_allclose(turned[::-1], mixed, atol=1e-6)


def test_the_share_of_mixed_styles_is_their_probability(made):
    _, variables, _, _ = made
    generator, z = dataclasses.replace(TINY, mixing=0.9).build((8, 8, 3), 0)[0], normal(1000, LATENT)
    keys = jax.random.split(quick(3), 1000)
    ws = apply(generator, variables, z, keys=keys, method="mapping")
    assert abs((ws[:, 0] != ws[:, -1]).any(1).mean() - 0.9) < 3 * math.sqrt(0.9 * 0.1 / 1000)
    never = dataclasses.replace(TINY, mixing=0.0).build((8, 8, 3), 0)[0]
    ws = apply(never, variables, z, keys=keys, method="mapping")
    np.testing.assert_array_equal(ws[:, 0], ws[:, -1])


def test_noise_is_fresh_for_each_key_and_fixed_without(made):
    generator, variables, z, keys = made
    ws = jnp.repeat(apply(generator, variables, z, method="mapping")[:1], N, axis=0)
    draw = lambda keys: apply(generator, variables, ws, keys=keys, method="synthesis")
    fresh, fixed = draw(keys), draw(None)
    assert (fresh[0] != fresh[1]).any()
    np.testing.assert_array_equal(draw(keys[::-1])[::-1], fresh)
    np.testing.assert_array_equal(fixed[0], fixed[1])
    np.testing.assert_array_equal(draw(None), fixed)
    noises = [leaf.shape for leaf in jax.tree.leaves(variables["noise"])]
    assert noises == [(4, 4, 1), (8, 8, 1), (8, 8, 1)]


def test_each_layer_has_noise_of_its_own(made):
    generator, variables, z, keys = made
    ws = apply(generator, variables, z, method="mapping")
    silent = jax.tree_util.tree_map_with_path(
        lambda path, p: 0 * p if "strength" in str(path) else p, variables["params"]
    )
    draw = lambda params, keys: apply(
        generator, {**variables, "params": params}, ws, keys=keys, method="synthesis"
    )
    np.testing.assert_array_equal(draw(silent, keys), draw(silent, None))
    for layer in ("conv_0", "up_1", "conv_1"):
        one = {**silent["to_image"], layer: variables["params"]["to_image"][layer]}
        assert (draw({**silent, "to_image": one}, keys) != draw(silent, keys)).any()


def layers_of(generator, variables, ws, keys=None):
    """The image, and what each layer gave, by name."""
    image, found = apply(generator, variables, ws, keys=keys, method="synthesis", capture_intermediates=True)
    inner = found["intermediates"]["to_image"]
    return image, {name: inner[name] for name in ("conv_0", "rgb_0", "up_1", "conv_1", "rgb_1")}


def test_layers_of_one_size_do_not_share_their_noise(made):
    generator, variables, z, keys = made
    ws = apply(generator, variables, z, method="mapping")
    _, layers = layers_of(generator, variables, ws, keys)
    noises = []
    for name in ("up_1", "conv_1"):
        own = {**variables["params"]["to_image"][name], "noise": {"strength": jnp.zeros(())}}
        params = {**variables["params"], "to_image": {**variables["params"]["to_image"], name: own}}
        _, silent = layers_of(generator, {**variables, "params": params}, ws, keys)
        of = lambda found, name=name: found[name]["noise"]["__call__"][0][..., 0].ravel()
        noises.append(np.asarray(of(layers) - of(silent)))
    assert abs(np.corrcoef(noises)[0, 1]) < 0.2


def test_each_layer_is_told_by_its_own_style(made):
    """The layer to RGB and the next stage's first share one."""
    generator, variables, z, _ = made
    ws = apply(generator, variables, z, method="mapping")
    _, before = layers_of(generator, variables, ws)
    changed = []
    for i in range(4):
        _, after = layers_of(generator, variables, ws + np.eye(4, dtype=np.float32)[i][:, None])
        differs = lambda name, after=after: (before[name]["__call__"][0] != after[name]["__call__"][0]).any()
        changed.append({name for name in before if differs(name)})
    later = {"up_1", "conv_1", "rgb_1"}
    assert changed == [{"conv_0", "rgb_0"} | later, {"rgb_0"} | later, {"conv_1", "rgb_1"}, {"rgb_1"}]


def test_an_image_is_the_sum_of_those_of_all_stages(made):
    generator, variables, z, _ = made
    image, layers = layers_of(generator, variables, apply(generator, variables, z, method="mapping"))
    small, large = (layers[name]["__call__"][0] for name in ("rgb_0", "rgb_1"))
    np.testing.assert_allclose(image, upsample(small) + large, atol=1e-5)


def test_activations_are_clamped(made):
    _, variables, z, _ = made
    generator, discriminator = dataclasses.replace(TINY, clamp=0.01).build((8, 8, 3), 0)
    _, layers = layers_of(generator, variables, apply(generator, variables, z, method="mapping"))
    assert {round(float(jnp.abs(of["__call__"][0]).max()), 6) for of in layers.values()} == {0.01}
    x = normal(4, 8, 8, 3)
    variables_d = moved(discriminator, x)
    variables_d["params"]["skip_1"]["kernel"] *= 100
    logits, found = apply(discriminator, variables_d, x, capture_intermediates=True)
    of = lambda name: found["intermediates"][name]["__call__"][0]
    given = lambda name, x: apply(EqualizedConv(4), {"params": variables_d["params"][name]}, x)
    np.testing.assert_allclose(of("conv_1"), given("conv_1", scaled_leaky(of("from_rgb"), 0.01)), atol=1e-5)
    # Neither what is beside the convolutions of a stage nor the dense layer, as in the authors' code.
    assert float(jnp.abs(of("skip_1")).max()) > 0.02
    joined = (scaled_leaky(of("down_1"), 0.01) + of("skip_1")) * math.sqrt(0.5)
    np.testing.assert_allclose(of("conv_0"), given("conv_0", minibatch_stddev(joined, TINY.group)), atol=1e-5)
    kernel, bias = variables_d["params"]["logit"]["kernel"], variables_d["params"]["logit"]["bias"]
    assert float(jnp.abs(of("dense")).max()) > 0.02
    np.testing.assert_allclose(logits, (scaled_leaky(of("dense")) @ kernel / 2 + bias)[:, 0], atol=1e-5)
    free = dataclasses.replace(TINY, clamp=0.0).build((8, 8, 3), 0)[0]
    _, layers = layers_of(free, variables, apply(generator, variables, z, method="mapping"))
    assert all(float(jnp.abs(of["__call__"][0]).max()) > 0.02 for of in layers.values())


def test_truncation_leads_to_the_mean_of_w(made):
    generator, variables, z, _ = made
    config = StyleGAN2Config()
    at = lambda psi: apply(generator, *config.truncated(variables, z, psi))
    plain = apply(generator, variables, z)
    np.testing.assert_allclose(at(1.0), plain, atol=1e-5)
    nowhere = at(0.0)
    np.testing.assert_array_equal(nowhere, jnp.repeat(nowhere[:1], N, axis=0))
    mean = jnp.broadcast_to(variables["batch_stats"]["to_w"]["mean"], (1, 4, 6))
    np.testing.assert_allclose(nowhere[:1], apply(generator, variables, mean, method="synthesis"), atol=1e-5)
    ws = apply(generator, variables, z, method="mapping")
    halfway = apply(generator, variables, (mean + ws) / 2, method="synthesis")
    np.testing.assert_allclose(at(0.5), halfway, atol=1e-5)


def test_the_mean_of_w_is_that_of_unmixed_styles_and_moves_in_training_only(made):
    generator, variables, z, keys = made
    before = variables["batch_stats"]["to_w"]["mean"]
    kept = ("batch_stats", "noise")
    _, left = apply(generator, variables, z, train=True, keys=keys, mutable=kept)
    w = apply(generator, variables, z, method="mapping")[:, 0]
    expected = 0.995 * before + 0.005 * w.mean(0)
    np.testing.assert_allclose(left["batch_stats"]["to_w"]["mean"], expected, rtol=1e-5)
    _, left = apply(generator, variables, z, keys=keys, mutable=kept)
    np.testing.assert_array_equal(left["batch_stats"]["to_w"]["mean"], before)


def test_low_precision_is_for_the_four_highest_resolutions():
    generator, discriminator = dataclasses.replace(TINY, base=1024, dtype="bfloat16").build((128, 128, 3), 0)

    def types(module, given):
        """Of what each layer gives, by name."""
        variables = module.init(quick(0), given)
        return module.apply(variables, given, capture_intermediates=True)[1]["intermediates"]

    of_g = jax.eval_shape(lambda: types(generator, jnp.zeros((2, LATENT)))["to_image"])
    of_d = jax.eval_shape(lambda: types(discriminator, jnp.zeros((2, 128, 128, 3))))
    for found in (of_g, of_d):
        kinds = [found[f"conv_{stage}"]["__call__"][0].dtype for stage in range(6)]
        assert kinds == 2 * [jnp.float32] + 4 * [jnp.bfloat16]
    assert of_g["up_1"]["__call__"][0].dtype == of_g["rgb_5"]["__call__"][0].dtype == jnp.float32
    assert of_d["from_rgb"]["__call__"][0].dtype == jnp.bfloat16
    assert of_d["logit"]["__call__"][0].dtype == jnp.float32


# --- discriminator -----------------------------------------------------------------------------------


def test_labels_are_projected_on_features():
    config = dataclasses.replace(TINY, conditional=True)
    module = config.build((8, 8, 3), 3)[1]
    x, label = normal(4, 8, 8, 3), jnp.asarray([0, 1, 2, 0])
    variables = moved(module, x, label)
    logits, found = apply(module, variables, x, label, capture_intermediates=True)
    features, mapped = (found["intermediates"][name]["__call__"][0] for name in ("logit", "of_label"))
    np.testing.assert_allclose(logits, (features * mapped).sum(1) / 2, rtol=1e-5)
    np.testing.assert_array_equal(mapped[0], mapped[3])
    assert "batch_stats" not in variables
    with pytest.raises(InputError, match="label: expected class indices below 3"):
        apply(module, variables, x)


@pytest.mark.parametrize("residual", [True, False])
def test_stages_keep_the_size_of_features(residual):
    """Residual sums are divided by the root of 2, and equalised weights keep the second moment."""
    module = StyleGAN2Config(base=2**12, most=64, d_residual=residual).build((32, 32, 3), 0)[1]
    x = jax.random.normal(jax.random.key(0), (4, 32, 32, 3))
    variables = start(module, jax.random.key(0), x, quick=False)
    found = apply(module, variables, x, capture_intermediates=True)[1]["intermediates"]
    assert ("skip_1" in found) == residual
    inner = found["conv_0"]["__call__"][0][:, 1:3, 1:3]
    assert 0.1 < float(jnp.square(inner).mean()) < 3


def test_the_discriminator_is_told_how_alike_a_group_is():
    module = dataclasses.replace(TINY, group=4).build((8, 8, 3), 0)[1]
    x = normal(4, 8, 8, 3)
    variables = moved(module, x)
    alone, together = apply(module, variables, x[:1]), apply(module, variables, x)
    assert abs(alone[0] - together[0]) > 1e-4
    with pytest.raises(InputError, match="group: expected a divisor of the batch of 6 examples, got 4"):
        apply(module, variables, normal(6, 8, 8, 3))


# --- settings ----------------------------------------------------------------------------------------


def test_auto_is_that_of_the_authors_code():
    given, expected = case("auto_config", "stylegan")
    config = auto(given["resolution"], given["gpus"])
    assert config.batch_size == expected["batch"]
    assert config.model.group == expected["mbstd"]
    assert config.model.base == expected["fmaps"] * 32768
    assert config.g_optimizer.learning_rate == config.d_optimizer.learning_rate == expected["lr"]
    assert dict(config.penalty.weights)["r1"] == pytest.approx(expected["gamma"], abs=1e-9)
    assert config.ema == EMAConfig(half_life=expected["ema_kimg"], half_life_ramp=0.05)


def test_optimisers_are_corrected_for_lazy_penalties_as_in_the_authors_code():
    given, expected = case("lazy_regularisation_adam", "stylegan")
    config = dataclasses.replace(
        get_preset("stylegan2-auto-64"), model=TINY, latent=LatentConfig(dim=LATENT), batch_size=4
    )
    assert config.g_optimizer.learning_rate == config.d_optimizer.learning_rate == given["lr"]
    assert (config.g_optimizer.b1, config.g_optimizer.b2) == tuple(given["betas"])
    game = config.build((8, 8, 3))
    assert {turn.name: turn.every for turn in game.turns} == {
        "d": 1, "d_r1": given["d_interval"], "g": 1, "g_path_length": given["g_interval"]
    }  # fmt: skip
    for player in ("generator", "discriminator"):
        plain = optax.adam(expected[f"{player[0]}_lr"], 0.0, expected[f"{player[0]}_beta2"], 1e-8)
        ways = []
        for optimizer in (game.players[player].optimizer, plain):
            state, way = optimizer.init(jnp.zeros(3)), []
            for slope in ([1.0, -2.0, 0.1], [0.5, 3.0, 0.2], [-1.0, 0.1, 0.3]):
                step, state = optimizer.update(jnp.asarray(slope), state, jnp.zeros(3))
                way.append(step)
            ways.append(jnp.stack(way))
        np.testing.assert_allclose(*ways, rtol=1e-6)
    cifar = get_preset("stylegan2-cifar10").g_optimizer
    assert cifar.learning_rate == pytest.approx(expected["g_lr"])
    assert cifar.b2 == pytest.approx(expected["g_beta2"])


# --- training ----------------------------------------------------------------------------------------


def training(devices=1, how="jit", n=3):
    """States of a small conditional run with all that the paper has, penalties in every step."""
    config = dataclasses.replace(
        get_preset("stylegan2-auto-64"),
        model=dataclasses.replace(TINY, conditional=True, mean_decay=0.5, mapping_layers=1),
        latent=LatentConfig(dim=LATENT),
        augment=(),
        augment_options=(),
        batch_size=8,
    )
    config = dataclasses.replace(config, penalty=dataclasses.replace(config.penalty, every_of=()))
    game = config.build((4, 4, 3), 2)
    plain = {name: player._replace(optimizer=optax.sgd(0.01)) for name, player in game.players.items()}
    game = dataclasses.replace(game, players=plain)
    rng = np.random.default_rng(0)
    batch = {
        "image": jnp.asarray(rng.uniform(-1, 1, (8, 4, 4, 3)), jnp.float32),
        "label": jnp.arange(8, dtype=jnp.int32) % 2,
    }
    mesh = make_mesh(jax.devices()[:devices]) if devices > 1 else None
    state = init(game, quick(0), batch, mesh)
    # Off the start, where logits are so small that nothing shows in them.
    far = {name: player.replace(params=off(player.params)) for name, player in state.players.items()}
    state, step = state.replace(players=far), compile_step(make_step(game), mesh, how=how)
    for _ in range(n):
        state, metrics = step(state, batch)
    return state, metrics


@pytest.fixture(scope="module")
def alone():
    return training()


def test_devices_do_not_show(alone):
    """Noise, mixed styles, the mean of w, groups and path lengths are those of the whole batch, by pmap too."""
    (expected, told), (state, metrics) = alone, training(2, "pmap")
    for name, player in expected.players.items():
        mine = state.players[name]
        for part in ("params", "stats", "average"):
            a, b = getattr(player, part), getattr(mine, part)
            for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
                np.testing.assert_allclose(y, x, rtol=1e-3, atol=1e-5)
    assert {k: float(v) for k, v in metrics.items()} == pytest.approx(
        {k: float(v) for k, v in told.items()}, rel=1e-3, abs=1e-4
    )


def test_a_step_reports_and_remembers(alone):
    state, metrics = alone
    assert {"d/r1", "g/path_length", "d/loss", "g/loss"} <= set(metrics)
    assert float(state.memory["g/path_length"]) > 0
    assert float(jnp.abs(state.players["generator"].stats["batch_stats"]["to_w"]["mean"]).max()) > 0


def directional(value, params, step=1e-6):
    """The slope of a value along a random direction, and that of finite differences."""
    leaves, form = jax.tree.flatten(params)
    rng = np.random.default_rng(2)
    way = jax.tree.unflatten(form, [jnp.asarray(rng.normal(size=leaf.shape)) for leaf in leaves])
    ends = jax.vmap(lambda t: value(jax.tree.map(lambda p, w: p + t * w, params, way)))(
        jnp.asarray([step, -step])
    )
    slope = jax.tree.map(lambda g, w: (g * w).sum(), jax.grad(value)(params), way)
    return sum(jax.tree.leaves(slope)), (ends[0] - ends[1]) / (2 * step)


def test_path_lengths_and_r1_are_differentiated_twice():
    """In float64, against finite differences: gradients in styles and images, differentiated in all parameters."""
    with jax.enable_x64(True):
        double = lambda tree: jax.tree.map(lambda x: np.asarray(x, np.float64), tree)
        generator, discriminator = TINY.build((8, 8, 3), 0)
        z, x = double(normal(2, LATENT)), double(normal(4, 8, 8, 3))
        of_g, of_d = double(moved(generator, z)), double(moved(discriminator, x))
        keys, y = jax.random.split(quick(5), 2), double(normal(2, 8, 8, 3, seed=6))

        def path(params):
            own = {**of_g, "params": params}
            ws = generator.apply(own, z, keys=keys, method="mapping")
            make = lambda ws: (generator.apply(own, ws, keys=keys, method="synthesis") * y).sum()
            return jnp.square(jax.grad(make)(ws)).sum()

        def r1(params):
            judge = lambda x: discriminator.apply({"params": params}, x).sum()
            return jnp.square(jax.grad(judge)(x)).sum()

        for value, params in ((path, of_g["params"]), (r1, of_d["params"])):
            assert jax.eval_shape(value, params).dtype == jnp.float64
            slope, expected = jax.jit(lambda p, value=value: directional(value, p))(params)
            assert abs(expected) > 1e-3
            np.testing.assert_allclose(slope, expected, rtol=1e-4)
