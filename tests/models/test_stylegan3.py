"""StyleGAN3: its published sizes, layers, filters and input, what its statistics keep, and that images move with w."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden.layers import case, dense, hwio, nhwc
from models.compiled import apply, start

from jaxgan import InputError
from jaxgan.common.keys import quick
from jaxgan.config import PRESETS, get_preset
from jaxgan.metrics.scores.equivariance import eq_r, eq_t
from jaxgan.models import StyleGAN3Config
from jaxgan.models.stylegan3 import FourierInput, Layer, Signal, layer_schedule

TINY = StyleGAN3Config(base=64, most=4, style=6, layers=4, margin=3, group=2)
N, LATENT = 3, 5
# Preset, or configuration and resolution -> parameters of generator and discriminator, as in the authors' code.
COUNTS = {
    "stylegan3-t-256": (23_320_443, 24_001_089),
    "stylegan3-r-256": (15_779_565, 24_001_089),
    "stylegan3-t-1024": (22_313_167, 29_012_513),
    "stylegan3-r-1024": (15_093_151, 29_012_513),
}
SMALLER = {64: (32_300_555, 23_407_361), 128: (27_034_685, 23_882_369)}


def counted(config, resolution):
    generator, discriminator = config.build((resolution, resolution, 3), 0)
    sizes = []
    for module, x in ((generator, (2, 512)), (discriminator, (2, resolution, resolution, 3))):
        init = lambda module=module, x=x: module.init(quick(0), jnp.zeros(x), train=True)
        sizes.append(sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(jax.eval_shape(init)["params"])))
    return tuple(sizes)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def untrained(config, resolution=16, seed=1):
    generator = config.build((resolution, resolution, 3), 0)[0]
    z = normal(N, LATENT)
    return generator, start(generator, quick(seed), z), z


# --- reference implementation ------------------------------------------------------------------------


@pytest.mark.counts
@pytest.mark.parametrize("name", COUNTS)
def test_parameters_of_presets_are_those_of_the_authors_code(name):
    assert counted(get_preset(name).model, PRESETS[name].shape[0]) == COUNTS[name]


@pytest.mark.counts
@pytest.mark.parametrize("resolution", SMALLER)
def test_parameters_at_smaller_resolutions(resolution):
    assert counted(StyleGAN3Config(base=16384), resolution) == SMALLER[resolution]


def test_the_schedule_of_layers_against_the_reference():
    given, expected = case("stylegan3_layer_schedule_256", "stylegan")
    signals = layer_schedule(
        given["resolution"], 3, base=given["channel_base"], most=given["channel_max"],
        layers=given["num_layers"], critical=given["num_critical"], margin=given["margin"],
    )  # fmt: skip
    for name, values in expected.items():
        own = [getattr(signal, "rate" if name == "sampling_rate" else name) for signal in signals]
        np.testing.assert_allclose(own, values, atol=1e-3 if name == "half_width" else 1e-6)


def test_a_layer_against_the_reference():
    given, expected = case("stylegan3_layer_same_rate", "stylegan")
    own = given["params"]
    signal = Signal(cutoff=2.0, half_width=2.0, rate=8, size=12, channels=2)
    variables = {
        "params": {
            "affine": dense(own["affine.weight"], own["affine.bias"]),
            "bias": jnp.asarray(own["bias"]),
            "kernel": hwio(own["weight"]),
        },
        "batch_stats": {"magnitude": jnp.asarray(given["magnitude_ema"])},
    }
    got = apply(Layer(signal, signal), variables, nhwc(given["x"]), jnp.asarray(given["w"]))
    np.testing.assert_allclose(got, nhwc(expected), atol=1e-5)


def test_the_input_against_the_reference():
    given, expected = case("stylegan3_input", "stylegan")
    signal = Signal(given["bandwidth"], 0.0, given["sampling_rate"], given["size"], 3)
    affine = dense(given["affine_w"], given["affine_b"])
    variables = {
        "params": {
            "affine_kernel": affine["kernel"],
            "affine_bias": affine["bias"],
            "kernel": jnp.asarray(given["weight"]).T,
        },
        "fourier": {"frequencies": jnp.asarray(given["freqs"]), "phases": jnp.asarray(given["phases"])},
    }
    got = apply(FourierInput(signal), variables, jnp.asarray(given["w"]))
    np.testing.assert_allclose(got, nhwc(expected), atol=1e-5)


# --- definitions ---------------------------------------------------------------------------------------


def test_frequencies_are_uniform_on_a_disc():
    variables = start(FourierInput(Signal(2.0, 1.0, 16, 4, 4000)), quick(0), jnp.zeros((1, 3)))
    frequencies = variables["fourier"]["frequencies"]
    radius = jnp.sort(jnp.linalg.norm(frequencies, axis=1)) / 2
    assert (
        float(jnp.abs(jnp.square(radius) - (jnp.arange(4000) + 0.5) / 4000).max()) < 1.63 / 4000**0.5
    )  # 1 %
    assert float(jnp.abs(frequencies.mean(0)).max()) < 4 / 4000**0.5
    phases = variables["fourier"]["phases"]
    assert -0.5 <= float(phases.min()) < -0.49
    assert 0.49 < float(phases.max()) < 0.5


def test_w_turns_and_moves_the_input_not_at_all_at_the_start():
    layer = FourierInput(Signal(2.0, 1.0, 16, 8, 5))
    w = normal(2, 3)
    variables = start(layer, quick(0), w)
    x = apply(layer, variables, w)
    np.testing.assert_array_equal(x[0], x[1])
    # By a quarter turn, and by two pixels, as the affine map of w says; its length does not matter.
    params = {**variables["params"], "affine_bias": 3 * jnp.asarray([0.0, 1.0, 0.0, 0.0])}
    np.testing.assert_allclose(
        apply(layer, {**variables, "params": params}, w), jnp.rot90(x, axes=(1, 2)), atol=1e-4
    )
    params = {**params, "affine_bias": 3 * jnp.asarray([1.0, 0.0, 2 / 16, 0.0])}
    np.testing.assert_allclose(
        apply(layer, {**variables, "params": params}, w)[:, :, 2:], x[:, :, :-2], atol=1e-4
    )


def test_frequencies_beyond_the_rate_fade():
    layer, w = FourierInput(Signal(2.0, 1.0, 16, 8, 5)), jnp.zeros((1, 3))
    variables = start(layer, quick(0), w)
    zoomed = lambda scale: apply(layer, variables, w, jnp.diag(jnp.asarray([scale, scale, 1.0])))
    assert float(jnp.abs(zoomed(1000.0)).max()) == 0  # all frequencies above 8
    assert float(jnp.abs(zoomed(1.0)).max()) > 0.1


@pytest.mark.parametrize("rotations", [False, True], ids=["t", "r"])
def test_an_untrained_generator_moves_with_its_input(rotations):
    """The paper's trained StyleGAN3-t has 61.7 dB; our layers leave nothing that sticks to pixels."""
    config = StyleGAN3Config(base=512, most=16, style=8, layers=6, rotations=rotations)
    generator, variables, z = untrained(config, 32)
    ws = apply(generator, variables, z, method="mapping")
    make = jax.jit(lambda transform: generator.apply(variables, ws, transform=transform, method="synthesis"))
    assert float(make(jnp.eye(3)).std()) > 0.02  # not so good because there is nothing to see
    assert eq_t(make, quick(0), 3) > 40
    if rotations:
        assert eq_r(make, quick(0), 3) > 40


# --- statistics, truncation, precision -------------------------------------------------------------------


def test_magnitudes_move_in_training_before_they_count_and_stay_afterwards():
    signal = Signal(2.0, 2.0, 8, 12, 2)
    layer, x, w = Layer(signal, signal, decay=0.9), 3 * normal(2, 12, 12, 2), normal(2, 3)
    variables = start(layer, quick(0), x, w)
    assert variables["batch_stats"]["magnitude"] == 1
    y, left = apply(layer, variables, x, w, train=True, mutable=("batch_stats",))
    expected = 0.9 + 0.1 * float(jnp.square(x).mean())
    np.testing.assert_allclose(left["batch_stats"]["magnitude"], expected, rtol=1e-6)
    after = {**variables, **left}
    np.testing.assert_allclose(y, apply(layer, after, x, w), rtol=1e-5, atol=1e-6)
    assert float(jnp.abs(y - apply(layer, variables, x, w)).max()) > 1e-3
    _, kept = apply(layer, after, 5 * x, w, mutable=("batch_stats",))
    assert kept["batch_stats"]["magnitude"] == left["batch_stats"]["magnitude"]


def test_magnitudes_are_those_of_the_whole_batch_on_any_devices():
    signal = Signal(2.0, 2.0, 8, 12, 2)
    x, w = normal(4, 12, 12, 2), normal(4, 3)
    variables = start(Layer(signal, signal), quick(0), x, w)
    mapped = Layer(signal, signal, axis_name="devices")
    train = lambda layer: lambda x, w: layer.apply(variables, x, w, train=True, mutable=["batch_stats"])
    expected, left = jax.jit(train(Layer(signal, signal)))(x, w)
    shares = jax.jit(jax.vmap(train(mapped), axis_name="devices"))(
        x.reshape(2, 2, 12, 12, 2), w.reshape(2, 2, 3)
    )
    np.testing.assert_allclose(shares[0].reshape(expected.shape), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        shares[1]["batch_stats"]["magnitude"][1], left["batch_stats"]["magnitude"], rtol=1e-6
    )


def test_truncation_0_gives_one_image_and_1_changes_nothing():
    generator, variables, z = untrained(TINY)
    variables["batch_stats"]["to_w"]["mean"] = normal(6, seed=9)
    at = lambda psi: apply(generator, *TINY.truncated(variables, z, psi))
    plain = apply(generator, variables, z)
    np.testing.assert_allclose(at(1.0), plain, atol=1e-5)
    np.testing.assert_array_equal(at(0.0)[0], at(0.0)[1])
    assert (plain[0] != plain[1]).any()


def test_each_layer_is_told_by_its_own_style():
    generator, variables, z = untrained(TINY)
    affine = 0.3 * normal(6, 4)
    params = variables["params"]
    moving = {**params["to_image"], "input": {**params["to_image"]["input"], "affine_kernel": affine}}
    variables = {**variables, "params": {**params, "to_image": moving}}
    ws = apply(generator, variables, z, method="mapping")
    assert ws.shape == (N, 6, 6)
    names = ["input", *(f"layer_{i}" for i in range(5))]

    def given(ws):
        found = apply(generator, variables, ws, method="synthesis", capture_intermediates=True)[1]
        return [found["intermediates"]["to_image"][name]["__call__"][0] for name in names]

    before = given(ws)
    for i in range(6):
        after = given(ws + np.eye(6, dtype=np.float32)[i][:, None])
        assert [bool((a != b).any()) for a, b in zip(before, after, strict=True)] == [
            k >= i for k in range(6)
        ]


def test_an_image_is_a_quarter_of_what_the_last_layer_gives():
    generator, variables, z = untrained(TINY)
    image, found = apply(generator, variables, z, capture_intermediates=True)
    last = found["intermediates"]["to_image"]["layer_4"]["__call__"][0]
    np.testing.assert_array_equal(image, 0.25 * last)


def test_activations_are_clamped_after_the_gain():
    signal = Signal(2.0, 2.0, 8, 12, 2)
    layer = Layer(signal, signal, clamp=1.0)
    x, w = normal(1, 12, 12, 2), normal(1, 3)
    variables = start(layer, quick(0), x, w)
    loud = {**variables, "params": {**variables["params"], "bias": jnp.asarray([1e3, -1e5])}}
    middle = apply(layer, loud, x, w)[:, 5:7, 5:7]
    np.testing.assert_allclose(middle, jnp.broadcast_to(jnp.asarray([1.0, -1.0]), middle.shape), atol=0.01)


def test_layers_of_high_resolution_compute_in_low_precision():
    config = dataclasses.replace(TINY, base=1024, layers=6, dtype="bfloat16")
    generator = config.build((512, 512, 3), 0)[0]
    types = jax.eval_shape(
        lambda: generator.init_with_output(quick(0), jnp.zeros((1, LATENT)), capture_intermediates=True)[1]
    )["intermediates"]["to_image"]
    signals = generator.signals
    for i, signal in enumerate(signals):
        low = signal.rate * 16 > 512
        assert types[f"layer_{i}"]["__call__"][0].dtype == (jnp.bfloat16 if low else jnp.float32)
    assert {signal.rate * 16 > 512 for signal in signals} == {True, False}


@pytest.mark.parametrize(
    ("config", "shape", "message"),
    [
        (TINY, (8, 8, 3), "shape: expected square images of 16, 32, 64, ... pixels, got 8x8"),
        (TINY, (48, 48, 3), "got 48x48"),
        (TINY, (32, 16, 3), "got 32x16"),
        (TINY, (2,), "a stylegan3 needs images"),
        (dataclasses.replace(TINY, critical=4), (16, 16, 3), "critical"),
        (dataclasses.replace(TINY, margin=-1), (16, 16, 3), "margin: expected at least 0"),
        (dataclasses.replace(TINY, magnitude_decay=1.0), (16, 16, 3), "magnitude_decay"),
        (dataclasses.replace(TINY, conditional=True), (16, 16, 3), "conditional: expected data with class labels"),
    ],
)  # fmt: skip
def test_what_cannot_be_built_is_told(config, shape, message):
    with pytest.raises(InputError, match=message):
        config.build(shape, 0)


@pytest.mark.parametrize("rotations", [False, True], ids=["t", "r"])
def test_what_sets_stylegan3_r_apart(rotations):
    config = dataclasses.replace(TINY, rotations=rotations)
    _, variables, _ = untrained(config)
    kernel = variables["params"]["to_image"]["layer_0"]["kernel"]
    assert kernel.shape == ((1, 1, 8, 8) if rotations else (3, 3, 4, 4))
    assert variables["params"]["to_image"]["layer_4"]["kernel"].shape[:2] == (1, 1)
    widths = config.build((16, 16, 3), 0)[1].widths
    assert widths == (4, 4, 4)  # of the discriminator, whatever the generator has
