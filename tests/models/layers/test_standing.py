"""Standing statistics: the averages of batches' own means and variances, by definition."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from models.compiled import normal

from jaxgan import InputError
from jaxgan.common.keys import quick
from jaxgan.models import BigGANConfig, MLPConfig
from jaxgan.models.layers import BatchNorm
from jaxgan.models.layers.norm import standing_statistics


class Normalised(nn.Module):
    """Batch normalisation of latents, twice."""

    @nn.compact
    def __call__(self, z, label=None, *, train=False):
        return BatchNorm(name="second")(nn.relu(BatchNorm(name="first")(z, train)), train)


def test_they_are_the_averages_of_each_pass():
    batches = 2 + 3 * normal(0, (5, 8, 4))
    module = Normalised()
    variables = module.init(quick(1), batches[0])
    stats = standing_statistics(module, variables, [(z, None) for z in batches])["batch_stats"]
    x = np.asarray(batches, np.float64)
    np.testing.assert_allclose(stats["first"]["mean"], x.mean(1).mean(0), rtol=1e-5)
    np.testing.assert_allclose(stats["first"]["var"], x.var(1).mean(0), rtol=1e-5)
    inside = np.maximum((x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5), 0)
    np.testing.assert_allclose(stats["second"]["mean"], inside.mean(1).mean(0), rtol=1e-4)
    np.testing.assert_allclose(stats["second"]["var"], inside.var(1).mean(0), rtol=1e-4)


def test_one_pass_over_a_batch_samples_it_as_training_does():
    """All else of the variables stays; spectral vectors, which a pass moves, are as before."""
    generator = BigGANConfig(width=2, shared=3, conditional=True).build((8, 8, 3), 2)[0]
    z, label = normal(0, (6, 4)), jnp.arange(6) % 2
    variables = jax.jit(lambda key: generator.init(key, z, label, train=True))(quick(1))
    step = jax.jit(lambda v: generator.apply(v, z, label, train=True, mutable=["spectral", "batch_stats"])[1])
    for _ in range(60):
        variables = {**variables, "spectral": step(variables)["spectral"]}
    new = standing_statistics(generator, variables, [(z, label)])
    trained, _ = generator.apply(variables, z, label, train=True, mutable=["batch_stats", "spectral"])
    np.testing.assert_allclose(generator.apply(new, z, label), trained, atol=2e-3)
    assert float(jnp.abs(generator.apply(variables, z, label) - trained).max()) > 0.02
    for name in ("params", "spectral"):
        jax.tree.map(np.testing.assert_array_equal, new[name], variables[name])
    assert jax.tree.structure(new) == jax.tree.structure(variables)


def test_bad_input_is_named():
    module = Normalised()
    variables = module.init(quick(1), jnp.ones((2, 3)))
    with pytest.raises(InputError, match="batches: expected at least one, got none"):
        standing_statistics(module, variables, [])
    plain = MLPConfig(g_widths=(4,)).build((2,), 0)[0]
    z = jnp.ones((2, 3))
    with pytest.raises(InputError, match="generator: expected one with batch normalisation, got one without"):
        standing_statistics(plain, plain.init(quick(0), z), [(z, None)])
