"""A compiled step: what it does with its state, and what it says of a wrong argument."""

import chex
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import Game, InputError, Player, Turn, compile_step, init, make_mesh, make_step
from jaxgan.common.keys import quick
from jaxgan.models import MLPConfig

BATCH = {"image": jnp.ones((4, 2))}


def game(objective=lambda view: view("generator", view.batch["image"]).mean(), memory=None):
    generator, _ = MLPConfig(g_widths=(3,), d_widths=(3,)).build((2,), 0)
    return Game(
        players={"generator": Player(generator, optax.sgd(0.1))},
        turns=(Turn("g", ("generator",), objective),),
        inputs=lambda batch: {"generator": (batch["image"],)},
        memory=memory or {},
    )


@pytest.mark.parametrize("mesh", [False, True])
def test_a_state_can_be_used_again_unless_it_is_donated(mesh):
    gan, devices = game(), make_mesh() if mesh else None
    state = init(gan, quick(0), BATCH, devices)
    step = compile_step(make_step(gan), devices)
    first, second = step(state, BATCH)[0], step(state, BATCH)[0]
    chex.assert_trees_all_equal(first.players, second.players)
    consuming = compile_step(make_step(gan), devices, donate=True)
    third, _ = consuming(state, BATCH)
    chex.assert_trees_all_close(third.players, first.players, rtol=1e-6)
    with pytest.raises(
        InputError, match=r"^state: expected the newest one, .* consumed, .*donate=True"
    ) as error:
        consuming(state, BATCH)
    assert "\n" not in str(error.value)


def test_what_is_mixed_up_is_named_in_one_line():
    gan = game()
    step, state = make_step(gan), init(gan, quick(0), BATCH)
    with pytest.raises(InputError, match=r"got a Game; write compile_step\(make_step\(game\)\)$"):
        compile_step(gan)
    with pytest.raises(InputError, match=r"^step: expected a function as of make_step, got a GameState$"):
        compile_step(state)
    with pytest.raises(InputError, match=r"^game: expected a Game, got a function; a step is compiled by"):
        make_step(step)
    with pytest.raises(InputError, match=r"^state: expected a GameState, got a dict; init makes one"):
        compile_step(step)(BATCH, state)
    with pytest.raises(InputError, match=r"^donate: expected False with how='pmap', got True$"):
        compile_step(step, how="pmap", donate=True)


def test_a_turn_that_changes_what_it_remembers_is_named():
    def grows(view):
        view.memory["seen"] = jnp.zeros(3)
        return view("generator", view.batch["image"]).mean()

    gan = game(grows, {"seen": lambda: jnp.zeros(2)})
    with pytest.raises(InputError, match=r"^memory: expected arrays of the same names, shapes and types"):
        make_step(gan)(init(gan, quick(0), BATCH), BATCH)


def test_a_step_is_traced_once():
    gan = game()
    chex.clear_trace_counter()  # which knows functions by their names
    step = compile_step(chex.assert_max_traces(make_step(gan), n=1))
    state = init(gan, quick(0), BATCH)
    for _ in range(3):
        state, metrics = step(state, BATCH)
    assert np.isfinite(metrics["g/loss"])
