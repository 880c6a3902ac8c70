"""Penalties that are updates of their own, and averages that are counted in images."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toys import Gain, Line, Smooth, game, points, smooth

from jaxgan import InputError, init, make_step
from jaxgan.common.keys import quick
from jaxgan.games import half_life_schedule
from jaxgan.penalties import get_penalty


def steps(gan, n, batch=None):
    batch = batch or points(6, 1)
    state, step, found = init(gan, quick(0), batch), jax.jit(make_step(gan)), []
    for _ in range(n):
        state, metrics = step(state, batch)
        found.append((state, {name: float(value) for name, value in metrics.items()}))
    return found


def r1_alone(weight, every):
    """Only the penalty moves the critic D(x) = psi x + b: R1 is psi^2 / 2."""
    return game(
        "wasserstein",
        (Gain(), Line()),
        g_rate=0.0,
        d_rate=0.1,
        penalties={"r1": (weight, get_penalty("r1"))},
        own_turns={"r1": every},
    )


def test_an_own_turn_moves_after_the_players_own_by_k_times_the_weight():
    gan = r1_alone(0.5, 3)
    assert [(turn.name, turn.every) for turn in gan.turns] == [("d", 1), ("d_r1", 3), ("g", 1)]
    batch = points(6, 1)
    before = init(gan, quick(0), batch)
    psi = float(before.players["discriminator"].params["Dense_0"]["kernel"][0, 0])
    z_mean = lambda state: state.players["discriminator"].params["Dense_0"]["kernel"][0, 0]
    plain = game("wasserstein", (Gain(), Line()), g_rate=0.0, d_rate=0.1)
    after_d = float(z_mean(steps(plain, 1, batch)[0][0]))
    (state, metrics), (_, second), *_ = steps(gan, 4, batch)
    np.testing.assert_allclose(z_mean(state), after_d - 0.1 * 3 * 0.5 * after_d, rtol=1e-5)
    assert metrics["d_r1/r1"] == pytest.approx(
        3 * 0.5 * after_d**2, rel=1e-5
    )  # so that the mean over steps is right
    assert second["d_r1/r1"] == second["d_r1/grad_norm"] == 0
    assert "d/r1" not in metrics
    assert psi != after_d


def test_only_one_in_k_steps_is_taken_and_each_player_has_its_own():
    gan = smooth(
        penalties={
            "r1": (1.0, get_penalty("r1")),
            "path_length": (1.0, get_penalty("path_length", shrink=2)),
        },
        own_turns={"r1": 2, "path_length": 3},
    )
    assert [turn.name for turn in gan.turns] == ["d", "d_r1", "g", "g_path_length"]
    draws = [turn.draw for turn in gan.turns]
    assert len({draws[1], draws[3], *draws[::2]}) == 4 - (draws[0] == draws[2])
    found = [metrics for _, metrics in steps(gan, 6, points(6, 2))]
    assert [m["d_r1/loss"] != 0 for m in found] == [True, False] * 3
    assert [m["g_path_length/loss"] != 0 for m in found] == [True, False, False] * 2


def test_what_does_not_go_together_is_told():
    r1 = {"r1": (1.0, get_penalty("r1"))}
    with pytest.raises(InputError, match="unknown penalty 'r2'; did you mean 'r1'"):
        game(players=(Gain(), Line()), penalties=r1, own_turns={"r2": 2})
    for moves in ({"unroll": 1}, {"consensus": 0.1}):
        with pytest.raises(
            InputError, match="own_turns: expected none with unrolling or consensus, .* got r1"
        ):
            game(players=(Gain(), Line()), penalties=r1, own_turns={"r1": 2}, **moves)
    with pytest.raises(InputError, match="one turn a player with simultaneous updates"):
        game(players=(Gain(), Line()), penalties=r1, own_turns={"r1": 2}, updates="simultaneous")
    with pytest.raises(InputError, match="expected turn 'd_r1' every step or less, got every=0"):
        game(players=(Gain(), Line()), penalties=r1, own_turns={"r1": 0})


def test_averages_by_images_against_the_reference():
    """training_loop.py of StyleGAN2-ADA: 64 images a step, 500,000 and 0.05, after 1,000,000 images."""
    decay = half_life_schedule(lambda seen: 500_000, 64, 0.05)
    np.testing.assert_allclose(decay(1_000_000 / 64), 0.9991131650796176, rtol=1e-7)
    assert float(decay(0)) == 0
    np.testing.assert_allclose(decay(10**6), 0.5 ** (64 / 500_000), rtol=1e-7)
    steady = half_life_schedule(lambda seen: 1000, 10)
    np.testing.assert_allclose([float(steady(s)) ** 100 for s in (0, 7)], [0.5, 0.5], rtol=1e-5)
    with pytest.raises(InputError, match="images: expected"):
        half_life_schedule(lambda seen: 1000, 0)


def test_the_average_forgets_half_in_its_half_life():
    gan = game(
        players=(Gain(), Smooth(1)),
        g_rate=0.0,
        ema_decay=half_life_schedule(lambda seen: 24, 6),
        options={"d_optimizer": optax.sgd(0.0)},
    )
    batch = points(6, 1)
    state, step = init(gan, quick(0), batch), jax.jit(make_step(gan))
    far = jax.tree.map(lambda p: p + 1.0, state.players["generator"].average)
    players = state.players | {"generator": state.players["generator"].replace(average=far)}
    state = state.replace(players=players)
    for _ in range(4):  # 24 images
        state, _ = step(state, batch)
    player = state.players["generator"]
    apart = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), player.average["params"], player.params)
    assert jax.tree.leaves(apart) == pytest.approx([0.5])
