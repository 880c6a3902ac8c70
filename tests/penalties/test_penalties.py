"""Every entry of PENALTIES against closed forms, and their gradients against finite differences."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden.layers import case
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgan import InputError
from jaxgan.augment import flip_and_shift
from jaxgan.common import keys
from jaxgan.common.keys import quick
from jaxgan.penalties import PENALTIES, Penalty, Scene, Term, get_penalty, lazy, scheduled, weight_schedule

KEY = quick(7)
LATENT_DIM = 3
MIXING = np.random.default_rng(4).normal(size=(LATENT_DIM, 6))


def data(n=5, shape=(3, 2), dtype=jnp.float32):
    real, fake = np.random.default_rng(0).normal(size=(2, n, *shape))
    return jnp.asarray(real, dtype), jnp.asarray(fake, dtype)


def linear(slope):
    """A critic whose input gradient is the same everywhere."""
    return lambda x: (x.reshape(x.shape[0], -1) * slope).sum(1)


def quadratic(x):
    """D(x) = 1/2 ||x||^2, whose gradient at x is x."""
    return 0.5 * jnp.square(x.reshape(x.shape[0], -1)).sum(1)


def share(keys, x):
    return np.asarray(jax.vmap(jax.random.uniform)(keys)).reshape((-1,) + (1,) * (x.ndim - 1))


def interpolates(real, fake):
    e = share(keys.per_example(KEY, real.shape[0]), real)
    return e * np.asarray(real) + (1 - e) * np.asarray(fake)


def stream(x, number):
    return jax.vmap(lambda key: jax.random.fold_in(key, number))(keys.per_example(KEY, x.shape[0]))


def around(real, scale=0.5):
    noise = np.stack([jax.random.uniform(key, real.shape[1:], real.dtype) for key in stream(real, 0)])
    return np.asarray(real) + share(stream(real, 1), real) * scale * np.std(real) * noise


def noisy(x, number, sigma=0.05):
    return np.asarray(x) + sigma * np.stack([jax.random.normal(k, x.shape[1:]) for k in stream(x, number)])


def doubled(keys, x):
    return 2 * x


def steps(fake, radius):
    return radius * np.stack([jax.random.normal(key, (LATENT_DIM,)) for key in stream(fake, 0)])


def scene(critic, real, fake):
    """With a linear generator, G(z + noise) = G(z) + noise A, and z = 0."""
    mixing = jnp.asarray(MIXING[:, : fake[0].size], fake.dtype)
    latents = jnp.zeros((len(fake), LATENT_DIM), fake.dtype)
    generate = lambda z: fake + (z @ mixing).reshape(fake.shape)
    return Scene(real, fake, latents, critic, generate, labels=label_of(real), classify=classes_of(critic))


def label_of(real):
    """1 or 2, by the sign of the first number."""
    return (real.reshape(len(real), -1)[:, 0] > 0).astype(jnp.int32) + 1


def classes_of(critic):
    """Class logits 0, d and -d of the logit d."""
    return lambda x: jnp.outer(critic(x), jnp.asarray([0, 1, -1], x.dtype))


def cross_entropy(logit, label):
    classes = np.outer(logit, [0, 1, -1])
    return np.log(np.exp(classes).sum(1)) - classes[np.arange(len(label)), label]


def neighbours(fake, radius=0.03):
    return np.asarray(fake) + (steps(fake, radius) @ MIXING).reshape(fake.shape)


# States of penalties whose first value is always 0.
STATES = {
    "lecam": {"updates": jnp.asarray(9, jnp.int32), "real": jnp.asarray(0.7), "fake": jnp.asarray(-0.4)}
}


def state_of(name, penalty):
    return STATES.get(name, start(penalty))


def own(penalty):
    """The term of the discriminator, or of the generator where that is all."""
    return penalty.discriminator or penalty.generator


def start(penalty):
    return own(penalty).init()


def apply(penalty, critic, real, fake, state=None, key=KEY):
    """A penalty's own term, as a turn calls it: with a key for each example."""
    state = start(penalty) if state is None else state
    each = keys.per_example(key, real.shape[0])
    return own(penalty).value(state, scene(critic, real, fake), each)


def compiled(penalty, critic):
    """`apply` in one program."""
    return jax.jit(lambda real, fake, state, key=KEY: apply(penalty, critic, real, fake, state, key))


def norm(x, order=2):
    return np.linalg.norm(np.asarray(x, np.float64).reshape(len(x), -1), order, axis=1)


def half(x):
    return 0.5 * norm(x) ** 2


def lengths(fake):
    """||J^T y|| of the linear generator."""
    y = np.stack([jax.random.normal(key, fake.shape[1:]) for key in stream(fake, 0)]).reshape(len(fake), -1)
    return norm(y / (fake[0].size / fake.shape[-1]) ** 0.5 @ MIXING[:, : fake[0].size].T)


def lecam(real_logits, fake_logits, rectified=False):
    above, below = real_logits + 0.4, 0.7 - fake_logits
    if rectified:
        above, below = np.maximum(above, 0), np.maximum(below, 0)
    return above**2 + below**2


# name, options -> penalty of D(x) = 1/2 ||x||^2 in NumPy. A new entry of PENALTIES fails the tests
# until its formula stands here.
REFERENCE = {
    ("gradient_penalty", ()): lambda r, f: (norm(interpolates(r, f)) - 1) ** 2,
    ("gradient_penalty", (("target", 0.0),)): lambda r, f: norm(interpolates(r, f)) ** 2,
    ("gradient_penalty", (("target", 2.0), ("one_sided", True))): lambda r, f: (
        np.maximum(norm(interpolates(r, f)) - 2, 0) ** 2
    ),
    ("gradient_penalty", (("order", 1.0),)): lambda r, f: (norm(interpolates(r, f), 1) - 1) ** 2,
    ("gradient_penalty", (("order", 1.5),)): lambda r, f: (norm(interpolates(r, f), 1.5) - 1) ** 2,
    ("gradient_penalty", (("order", 7.0),)): lambda r, f: (norm(interpolates(r, f), 7) - 1) ** 2,
    ("gradient_penalty", (("order", math.inf),)): lambda r, f: (norm(interpolates(r, f), np.inf) - 1) ** 2,
    ("lipschitz_penalty", ()): lambda r, f: np.maximum(norm(interpolates(r, f)) - 1, 0) ** 2,
    ("lipschitz_penalty", (("target", 3.0), ("order", 1.0))): lambda r, f: (
        np.maximum(norm(interpolates(r, f), 1) - 3, 0) ** 2
    ),
    ("zero_centered", ()): lambda r, f: norm(interpolates(r, f)) ** 2,
    ("dragan", ()): lambda r, f: (norm(around(r)) - 1) ** 2,
    ("dragan", (("target", 0.5), ("scale", 2.0))): lambda r, f: (norm(around(r, 2.0)) - 0.5) ** 2,
    ("r1", ()): lambda r, f: 0.5 * norm(r) ** 2,
    ("r2", ()): lambda r, f: 0.5 * norm(f) ** 2,
    ("r1_approximate", ()): lambda r, f: 0.5 * ((half(noisy(r, 0, 0.01)) - half(r)) / 0.01) ** 2,
    ("r1_approximate", (("sigma", 0.1),)): lambda r, f: 0.5 * ((half(noisy(r, 0, 0.1)) - half(r)) / 0.1) ** 2,
    ("r2_approximate", ()): lambda r, f: 0.5 * ((half(noisy(f, 0, 0.01)) - half(f)) / 0.01) ** 2,
    ("lecam", ()): lambda r, f: lecam(half(r), half(f)),
    ("lecam", (("start", 9),)): lambda r, f: lecam(half(r), half(f)),
    ("lecam", (("rectified", True),)): lambda r, f: lecam(half(r), half(f), rectified=True),
    ("consistency", ()): lambda r, f: (half(r) - half(noisy(r, 0))) ** 2,
    ("consistency", (("augment", doubled),)): lambda r, f: (half(r) - half(2 * r)) ** 2,
    ("balanced_consistency", ()): lambda r, f: (
        (half(r) - half(noisy(r, 0))) ** 2 + (half(f) - half(noisy(f, 1))) ** 2
    ),
    ("balanced_consistency", (("real_weight", 3.0), ("fake_weight", 5.0), ("augment", doubled))): (
        lambda r, f: 3 * (half(r) - half(2 * r)) ** 2 + 5 * (half(f) - half(2 * f)) ** 2
    ),
    ("latent_consistency", ()): lambda r, f: 5 * (half(f) - half(neighbours(f))) ** 2,
    ("latent_consistency", (("radius", 0.5), ("discriminator_weight", 2.0))): lambda r, f: (
        2 * (half(f) - half(neighbours(f, 0.5))) ** 2
    ),
    ("drift", ()): lambda r, f: half(r) ** 2,
    ("path_length", ()): lambda r, f: (lengths(f) - 0.01 * lengths(f).mean()) ** 2,
    ("path_length", (("decay", 0.5),)): lambda r, f: (lengths(f) - 0.5 * lengths(f).mean()) ** 2,
    ("auxiliary_classifier", ()): lambda r, f: (
        cross_entropy(half(r), label_of(r)) + cross_entropy(half(f), label_of(r))
    ),
    ("auxiliary_classifier", (("fake_weight", 0.0),)): lambda r, f: cross_entropy(half(r), label_of(r)),
}
CASES = [
    pytest.param(name, options, id=name + "".join(f"-{k}={getattr(v, '__name__', v)}" for k, v in options))
    for name, options in REFERENCE
]


def test_every_penalty_has_a_reference():
    assert {name for name, _ in REFERENCE} == set(PENALTIES)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_values_are_those_of_the_formula(name, options):
    real, fake = data()
    penalty = PENALTIES[name](**dict(options))
    values, state = compiled(penalty, quadratic)(real, fake, state_of(name, penalty))
    assert values.shape == (5,)
    assert values.dtype == jnp.float32
    assert jax.tree.map(jnp.shape, state) == jax.tree.map(jnp.shape, start(penalty))
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(start(penalty)))
    # 1e-4: consistency is the square of a small difference of logits.
    np.testing.assert_allclose(values, REFERENCE[name, options](real, fake), rtol=1e-4, atol=1e-6)


OF_CRITICS = [case for case in CASES if get_penalty(case.values[0]).discriminator]


@pytest.mark.parametrize(("name", "options"), OF_CRITICS)
def test_gradients_in_the_critics_parameters_are_those_of_finite_differences(name, options):
    """What trains the critic: the second derivative, through the gradient in the inputs."""
    with jax.enable_x64(True):
        real, fake = data(dtype=jnp.float64)
        params = np.random.default_rng(1).normal(size=(6, 4))
        penalty = PENALTIES[name](**dict(options))

        def total(params):
            critic = lambda x: jnp.tanh(x.reshape(x.shape[0], -1) @ params).sum(1)
            return apply(penalty, critic, real, fake, state_of(name, penalty))[0].sum()

        both = jax.jit(jax.value_and_grad(total))
        got = np.asarray(both(params)[1])
        assert np.abs(got).max() > 1e-3  # not cut
        for i, j in [(0, 0), (2, 1), (5, 3)]:
            shift = np.zeros((6, 4))
            shift[i, j] = 1e-6
            expected = float(both(params + shift)[0] - both(params - shift)[0]) / 2e-6
            np.testing.assert_allclose(got[i, j], expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_flat_critics_give_finite_gradients(name, options):
    """At gradient zero the norm has no derivative, and a plain root gives NaN; likewise where entries tie."""
    real, fake = data()
    penalty = PENALTIES[name](**dict(options))
    total = lambda slope: apply(penalty, linear(slope), real, fake, state_of(name, penalty))[0].sum()
    gradient = jax.jit(jax.grad(total))
    for slope in (np.zeros(6), np.full(6, 2.0), np.asarray([3.0, 0, -3, 0, 0, 0])):
        assert np.isfinite(gradient(slope.astype(np.float32))).all()


@pytest.mark.parametrize("name", PENALTIES)
def test_examples_are_independent_and_their_order_does_not_matter(name):
    """Every example has its own key: permuted with their keys, examples keep their values."""
    real, fake = data(6)
    penalty, order = PENALTIES[name](), np.asarray([3, 0, 5, 1, 4, 2])
    each, state = keys.per_example(KEY, 6), state_of(name, penalty)
    update = compiled(penalty, quadratic)
    values, after = update(real, fake, state, each)
    moved, moved_after = update(real[order], fake[order], state, each[order])
    np.testing.assert_allclose(moved, np.asarray(values)[order], rtol=1e-3, atol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), after, moved_after)


@pytest.mark.parametrize("name", PENALTIES)
def test_bfloat16_critics_are_penalised_in_float32(name):
    real, fake = data()
    penalty = PENALTIES[name]()
    low = lambda x: quadratic(x).astype(jnp.bfloat16)
    assert jax.eval_shape(compiled(penalty, low), real, fake, state_of(name, penalty))[0].dtype == jnp.float32


@functools.cache
def all_values(shape, n):
    """(reals, fakes, seed) -> two updates of every penalty: values, and slopes in the critic's parameter."""
    rows = lambda x: x.reshape(n, -1)

    @jax.jit
    def run(real, fake, seed):
        out = {}
        for name in PENALTIES:
            penalty = PENALTIES[name]()

            def total(a, state, penalty=penalty):
                critic = lambda x: jnp.tanh(a * rows(x).sum(1)) + a * jnp.square(rows(x)).mean(1)
                here = Scene(
                    real,
                    fake,
                    jnp.zeros((n, 2)),
                    critic,
                    lambda z: fake + z.sum(),
                    labels=label_of(real),
                    classify=classes_of(critic),
                )
                each = keys.per_example(quick(seed), n)
                values, state = own(penalty).value(state, here, each)
                return values.sum(), (values, state)

            state = start(penalty)
            for update in range(1 if isinstance(state, tuple) else 2):
                slope, (values, state) = jax.grad(total, has_aux=True)(0.7, state)
                out[name, update] = (values, slope)
        return out

    return run


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    form=st.sampled_from([(1, (2, 3)), (4, (1,)), (4, (9, 5, 2))]),
    scale=st.floats(0, 1e4) | st.sampled_from([0.0, 1e-30]),
    seed=st.integers(0, 1000),
)
def test_values_are_finite_and_not_negative(form, scale, seed):
    n, shape = form
    real, fake = scale * np.random.default_rng(seed).normal(size=(2, n, *shape)).astype(np.float32)
    for name, (values, slope) in all_values(shape, n)(real, fake, seed).items():
        assert values.shape == (n,), name
        assert np.isfinite(values).all(), name
        assert (np.asarray(values) >= 0).all(), name
        assert np.isfinite(slope), name


def test_gradient_penalty_of_a_linear_critic():
    real, fake = data()
    slope = jnp.asarray([3.0, 0, 4, 0, 0, 0])  # norm 5 everywhere
    of = lambda **options: apply(PENALTIES["gradient_penalty"](**options), linear(slope), real, fake)[0]
    np.testing.assert_allclose(of(), 16.0, rtol=1e-6)
    np.testing.assert_allclose(of(target=5.0), 0.0, atol=1e-6)
    np.testing.assert_allclose(of(one_sided=True), 16.0, rtol=1e-6)
    np.testing.assert_allclose(of(one_sided=True, target=6.0), 0.0)
    np.testing.assert_allclose(of(target=6.0), 1.0, rtol=1e-5)


def points_of(name, real, fake):
    """Where the gradient is taken, [batch, size]."""
    seen = []

    def critic(x):
        jax.debug.callback(lambda x: seen.append(np.asarray(x)), x)
        return quadratic(x)

    apply(PENALTIES[name](), critic, real, fake)
    jax.effects_barrier()
    return seen[0].reshape(len(real), -1)


@pytest.mark.parametrize("name", ["gradient_penalty", "lipschitz_penalty", "zero_centered"])
def test_interpolation_weight_is_one_an_example(name):
    """Over real = 1, fake = 0 a point is the weight itself, in every pixel."""
    points = points_of(name, jnp.ones((8, 4, 4, 1)), jnp.zeros((8, 4, 4, 1)))
    assert np.ptp(points, axis=1).max() == 0
    assert len(np.unique(points[:, 0])) == 8


def test_dragan_looks_within_half_a_deviation_of_reals_only():
    real, fake = data(200)
    points = points_of("dragan", real, fake)
    np.testing.assert_array_equal(points, points_of("dragan", real, 1e6 * fake))
    offset = (points - np.asarray(real).reshape(200, -1)) / (0.5 * np.std(real))
    assert offset.min() > -1e-6
    assert offset.max() < 1 + 1e-6
    assert np.ptp(offset, axis=1).min() > 0  # noise in every coordinate
    assert abs(offset.mean() - 0.25) < 0.02  # e u, both uniform
    # One e an example: the largest offsets of examples differ more than those of independent products.
    assert offset.max(1).std() > 0.2


@pytest.mark.parametrize("side", [1, 2])
def test_approximate_penalties_are_the_exact_ones_in_expectation(side):
    """Of D = 1/2 ||x||^2 in d dimensions: 1/2 (||x||^2 + sigma^2 d (d + 2) / 4), which is exact as sigma goes to 0."""
    of = lambda x, sigma, n: np.asarray(
        apply(
            PENALTIES[f"r{side}_approximate"](sigma=sigma),
            quadratic,
            *(jnp.repeat(y[None], n, 0) for y in x),
            key=quick(11),
        )[0]
    )
    x, n, d = tuple(y[0] for y in data()), 40_000, 6
    exact = 0.5 * float(jnp.square(x[side - 1]).sum())
    for sigma in (0.01, 1.0):
        values = of(x, sigma, n)
        expected = exact + sigma**2 * d * (d + 2) / 8
        assert abs(values.mean() - expected) < 4 * values.std() / n**0.5
        assert 4 * values.std() / n**0.5 < 0.05 * expected


def test_approximate_r1_is_that_of_published_code():
    """hse1032/GAT and ByteDance-Seed/Adversarial-Flow-Models: without our 1/2."""
    with jax.enable_x64(True):
        a, x, noise = (jnp.asarray(v) for v in ([0.5, -1.0, 2.0], [[1.0, 2.0, 0.5]], [[0.3, -0.7, 1.1]]))
        drawn = jnp.stack([jax.random.normal(key, (3,), x.dtype) for key in stream(x, 0)])
        # as if the noise that is drawn were that of the case
        critic = lambda points: ((x + (points - x) / drawn * noise) ** 2 * a).sum(1)
        values, _ = apply(PENALTIES["r1_approximate"](), critic, x, x)
        np.testing.assert_allclose(2 * values, 28.299740062499065, rtol=1e-9)


def test_approximate_penalties_need_no_second_derivative():
    """A critic whose gradient in its inputs is cut: the exact penalty is 0 there and the approximate one is not."""

    @jax.custom_vjp
    def critic(x):
        return quadratic(x)

    critic.defvjp(lambda x: (quadratic(x), x), lambda x, g: (jnp.zeros_like(x),))
    real, fake = data()
    assert not apply(PENALTIES["r1"](), critic, real, fake)[0].any()
    assert apply(PENALTIES["r1_approximate"](), critic, real, fake)[0].all()


def test_vector_logits_are_summed():
    real, fake = data()
    two = lambda x: jnp.stack([quadratic(x), quadratic(x)], 1)
    values = apply(PENALTIES["r1"](), two, real, fake)[0]
    np.testing.assert_allclose(values, 0.5 * (2 * norm(real)) ** 2, rtol=1e-5)
    values, once = (apply(PENALTIES["r1_approximate"](), d, real, fake)[0] for d in (two, quadratic))
    np.testing.assert_allclose(values, 4 * once, rtol=1e-5)


def test_norms_of_gradients_are_dual_to_those_of_inputs():
    """A linear critic's steepest slope over the unit ball of the q-norm is the p-norm of its gradient."""
    real, fake = data()
    slope = np.asarray([3.0, -1, 2, 0, 0.5, -4])
    for p, best in [(1.0, np.sign(slope)), (math.inf, np.asarray([0, 0, 0, 0, 0, -1.0]))]:
        penalty = PENALTIES["gradient_penalty"](order=p, target=float(slope @ best))
        np.testing.assert_allclose(apply(penalty, linear(slope), real, fake)[0], 0, atol=1e-9)
    largest = PENALTIES["gradient_penalty"](order=math.inf, target=0)
    first = lambda slope: apply(largest, linear(slope), real, fake)[0][0]
    tied = jax.grad(first)(jnp.asarray([2.0, -2, 1, 0, 0, 0]))
    np.testing.assert_allclose(tied, [2, -2, 0, 0, 0, 0], rtol=1e-6)  # 4 in all, shared by those that tie


def test_lecam_holds_reals_to_the_average_of_fakes_and_fakes_to_that_of_reals():
    """The state as NumPy has it: a decayed average, divided by the sum of its weights."""
    penalty, decay = PENALTIES["lecam"](decay=0.8, start=2), 0.8
    state, batches = start(penalty), []
    for step in range(5):
        real, fake = (1.0 + step) * data(4)[0], data(4)[1] - step
        weights = decay ** np.arange(len(batches))[::-1]
        means = np.asarray(batches).reshape(-1, 2)
        values, state = jax.jit(lambda s, r, f: apply(penalty, quadratic, r, f, state=s))(state, real, fake)
        if step < 2:
            assert not values.any()
        else:
            a_real, a_fake = weights @ means / weights.sum()
            expected = (half(real) - a_fake) ** 2 + (half(fake) - a_real) ** 2
            np.testing.assert_allclose(values, expected, rtol=1e-4)
        batches.append((half(real).mean(), half(fake).mean()))
    assert int(state["updates"]) == 5
    weights = decay ** np.arange(5)[::-1]
    expected = weights @ np.asarray(batches) / weights.sum()
    np.testing.assert_allclose([state["real"], state["fake"]], expected, rtol=1e-5)


def test_lecam_pulls_logits_to_the_averages_and_not_the_averages_to_logits():
    """The gradient of a logit is 2 (logit - average): none comes through what becomes the average."""
    penalty, (real, fake) = PENALTIES["lecam"](), data(1)

    def total(shift):
        values, state = apply(penalty, lambda x: quadratic(x) + shift, real, fake, state=STATES["lecam"])
        return values.sum() + 100 * (state["real"] + state["fake"])

    expected = 2 * (half(real) + 0.4) + 2 * (half(fake) - 0.7)
    np.testing.assert_allclose(jax.grad(total)(0.0), expected.sum(), rtol=1e-5)


def test_lecam_costs_nothing_before_there_is_an_average():
    penalty, (real, fake) = PENALTIES["lecam"](), data()
    values, state = apply(penalty, quadratic, real, fake, state=start(penalty))
    assert not values.any()
    np.testing.assert_allclose(
        [state["real"], state["fake"]], [half(real).mean(), half(fake).mean()], rtol=1e-6
    )
    assert apply(penalty, quadratic, real, fake, state=state)[0].all()


def test_lecam_averages_several_logits():
    real, fake = data()
    two = lambda x: jnp.stack([quadratic(x), 3 * quadratic(x)], 1)
    values, state = apply(PENALTIES["lecam"](), two, real, fake, state=STATES["lecam"])
    expected = (lecam(half(real), half(fake)) + lecam(3 * half(real), 3 * half(fake))) / 2
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    assert state["real"].shape == ()


def test_several_logits_are_compared_by_their_squared_distance():
    real, fake = data()
    two = lambda x: jnp.stack([quadratic(x), 3 * quadratic(x)], 1)
    for name, weight in [("consistency", 1), ("balanced_consistency", 1), ("latent_consistency", 5)]:
        once = apply(PENALTIES[name](), quadratic, real, fake)[0]
        assert weight * once.min() > 0
        np.testing.assert_allclose(apply(PENALTIES[name](), two, real, fake)[0], 10 * once, rtol=1e-4)


def test_the_generator_is_to_make_its_classes_plain():
    real, fake = data()
    term = PENALTIES["auxiliary_classifier"](generator_weight=0.1).generator
    values, _ = term.value((), scene(quadratic, real, fake), keys.per_example(KEY, 5))
    np.testing.assert_allclose(values, 0.1 * cross_entropy(half(fake), label_of(real)), rtol=1e-4)
    for missing, message in (
        ("labels", "expected data with class"),
        ("classify", "expected a discriminator"),
    ):
        with pytest.raises(InputError, match=f"auxiliary_classifier: {message}"):
            term.value((), scene(quadratic, real, fake)._replace(**{missing: None}), KEY)
    with pytest.raises(InputError, match="fake_weight: expected at least 0, got -1"):
        PENALTIES["auxiliary_classifier"](fake_weight=-1)


def test_gradients_flow_through_both_branches_of_consistency():
    """(D(x) - D(2x))^2 of D = a x: a^2 x^2, slope 2 a x^2; through one branch alone it would be -2 or 4."""
    x = jnp.ones((1, 1))
    penalty = PENALTIES["consistency"](augment=doubled)
    total = lambda a: apply(penalty, lambda x: a * x[:, 0], x, x)[0].sum()
    np.testing.assert_allclose(jax.grad(total)(1.0), 2.0)


def test_default_augmentation_mirrors_and_shifts_each_example_by_its_own_key():
    """Against all mirrored and shifted copies that NumPy makes of an image, padded by reflection."""
    x = jax.random.normal(quick(0), (300, 16, 9, 2))
    each = keys.per_example(KEY, 300)
    augment = jax.jit(flip_and_shift)
    moved = np.asarray(augment(each, x))
    padded = np.pad(np.asarray(x), ((0, 0), (2, 2), (1, 1), (0, 0)), "reflect")
    copies = [
        padded[:, i : i + 16, j : j + 9][:, :, ::step] for i in range(5) for j in range(3) for step in (1, -1)
    ]
    same = np.stack([(copy == moved).all((1, 2, 3)) for copy in copies])  # [copies, examples]
    assert (same.sum(0) == 1).all()
    assert same.any(1).all()
    assert same.sum(1).max() < 30  # of 10 expected each
    order = np.random.default_rng(0).permutation(300)
    np.testing.assert_array_equal(augment(each[order], x[order]), moved[order])
    small = jnp.ones((3, 7, 1, 1))  # less than 8 pixels: mirrored only
    np.testing.assert_array_equal(augment(each[:3], small), small)


def test_default_augmentation_of_points_adds_a_little_noise():
    x, each = jnp.zeros((2000, 2)), keys.per_example(KEY, 2000)
    noise = np.asarray(flip_and_shift(each, x))
    assert abs(noise.std() - 0.05) < 0.002
    assert abs(noise.mean()) < 0.004
    assert len(np.unique(noise)) > 0.99 * noise.size


def test_reals_and_fakes_are_augmented_independently():
    x = jax.random.normal(quick(0), (5, 6))
    same = apply(get_penalty("balanced_consistency"), quadratic, x, x)[0]
    one = apply(get_penalty("consistency"), quadratic, x, x)[0]
    assert (np.abs(same / one - 2) > 1e-3).all()


def test_latent_consistency_asks_the_generator_for_the_opposite():
    """The generator's term is minus the mean squared difference, differentiated through both fakes."""
    penalty, (_, fake) = get_penalty("latent_consistency", radius=0.2, generator_weight=3.0), data()
    assert penalty.discriminator.needs_latents
    assert penalty.generator.needs_latents

    def term(gain):
        fakes, mixing = gain * fake, jnp.asarray(MIXING, fake.dtype)
        other = lambda z: fakes + gain * (z @ mixing).reshape(fake.shape)
        here = Scene(fakes, fakes, jnp.zeros((5, LATENT_DIM)), quadratic, other)
        return penalty.generator.value((), here, keys.per_example(KEY, 5))[0]

    squared = np.square(neighbours(fake, 0.2) - np.asarray(fake)).reshape(5, -1).mean(1)
    np.testing.assert_allclose(term(1.0), -3 * squared, rtol=1e-4)
    np.testing.assert_allclose(jax.jacobian(term)(1.0), -6 * squared, rtol=1e-4)  # a square in the gain


@pytest.mark.parametrize("change", [lambda p: lazy(p, 2), lambda p: scheduled(p, lambda seen: 1 + seen, 5)])
def test_what_changes_a_penalty_changes_the_terms_of_both_players(change):
    """The generator's term too: every second update twice, or with the schedule's factor."""
    plain, changed = get_penalty("latent_consistency"), change(get_penalty("latent_consistency"))
    here, each = scene(quadratic, *data()), keys.per_example(KEY, 5)
    for before, after in zip(plain, changed, strict=True):
        assert after.needs_latents
        memory, seen = after.init(), []
        for _ in range(3):
            values, memory = after.value(memory, here, each)
            seen.append(values / before.value((), here, each)[0])
        factors = [2, 0, 2] if "inner" in memory and float(seen[1][0]) == 0 else [1, 6, 11]
        np.testing.assert_allclose(seen, np.outer(factors, np.ones(5)), rtol=1e-5)
        assert int(memory["count"]) == 3


def test_lazy_applies_one_update_in_k_with_k_times_the_weight():
    real, fake = data()
    penalty = lazy(PENALTIES["r1"](), 3)
    state, series = start(penalty), []
    update = jax.jit(lambda state: apply(penalty, quadratic, real, fake, state=state))
    for _ in range(6):
        values, state = update(state)
        series.append(values)
    plain = apply(PENALTIES["r1"](), quadratic, real, fake)[0]
    np.testing.assert_allclose(series[0], 3 * plain, rtol=1e-6)
    np.testing.assert_allclose(series[3], 3 * plain, rtol=1e-6)
    for skipped in (1, 2, 4, 5):
        assert not series[skipped].any()
    np.testing.assert_allclose(jnp.stack(series).mean(0), plain, rtol=1e-6)


def test_lazy_keeps_the_state_of_what_it_skips():
    count = lambda memory, scene, keys: (jnp.zeros(scene.reals.shape[0]), memory + 1)
    counting = Penalty(Term(lambda: jnp.zeros((), jnp.int32), count))
    penalty = lazy(counting, 2)
    state = start(penalty)
    for _ in range(5):
        _, state = apply(penalty, quadratic, *data(), state=state)
    assert int(state["inner"]) == 3
    assert lazy(counting, 1) is counting


def test_weights_follow_their_schedules():
    for kind, middle in [("linear", 1.25), ("cosine", 0.5 + (1 + math.cos(math.pi / 4)) / 2)]:
        schedule = weight_schedule(kind, 1.5, 0.5, 400)
        np.testing.assert_allclose(schedule(0), 1.5)
        np.testing.assert_allclose(schedule(100), middle, rtol=1e-6)
        np.testing.assert_allclose([schedule(400), schedule(10**9)], 0.5, rtol=1e-6)
        np.testing.assert_allclose(weight_schedule(kind, 0.0, 2.0, 10)(5), 1.0, rtol=1e-6)  # upwards too
    assert weight_schedule("constant", 3.0, 0.0, 10)(10**6) == 3.0


def series(penalty, updates=7):
    real, fake = data()
    step, state, seen = (
        jax.jit(lambda state: apply(penalty, quadratic, real, fake, state)),
        start(penalty),
        [],
    )
    for _ in range(updates):
        values, state = step(state)
        seen.append(values)
    return np.stack(seen), state


@pytest.mark.parametrize("name", ["r1", "lecam", "latent_consistency"])  # plain, stateful, of latents
def test_scheduled_multiplies_by_the_images_seen_and_commutes_with_lazy(name):
    penalty, schedule = PENALTIES[name](), weight_schedule("linear", 2.0, 0.0, 100)
    plain, inner = series(penalty)
    values, state = series(scheduled(penalty, schedule, 20))
    factors = np.asarray([2.0, 1.6, 1.2, 0.8, 0.4, 0, 0])
    np.testing.assert_allclose(values, factors[:, None] * plain, rtol=1e-5, atol=1e-5)
    assert int(state["count"]) == 7
    jax.tree.map(np.testing.assert_array_equal, state["inner"], inner)
    outside, _ = series(scheduled(lazy(penalty, 3), schedule, 20))
    inside, _ = series(lazy(scheduled(penalty, schedule, 60), 3))
    np.testing.assert_allclose(outside, inside, rtol=1e-5, atol=1e-5)
    assert not outside[[1, 2, 4, 5]].any()
    if name != "lecam":  # whose averages are other ones
        np.testing.assert_allclose(outside[3], 3 * factors[3] * plain[3], rtol=1e-5)


def test_counting_images_does_not_overflow():
    penalty = scheduled(PENALTIES["r1"](), weight_schedule("linear", 1.0, 0.0, 10**10), 1000)
    state = {"count": jnp.asarray(5 * 10**6, jnp.int32), "inner": ()}
    values, _ = apply(penalty, quadratic, *data(), state)
    np.testing.assert_allclose(values, 0.5 * half(data()[0]), rtol=1e-5)


def test_bad_input_is_named():
    with pytest.raises(
        InputError, match="unknown penalty 'r3'.*known: auxiliary_classifier, balanced_consistency"
    ):
        get_penalty("r3")
    for name, option, value, message in [
        ("gradient_penalty", "order", 0.5, "order: expected at least 1 .*, got 0.5"),
        ("lipschitz_penalty", "order", math.nan, "order: expected at least 1 .*, got nan"),
        ("lipschitz_penalty", "target", -1, "target: expected at least 0, got -1"),
        ("dragan", "scale", -0.5, "scale: expected at least 0, got -0.5"),
        ("r2_approximate", "sigma", 0.0, "sigma: expected a positive number, got 0.0"),
        ("lecam", "decay", 1.0, "decay: expected 0 <= decay < 1, got 1.0"),
        ("lecam", "start", -1, "start: expected at least 0 updates, got -1"),
        ("balanced_consistency", "fake_weight", -1.0, "fake_weight: expected at least 0, got -1.0"),
        ("latent_consistency", "radius", -1.0, "radius: expected at least 0, got -1.0"),
    ]:
        with pytest.raises(InputError, match=message):
            get_penalty(name, **{option: value})
    with pytest.raises(InputError, match="unknown schedule 'cosin'; did you mean 'cosine'"):
        weight_schedule("cosin", 1.0, 0.0, 10)
    with pytest.raises(InputError, match="images: expected at least 1, got 0"):
        weight_schedule("linear", 1.0, 0.0, 0)
    with pytest.raises(InputError, match="images_per_update: expected at least 1 image, got 0"):
        scheduled(get_penalty("r1"), lambda images: 1.0, 0)
    with pytest.raises(InputError, match="target: expected at least 0, got -1"):
        get_penalty("gradient_penalty", target=-1)
    with pytest.raises(InputError, match="every: expected at least 1 update, got 0"):
        lazy(get_penalty("r1"), 0)


# --- path lengths in styles --------------------------------------------------------------------------


def through_styles(matrix, n, layers, shape, *, seen=None):
    """A scene whose generator is the matrix [pixels, size] applied to the sum of an example's styles."""
    size = matrix.shape[1]
    latents = jnp.asarray(np.random.default_rng(1).normal(size=(n, size)), jnp.float32)

    def styles(z):
        if seen is not None:
            seen.append(z)
        make = lambda ws: (ws.sum(1) @ matrix.T).reshape(len(ws), *shape)
        return jnp.repeat(z[:, None], layers, axis=1), make

    fakes = jnp.zeros((n, *shape))
    return Scene(fakes, fakes, latents, quadratic, lambda z: fakes, styles)


def directions(n, shape):
    """What the penalty draws for each example, before it is divided by the root of the number of pixels."""
    return np.stack([jax.random.normal(key, shape) for key in stream(jnp.zeros(n), 0)])


def test_path_lengths_in_styles_against_the_reference():
    """The reference's noise stands in the rows of the generator's matrix, in place of what is drawn."""
    given, expected = case("path_length_linear", "stylegan")
    shape = (2, 2, 1)
    rows = np.asarray(given["noise"]) / directions(1, shape).reshape(-1)
    matrix = jnp.asarray(np.asarray(given["W_pixels_by_w"]) * rows[:, None], jnp.float32)
    here = through_styles(matrix, 1, given["num_ws"], shape)
    term = get_penalty("path_length", decay=given["decay"]).generator
    values, average = term.value(term.init(), here, keys.per_example(KEY, 1))
    np.testing.assert_allclose(average, expected["pl_mean"], rtol=1e-5)
    np.testing.assert_allclose(given["weight"] * values, [expected["penalty"]], rtol=1e-5)
    np.testing.assert_allclose(jnp.sqrt(values) + average, [expected["length"]], rtol=1e-5)


def test_a_share_of_the_examples_stands_for_all():
    shape, seen = (2, 2, 1), []
    matrix = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3)), jnp.float32)
    here = through_styles(matrix, 6, 2, shape, seen=seen)
    term = get_penalty("path_length", shrink=2).generator
    values, average = term.value(term.init(), here, keys.per_example(KEY, 6))
    np.testing.assert_array_equal(seen[0], here.latents[::2])
    # The gradient is the same in both layers, so that the mean over them is that of one.
    slopes = directions(6, shape).reshape(6, 4)[::2] / 2 @ np.asarray(matrix)
    expected = np.linalg.norm(slopes, axis=1)
    np.testing.assert_allclose(average, 0.01 * expected.mean(), rtol=1e-5)
    np.testing.assert_allclose(values, np.repeat((expected - 0.01 * expected.mean()) ** 2, 2), rtol=1e-5)
    with pytest.raises(InputError, match="shrink: expected a divisor of the 6 examples, got 4"):
        get_penalty("path_length", shrink=4).generator.value(term.init(), here, keys.per_example(KEY, 6))
    with pytest.raises(InputError, match="shrink: expected at least 1"):
        get_penalty("path_length", shrink=0)
