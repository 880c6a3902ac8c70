"""Quick keys: numbers that look independent and evenly spread, each a function of its key."""

import jax
import numpy as np

from jaxgan.common import keys


def test_quick_numbers_are_spread_evenly_and_depend_on_their_key_and_place_only():
    def drawn(key):
        split, folded = jax.random.split(key, 3), jax.vmap(jax.random.fold_in, (None, 0))(key, np.arange(3))
        every = jax.numpy.concatenate([split, folded, key[None]])
        return every, jax.vmap(lambda key: jax.random.uniform(key, (4000,)))(every)

    with jax.transfer_guard("allow"):
        own, x = jax.jit(drawn)(keys.quick(3))
    data, x = np.asarray(jax.random.key_data(own)), np.asarray(x)
    assert len(np.unique(data, axis=0)) == 7
    np.testing.assert_allclose(x.mean(1), 0.5, atol=0.02)  # 4 standard errors
    np.testing.assert_allclose(x.std(1), 12**-0.5, atol=0.01)
    shares = np.stack([np.histogram(row, 8, (0, 1))[0] for row in x]) / 4000
    np.testing.assert_allclose(shares, 1 / 8, atol=0.022)
    beside = np.concatenate([x[:, 1:], x[:, :-1]])  # a number, and the one before it
    correlations = np.corrcoef(beside) - np.eye(14)
    assert np.abs(correlations).max() < 0.07
    again = jax.jit(lambda key: jax.random.uniform(key, (4000,)))(own[1])
    np.testing.assert_array_equal(again, x[1])
    assert (
        np.asarray(jax.random.bits(keys.quick(4), (8,))) != np.asarray(jax.random.bits(keys.quick(3), (8,)))
    ).any()
