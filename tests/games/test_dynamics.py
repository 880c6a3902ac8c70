"""Each option of the dynamics against hand-made steps and finite differences, and on any devices."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import stream_keys
from jax.flatten_util import ravel_pytree
from toys import (
    Gain,
    H,
    Line,
    Slope,
    Smooth,
    compiled,
    floats,
    game,
    in_float64,
    latents,
    penalised,
    points,
    smooth,
    zeros,
)

from jaxgan import InputError, compile_step, init, make_mesh, make_step
from jaxgan.augment.seen import flipped, noisy, packed
from jaxgan.common import keys
from jaxgan.common.keys import quick
from jaxgan.games.gan import mean_of_best
from jaxgan.games.optimizers import OPTIMIZERS, clip_weights
from jaxgan.losses import Loss
from jaxgan.penalties import get_penalty, lazy

# --- each option by hand ---


def test_simultaneous_generators_answer_the_old_discriminator():
    """And in an extragradient step both are judged by the trial opponent, on the same latents as before."""
    real, rate = points(4, 1), 0.1
    new = {}
    for updates in ("alternating", "simultaneous", "extragradient"):
        gan = game(players=(Gain(), Slope()), g_rate=rate, d_rate=rate, updates=updates)
        state = init(gan, quick(0), real)
        new[updates] = jax.jit(make_step(gan))(state, real)[0]
    z, fresh, x = 2 * latents(state, 0, 4).mean(), 2 * latents(state, 1, 4).mean(), real["image"].mean()
    a = {"alternating": 1 + rate * (1 + rate * (x - z)) * fresh, "simultaneous": 1 + rate * fresh}
    a["extragradient"] = a["alternating"]  # the trial discriminator
    b = {"alternating": 1 + rate * (x - z), "simultaneous": 1 + rate * (x - z)}
    b["extragradient"] = 1 + rate * (x - a["simultaneous"] * z)
    for updates, state in new.items():
        np.testing.assert_allclose(state.players["generator"].params["a"], a[updates], rtol=1e-5)
        np.testing.assert_allclose(state.players["discriminator"].params["psi"], b[updates], rtol=1e-5)


def test_a_penalty_has_one_state_in_both_halves_of_an_extragradient_step():
    """A lazy R1 that is due is due in the trial and after it, and counts once."""
    gan = game(updates="extragradient", options={"penalties": {"r1": (1.0, lazy(get_penalty("r1"), 2))}})
    state, step, seen = init(gan, quick(0), zeros()), compiled(make_step(gan)), []
    for _ in range(4):
        state, metrics = step(state, zeros())
        seen.append(float(metrics["d/r1"]) > 0)
    assert seen == [True, False, True, False]
    assert int(state.memory["d/r1"]["count"]) == 4


def logistic_losses(gan, real, z, weight):
    """Of both players as functions of both parameters: non-saturating, R1; written anew."""
    d = lambda params, x: gan.players["discriminator"].module.apply({"params": params}, x)
    g = lambda params: gan.players["generator"].module.apply({"params": params}, z)
    slope = lambda params: jax.vmap(jax.grad(lambda x: d(params, x[None])[0]))(real)

    def d_loss(g_params, d_params):
        entropy = jnp.log1p(jnp.exp(-d(d_params, real))) + jnp.log1p(jnp.exp(d(d_params, g(g_params))))
        return entropy.mean() + weight * 0.5 * jnp.square(slope(d_params)).sum(1).mean()

    return lambda g_params, d_params: jnp.log1p(jnp.exp(-d(d_params, g(g_params)))).mean(), d_loss


def check_slopes(function, tree, slopes, size=1e-4):
    """`slopes` against finite differences of fourth order of `function` along random directions.

    Up to 1e-7 of their size: the latents are float32, and rounded as each program pleases.
    """
    x, unravel = ravel_pytree(tree)
    function, rounding = compiled(function), 1e-7 * np.linalg.norm(slopes)
    for direction in np.random.default_rng(0).normal(size=(3, x.size)):
        rise = lambda h: function(unravel(x + h * direction)) - function(unravel(x - h * direction))  # noqa: B023
        expected = (8 * rise(size) - rise(2 * size)) / (12 * size)
        np.testing.assert_allclose(slopes @ direction, expected, rtol=1e-6, atol=rounding)


def moved(old, new):
    return np.asarray(ravel_pytree(old.params)[0] - ravel_pytree(new.params)[0])


@pytest.mark.parametrize("k", [1, 2])
def test_unrolled_generators_descend_the_objective_after_k_updates(k):
    """Finite differences of it in float64, with D's momentum going on from where it is."""
    with jax.enable_x64(True):
        real, d_optimizer = points(), optax.sgd(0.25, momentum=0.5)
        gan = smooth(unroll=k, options=penalised("r1", 0.5, d_optimizer=d_optimizer))
        state = in_float64(init(gan, quick(0), real))
        new, _ = compiled(make_step(gan))(state, real)
        g_loss, d_loss = logistic_losses(gan, real["image"].astype(float), latents(state, 1, 6, 3), 0.5)

        def unrolled(g_params, k):
            d_params = new.players["discriminator"].params
            trace = new.players["discriminator"].opt_state[0].trace
            for _ in range(k):
                slope = jax.grad(d_loss, 1)(g_params, d_params)
                trace = jax.tree.map(lambda m, s: 0.5 * m + s, trace, slope)
                d_params = jax.tree.map(lambda p, m: p - 0.25 * m, d_params, trace)
            return g_loss(g_params, d_params)

        got = moved(state.players["generator"], new.players["generator"])
        check_slopes(lambda p: unrolled(p, k), state.players["generator"].params, got)
        other = ravel_pytree(jax.grad(unrolled)(state.players["generator"].params, k - 1))[0]
        assert np.abs(got - other).max() > 1e-3


@pytest.mark.parametrize("name", [*OPTIMIZERS, "clipped"])
def test_every_optimiser_can_be_unrolled(name):
    """Also where a gradient is exactly 0, as of the bias of a relativistic discriminator: no NaN from roots."""
    optimizer = OPTIMIZERS["sgd" if name == "clipped" else name](0.01, 0.5, 0.9, 1e-8)
    if name == "clipped":
        optimizer = optax.chain(optimizer, clip_weights(0.5))
    options = {"d_optimizer": optimizer}
    gan = game("relativistic_paired", (Gain(), Line()), unroll=2, options=options)
    state = init(gan, quick(0), points(4, 1))
    new, metrics = jax.jit(make_step(gan))(state, points(4, 1))
    assert np.isfinite(metrics["g/grad_norm"])
    assert np.isfinite(new.players["generator"].params["a"])


def test_consensus_is_the_gradient_of_half_the_squared_field():
    with jax.enable_x64(True):
        real, new = points(), {}
        for gamma in (0.0, 0.7):
            options = penalised("r1", 0.5, reuse_fakes=True, d_optimizer=optax.sgd(1.0))
            gan = smooth(updates="simultaneous", consensus=gamma, options=options)
            state = in_float64(init(gan, quick(0), real))
            new[gamma] = compiled(make_step(gan))(state, real)[0]
        g_loss, d_loss = logistic_losses(gan, real["image"].astype(float), latents(state, 0, 6, 3), 0.5)

        def half_square(params):
            field = (jax.grad(g_loss, 0)(*params), jax.grad(d_loss, 1)(*params))
            return 0.5 * jnp.square(ravel_pytree(field)[0]).sum()

        got = [
            moved(new[0.0].players[side], new[0.7].players[side]) for side in ("generator", "discriminator")
        ]
        params = (state.players["generator"].params, state.players["discriminator"].params)
        check_slopes(lambda p: 0.7 * half_square(p), params, np.concatenate(got))
        assert min(np.abs(half).max() for half in got) > 1e-2


def test_top_k_keeps_the_highest_logits():
    for n, share, kept in [
        (13, 7 / 13, 7),
        (8, 0.5, 4),
        (8, 0.51, 5),
        (8, 1e-9, 1),
        (8, 0.0, 1),
        (8, 1.0, 8),
    ]:
        logits = np.random.default_rng(n).permutation(n).astype(np.float32)
        values = np.exp2(-np.arange(n, dtype=np.float32))
        got = mean_of_best(jnp.asarray(values), jnp.asarray(logits), jnp.float32(share))
        np.testing.assert_allclose(got, values[np.argsort(-logits)[:kept]].mean(), rtol=1e-6)
    slopes = jax.grad(lambda v: mean_of_best(v, jnp.zeros(6), jnp.float32(0.5)))(jnp.arange(6.0))
    np.testing.assert_allclose(np.sort(slopes), [0, 0, 0, 1 / 3, 1 / 3, 1 / 3], rtol=1e-6)  # ties
    features = jnp.asarray([[0.0, 9.0], [5.0, 5.0]])  # k logits count by their mean
    np.testing.assert_allclose(mean_of_best(jnp.asarray([1.0, 2.0]), features, jnp.float32(0.5)), 2.0)


def test_generators_learn_from_the_top_k_as_scheduled():
    gan, real = game(players=(Gain(), Slope()), top_k=lambda step: 1 - 0.4 * step), points(5, 1)
    state = init(gan, quick(0), real).replace(step=jnp.ones((), jnp.int32))
    new, _ = jax.jit(make_step(gan))(state, real)
    psi, fresh = new.players["discriminator"].params["psi"], latents(state, 1, 5)[:, 0]
    best = np.sort(2 * psi * fresh)[-3:]  # ceil(0.6 * 5) of the highest logits
    np.testing.assert_allclose(new.players["generator"].params["a"], 1 + H * best.mean(), rtol=1e-5)


def test_flipped_labels_exchange_the_roles():
    real, state, new = points(4, 1), None, {}
    for probability in (0.0, 1 - 1e-7):
        gan = game(players=(Gain(), Slope()), label_flip=probability)
        state = init(gan, quick(0), real)
        new[probability] = jax.jit(make_step(gan))(state, real)[0]
    gap = H * (real["image"].mean() - 2 * latents(state, 0, 4).mean())
    for (_, after), sign in zip(new.items(), (1, -1), strict=True):
        psi = 1 + sign * gap
        np.testing.assert_allclose(after.players["discriminator"].params["psi"], psi, rtol=1e-5)
        expected = 1 + H * psi * 2 * latents(state, 1, 4).mean()  # the generator's own labels stay
        np.testing.assert_allclose(after.players["generator"].params["a"], expected, rtol=1e-5)
    each = keys.per_example(quick(1), 20000)
    reals, fakes = flipped(jnp.zeros((20000, 2)), jnp.ones((20000, 2)), 0.3, each)
    np.testing.assert_array_equal(reals + fakes, 1)
    np.testing.assert_array_equal(reals[:, 0], reals[:, 1])
    assert abs(float(reals.mean()) - 0.3) < 0.012


def test_instance_noise_has_the_scheduled_size_and_is_drawn_anew_for_every_side():
    n, sigma = 4096, lambda step: 0.6 - 0.1 * step
    reals, fakes, both = lambda r, f: r * r, lambda r, f: f * f, lambda r, f: r * f
    for step, size in [(2, 0.4), (6, 0.0)]:
        for loss in [Loss(reals, both), Loss(fakes, reals), Loss(both, fakes)]:
            frozen = {"loss": loss, "d_optimizer": optax.sgd(0.0)}
            gan = game(instance_noise=sigma, options=frozen)
            state = init(gan, quick(0), zeros(n)).replace(step=jnp.int32(step))
            theta = jax.tree.map(jnp.zeros_like, state.players["generator"].params)
            generator = state.players["generator"].replace(params=theta)
            start = state.replace(players=state.players | {"generator": generator})
            _, metrics = jax.jit(make_step(gan))(start, zeros(n))
            for value, product in zip((metrics["d/adversarial"], metrics["g/loss"]), loss[:2], strict=True):
                assert abs(float(value) - (0 if product is both else size**2)) <= 0.1 * size**2
    each = keys.per_example(quick(2), 5)
    x, order = points(5)["image"], np.asarray([3, 1, 4, 0, 2])
    np.testing.assert_array_equal(noisy(x, 0.5, each)[order], noisy(x[order], 0.5, each[order]))


def test_packs_join_neighbours():
    x = jnp.arange(24.0).reshape(4, 3, 2)
    pair = packed(x, 2)
    assert pair.shape == (2, 3, 4)
    np.testing.assert_array_equal(pair[1], np.concatenate([x[2], x[3]], -1))
    np.testing.assert_array_equal(packed(jnp.repeat(x, 3, 0), 3), np.tile(x, 3))
    np.testing.assert_array_equal(packed(x, 1), x)
    np.testing.assert_array_equal(packed(x[:, 0], 4), x[:, 0].reshape(1, 8))


def test_one_logit_judges_a_pack_and_penalties_act_on_it():
    """r1 of D(x) = psi (x_1 + x_2) is psi^2 = 1, twice that of single examples."""
    shapes = []
    spy = lambda r, f: (shapes.append((r.shape, f.shape)), f - r)[1]
    options = penalised("r1", loss=Loss(spy, spy))
    gan, real = game(players=(Gain(), Slope()), pack=2, options=options), points(6, 1)
    state = init(gan, quick(0), real)
    _, metrics = jax.jit(make_step(gan))(state, real)
    assert set(shapes) == {((3,), (3,))}
    np.testing.assert_allclose(metrics["d/r1"], 1.0, rtol=1e-6)
    np.testing.assert_allclose(metrics["d/real_logits"], 2 * real["image"].mean(), rtol=1e-5)


def test_lookahead_goes_back_every_k_steps():
    """Slow weights in the state; between, and within, the steps are those of the same game without it."""
    options, real = {"d_optimizer": optax.sgd(0.3, momentum=0.5)}, points(4, 1)
    gan = game("hinge", (Gain(), Slope()), lookahead=(3, 0.25), options=options)
    step = compile_step(traced := counted(gan))
    plain = compiled(make_step(game("hinge", (Gain(), Slope()), options=options)))
    params = lambda s: {name: player.params for name, player in s.players.items()}
    state = init(gan, quick(0), real)
    slow = jax.tree.map(np.asarray, params(state))
    for i in range(7):
        expected = plain(state, real)[0]
        fast = params(expected)
        if i % 3 == 2:
            slow = fast = jax.tree.map(lambda s, f: s + np.float32(0.25) * (f - s), slow, fast)
        memory = jax.tree.map(np.asarray, expected.players["discriminator"].opt_state)
        state, _ = step(state, real)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), params(state), fast)
        same = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
        jax.tree.map(same, state.memory["lookahead"], slow)
        jax.tree.map(same, state.players["discriminator"].opt_state, memory)
    assert traced.count == 1


def counted(gan):
    """The step of `gan`, which counts how often it is traced."""

    def step(state, batch, **axis):
        step.count += 1
        return make_step(gan)(state, batch, **axis)

    step.count = 0
    return step


def test_clipped_critics_stay_in_range():
    clipped = optax.chain(optax.rmsprop(0.05), clip_weights(0.1))
    gan = smooth(options={"d_optimizer": clipped})
    state, step = init(gan, quick(0), points()), compiled(make_step(gan))
    largest = lambda: max(
        float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(state.players["discriminator"].params)
    )
    assert largest() > 0.2
    for _ in range(3):
        state, _ = step(state, points())
        assert largest() == np.float32(0.1)


def test_latent_consistency_asks_something_of_both_players():
    """Against autodiff of each player's whole loss, with the penalty's draws made here."""
    with jax.enable_x64(True):
        real, weight = points(), 2.0
        zcr = get_penalty("latent_consistency", radius=0.5, discriminator_weight=3.0, generator_weight=0.7)
        options = {"penalties": {"zcr": (weight, zcr)}, "d_optimizer": optax.sgd(1.0)}
        gan = smooth(options=options)
        state = in_float64(init(gan, quick(0), real))
        new, metrics = compiled(make_step(gan))(state, real)

        def dz(draw, stream):
            each = jax.vmap(lambda key: jax.random.fold_in(key, 0))(stream_keys(state, draw, stream, 6))
            return 0.5 * jax.vmap(lambda key: jax.random.normal(key, (3,)))(each)

        g = lambda params, z: gan.players["generator"].module.apply({"params": params}, z)
        d = lambda params, x: gan.players["discriminator"].module.apply({"params": params}, x)

        def d_total(params):
            z = latents(state, 0, 6, 3)
            fake, other = (
                d(params, g(state.players["generator"].params, z)) for z in (z, z + dz(0, "d/zcr"))
            )
            entropy = jnp.log1p(jnp.exp(-d(params, real["image"]))) + jnp.log1p(jnp.exp(fake))
            return (entropy + weight * 3.0 * (fake - other) ** 2).mean()

        def g_total(params):
            z = latents(state, 1, 6, 3)
            fake, other = g(params, z), g(params, z + dz(1, "g/zcr"))
            entropy = jnp.log1p(jnp.exp(-d(new.players["discriminator"].params, fake)))
            return (entropy - weight * 0.7 * ((fake - other) ** 2).mean(1)).mean()

        for player, after, total in [
            (state.players["discriminator"], new.players["discriminator"], d_total),
            (state.players["generator"], new.players["generator"], g_total),
        ]:
            expected = ravel_pytree(jax.grad(total)(player.params))[0]
            np.testing.assert_allclose(moved(player, after), expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(metrics["g/loss"], g_total(state.players["generator"].params), rtol=1e-9)


# --- all together, and on any devices ---

GAMES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "consensus, unrolled": (
        "relativistic_average",
        {
            **{"consensus": 0.1, "label_flip": 0.3, "lookahead": (2, 0.5)},
            **{"unroll": 1, "top_k": lambda step: 0.3},
        },
        {},
    ),
    "extragradient": (
        "dual_contrastive",
        {"updates": "extragradient", "pack": 2, "instance_noise": lambda step: 0.3 - 0.1 * step},
        penalised("r1", 0.3),
    ),
    "features": ("mmd_rbf", {"updates": "simultaneous"}, {}),
}


@pytest.mark.parametrize("name", GAMES)
def test_devices_do_not_change_the_trajectory(name):
    loss, dynamics, options = GAMES[name]
    players = (Smooth(2, norm=True), Smooth(1) if "consensus" in name else Line())
    gan = game(loss, players, 0.1, 0.1, 3, options, **dynamics)
    batches = [jax.tree.map(np.asarray, points(16, seed=i)) for i in range(3)]
    ends = []
    for devices, how in [(1, "jit"), (4, "pmap")] + [(4, "jit")] * (name == "extragradient"):
        mesh = make_mesh(jax.devices()) if devices > 1 else None
        state = init(gan, quick(0), batches[0], mesh)
        step, history = compile_step(make_step(gan), mesh, how=how), []
        for real in batches:
            state, metrics = step(state, real)
            history.append(metrics)
        kept = (state.players, state.memory, history)
        ends.append(jax.tree.map(np.asarray, kept))
    for end in ends[1:]:
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), end, ends[0])


def test_all_options_at_once():
    """Finite, one trace, nothing between host and device, and a state of arrays that stays as it is."""
    adam = OPTIMIZERS["optimistic_adam"](0.01, 0.5, 0.9, 1e-3)
    options = {
        "g_optimizer": adam,
        "d_optimizer": adam,
        "penalties": {"r1": (0.3, lazy(get_penalty("r1"), 2))},
    }
    players = (Smooth(2), Smooth(1))
    every = {"pack": 2} | GAMES["consensus, unrolled"][1] | {"instance_noise": lambda step: 0.1}
    every |= {"top_k": lambda step: 1 - 0.2 * step}
    gan = game("relativistic_average", players, dim=3, options=options, **every)
    step, real = compiled(traced := counted(gan)), jax.device_put(points(16))
    state = init(gan, quick(0), real)
    shapes = jax.tree.map(lambda x: (x.shape, x.dtype), state)
    before = np.asarray(ravel_pytree(state.players["generator"].params)[0])
    for i in range(3):
        with jax.transfer_guard("disallow" if i else "allow"):
            state, metrics = step(state, real)
    assert all(np.isfinite(value) for value in metrics.values())
    assert all(np.isfinite(leaf).all() for leaf in floats(state))
    assert np.abs(np.asarray(ravel_pytree(state.players["generator"].params)[0]) - before).max() > 1e-3
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(state))
    assert jax.tree.map(lambda x: (x.shape, x.dtype), state) == shapes
    assert traced.count == 1


# --- bad input ---


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"updates": "simultanous"}, "unknown updates 'simultanous'; did you mean 'simultaneous'"),
        ({"unroll": -1}, "unroll: expected at least 0 updates, got -1"),
        ({"unroll": 1, "updates": "extragradient"}, "unroll: expected 0 with extragradient updates"),
        ({"pack": 0}, "pack: expected at least 1, got 0"),
        ({"label_flip": 1.0}, "label_flip: expected 0 <= label_flip < 1, got 1.0"),
        ({"label_flip": -0.1}, "label_flip: expected 0 <= label_flip < 1"),
        ({"consensus": -1}, "consensus: expected at least 0, got -1"),
        ({"consensus": float("nan")}, "consensus: expected at least 0, got nan"),
        ({"lookahead": (0, 0.5)}, "lookahead: expected k >= 1 and 0 < alpha <= 1, got"),
        ({"lookahead": (5, 0.0)}, "lookahead: expected k >= 1 and 0 < alpha <= 1, got"),
    ],
)
def test_bad_dynamics_are_named(options, message):
    with pytest.raises(InputError, match=message):
        game(**options)


def test_what_does_not_go_together_is_named():
    for updates in ("simultaneous", "extragradient"):
        with pytest.raises(InputError, match=f"d_steps: expected 1 with {updates} updates, got 2"):
            game(updates=updates, options={"d_steps": 2})
    with pytest.raises(InputError, match="penalties: none that needs latents goes with pack, got pack = 2"):
        game(pack=2, options=penalised("latent_consistency"))
    gan = game(pack=4, options={"d_steps": 2})
    state = init(gan, quick(0), zeros(8))
    with pytest.raises(InputError, match="batch: expected a multiple of pack=4 examples .*, got 6"):
        make_step(gan)(state, zeros(12))
