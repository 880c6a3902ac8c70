"""Shuffling by arithmetic: a permutation, the same in NumPy and JAX, different in every epoch."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import InputError
from jaxgan.data.permutation import positions, shuffled_index


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 9, 100, 1023, 1024, 1025, 60000])
def test_every_epoch_shows_every_example_once(n):
    for epoch in (0, 1, 2**31):
        order = shuffled_index(np.arange(n), n, seed=3, epoch=epoch)
        np.testing.assert_array_equal(np.sort(order), np.arange(n))


@pytest.mark.parametrize("n", [1, 7, 1000])
def test_numpy_and_jax_agree_inside_jit(n):
    host = shuffled_index(np.arange(n), n, seed=11, epoch=4)
    device = jax.jit(lambda p, e: shuffled_index(p, n, seed=11, epoch=e))(jnp.arange(n), jnp.int32(4))
    np.testing.assert_array_equal(host, device)


def test_epochs_and_seeds_have_orders_of_their_own():
    n = 20000
    orders = [
        shuffled_index(np.arange(n), n, seed=seed, epoch=epoch).astype(float)
        for seed in (0, 1, 2**40)
        for epoch in (0, 1)
    ]
    identity = np.arange(n, dtype=float)
    for a, b in itertools.combinations([*orders, identity], 2):
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.04  # 5 sigma
        assert (a == b).sum() < 12  # Poisson(1)


def test_orders_are_uniform():
    """Over many epochs the first of 5 examples, and the whole order, take every value about equally often."""
    epochs = np.repeat(np.arange(6000), 5).reshape(-1, 5)
    orders = shuffled_index(np.tile(np.arange(5), (6000, 1)), 5, seed=0, epoch=epochs)
    first = np.bincount(orders[:, 0], minlength=5)
    assert ((first - 1200) ** 2 / 1200).sum() < 23.5  # chi-squared, 4 degrees of freedom, p = 1e-4
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 120
    assert ((counts - 50) ** 2 / 50).sum() < 187  # 119 degrees of freedom, p = 7e-5


@pytest.mark.parametrize("step", [0, 1, 937, 938, 10**6, 2**31 - 1])
def test_positions_are_exact_for_any_step(step):
    n, per_step = 60000, 64
    epoch, position = positions(step, n, per_step)
    exact = [divmod(step * per_step + i, n) for i in range(per_step)]
    np.testing.assert_array_equal(np.stack([epoch, position], 1), exact)
    traced = jax.jit(lambda s: positions(s, n, per_step))(jnp.int32(step))
    np.testing.assert_array_equal(np.stack(traced, 1), exact)


def test_batches_larger_than_an_epoch_wrap():
    epoch, position = positions(1, 3, 7)
    np.testing.assert_array_equal(epoch, [2, 2, 3, 3, 3, 4, 4])
    np.testing.assert_array_equal(position, [1, 2, 0, 1, 2, 0, 1])


def test_bad_input_is_named():
    with pytest.raises(InputError, match="expected fewer than 4 examples a step"):
        positions(0, 2**30, 4)
