"""One step of adversarial training, for every game, as a pure function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp
import optax

from jaxgan.common.errors import InputError
from jaxgan.games.axis import Axis
from jaxgan.games.game import Batch, Game, GameState, Metrics, PyTree, Turn
from jaxgan.games.moves import every_turn
from jaxgan.games.view import Deal, View

Step = Callable[..., tuple[GameState, Metrics]]


def make_step(game: Game) -> Step:
    """The training step of `game`: (state, batch) -> (state, metrics), pure and ready for jit.

    A step plays every turn of the game once, in order, as `game.moves` says. Its batch is a dict of named arrays
    [examples, ...], of which each turn sees its own. Metrics are scalars, "<turn>/<name>": all that
    objectives report, "<turn>/loss" and "<turn>/grad_norm"; those of turns that share a name are averaged.

    The returned function takes `axis_name` to run under a mapped axis (pmap, shard_map): every device then
    draws its own share of the batch's random numbers, and gradients, statistics, memory and metrics are averaged.

    Raises:
      ValueError: when traced, for a batch that the turns cannot share.
    """
    round_of_turns = every_turn(game, play)

    def step(state: GameState, batch: Batch, *, axis_name: str | None = None) -> tuple[GameState, Metrics]:
        game.check(batch)
        deal = Deal(dict(batch), jax.random.fold_in(state.key, state.step), Axis(axis_name))
        state, metrics = round_of_turns(state, deal)
        players = {
            name: game.players[name].followed(player, state.step) for name, player in state.players.items()
        }
        return replace(state, step=state.step + 1, players=players), deal.axis.mean(metrics)

    return step


def play(game: Game, turn: Turn, state: GameState, at: GameState, deal: Deal) -> tuple[GameState, Metrics]:
    """`turn`, played by the players of `state`, who move by the gradients found where `at` stands."""

    def objective(params: dict[str, PyTree]) -> tuple[jax.Array, tuple[PyTree, PyTree, Metrics]]:
        view = View(game, turn, at, params, deal)
        value = turn.objective(view)
        if jnp.shape(value) != ():
            raise InputError(
                f"turn {turn.name!r}: expected its objective to return one number, such as a mean, got an array of "
                f"shape {jnp.shape(value)}"
            )
        loss = view.log("loss", value)
        return loss, (view.stats, view.written(), view.metrics)

    moving = {name: at.players[name].params for name in turn.movers}
    grads, (stats, written, metrics) = jax.grad(objective, has_aux=True)(moving)
    grads, stats, written = deal.axis.mean((grads, stats, written))
    moved = {name: game.players[name].moved(state.players[name], grads[name], stats[name]) for name in moving}
    metrics = {
        f"{turn.name}/{name}": value
        for name, value in (metrics | {"grad_norm": optax.tree.norm(grads)}).items()
    }
    return replace(state, players=state.players | moved, memory=state.memory | written), metrics
