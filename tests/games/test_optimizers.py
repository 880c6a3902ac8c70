"""Optimisers against their formulas in NumPy, and what keeps weights in shape against its definition."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from golden.layers import case

from jaxgan import InputError
from jaxgan.common.keys import quick
from jaxgan.games.optimizers import (
    OPTIMIZERS,
    clip_weights,
    kernel_output_axis,
    orthogonal_regularisation,
)
from jaxgan.models.layers import DownConv, UpConv

RATE, B1, B2, EPS = 0.1, 0.6, 0.9, 1e-3


def trajectory(optimizer, gradients):
    """Parameters after each update from 0."""
    params = jnp.zeros(3)
    state, out = optimizer.init(params), []
    for gradient in gradients:
        updates, state = optimizer.update(jnp.asarray(gradient, jnp.float32), state, params)
        params = optax.apply_updates(params, updates)
        out.append(params)
    return np.stack(out)


def directions(name, gradients):
    """What each optimiser multiplies by its learning rate, in NumPy."""
    m = v = trace = np.zeros(3)
    previous, out = None, []
    for t, g in enumerate(gradients, 1):
        trace = B1 * trace + g
        m, v = B1 * m + (1 - B1) * g, B2 * v + (1 - B2) * g**2
        r = (m / (1 - B1**t)) / (np.sqrt(v / (1 - B2**t)) + EPS)
        if name == "adam":
            out.append(r)
        elif name == "optimistic_adam":
            out.append(r if previous is None else 2 * r - previous)
        elif name == "sgd":
            out.append(trace)
        elif name == "rmsprop":
            out.append(g / (np.sqrt(v) + EPS) + (B1 * out[-1] if out else 0))
        previous = r
    return np.asarray(out)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimiser_follows_its_formula(name):
    gradients = np.random.default_rng(0).normal(size=(5, 3))
    expected = -RATE * np.cumsum(directions(name, gradients), 0)
    np.testing.assert_allclose(
        trajectory(OPTIMIZERS[name](RATE, B1, B2, EPS), gradients), expected, rtol=1e-4
    )


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_learning_rates_may_be_schedules_or_traced(name):
    gradients = np.random.default_rng(1).normal(size=(3, 3))
    fixed = trajectory(OPTIMIZERS[name](RATE, 0.0, B2, EPS), gradients)
    traced = jax.jit(lambda rate: OPTIMIZERS[name](rate, 0.0, B2, EPS).update(gradients[0], state)[0])
    state = OPTIMIZERS[name](RATE, 0.0, B2, EPS).init(jnp.zeros(3))
    np.testing.assert_allclose(traced(RATE), fixed[0], rtol=1e-5)
    halved = trajectory(OPTIMIZERS[name](lambda step: RATE * 0.5**step, 0.0, B2, EPS), gradients)
    sizes = np.asarray([1, 0.5, 0.25])[:, None]
    np.testing.assert_allclose(
        np.diff(halved, axis=0, prepend=0), sizes * np.diff(fixed, axis=0, prepend=0), rtol=1e-4
    )


def test_adam_is_optax_adam():
    gradients = np.random.default_rng(2).normal(size=(4, 3))
    np.testing.assert_array_equal(
        trajectory(OPTIMIZERS["adam"](RATE, B1, B2, EPS), gradients),
        trajectory(optax.adam(RATE, B1, B2, EPS), gradients),
    )


def test_optimism_ends_in_the_middle_of_a_saddle_that_adam_circles():
    """min_x max_y x y, as in the paper."""

    def distance(name):
        optimizer = OPTIMIZERS[name](0.01, 0.0, 0.9, 1e-1)

        def step(carry, _):
            point, state = carry
            updates, state = optimizer.update(jnp.stack([point[1], -point[0]]), state, point)
            return (optax.apply_updates(point, updates), state), None

        start = jnp.ones(2)
        (point, _), _ = jax.lax.scan(step, (start, optimizer.init(start)), length=4000)
        return float(jnp.linalg.norm(point))

    assert distance("adam") > 0.05
    assert distance("optimistic_adam") < 1e-2 * distance("adam")


@pytest.mark.parametrize("limit", [0.01, 1.0, 0.3])
def test_clipped_weights_lie_within_the_limit_exactly(limit):
    """Also those that start far outside; and those that would stay inside are left alone."""
    rng = np.random.default_rng(0)
    params = jnp.asarray(rng.normal(size=20000) * limit * 10 ** rng.uniform(-3, 3, 20000), jnp.float32)
    optimizer = optax.chain(optax.sgd(1.0), clip_weights(limit))
    gradients = jnp.asarray(rng.normal(size=20000) * limit * 10 ** rng.uniform(-3, 2, 20000), jnp.float32)

    @jax.jit
    def step(params):
        updates, _ = optimizer.update(gradients, optimizer.init(params), params)
        return optax.apply_updates(params, updates)

    new, free = np.asarray(step(params), np.float64), np.asarray(params - gradients)
    assert np.abs(new).max() <= np.float32(limit)
    np.testing.assert_allclose(new, np.clip(free, -limit, limit), atol=3e-7 * np.abs(params).max())
    near = np.abs(params) < limit
    np.testing.assert_allclose(new[near], np.clip(free, -limit, limit)[near], rtol=1e-6, atol=2e-7 * limit)
    assert np.abs(step(jnp.asarray(new, jnp.float32))).max() <= np.float32(limit)


KERNELS = {
    "Dense_0": {"kernel": (6, 4), "bias": (4,)},
    "Conv_0": {"kernel": (3, 3, 2, 5)},
    "UpConv_0": {"kernel": (4, 4, 3, 5)},
    "DownConv_0": {"kernel": (4, 4, 3, 5), "bias": (5,)},
    "BatchNorm_0": {"scale": (5,)},
    "Embed_0": {"embedding": (10, 4)},
}
OUTPUTS = {"Dense_0": 4, "Conv_0": 5, "UpConv_0": 5, "DownConv_0": 5}


def kernels(dtype):
    rng = np.random.default_rng(3)
    shapes = lambda leaf: isinstance(leaf, tuple)
    return jax.tree.map(lambda s: jnp.asarray(rng.normal(size=s), dtype), KERNELS, is_leaf=shapes)


def nonorthogonality(params, off_diagonal):
    """BigGAN's equations 3 and 2, filter by filter."""
    total = 0.0
    for layer, outputs in OUTPUTS.items():
        kernel = params[layer]["kernel"]
        filters = jnp.stack([kernel[..., i].ravel() for i in range(outputs)])
        products = filters @ filters.T
        counted = ~np.eye(outputs, dtype=bool) if off_diagonal else np.full((outputs, outputs), True)
        total += jnp.sum(jnp.square(products - jnp.eye(outputs)), where=counted)
    return total


@pytest.mark.parametrize("off_diagonal", [True, False])
def test_orthogonal_regularisation_adds_its_gradient(off_diagonal):
    with jax.enable_x64(True):
        params = kernels(jnp.float64)
        gradients = jax.tree.map(jnp.cos, params)
        optimizer = orthogonal_regularisation(0.3, off_diagonal)
        got, _ = optimizer.update(gradients, optimizer.init(params), params)
        slope = jax.grad(nonorthogonality)(params, off_diagonal)
        expected = jax.tree.map(lambda g, s: g + 0.3 * s, gradients, slope)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9), got, expected)
        np.testing.assert_array_equal(got["BatchNorm_0"]["scale"], gradients["BatchNorm_0"]["scale"])


def test_orthogonal_regularisation_against_the_reference():
    """Code of BigGAN adds 2 W (W^T W * (1 - I)), half of the gradient of the printed loss, which ours is."""
    given, expected = case("biggan_ortho_reg", "resnet")
    params = {"Dense_0": {"kernel": jnp.asarray(given["W"]).T}}
    zeros = jax.tree.map(jnp.zeros_like, params)
    added, _ = orthogonal_regularisation(given["strength"] / 2).update(zeros, optax.EmptyState(), params)
    np.testing.assert_allclose(added["Dense_0"]["kernel"].T, expected["gradient"], atol=1e-9)


def test_orthogonal_regularisation_ends_at_orthogonal_filters():
    params = jax.tree.map(lambda k: 0.3 * k, kernels(jnp.float32))
    optimizer = optax.chain(orthogonal_regularisation(0.1, off_diagonal=False), optax.sgd(0.2))
    zeros, state = jax.tree.map(jnp.zeros_like, params), optimizer.init(params)

    def step(params, _):
        return optax.apply_updates(params, optimizer.update(zeros, state, params)[0]), None

    assert nonorthogonality(params, False) > 1
    assert nonorthogonality(jax.lax.scan(step, params, length=500)[0], False) < 1e-6


def test_the_output_axis_is_that_of_the_projects_layers():
    x = jnp.ones((1, 8, 8, 3))
    for layer, outputs in [(DownConv(7), 7), (UpConv(9, (16, 16)), 9)]:
        kernel = jax.eval_shape(layer.init, quick(0), x)["params"]["kernel"]
        axis = kernel_output_axis(("any name", "kernel"), kernel)
        assert axis is not None
        assert kernel.shape[axis] == outputs
    assert kernel_output_axis(("Dense_0", "bias"), jnp.ones(3)) is None
    params, own = {"conv": {"kernel": jnp.ones((2, 3))}}, lambda path, value: 0 if "conv" in path else None
    got, _ = orthogonal_regularisation(1.0, output_axis=own).update(params, optax.EmptyState(), params)
    np.testing.assert_allclose(got["conv"]["kernel"], 1 + 4 * 3)  # two equal rows of product 3


def test_bad_input_is_named():
    with pytest.raises(InputError, match="limit: expected a positive number, got 0"):
        clip_weights(0)
    with pytest.raises(InputError, match="weight: expected at least 0, got -1"):
        orthogonal_regularisation(-1)
    for transformation in (clip_weights(1.0), orthogonal_regularisation(1.0)):
        with pytest.raises(InputError, match=r"params: .* expected the parameters, got None"):
            transformation.update(jnp.ones(2), optax.EmptyState())
