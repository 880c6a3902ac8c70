"""Every entry of PENALTIES against closed forms, and their gradients against finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import InputError, keys
from jaxgan.penalties import PENALTIES, Penalty, get_penalty, lazy

KEY = jax.random.key(7)


def data(n=5, shape=(3, 2), dtype=jnp.float32):
    real, fake = np.random.default_rng(0).normal(size=(2, n, *shape))
    return jnp.asarray(real, dtype), jnp.asarray(fake, dtype)


def linear(slope):
    """A critic whose input gradient is the same everywhere."""
    return lambda x: (x.reshape(x.shape[0], -1) * slope).sum(1)


def quadratic(x):
    """D(x) = 1/2 ||x||^2, whose gradient at x is x."""
    return 0.5 * jnp.square(x.reshape(x.shape[0], -1)).sum(1)


def interpolates(real, fake):
    share = jax.vmap(jax.random.uniform)(keys.per_example(KEY, real.shape[0]))
    share = np.asarray(share).reshape((-1,) + (1,) * (real.ndim - 1))
    return share * np.asarray(real) + (1 - share) * np.asarray(fake)


norm = lambda x: np.sqrt(np.square(np.asarray(x, np.float64)).reshape(len(x), -1).sum(1))

# name, options -> penalty of D(x) = 1/2 ||x||^2 in NumPy. A new entry of PENALTIES fails the tests
# until its formula stands here.
REFERENCE = {
    ("gradient_penalty", ()): lambda r, f: (norm(interpolates(r, f)) - 1) ** 2,
    ("gradient_penalty", (("target", 0.0),)): lambda r, f: norm(interpolates(r, f)) ** 2,
    ("gradient_penalty", (("target", 2.0), ("one_sided", True))): lambda r, f: (
        np.maximum(norm(interpolates(r, f)) - 2, 0) ** 2
    ),
    ("r1", ()): lambda r, f: 0.5 * norm(r) ** 2,
    ("r2", ()): lambda r, f: 0.5 * norm(f) ** 2,
}
CASES = [pytest.param(*key, id=f"{key[0]}{dict(key[1]) or ''}") for key in REFERENCE]


def test_every_penalty_has_a_reference():
    assert {name for name, _ in REFERENCE} == set(PENALTIES)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_values_are_those_of_the_formula(name, options):
    real, fake = data()
    penalty = PENALTIES[name](**dict(options))
    values, state = penalty.apply(penalty.init(), quadratic, real, fake, KEY)
    assert values.shape == (5,)
    assert values.dtype == jnp.float32
    assert jax.tree.structure(state) == jax.tree.structure(penalty.init())
    np.testing.assert_allclose(values, REFERENCE[name, options](real, fake), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_gradients_in_the_critics_parameters_are_those_of_finite_differences(name, options):
    """What trains the critic: the second derivative, through the gradient in the inputs."""
    with jax.enable_x64(True):
        real, fake = data(dtype=jnp.float64)
        params = jnp.asarray(np.random.default_rng(1).normal(size=(6, 4)))
        penalty = PENALTIES[name](**dict(options))

        def total(params):
            critic = lambda x: jnp.tanh(x.reshape(x.shape[0], -1) @ params).sum(1)
            return penalty.apply(penalty.init(), critic, real, fake, KEY)[0].sum()

        got = jax.grad(total)(params)
        assert float(jnp.abs(got).max()) > 1e-3  # not cut
        for i, j in [(0, 0), (2, 1), (5, 3)]:
            shift = np.zeros((6, 4))
            shift[i, j] = 1e-6
            expected = (total(params + shift) - total(params - shift)) / 2e-6
            np.testing.assert_allclose(got[i, j], expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", PENALTIES)
def test_flat_critics_give_finite_gradients(name):
    """At gradient zero the norm has no derivative, and a plain square root gives NaN."""
    real, fake = data()
    penalty = PENALTIES[name]()
    total = lambda slope: penalty.apply(penalty.init(), linear(slope), real, fake, KEY)[0].sum()
    assert np.isfinite(jax.grad(total)(jnp.zeros(6))).all()


def test_gradient_penalty_of_a_linear_critic():
    real, fake = data()
    slope = jnp.asarray([3.0, 0, 4, 0, 0, 0])  # norm 5 everywhere
    of = lambda **options: PENALTIES["gradient_penalty"](**options).apply((), linear(slope), real, fake, KEY)[
        0
    ]
    np.testing.assert_allclose(of(), 16.0, rtol=1e-6)
    np.testing.assert_allclose(of(target=5.0), 0.0, atol=1e-6)
    np.testing.assert_allclose(of(one_sided=True), 16.0, rtol=1e-6)
    np.testing.assert_allclose(of(one_sided=True, target=6.0), 0.0)
    np.testing.assert_allclose(of(target=6.0), 1.0, rtol=1e-5)


def test_interpolation_weight_is_one_an_example():
    """With D(x) = sum x_i^2 / 2 over real = 1, fake = 0 the gradient is the weight itself, in every pixel."""
    real, fake = jnp.ones((8, 4, 4, 1)), jnp.zeros((8, 4, 4, 1))
    seen = []

    def critic(x):
        jax.debug.callback(lambda x: seen.append(np.asarray(x)), x)
        return quadratic(x)

    PENALTIES["gradient_penalty"]().apply((), critic, real, fake, KEY)
    jax.effects_barrier()
    points = seen[0].reshape(8, -1)
    assert np.ptp(points, axis=1).max() == 0
    assert len(np.unique(points[:, 0])) == 8


def test_vector_logits_are_summed():
    real, fake = data()
    two = lambda x: jnp.stack([quadratic(x), quadratic(x)], 1)
    values = PENALTIES["r1"]().apply((), two, real, fake, KEY)[0]
    np.testing.assert_allclose(values, 0.5 * (2 * norm(real)) ** 2, rtol=1e-5)


def test_lazy_applies_one_update_in_k_with_k_times_the_weight():
    real, fake = data()
    penalty = lazy(PENALTIES["r1"](), 3)
    state, series = penalty.init(), []
    apply = jax.jit(lambda state: penalty.apply(state, quadratic, real, fake, KEY))
    for _ in range(6):
        values, state = apply(state)
        series.append(values)
    plain = PENALTIES["r1"]().apply((), quadratic, real, fake, KEY)[0]
    np.testing.assert_allclose(series[0], 3 * plain, rtol=1e-6)
    np.testing.assert_allclose(series[3], 3 * plain, rtol=1e-6)
    for skipped in (1, 2, 4, 5):
        assert not series[skipped].any()
    np.testing.assert_allclose(jnp.stack(series).mean(0), plain, rtol=1e-6)


def test_lazy_keeps_the_state_of_what_it_skips():
    counting = Penalty(
        lambda: jnp.zeros((), jnp.int32),
        lambda state, critic, real, fake, key: (jnp.zeros(real.shape[0]), state + 1),
    )
    penalty = lazy(counting, 2)
    state = penalty.init()
    for _ in range(5):
        _, state = penalty.apply(state, quadratic, *data(), KEY)
    assert int(state["inner"]) == 3
    assert lazy(counting, 1) is counting


def test_bad_input_is_named():
    with pytest.raises(InputError, match="unknown penalty 'r3'.*known: gradient_penalty, r1, r2"):
        get_penalty("r3")
    with pytest.raises(InputError, match="target: expected a gradient norm >= 0, got -1"):
        get_penalty("gradient_penalty", target=-1)
    with pytest.raises(InputError, match="every: expected an interval of at least 1 update, got 0"):
        lazy(get_penalty("r1"), 0)
