"""Self-attention and conditional normalisation, against reference implementations and definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden.layers import case, hwio, nhwc

from jaxgan.common import keys
from jaxgan.common.keys import quick
from jaxgan.models.layers import ConditionalBatchNorm, SelfAttention, adain


def close(got, expected, atol=1e-5):
    np.testing.assert_allclose(got, expected, rtol=0, atol=atol)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_self_attention_against_the_reference():
    given, expected = case("sagan_attention_4x4")
    names = {"query": "theta", "key": "phi", "value": "g", "out": "o"}
    params = {ours: {"kernel": hwio(given[theirs])} for ours, theirs in names.items()}
    params["gamma"] = jnp.asarray(given["gamma"])
    close(SelfAttention().apply({"params": params}, nhwc(given["x"]), False), nhwc(expected))


def test_self_attention_starts_as_the_identity_with_a_gradient_to_gamma():
    layer, x = SelfAttention(), normal(2, 5, 4, 8)
    y, variables = jax.jit(layer.init_with_output, static_argnums=2)(quick(0), x, True)
    np.testing.assert_array_equal(y, x)
    value = lambda params: jnp.square(layer.apply({"params": params}, x, False)).sum()
    assert abs(jax.jit(jax.grad(value))(variables["params"])["gamma"]) > 1e-3


def test_the_kernels_of_attention_and_of_conditions_can_be_spectrally_normalised():
    x, y = normal(2, 4, 4, 8), normal(2, 3)
    for layer, inputs, count in (
        (SelfAttention(spectral_norm=True), (x,), 4),
        (ConditionalBatchNorm(spectral_norm=True), (x, y), 2),
    ):
        init = lambda key, layer=layer, inputs=inputs: layer.init(key, *inputs, True)
        assert len(jax.eval_shape(init, quick(0))["spectral"]) == count


def test_conditional_batch_norm_against_the_reference():
    given, expected = case("biggan_ccbn_train")
    x = nhwc(given["x"])
    before = {
        "mean": jnp.asarray(given["stored_mean_before"]),
        "var": jnp.asarray(given["stored_var_before"]),
    }
    params = {name: {"kernel": jnp.asarray(given[f"{name}_w"]).T} for name in ("gain", "bias")}
    out, new = ConditionalBatchNorm().apply(
        {"params": params, "batch_stats": {"norm": before}},
        x,
        jnp.asarray(given["y"]),
        True,
        mutable=["batch_stats"],
    )
    close(out, nhwc(expected["out"]))
    stats = new["batch_stats"]["norm"]
    close(stats["mean"], expected["stored_mean"])
    close(stats["var"], expected["stored_var"])


def test_every_class_has_its_scale_and_bias_around_1_and_0():
    x, label = normal(6, 3, 3, 4), jnp.arange(6) % 3
    y = jax.nn.one_hot(label, 3)
    layer = ConditionalBatchNorm(kernel_init=jax.nn.initializers.zeros)
    out, variables = jax.jit(layer.init_with_output, static_argnums=3)(quick(0), x, y, True)
    plain = (x - x.mean((0, 1, 2))) / jnp.sqrt(x.var((0, 1, 2)) + 1e-5)
    close(out, plain)
    assert jax.tree.map(jnp.shape, variables["params"]) == {
        "gain": {"kernel": (3, 4)},
        "bias": {"kernel": (3, 4)},
    }
    params = jax.tree.map(lambda k: np.concatenate([k[:1], 0 * k[1:2] + 0.5, k[2:]]), variables["params"])
    out, _ = layer.apply({**variables, "params": params}, x, y, True, mutable=["batch_stats"])
    chosen = (label == 1)[:, None, None, None]
    close(out, jnp.where(chosen, 1.5 * plain + 0.5, plain))


def test_self_modulation_against_its_formula():
    """gain(z) = V max(0, U z + b) + c of each channel, the same for the bias, around 1 and 0."""
    x, z = normal(4, 3, 3, 2), normal(4, 5, seed=1)
    layer = ConditionalBatchNorm(hidden=3)
    variables = layer.init(quick(0), x, z, True)
    params = jax.tree.map(lambda leaf: leaf + 0.1, variables["params"])
    out, _ = layer.apply({**variables, "params": params}, x, z, True, mutable=["batch_stats"])

    def network(name):
        first, second = params[f"{name}_hidden"], params[name]
        hidden = np.maximum(np.asarray(z) @ first["kernel"] + first["bias"], 0)
        return (hidden @ second["kernel"] + second["bias"])[:, None, None]

    plain = (x - x.mean((0, 1, 2))) / jnp.sqrt(x.var((0, 1, 2)) + 1e-5)
    close(out, (1 + network("gain")) * plain + network("bias"))


def test_adain_against_its_formula():
    given, expected = case("adain_one_channel")
    x = jnp.asarray(given["x"])[None, :, :, None]
    ones = jnp.ones((1, 1))
    close(adain(x, given["scale"] * ones, given["bias"] * ones)[0, :, :, 0], expected)


def test_adain_gives_each_channel_its_moments():
    scale, bias = 1 + normal(2, 3, seed=1), normal(2, 3, seed=2)
    y = adain(5 + 3 * normal(2, 6, 6, 3), scale, bias)
    close(y.mean((1, 2)), bias)
    close(y.std((1, 2)), abs(scale))


def _attention(x):
    layer = SelfAttention()
    return layer.apply(jax.tree.map(lambda leaf: leaf + 0.1, layer.init(keys.quick(0), x, True)), x, True)


def _conditional(x):
    layer, y = ConditionalBatchNorm(), jnp.square(x.mean((1, 2)))
    return layer.apply(layer.init(keys.quick(0), x, y, True), x, y, True, mutable=["batch_stats"])[0]


LAYERS = {
    "attention": _attention,
    "conditional": _conditional,
    "adain": lambda x: adain(x, jnp.square(x.mean((1, 2))), x.mean((1, 2))),
}


@pytest.mark.parametrize("name", LAYERS)
def test_second_derivatives_of_conditional_layers(name):
    """Of the squared gradient norm, as R1 takes them, against finite differences (float64)."""
    with jax.enable_x64(True):
        x, way = np.random.default_rng(0).normal(size=(2, 2, 4, 4, 8))
        value = lambda x: jnp.sin(LAYERS[name](x)).sum()
        penalty = jax.jit(jax.value_and_grad(lambda x: jnp.square(jax.grad(value)(x)).sum()))
        slope = (penalty(x)[1] * way).sum()
        expected = (penalty(x + 1e-6 * way)[0] - penalty(x - 1e-6 * way)[0]) / 2e-6
        assert abs(expected) > 1e-3
        np.testing.assert_allclose(slope, expected, rtol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_conditional_layers_compute_in_the_type_of_their_images(name):
    x = normal(2, 4, 4, 8).astype(jnp.bfloat16)
    seen = jax.eval_shape(LAYERS[name], x)
    assert (seen.dtype, seen.shape) == (jnp.bfloat16, x.shape)


def test_attention_needs_eight_channels():
    with pytest.raises(ValueError, match="channels: expected at least 8 channels for attention, got 4"):
        SelfAttention().init(quick(0), normal(1, 4, 4, 4), True)
