"""Derivatives without rules of one's own, and draws that do not hang on a key, inside loops and branches too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.common.checking.draws import draws_apart
from jaxgan.common.checking.rules import has_own_rules, without_rules


@jax.custom_vjp
def doubled(x):
    return jnp.sin(x)


doubled.defvjp(lambda x: (jnp.sin(x), x), lambda x, slope: (2 * slope * jnp.cos(x),))


@jax.custom_jvp
def halved(x):
    return jnp.sin(x)


halved.defjvp(lambda x, t: (jnp.sin(*x), t[0] * jnp.cos(*x) / 2))


def around(f):
    """The function as a program may hold it."""
    return {
        "plain": f,
        "jit": jax.jit(f),
        "remat": jax.checkpoint(f),
        "scan": lambda x: jax.lax.scan(lambda c, _: (f(x), 0), x, None, 2)[0],
        "cond": lambda x: jax.lax.cond(x < 9, f, lambda x: 0 * x, x),
    }


@pytest.mark.parametrize("name", around(doubled))
def test_derivatives_without_rules_are_those_of_what_is_computed(name):
    x, expected = 0.3, around(jnp.sin)[name]
    assert not has_own_rules(expected, x)
    for f in (doubled, halved):
        given = around(f)[name]
        assert has_own_rules(given, x)
        assert not np.isclose(jax.grad(given)(x), jax.grad(expected)(x))
        np.testing.assert_allclose(jax.grad(without_rules(given))(x), jax.grad(expected)(x), rtol=1e-6)


def test_rules_of_jax_stay():
    relu = without_rules(lambda x: {"y": jax.nn.relu(x["x"])})
    assert not has_own_rules(jax.nn.relu, 1.0)
    assert jax.grad(lambda x: relu({"x": x})["y"])(0.0) == jax.grad(jax.nn.relu)(0.0)


def draw(key):
    return jax.random.normal(jax.random.fold_in(key, 3))


def rounds(key):
    """Keys that hang on the first one by way of the carry alone."""
    return jax.lax.scan(lambda c, _: (jax.random.split(c)[0], draw(c)), key, None, 2)[1].sum()


def until(key):
    """The key is the condition's alone, and the body has an array of its own."""
    one = jnp.ones(())
    return jax.lax.while_loop(lambda n: draw(key) + n < 9, lambda n: n + one, jnp.zeros(()))


DRAWS = {
    "plain": draw,
    "jit": jax.jit(draw),
    "scan": rounds,
    "while": until,
    "cond": lambda key: jax.lax.cond(draw(key) > 0, draw, lambda key: 0.0, key),
    "cond between numbers": lambda key: draw(key) + jax.lax.cond(draw(key) > 0, lambda: 1.0, lambda: 0.5),
    "vmap": lambda key: jax.vmap(draw)(jax.random.split(key, 3)).sum(),
}


@pytest.mark.parametrize("name", DRAWS)
def test_draws_by_another_key_are_found(name):
    given, fixed = DRAWS[name], DRAWS[name]
    args = ({"key": jax.random.key(0), "x": jnp.ones(())},)
    assert not draws_apart(lambda state: given(state["key"]) + state["x"], args, args[0]["key"])
    apart = lambda state: given(state["key"]) + fixed(jax.random.key(1))
    assert draws_apart(apart, args, args[0]["key"])
