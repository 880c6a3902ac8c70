"""Normalisation of activations and of weights, against definitions and against Flax's layers."""

import dataclasses
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from golden.layers import case
from models.compiled import normal

from jaxgan import GAN, init, make_step
from jaxgan.common.keys import quick
from jaxgan.losses import get_loss
from jaxgan.models import MLPConfig
from jaxgan.models.latents import get_latent
from jaxgan.models.layers import BatchNorm, DownConv, SpectralNorm, UpConv


def test_batch_norm_against_its_definition():
    x = 3 + 2 * normal(0, (64, 5, 5, 3))
    layer = BatchNorm(momentum=0.9)
    variables = layer.init(quick(1), x, True)
    y, new = layer.apply(variables, x, True, mutable=["batch_stats"])
    mean, var = np.asarray(x).mean((0, 1, 2)), np.asarray(x).var((0, 1, 2))
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 1e-5), atol=2e-5)
    np.testing.assert_allclose(new["batch_stats"]["mean"], 0.1 * mean, rtol=1e-5)
    unbiased = np.asarray(x).var((0, 1, 2), ddof=1)
    np.testing.assert_allclose(new["batch_stats"]["var"], 0.9 + 0.1 * unbiased, rtol=1e-5)
    evaluated = layer.apply({**variables, **new}, x, False)
    stats = new["batch_stats"]
    np.testing.assert_allclose(
        evaluated, (x - stats["mean"]) / np.sqrt(stats["var"] + 1e-5), rtol=1e-4, atol=1e-5
    )


def test_batch_norm_has_the_values_and_gradients_of_flaxs_and_its_statistics_but_for_the_bias():
    x, weight = 3 + 2 * normal(0, (2, 16, 5, 5, 3))
    ours, flaxs = BatchNorm(), nn.BatchNorm(momentum=0.9)
    variables = ours.init(quick(1), x, True)
    jax.tree.map(np.testing.assert_array_equal, variables, flaxs.init(quick(1), x, False))
    variables = jax.tree.map(lambda leaf: leaf + 0.3, variables)

    def value(layer, flag, variables, x):
        y, new = layer.apply(variables, x, flag, mutable=["batch_stats"])
        return (weight * y).sum(), (y, new)

    for train in (True, False):
        (_, got), got_slopes = jax.value_and_grad(value, (2, 3), has_aux=True)(ours, train, variables, x)
        (_, expected), slopes = jax.value_and_grad(value, (2, 3), has_aux=True)(
            flaxs, not train, variables, x
        )
        close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
        close(got[0], expected[0])
        close(got[1]["batch_stats"]["mean"], expected[1]["batch_stats"]["mean"])
        before = variables["batch_stats"]["var"]
        moved = [y[1]["batch_stats"]["var"] - 0.9 * before for y in (got, expected)]
        close(moved[0], moved[1] * (400 / 399 if train else 1))  # of 16 x 5 x 5 pixels
        jax.tree.map(close, got_slopes, slopes)


def test_batch_norm_of_one_number_keeps_finite_statistics():
    variables = BatchNorm().init(quick(1), jnp.ones((1, 3)), True)
    _, new = BatchNorm().apply(variables, jnp.ones((1, 3)), True, mutable=["batch_stats"])
    np.testing.assert_allclose(new["batch_stats"]["var"], 0.9)


def test_batch_norm_computes_in_float64():
    with jax.enable_x64(True):
        x = np.random.default_rng(0).normal(size=(5, 3))
        layer = BatchNorm()
        y, _ = layer.apply(layer.init(quick(0), x, True), x, True, mutable=["batch_stats"])
        np.testing.assert_allclose(y, (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5), rtol=1e-12)


def test_a_batchs_own_statistics_can_be_had():
    x = 3 + 2 * normal(0, (16, 3))
    variables = BatchNorm().init(quick(1), x, True)
    assert set(variables) == {"params", "batch_stats"}
    for train in (True, False):
        _, new = BatchNorm().apply(variables, x, train, mutable=["batch_stats", "intermediates"])
        assert ("intermediates" in new) == train
    _, new = BatchNorm().apply(variables, x, True, mutable=["batch_stats", "intermediates"])
    np.testing.assert_allclose(new["intermediates"]["batch_mean"][0], x.mean(0), rtol=1e-5)
    np.testing.assert_allclose(new["intermediates"]["batch_var"][0], x.var(0), rtol=1e-4)


def test_batch_norm_averages_over_a_mapped_axis():
    """Two halves of a batch are normalised by the statistics of the whole."""
    x = 3 + 2 * normal(0, (2, 8, 3))
    variables = BatchNorm().init(quick(1), x[0], True)
    apply = lambda layer, x: layer.apply(variables, x, True, mutable=["batch_stats"])
    whole, stats = apply(BatchNorm(), x.reshape(16, 3))
    halves, mapped = jax.vmap(lambda x: apply(BatchNorm(axis_name="halves"), x), axis_name="halves")(x)
    np.testing.assert_allclose(halves.reshape(16, 3), whole, rtol=1e-5, atol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, [b, b], rtol=1e-5), mapped, stats)


def test_batch_norm_of_bfloat16_has_statistics_in_float32():
    x = (100 + normal(0, (64, 3))).astype(jnp.bfloat16)
    variables = BatchNorm().init(quick(1), x, True)
    y, new = BatchNorm().apply(variables, x, True, mutable=["batch_stats"])
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(new)} == {jnp.dtype("float32")}
    exact = np.asarray(x, np.float64)
    np.testing.assert_allclose(new["batch_stats"]["mean"], 0.1 * exact.mean(0), rtol=1e-5)
    np.testing.assert_allclose(np.asarray(y, np.float64), (exact - exact.mean(0)) / exact.std(0), atol=0.03)


KERNELS = nn.initializers.normal(1.0)
LAYERS = {
    "dense": (lambda: nn.Dense(5, kernel_init=KERNELS), (4, 7), lambda kernel: kernel.T),
    "down": (
        lambda: DownConv(5, kernel_init=KERNELS),
        (2, 6, 5, 3),
        lambda kernel: kernel.reshape(-1, 5).T,
    ),
    "up": (
        lambda: UpConv(2, (6, 5), kernel_init=KERNELS),
        (2, 3, 3, 4),
        lambda kernel: kernel.reshape(-1, 2).T,
    ),
}


class Normalised(nn.Module):
    """A layer with spectral normalisation."""

    make: object

    @nn.compact
    def __call__(self, x, train):
        return SpectralNorm(self.make())(x, train)


class FlaxsNormalised(nn.Module):
    """The same with Flax's layer."""

    make: object

    @nn.compact
    def __call__(self, x, train):
        return nn.SpectralNorm(self.make(), collection_name="spectral")(x, update_stats=train)


def normalised(name):
    make, shape, matrix = LAYERS[name]
    x = normal(1, shape)
    layer = Normalised(make)
    return layer, jax.jit(layer.init, static_argnums=2)(quick(0), x, True), x, make(), matrix


def converged(module, variables, x, calls=300):
    def call(spectral, _):
        variables_now = {**variables, "spectral": spectral}
        return module.apply(variables_now, x, train=True, mutable=["spectral"])[1]["spectral"], None

    return {**variables, "spectral": jax.lax.scan(call, variables["spectral"], length=calls)[0]}


def scaled_kernel(variables, factor):
    (name, params), *others = variables["params"].items()
    assert not others
    return {"params": {**params, "kernel": factor * params["kernel"]}}, name


@pytest.mark.parametrize("name", LAYERS)
def test_spectral_norm_divides_by_the_largest_singular_value(name):
    layer, variables, x, plain, matrix = normalised(name)
    params = next(iter(variables["params"].values()))
    sigma = np.linalg.svd(matrix(np.asarray(params["kernel"], np.float64)), compute_uv=False)[0]
    expected = plain.apply(scaled_kernel(variables, 1 / sigma)[0], x)
    after = converged(layer, variables, x)
    trained, _ = layer.apply(after, x, train=True, mutable=["spectral"])
    np.testing.assert_allclose(trained, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.apply(after, x, train=False), trained, rtol=1e-5, atol=1e-6)
    far = np.abs(np.asarray(layer.apply(variables, x, train=False)) - expected).max()
    assert far > 1e-2  # one call is not enough


@pytest.mark.parametrize("name", LAYERS)
def test_one_training_call_is_one_power_iteration(name):
    layer, variables, x, plain, matrix = normalised(name)
    kernel = next(iter(variables["params"].values()))["kernel"]
    w = matrix(np.asarray(kernel, np.float64))
    (u,) = jax.tree.leaves(variables["spectral"])
    v = u @ w / np.linalg.norm(u @ w)
    new = w @ v / np.linalg.norm(w @ v)
    trained, state = layer.apply(variables, x, train=True, mutable=["spectral"])
    np.testing.assert_allclose(jax.tree.leaves(state)[0], new, rtol=1e-5, atol=1e-6)
    expected = plain.apply(scaled_kernel(variables, 1 / (new @ w @ v))[0], x)
    np.testing.assert_allclose(trained, expected, rtol=1e-4, atol=1e-5)
    evaluated, state = layer.apply(variables, x, train=False, mutable=["spectral"])
    np.testing.assert_array_equal(jax.tree.leaves(state)[0], u)
    expected = plain.apply(scaled_kernel(variables, 1 / (u @ w @ v))[0], x)
    np.testing.assert_allclose(evaluated, expected, rtol=1e-4, atol=1e-5)


def test_spectral_norm_against_the_reference():
    """After 1, 2, 5 and 20 passes: its estimate, its vector, and the kernel that is used."""
    given, expected = case("spectral_norm_2x2", "resnet")
    w, x = jnp.asarray(given["W"]), jnp.eye(2)
    layer = Normalised(lambda: nn.Dense(2, use_bias=False))
    variables = layer.init(quick(0), x, True)
    variables = {**variables, "params": {"Dense_0": {"kernel": w.T}}}
    spectral = jax.tree.map(lambda _: jnp.asarray(given["u0"]), variables["spectral"])
    found = {}
    for k in range(1, 21):
        used, new = layer.apply({**variables, "spectral": spectral}, x, True, mutable=["spectral"])
        spectral = new["spectral"]
        found[k] = used.T, jax.tree.leaves(spectral)[0]
    for step in expected["steps"]:
        used, u = found[step["k"]]
        np.testing.assert_allclose(u, step["u"], atol=1e-5)
        np.testing.assert_allclose(used, step["W_over_sigma"], atol=1e-5)
        np.testing.assert_allclose(w[0, 0] / used[0, 0], step["sigma"], atol=1e-5)
    np.testing.assert_allclose(w[0, 0] / found[20][0][0, 0], expected["svd"], rtol=1e-5)


def test_the_vector_of_an_embedding_is_over_classes():
    """Its table is a matrix [classes, size], as in BigGAN's code: u has a number a class."""
    layer = Normalised(lambda: nn.Embed(3, 5, embedding_init=KERNELS))
    label = jnp.asarray([2, 0])
    variables = layer.init(quick(0), label, True)
    w = np.asarray(variables["params"]["Embed_0"]["embedding"], np.float64)
    (u,) = jax.tree.leaves(variables["spectral"])
    assert u.shape == (3,)
    v = u @ w / np.linalg.norm(u @ w)
    new = w @ v / np.linalg.norm(w @ v)
    rows, state = layer.apply(variables, label, True, mutable=["spectral"])
    np.testing.assert_allclose(jax.tree.leaves(state)[0], new, rtol=1e-5)
    np.testing.assert_allclose(rows, w[[2, 0]] / (new @ w @ v), rtol=1e-5)


def test_spectral_norm_passes_gradients_through_sigma_but_not_through_its_vectors():
    """Of sum R * W / (u^T W v) in W: R / sigma - (R * W).sum() / sigma^2 u v^T."""
    layer, variables, x, *_ = normalised("dense")
    w = np.asarray(variables["params"]["Dense_0"]["kernel"], np.float64).T
    (u,) = jax.tree.leaves(variables["spectral"])
    v = u @ w / np.linalg.norm(u @ w)
    u = w @ v / np.linalg.norm(w @ v)
    sigma = u @ w @ v
    total = lambda params: layer.apply({**variables, "params": params}, x, True, mutable=["spectral"])[
        0
    ].sum()
    got = jax.grad(total)(variables["params"])["Dense_0"]["kernel"].T
    r = np.ones((5, 1)) * np.asarray(x, np.float64).sum(0)
    expected = r / sigma - (r * w).sum() / sigma**2 * np.outer(u, v)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_spectral_norm_leaves_a_kernel_of_zeros_alone():
    layer, variables, x, *_ = normalised("dense")
    zeros = jax.tree.map(jnp.zeros_like, variables["params"])
    total = lambda params: layer.apply({**variables, "params": params}, x, True, mutable=["spectral"])[
        0
    ].sum()
    value, gradient = jax.value_and_grad(total)(zeros)
    assert value == 0
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


@pytest.mark.parametrize("shape", [(4, 7), (2, 6, 5, 3)], ids=["dense", "conv"])
def test_spectral_norm_trains_as_flaxs_does(shape):
    """From one vector u: the same values, gradients and next u. When it does not train, Flax's iterates too."""
    make = (
        partial(nn.Dense, 5, kernel_init=KERNELS)
        if len(shape) == 2
        else partial(nn.Conv, 5, (3, 3), kernel_init=KERNELS)
    )
    x = normal(1, shape)
    ours, flaxs = Normalised(make), FlaxsNormalised(make)
    variables = ours.init(quick(0), x, True)
    (u,) = jax.tree.leaves(variables["spectral"])
    ((name, _),) = variables["params"].items()
    kept = {f"{name}/kernel/u": u[None], f"{name}/kernel/sigma": jnp.ones(())}
    theirs = {"params": variables["params"], "spectral": {"SpectralNorm_0": kept}}

    def value(layer, params, variables):
        y, new = layer.apply({**variables, "params": params}, x, True, mutable=["spectral"])
        return jnp.sin(y).sum(), (y, new)

    (_, (y, new)), slope = jax.value_and_grad(value, 1, has_aux=True)(ours, variables["params"], variables)
    (_, (other, others)), others_slope = jax.value_and_grad(value, 1, has_aux=True)(
        flaxs, variables["params"], theirs
    )
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    close(y, other)
    jax.tree.map(close, slope, others_slope)
    close(jax.tree.leaves(new)[0], others["spectral"]["SpectralNorm_0"][f"{name}/kernel/u"][0])
    assert np.abs(ours.apply(variables, x, False) - flaxs.apply(theirs, x, False)).max() > 1e-3


def test_a_spectrally_normalised_mlp_is_1_lipschitz_and_a_plain_one_is_not():
    config = MLPConfig(d_widths=(32, 16), d_spectral_norm=True)
    discriminator = config.build((6,), 0)[1]
    a, b = normal(2, (2, 1000, 6))
    variables = discriminator.init(quick(3), a, train=True)
    variables = {**variables, "params": jax.tree.map(lambda x: 5 * x, variables["params"])}
    after = converged(discriminator, variables, a[:2])
    slope = lambda of: float(jnp.max(jnp.abs(of(a) - of(b)) / jnp.linalg.norm(a - b, axis=1)))
    assert 0.05 < slope(lambda x: discriminator.apply(after, x)) <= 1 + 1e-4
    plain = dataclasses.replace(config, d_spectral_norm=False).build((6,), 0)[1]
    assert slope(lambda x: plain.apply({"params": variables["params"]}, x)) > 2


def test_spectral_vectors_move_with_training_by_an_iteration_a_pass():
    """They are statistics of the discriminator: two passes, on reals and on fakes, are two iterations."""
    generator, discriminator = MLPConfig(g_widths=(4,), d_widths=(8,), d_spectral_norm=True).build((2,), 0)
    sgd = optax.sgd(0.1)
    gan = GAN(generator, discriminator, get_loss("hinge"), sgd, sgd, get_latent("normal", 3))
    batch = {"image": normal(0, (4, 2))}
    state = init(gan, quick(1), batch)
    new, _ = jax.jit(make_step(gan))(state, batch)
    before = {"params": state.players["discriminator"].params, **state.players["discriminator"].stats}
    twice = converged(discriminator, before, batch["image"], calls=2)["spectral"]
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
        new.players["discriminator"].stats["spectral"],
        twice,
    )
