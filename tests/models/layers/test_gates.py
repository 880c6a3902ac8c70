"""Gates, instance norm, dropout: closed forms and what depends on what."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import InputError
from jaxgan.common.keys import quick
from jaxgan.models.layers import SkipLayerExcitation, dropout, glu, instance_norm


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_glu_is_half_of_the_channels_times_gates():
    x = jnp.asarray([[2.0, -3.0, 0.0, 100.0]])
    np.testing.assert_allclose(glu(x), [[1.0, -3.0]], atol=1e-6)
    with pytest.raises(InputError, match="channels: expected an even number for gates, got 3"):
        glu(jnp.ones((1, 3)))


def test_excitation_by_hand():
    """One channel of a map of 8x8, whose 4x4 means are its weights' partners."""
    x, other = normal(1, 2, 2, 1), normal(1, 8, 8, 1, seed=1)
    layer = SkipLayerExcitation(spectral_norm=False)
    squeeze, gate = normal(4, 4, 1, 1, seed=2), jnp.full((1, 1, 1, 1), 0.7)
    params = {"squeeze": {"kernel": squeeze}, "gate": {"kernel": gate}}
    means = np.asarray(other)[0, :, :, 0].reshape(4, 2, 4, 2).mean((1, 3))
    s = float((means * np.asarray(squeeze)[:, :, 0, 0]).sum())
    expected = x / (1 + np.exp(-0.7 * s / (1 + np.exp(-s))))
    np.testing.assert_allclose(layer.apply({"params": params}, x, other, False), expected, rtol=1e-5)


def test_excitation_gates_channels_between_0_and_1_and_keeps_the_type():
    x, other = jnp.ones((3, 5, 6, 4), jnp.bfloat16), normal(3, 4, 8, 2)
    layer = SkipLayerExcitation()
    variables = layer.init(quick(0), x, other, True)
    y, left = layer.apply(variables, x, other, True, mutable=["spectral"])
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    assert 0 < y.min() < y.max() < 1
    np.testing.assert_array_equal(y, jnp.broadcast_to(y[:, :1, :1], y.shape))
    assert len(jax.tree.leaves(left["spectral"])) == 2


@pytest.mark.parametrize(("p", "q"), [(4, 5), (6, 8), (7, 2), (3, 9)])
def test_excitation_averages_maps_of_any_size_to_4x4(p, q):
    """As PyTorch's adaptive pooling: cell i of a side of p pixels is from floor(i p / 4) to ceil((i + 1) p / 4)."""
    x, other = normal(1, 2, 2, 1), normal(1, p, q, 1, seed=1)
    squeeze = normal(4, 4, 1, 1, seed=2)
    cells = lambda side: [slice(i * side // 4, -(-(i + 1) * side // 4)) for i in range(4)]
    means = np.array([[np.asarray(other)[0, a, b, 0].mean() for b in cells(q)] for a in cells(p)])
    s = float((means * np.asarray(squeeze)[:, :, 0, 0]).sum())
    params = {"squeeze": {"kernel": squeeze}, "gate": {"kernel": jnp.ones((1, 1, 1, 1))}}
    got = SkipLayerExcitation(spectral_norm=False).apply({"params": params}, x, other, False)
    np.testing.assert_allclose(got, x / (1 + np.exp(-s / (1 + np.exp(-s)))), rtol=1e-5)


def test_instance_norm():
    x = 3 + 2 * normal(2, 6, 5, 3)
    y = np.asarray(instance_norm(x, 0.0))
    np.testing.assert_allclose(y.mean((1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(y.var((1, 2)), 1, rtol=1e-5)
    np.testing.assert_allclose(instance_norm(5 * x[:1] - 7, 0.0), y[:1], atol=1e-5)
    assert instance_norm(x.astype(jnp.bfloat16)).dtype == jnp.bfloat16
    with jax.enable_x64(True):
        wide = np.asarray(x, np.float64)
        expected = (wide - wide.mean((1, 2), keepdims=True)) / np.sqrt(wide.var((1, 2), keepdims=True) + 1e-5)
        np.testing.assert_allclose(instance_norm(jnp.asarray(wide)), expected, rtol=1e-12)


def test_dropout_keeps_the_mean_and_belongs_to_the_example():
    x, keys = jnp.ones((4, 40, 40, 3)), jax.random.split(quick(0), 4)
    y = dropout(x, keys, 0.25)
    np.testing.assert_allclose(np.unique(y), [0, 4 / 3], rtol=1e-6)
    assert abs(float((y == 0).mean()) - 0.25) < 0.01
    np.testing.assert_array_equal(dropout(x[2:], keys[2:], 0.25), y[2:])
    assert (y[0] != y[1]).any()
    assert dropout(x, None) is x
    with pytest.raises(InputError, match="rate: expected"):
        dropout(x, keys, 1.0)
