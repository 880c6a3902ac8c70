"""One step of adversarial training, for every game, as a pure function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import jax
import optax

from jaxgan.games.axis import Axis
from jaxgan.games.game import Batch, Game, GameState, Metrics, PyTree, Turn
from jaxgan.games.kinds import check_made, check_same, check_scalar
from jaxgan.games.moves import every_turn
from jaxgan.games.parts import gradient, parts_of
from jaxgan.games.view import Deal, View

Step = Callable[..., tuple[GameState, Metrics]]


def make_step(game: Game, microbatches: int = 1) -> Step:
    """The training step of `game`: (state, batch) -> (state, metrics), pure and ready for jit.

    A step plays every turn of the game once, in order, as `game.moves` says. Its batch is a dict of named arrays
    [examples, ...], of which each turn sees its own. Metrics are scalars, "<turn>/<name>": all that
    objectives report, "<turn>/loss" and "<turn>/grad_norm"; those of turns that share a name are averaged.

    With `microbatches` every turn's examples are taken in so many parts, one after the other, and gradients,
    statistics, memory and metrics are averaged over them: the same to rounding, in the space of a part, unless networks
    normalise by the batch (`parts.inexact`). Where the loss compares examples, each part is computed once more.

    The returned function takes `axis_name` to run under a mapped axis (pmap, shard_map): every device then
    draws its own share of the batch's random numbers, and gradients, statistics, memory and metrics are averaged.

    Raises:
      ValueError: for what is no game; when traced, for a batch that the turns cannot share, or a turn that changes the
        shape or type of what it leaves.
    """
    check_made("game", game, Game, "; a step is compiled by compile_step" if callable(game) else "")
    round_of_turns = every_turn(game, play)

    def step(state: GameState, batch: Batch, *, axis_name: str | None = None) -> tuple[GameState, Metrics]:
        check_made("state", state, GameState, "; init makes one")
        game.check(batch)
        axis, examples = Axis(axis_name), next(iter(batch.values())).shape[0]
        parts = parts_of(game, examples, microbatches, axis.size)
        deal = Deal(dict(batch), jax.random.fold_in(state.key, state.step), axis, parts)
        after, metrics = round_of_turns(state, deal)
        players = {
            name: game.players[name].followed(player, after.step) for name, player in after.players.items()
        }
        after = replace(after, step=after.step + 1, players=players)
        check_same(state, after)
        return after, deal.axis.mean(metrics)

    return step


def play(game: Game, turn: Turn, state: GameState, at: GameState, deal: Deal) -> tuple[GameState, Metrics]:
    """`turn`, played by the players of `state`, who move by the gradients found where `at` stands."""

    def objective(params: PyTree, deal: Deal) -> tuple[jax.Array, tuple[PyTree, PyTree, Metrics]]:
        view = View(game, turn, at, params, deal)
        loss = view.log("loss", check_scalar(turn.name, turn.objective(view)))
        return loss, (view.stats, view.written(), view.metrics)

    moving = {name: at.players[name].params for name in turn.movers}
    grads, (stats, written, metrics) = gradient(objective, moving, deal)
    grads, stats, written = deal.axis.mean((grads, stats, written))
    moved = {name: game.players[name].moved(state.players[name], grads[name], stats[name]) for name in moving}
    metrics = {
        f"{turn.name}/{name}": value
        for name, value in (metrics | {"grad_norm": optax.tree.norm(grads)}).items()
    }
    return replace(state, players=state.players | moved, memory=state.memory | written), metrics
