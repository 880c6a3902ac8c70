"""Every entry of LOSSES, by law: values against NumPy, the laws of jaxgan.laws, and what is special to some."""

import functools
import inspect
import itertools

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
from helpers import ALL

from jaxgan import InputError
from jaxgan.common.keys import quick
from jaxgan.losses import LOSSES, Loss, divergences, find_loss, get_loss, laws
from jaxgan.losses.divergences import DIVERGENCES

softplus = lambda x: np.logaddexp(x, 0.0)
relu = lambda x: np.maximum(x, 0.0)
LOG2 = np.log(2)


def average(cost_as_real_and_fake):
    return lambda r, f: cost_as_real_and_fake(r - f.mean(0), f - r.mean(0))


def continued(term, limit=20.0):
    """`term` within +-limit, its tangent (by differences) beyond: the convention of the f-GAN family."""

    def value(v):
        inside = np.clip(v, -limit, limit)
        slope = (term(inside + 1e-6) - term(inside - 1e-6)) / 2e-6
        return term(inside) + slope * (v - inside)

    return value


def variational(activation, conjugate, limit=20.0):
    g, f_star = continued(activation, limit), continued(conjugate, limit)
    return lambda r, f: -g(r) + f_star(f), lambda r, f: -f_star(f)


def pair_sums(kernel):
    """E k(x, x') + E k(y, y') - 2 E k(x, y), example by example, with plain loops."""

    def values(r, f):
        n = len(r)
        k = lambda a, b: kernel(float(np.sum((a - b) ** 2)))
        rows = []
        for i in range(n):
            others = [j for j in range(n) if j != i]
            within = sum(k(r[i], r[j]) + k(f[i], f[j]) for j in others) / max(n - 1, 1)
            rows.append(within - sum(k(r[i], f[j]) + k(r[j], f[i]) for j in range(n)) / n)
        return np.asarray(rows)

    return values


def zero_sum(values):
    return lambda r, f: -values(r, f), values


def repulsive(kernel):
    def within(x):
        n, k = len(x), lambda a, b: kernel(float(np.sum((a - b) ** 2)))
        return np.asarray([sum(k(x[i], x[j]) for j in range(n) if j != i) / max(n - 1, 1) for i in range(n)])

    return lambda r, f: within(r) - within(f), pair_sums(kernel)


def sinkhorn(r, f, epsilon=1.0, iterations=30):
    """Log-domain Sinkhorn with SciPy, written down again."""
    r, f = (x.reshape(len(x), -1) for x in (r, f))

    def dual(x, y):
        cost = ((x[:, None] - y[None]) ** 2).sum(-1)
        soft = lambda c, g: (
            -epsilon * (scipy.special.logsumexp((g[None] - c) / epsilon, axis=1) - np.log(len(g)))
        )
        a, b = np.zeros(len(x)), np.zeros(len(y))
        for _ in range(iterations):
            a, b = 0.5 * (a + soft(cost, b)), 0.5 * (b + soft(cost.T, a))
        return soft(cost, b), soft(cost.T, a)

    (a, b), xx, yy = dual(r, f), dual(r, r), dual(f, f)
    return a + b - sum(xx) / 2 - sum(yy) / 2


def contrastive(r, f):
    real = np.log1p(np.exp(f[None] - r[:, None]).sum(1)) if np.abs(r).max() < 50 else None
    if real is None:  # the same in logs
        real = softplus(scipy.special.logsumexp(f, axis=0) - r)
        return real + softplus(f + scipy.special.logsumexp(-r, axis=0))
    return real + np.log1p(np.exp(f[:, None] - r[None]).sum(1))


rbf = lambda squared: sum(np.exp(-squared / (2 * s * s)) for s in (1, 2, 4, 8, 16))
rq = lambda squared: sum((1 + squared / (2 * a)) ** -a for a in (0.2, 0.5, 1, 2, 5))
ra_logistic = lambda s: average(lambda r, f: softplus(-r) + s * r + softplus(f))

# The formulas of the papers in NumPy: name, options -> (discriminator, generator). A new entry of
# LOSSES fails the tests until its formula stands here.
REFERENCE = {
    ("minimax", ()): (lambda r, f: softplus(-r) + softplus(f), lambda r, f: -softplus(f)),
    ("minimax", (("label_smoothing", 0.1),)): (
        lambda r, f: 0.9 * softplus(-r) + 0.1 * softplus(r) + softplus(f),
        lambda r, f: -softplus(f),
    ),
    ("non_saturating", ()): (lambda r, f: softplus(-r) + softplus(f), lambda r, f: softplus(-f)),
    ("non_saturating", (("label_smoothing", 0.25),)): (
        lambda r, f: 0.75 * softplus(-r) + 0.25 * softplus(r) + softplus(f),
        lambda r, f: softplus(-f),
    ),
    ("least_squares", ()): (lambda r, f: 0.5 * (r - 1) ** 2 + 0.5 * f**2, lambda r, f: 0.5 * (f - 1) ** 2),
    ("least_squares", (("fake_target", -2.0), ("generator_target", 0.5))): (
        lambda r, f: 0.5 * (r - 1) ** 2 + 0.5 * (f + 2) ** 2,
        lambda r, f: 0.5 * (f - 0.5) ** 2,
    ),
    ("least_squares", (("label_smoothing", 0.1),)): (
        lambda r, f: 0.5 * (r - 0.9) ** 2 + 0.5 * f**2,
        lambda r, f: 0.5 * (f - 1) ** 2,
    ),
    ("least_squares", (("fake_target", -2.0), ("label_smoothing", 0.1), ("real_target", 3.0))): (
        lambda r, f: 0.5 * (r - 2.5) ** 2 + 0.5 * (f + 2) ** 2,  # a tenth of the way from 3 to -2
        lambda r, f: 0.5 * (f - 1) ** 2,
    ),
    ("pearson_least_squares", ()): (
        lambda r, f: 0.5 * (r - 1) ** 2 + 0.5 * (f + 1) ** 2,
        lambda r, f: 0.5 * f**2,
    ),
    ("pearson_least_squares", (("label_smoothing", 0.1),)): (
        lambda r, f: 0.5 * (r - 0.8) ** 2 + 0.5 * (f + 1) ** 2,
        lambda r, f: 0.5 * f**2,
    ),
    ("wasserstein", ()): (lambda r, f: f - r, lambda r, f: -f),
    ("hinge", ()): (lambda r, f: relu(1 - r) + relu(1 + f), lambda r, f: -f),
    ("geometric", (("margin", 2.0), ("slack", 3.0))): (
        lambda r, f: 3 * (relu(2 - r) + relu(2 + f)),
        lambda r, f: -f,
    ),
    ("relativistic_paired", ()): (lambda r, f: softplus(f - r), lambda r, f: softplus(r - f)),
    ("relativistic_paired", (("label_smoothing", 0.1),)): (
        lambda r, f: 0.9 * softplus(f - r) + 0.1 * softplus(r - f),
        lambda r, f: softplus(r - f),
    ),
    ("relativistic_paired_hinge", ()): (lambda r, f: relu(1 - r + f), lambda r, f: relu(1 - f + r)),
    ("relativistic_paired_least_squares", ()): (
        lambda r, f: 0.5 * (r - f - 1) ** 2,
        lambda r, f: 0.5 * (f - r - 1) ** 2,
    ),
    ("relativistic_average", ()): (ra_logistic(0), average(lambda r, f: softplus(r) + softplus(-f))),
    ("relativistic_average", (("label_smoothing", 0.2),)): (
        ra_logistic(0.2),
        average(lambda r, f: softplus(r) + softplus(-f)),
    ),
    ("relativistic_average_hinge", ()): (
        average(lambda r, f: relu(1 - r) + relu(1 + f)),
        average(lambda r, f: relu(1 + r) + relu(1 - f)),
    ),
    ("relativistic_average_least_squares", ()): (
        average(lambda r, f: 0.5 * (r - 1) ** 2 + 0.5 * (f + 1) ** 2),
        average(lambda r, f: 0.5 * (r + 1) ** 2 + 0.5 * (f - 1) ** 2),
    ),
    ("f_kl", ()): variational(lambda v: v, lambda v: np.exp(v - 1)),
    ("f_kl", (("non_saturating", True),)): (
        variational(lambda v: v, lambda v: np.exp(v - 1))[0],
        lambda r, f: -f,
    ),
    ("f_reverse_kl", ()): variational(lambda v: -np.exp(-v), lambda v: -1 - np.log(np.exp(-v))),
    ("f_pearson", ()): variational(lambda v: v, lambda v: v**2 / 4 + v, 1e9),
    ("f_neyman", ()): variational(lambda v: 1 - np.exp(-v), lambda v: 2 - 2 * np.sqrt(np.exp(-v))),
    ("f_hellinger", ()): variational(lambda v: 1 - np.exp(-v), lambda v: (1 - np.exp(-v)) / np.exp(-v)),
    ("f_jensen_shannon", ()): variational(lambda v: LOG2 - softplus(-v), lambda v: softplus(v) - LOG2),
    ("f_total_variation", ()): variational(lambda v: np.tanh(v) / 2, lambda v: np.tanh(v) / 2),
    ("f_alpha", ()): variational(lambda v: -2 * (np.exp(-0.5 * v) - 1), lambda v: 2 * (np.exp(0.5 * v) - 1)),
    ("f_alpha", (("alpha", -1.0),)): variational(
        lambda v: (np.exp(-2 * v) - 1) / -2, lambda v: -(np.exp(-v) - 1), limit=10.0
    ),
    ("energy", ()): zero_sum(pair_sums(lambda squared: -np.sqrt(squared))),
    ("mmd_rbf", ()): zero_sum(pair_sums(rbf)),
    ("mmd_rq", ()): zero_sum(pair_sums(rq)),
    ("mmd_repulsive", ()): repulsive(rbf),
    ("sinkhorn", ()): zero_sum(sinkhorn),
    ("dual_contrastive", ()): (contrastive, lambda r, f: -contrastive(r, f)),
}
CASES = [pytest.param(*key, id=f"{key[0]}{dict(key[1]) or ''}") for key in REFERENCE]
PLAYERS = ("discriminator", "generator")


def test_every_loss_has_a_reference():
    assert {name for name, _ in REFERENCE} == set(LOSSES)


USUAL = np.random.default_rng(0).normal(0, 2, (2, 20))
EXTREME = np.asarray(list(itertools.product((-1e4, 0, 1e4), repeat=2))).T
loss_of = functools.cache(lambda name: LOSSES[name]())  # what is compiled for it serves all tests


@functools.cache
def values_of(name, options):
    """Of both players at usual and at extreme logits."""
    players = LOSSES[name](**dict(options))[:2]
    every = jax.jit(lambda given: [[player(*logits) for logits in given] for player in players])
    return every([tuple(logits.astype(np.float32)) for logits in (USUAL, EXTREME)])


@pytest.mark.parametrize("player", [0, 1], ids=PLAYERS)
@pytest.mark.parametrize(("name", "options"), CASES)
def test_values_are_those_of_the_formula(name, options, player):
    expected = np.broadcast_to(REFERENCE[name, options][player](*USUAL), (20,))
    got = values_of(name, options)[player][0]
    assert got.shape == (20,)
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, expected, rtol=3e-5, atol=1e-5)


@pytest.mark.parametrize("player", [0, 1], ids=PLAYERS)
@pytest.mark.parametrize(("name", "options"), CASES)
def test_extreme_logits_give_the_values_of_the_formula(name, options, player):
    expected = np.broadcast_to(REFERENCE[name, options][player](*EXTREME), (9,))
    got = values_of(name, options)[player][1]
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4 * max(1.0, np.abs(expected).max() * 1e-2))


@pytest.mark.parametrize("law", laws.LAWS)
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_obeys_every_law(name, law):
    """One test a law and loss: finite differences, extremes, invariances, duality, optimal critic."""
    loss = loss_of(name)
    assert loss.claim is not None, "state the divergence behind the loss, or Claim('none')"
    if law in loss.exempt:
        assert law in inspect.getdoc(LOSSES[name]), "an exemption wants its reason in the docstring"
        pytest.skip("exempt")
    try:
        laws.LAWS[law](loss)
    except laws.Skipped as skipped:
        assert law in ("shift", "duality", "optimum", "threshold")
        if law == "threshold":
            assert loss.threshold is None
        if law == "duality":
            assert loss.claim.divergence == "none"
        pytest.skip(str(skipped))


# Nothing but these may leave a law out: an exemption cannot slip in unseen.
def test_exemptions():
    exempt = {name: build().exempt for name, build in LOSSES.items() if build().exempt}
    assert exempt == {"mmd_repulsive": ("gap",), "dual_contrastive": ("batch_size",)}
    none = {name for name, build in LOSSES.items() if build().claim.divergence == "none"}
    assert none == {
        "relativistic_paired_hinge",
        "relativistic_average",
        "relativistic_average_hinge",
        "dual_contrastive",
    }


@pytest.mark.parametrize("options", [{"alpha": -1.0}, {"alpha": 0.7}, {"alpha": 2.0}])
def test_duality_of_other_alphas(options):
    laws.duality_law(LOSSES["f_alpha"](**options))
    laws.optimum_law(LOSSES["f_alpha"](**options))


def test_duality_of_other_options():
    laws.duality_law(LOSSES["least_squares"](fake_target=-2.0, real_target=1.5, generator_target=0.3))
    laws.duality_law(LOSSES["geometric"](margin=2.0, slack=0.5))
    laws.duality_law(LOSSES["sinkhorn"](epsilon=3.0))
    assert LOSSES["minimax"](label_smoothing=0.1).claim is None  # smoothed targets void it


def test_f_alpha_stays_finite_for_steep_alphas_and_pearson_is_bounded():
    far = np.asarray([-1e4, 1e4], np.float32)
    both = lambda half: lambda v: (half(v, v[::-1]), jax.grad(lambda v: half(v, v).sum())(v))
    every = jax.jit(lambda v: [both(half)(v) for half in LOSSES["f_alpha"](alpha=6.0)[:2]])(far)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(every))
    pearson = LOSSES["f_pearson"]().discriminator  # where p = 20 q the best logit is 38, and not infinity
    cost = jax.jit(lambda v: 20 * pearson(v[None], jnp.zeros(1))[0] + pearson(jnp.zeros(1), v[None])[0])
    cost = lambda v, compiled=cost: float(compiled(np.float32(v)))
    assert cost(38.0) == pytest.approx(-361, rel=1e-4)
    assert cost(30.0) > cost(38.0) < cost(50.0) < cost(1e3) < cost(1e5)


def test_closed_forms_agree_with_scipy_and_with_each_other():
    p, q = np.random.default_rng(0).dirichlet(np.ones(6), 2)
    assert divergences.kl(p, q) == pytest.approx(scipy.stats.entropy(p, q))
    assert divergences.reverse_kl(p, q) == pytest.approx(scipy.stats.entropy(q, p))
    js = np.square(scipy.spatial.distance.jensenshannon(p, q))
    assert divergences.jensen_shannon(p, q) == pytest.approx(js)
    assert divergences.total_variation(p, q) == pytest.approx(np.abs(p - q).sum() / 2)
    alpha = divergences.alpha_divergence
    assert alpha(p, q, 0.5) == pytest.approx(2 * divergences.squared_hellinger(p, q))
    assert alpha(p, q, 2.0) == pytest.approx(divergences.pearson(p, q) / 2)
    assert alpha(p, q, -1.0) == pytest.approx(divergences.neyman(p, q) / 2)
    assert alpha(p, q, 1 + 1e-6) == pytest.approx(divergences.kl(p, q), rel=1e-4)
    assert divergences.triangular(p, q) == pytest.approx(2 * divergences.pearson(p, (p + q) / 2))
    for value in DIVERGENCES.values():
        assert value(p, p) == pytest.approx(0, abs=1e-12)
        assert value(p, q) > 0


def test_least_squares_of_pearson_at_its_optimum():
    """1/2 E_p (D - c)^2 + 1/2 E_q (D - c)^2 is half the triangular discrimination (Mao et al. 2017, eq. 11)."""
    for (p, q), (table, _) in zip(
        laws.PAIRS, laws.best_critics(loss_of("pearson_least_squares")), strict=True
    ):
        p, q = np.asarray(p) / sum(p), np.asarray(q) / sum(q)
        value = 0.5 * (p * table**2).sum() + 0.5 * (q * table**2).sum()
        assert value == pytest.approx(divergences.triangular(p, q) / 2, abs=1e-6)


def test_generators_descend_their_divergence():
    """At the optimal critic, G's loss as a function of q has the slope of what the papers say.

    For zero-sum losses it is the divergence itself (an envelope theorem); for the non-saturating one
    it is KL(q || p) - 2 JSD (Arjovsky, Bottou 2017, theorem 2.5).
    """
    p, q = np.asarray([4, 3, 2, 2, 1]) / 12, np.asarray([1, 2, 2, 3, 4]) / 12
    direction = np.asarray([1.0, 0.5, 0.0, -0.5, -1.0])
    slope = lambda value: (value(p, q + 1e-6 * direction) - value(p, q - 1e-6 * direction)) / 2e-6
    js, kl = divergences.jensen_shannon, divergences.kl
    expected = {
        "minimax": slope(lambda p, q: 2 * js(p, q)),
        "non_saturating": slope(lambda p, q: kl(q, p) - 2 * js(p, q)),
        "f_kl": slope(kl),
        "f_reverse_kl": slope(divergences.reverse_kl),
        "f_pearson": slope(divergences.pearson),
        "f_neyman": slope(divergences.neyman),
        "f_hellinger": slope(divergences.squared_hellinger),
        "f_jensen_shannon": slope(lambda p, q: 2 * js(p, q)),
    }
    for name, value in expected.items():
        table = laws.best_critics(loss_of(name))[0][0]
        costs = np.asarray(jax.jit(LOSSES[name]().generator)(np.zeros(5, np.float32), np.float32(table)))
        assert (costs * direction).sum() == pytest.approx(value, rel=1e-4), name


def test_sinkhorn_tends_to_transport_and_to_means():
    x, y = np.random.default_rng(1).normal(size=(2, 8, 1)) + np.asarray([[[0.0]], [[1.0]]])
    value = lambda **options: float(
        np.mean(jax.jit(LOSSES["sinkhorn"](**options).generator)(np.float32(x), np.float32(y)))
    )
    transport = np.mean((np.sort(x[:, 0]) - np.sort(y[:, 0])) ** 2)  # sorted points are optimal on a line
    assert value(epsilon=0.02, iterations=2000) == pytest.approx(transport, rel=0.02)
    assert value(epsilon=1e4) == pytest.approx(float((x.mean() - y.mean()) ** 2), rel=1e-2)


def test_pair_sums_do_not_depend_on_the_batch_in_expectation():
    """Against the population values: energy distance of two normals, from SciPy on large samples."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(0, 1, (4000, 6)), rng.normal(1, 1, (4000, 6))
    mean = jax.jit(jax.vmap(lambda r, f: LOSSES["energy"]().generator(r, f).mean()))
    small = np.asarray(mean(np.float32(x), np.float32(y)))
    population = scipy.stats.energy_distance(x.ravel(), y.ravel()) ** 2
    assert abs(small.mean() - population) < 4 * small.std() / np.sqrt(len(small))


def test_minimax_is_zero_sum_in_the_fakes_and_non_saturating_is_not():
    r, f = np.float32([0, 0, 0]), np.float32([-8, 0, 8])
    slope = lambda name, player: np.asarray(
        jax.jit(jax.grad(lambda f: LOSSES[name]()[player](r, f).sum()))(f)
    )
    np.testing.assert_allclose(slope("minimax", 0), -slope("minimax", 1))
    # where the discriminator wins (fake logit -8) the minimax generator has no gradient left
    assert abs(slope("minimax", 1)[0]) < 1e-3
    assert abs(slope("non_saturating", 1)[0] + 1) < 1e-3


@pytest.mark.parametrize("name", ["hinge", "relativistic_paired_hinge", "relativistic_average_hinge"])
def test_no_gradient_on_a_margin(name):
    """Exactly on it: the kink's gradient is 0, not 1/2."""
    gap = 0.5 if "relativistic" in name else 1.0
    r, f = np.float32([gap]), np.float32([-gap])
    slopes = jax.jit(jax.grad(lambda r, f: LOSSES[name]().discriminator(r, f).sum(), (0, 1)))
    for gradient in slopes(r, f):
        assert gradient == 0


def functions_of(loss):
    return [f for f in (loss.discriminator, loss.generator, loss.accuracy) if f is not None]


@pytest.mark.parametrize("name", LOSSES)
def test_bfloat16_is_computed_in_float32(name):
    given = jax.ShapeDtypeStruct((6, 5), jnp.bfloat16)
    for player in functions_of(LOSSES[name]()):
        low = jax.eval_shape(player, given, given)
        assert low.dtype == jnp.float32
        assert low.shape == (6,)


@pytest.mark.parametrize("name", [n for n in LOSSES if not LOSSES[n]().of_features])
def test_vector_logits_are_averaged(name):
    r, f = np.random.default_rng(1).normal(size=(2, 6, 5)).astype(np.float32)
    players = functions_of(LOSSES[name]())
    each = lambda player, r, f: jax.vmap(player, 1, 1)(r, f).mean(1)
    both = jax.jit(lambda r, f: [(player(r, f), each(player, r, f)) for player in players])
    for got, expected in both(r, f):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["energy", "mmd_rbf", "mmd_rq", "mmd_repulsive", "sinkhorn"])
def test_features_are_one_vector(name):
    """A rotation of feature space changes nothing, and one logit is a vector of one."""
    r, f = np.random.default_rng(3).normal(size=(2, 6, 3)).astype(np.float32)
    rotation = scipy.stats.special_ortho_group.rvs(3, random_state=0).astype(np.float32)

    @jax.jit
    def every(r, f):
        whole = jnp.stack([r @ rotation, r]), jnp.stack([f @ rotation, f])
        given = (r[:, :1], f[:, :1]), (r[:, 0], f[:, 0])
        return [
            (jax.vmap(player)(*whole), *(player(*pair) for pair in given)) for player in LOSSES[name]()[:2]
        ]

    for (turned, plain), one, logit in every(r, f):
        np.testing.assert_allclose(turned, plain, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(one, logit, rtol=1e-6)


@hypothesis.settings(max_examples=60 if ALL else 20, deadline=None, derandomize=True)
@hypothesis.given(
    name=st.sampled_from(sorted(name for name, build in LOSSES.items() if ALL or build().compares)),
    shape=st.sampled_from([(1,), (2,), (5,), (3, 2)]),
    scale=st.sampled_from([0.0, 1e-3, 1.0, 30.0, 1e3]),
    seed=st.integers(0, 2**16),
)
def test_any_shape_and_scale(name, shape, scale, seed):
    """Finite values and gradients, one an example, and the order of examples does not matter.

    Of those that compare examples: what each of the others makes of a single one the laws try.
    """
    loss = _jitted(name)
    r, f = np.random.default_rng(seed).normal(0, 1, (2, *shape)).astype(np.float32) * np.float32(scale)
    order = np.random.default_rng(seed).permutation(shape[0])
    for player in loss:
        values, slopes = player(r, f)
        assert values.shape == shape[:1]
        assert np.isfinite(values).all()
        assert all(np.isfinite(slope).all() for slope in slopes)
        again = player(r[order], f[order])[0]
        np.testing.assert_allclose(
            again, values[order], rtol=1e-3, atol=1e-3 * max(1.0, np.abs(values).max())
        )


_cache = {}


def _jitted(name):
    if name not in _cache:
        both = lambda half: jax.jit(
            lambda r, f: (half(r, f), jax.grad(lambda r, f: half(r, f).mean(), (0, 1))(r, f))
        )
        _cache[name] = [both(half) for half in LOSSES[name]()[:2]]
    return _cache[name]


def test_accuracy_counts_logits_on_their_side():
    r, f = jnp.asarray([2.0, -1.0, 0.7]), jnp.asarray([-2.0, -3.0, 0.6])
    np.testing.assert_allclose(LOSSES["hinge"]().accuracy(r, f), [1.0, 0.5, 0.5])
    np.testing.assert_allclose(LOSSES["least_squares"]().accuracy(r, f), [1.0, 0.5, 0.5])
    np.testing.assert_allclose(LOSSES["relativistic_paired"]().accuracy(r, f), [1.0, 1.0, 1.0])
    np.testing.assert_allclose(LOSSES["f_kl"]().accuracy(r, f), [1.0, 0.5, 0.5])  # equal odds lie at 1
    np.testing.assert_allclose(LOSSES["relativistic_average"]().accuracy(r, f), [1.0, 1.0, 0.5])
    assert LOSSES["wasserstein"]().accuracy is None
    own = Loss(lambda r, f: f - r, lambda r, f: -f, threshold=0.65)
    np.testing.assert_allclose(own.accuracy(r, f), [1.0, 0.5, 1.0])


@pytest.mark.parametrize(("name", "options"), CASES)
def test_what_a_loss_says_of_its_logits_holds_with_any_options(name, options):
    loss = LOSSES[name](**dict(options))
    assert "compared" in laws.comparison_law(loss) if loss.compares else laws.comparison_law(loss)
    assert loss.of_features == (name in ("energy", "mmd_rbf", "mmd_rq", "mmd_repulsive", "sinkhorn"))
    assert loss.compares == (
        loss.of_features or name.startswith("relativistic") or name == "dual_contrastive"
    )
    assert (loss.threshold is None) == (loss.compares or name == "wasserstein")
    if loss.threshold is not None:
        laws.threshold_law(loss)


def test_a_smoothed_target_moves_the_threshold():
    """Where half of all examples are real, D = (1 - s) / 2 is the best of all constants."""
    smoothed = LOSSES["non_saturating"](label_smoothing=0.2)
    assert jax.nn.sigmoid(smoothed.threshold) == pytest.approx(0.4)
    traced = jax.jit(lambda s: LOSSES["non_saturating"](label_smoothing=s).threshold)(0.2)
    assert traced == pytest.approx(smoothed.threshold)
    assert LOSSES["least_squares"](label_smoothing=0.2).threshold == pytest.approx(0.4)
    assert LOSSES["pearson_least_squares"](label_smoothing=0.2).threshold == pytest.approx(-0.2)
    other = LOSSES["least_squares"](fake_target=-2.0, real_target=3.0, label_smoothing=0.2)
    assert other.threshold == pytest.approx(0.0)  # halfway from -2 to 2


def test_bad_input_is_named():
    with pytest.raises(InputError, match=r"real_logits and fake_logits.*\(3,\) and \(2,\)"):
        LOSSES["hinge"]().discriminator(jnp.zeros(3), jnp.zeros(2))
    with pytest.raises(InputError, match=r"real_logits and fake_logits.*\(3,\) and \(2,\)"):
        LOSSES["energy"]().generator(jnp.zeros(3), jnp.zeros(2))
    for name, options, message in [
        ("minimax", {"label_smoothing": 1.5}, "label_smoothing: expected 0 <= label_smoothing < 1, got 1.5"),
        (
            "least_squares",
            {"real_target": -1.0},
            "real_target: expected more than fake_target = 0.0, got -1.0",
        ),
        ("geometric", {"margin": 0}, "margin: expected a positive number, got 0"),
        ("f_alpha", {"alpha": 1}, "alpha: expected any number but 0 and 1 .*, got 1"),
        ("mmd_rbf", {"sigmas": (1.0, -1.0)}, "sigmas: expected positive numbers"),
        ("mmd_rq", {"alphas": ()}, "alphas: expected positive numbers"),
        ("sinkhorn", {"epsilon": 0}, "epsilon: expected a positive number, got 0"),
        ("sinkhorn", {"iterations": 0}, "iterations: expected at least 1, got 0"),
    ]:
        with pytest.raises(InputError, match=message):
            get_loss(name, **options)
    with pytest.raises(InputError, match="unknown loss 'hing'; did you mean 'hinge'"):
        get_loss("hing")


def test_a_new_loss_is_one_pair():
    """The five lines of README.md ("Your own loss")."""
    bce = Loss(
        discriminator=lambda real, fake: jax.nn.softplus(-real) + jax.nn.softplus(fake),
        generator=lambda real, fake: jax.nn.softplus(-fake),
    )
    r, f = jax.random.normal(quick(3), (2, 7))
    for ours, theirs in zip(LOSSES["non_saturating"]()[:2], bce[:2], strict=True):
        np.testing.assert_allclose(ours(r, f), theirs(r, f), rtol=1e-6)
    assert find_loss("non_saturating") is LOSSES["non_saturating"]
