"""How players move: variations of a step that are written over turns, once for every game."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import jax
import jax.numpy as jnp

from jaxgan.games.game import Game, GameState, Metrics, PyTree, Turn
from jaxgan.games.parts import gradient
from jaxgan.games.view import Deal, View

Play = Callable[[Game, Turn, GameState, GameState, Deal], tuple[GameState, Metrics]]
Round = Callable[[GameState, Deal], tuple[GameState, Metrics]]


def every_turn(game: Game, play: Play) -> Round:
    """(state, deal) -> (state, metrics): every turn of `game` once, in order, as `game.moves` says.

    Args:
      game: whose turns are taken.
      play: one turn: (game, turn, who moves, where the gradients are found, deal) -> (state, metrics).
    """
    moves = game.moves
    turns = consensual(game, unrolled(game, game.turns))

    def once(state: GameState, deal: Deal, at: GameState | None = None) -> tuple[GameState, Metrics]:
        reported: dict[str, list[jax.Array]] = {}
        for turn in turns:
            state, metrics = taken(turn, state, at or state, deal)
            for name, value in metrics.items():
                reported.setdefault(name, []).append(value)
        return state, {name: jnp.stack(values).mean() for name, values in reported.items()}

    def taken(turn: Turn, state: GameState, at: GameState, deal: Deal) -> tuple[GameState, Metrics]:
        if turn.every == 1 and turn.during == (0, None):
            return play(game, turn, state, at, deal)

        def due() -> tuple[GameState, Metrics]:
            after, metrics = play(game, turn, state, at, deal)
            return after, {name: turn.every * value for name, value in metrics.items()}

        def skipped() -> tuple[GameState, Metrics]:
            return state, {name: jnp.zeros(x.shape, x.dtype) for name, x in jax.eval_shape(due)[1].items()}

        (first, end), now = turn.during, state.step % turn.every == 0
        now = now & (state.step >= first) if first else now
        now = now if end is None else now & (state.step < end)
        return jax.lax.cond(now, due, skipped)

    def round_of_turns(state: GameState, deal: Deal) -> tuple[GameState, Metrics]:
        start = state
        if moves.updates == "alternating":
            state, metrics = once(state, deal)
        else:
            state, metrics = once(start, deal, at=start)
        if moves.updates == "extragradient":  # so far this was the trial step
            back = {
                name: replace(player, params=start.players[name].params)
                for name, player in state.players.items()
            }
            trial = replace(state, memory=start.memory)  # what is remembered of the trial is forgotten
            state, metrics = once(replace(trial, players=back), deal, at=trial)
        return looked_ahead(state, moves.lookahead), metrics

    return round_of_turns


def unrolled(game: Game, turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """The turns, of which the last sees its opponents some turns ahead.

    The opponents move on the examples and the random numbers of that last turn, and its gradient goes through
    their moves.
    """
    if not game.moves.unroll:
        return turns
    *others, last = turns
    opponents = _one_each(turn for turn in others if not set(turn.movers) & set(last.movers))

    def objective(view: View) -> jax.Array:
        state = _with_params(view.state, view.params)
        for _ in range(game.moves.unroll):
            for turn in opponents:
                slopes = jax.tree.map(_off_zero, _slopes(game, _as_in(turn, view.turn), state, view.deal))
                moved = {
                    name: game.players[name].moved(state.players[name], slope, state.players[name].stats)
                    for name, slope in slopes.items()
                }
                state = replace(state, players=state.players | moved)
        ahead = copy.copy(view)  # which shares its records
        ahead.state = state
        return last.objective(ahead)

    return (*others, last._replace(objective=objective))


def consensual(game: Game, turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """The turns, whose movers also descend consensus / 2 times the squared norm of all turns' gradients."""
    if not game.moves.consensual:
        return turns

    def changed(turn: Turn) -> Turn:
        def objective(view: View) -> jax.Array:
            state, squares = _with_params(view.state, view.params), []
            for other in _one_each(turns):
                slopes = _slopes(game, _as_in(other, turn), state, view.deal)
                squares += [jnp.square(leaf).sum() for leaf in jax.tree.leaves(slopes)]
            term = view.log("consensus", 0.5 * sum(squares, jnp.zeros(())))
            return turn.objective(view) + game.moves.consensus * term

        return turn._replace(objective=objective)

    return tuple(map(changed, turns))


def looked_ahead(state: GameState, lookahead: tuple[int, float] | None) -> GameState:
    """The state after a step: every k steps the slow weights move alpha of the way, and the players go there."""
    if lookahead is None:
        return state
    interval, alpha = lookahead
    due = (state.step + 1) % interval == 0
    fast = {name: player.params for name, player in state.players.items()}
    step = lambda s, f: jnp.where(due, s + alpha * (f - s), s)
    slow = jax.tree.map(step, state.memory["lookahead"], fast)
    arrived = jax.tree.map(lambda s, f: jnp.where(due, s, f), slow, fast)
    return replace(_with_params(state, arrived), memory=state.memory | {"lookahead": slow})


def _one_each(turns: Iterable[Turn]) -> list[Turn]:
    """Of the turns that share a name, the last."""
    return list({turn.name: turn for turn in turns}.values())


def _as_in(other: Turn, turn: Turn) -> Turn:
    """`other`, on the examples and the random numbers of `turn`."""
    return other._replace(examples=turn.examples, draw=turn.draw)


def _slopes(game: Game, turn: Turn, state: GameState, deal: Deal) -> dict[str, PyTree]:
    """The gradient of a turn's objective in its movers' parameters; nothing is remembered."""
    moving = {name: state.players[name].params for name in turn.movers}
    objective = lambda params, deal: (turn.objective(View(game, turn, state, params, deal)), ())
    return deal.axis.mean(gradient(objective, moving, deal)[0])


def _with_params(state: GameState, params: Mapping[str, PyTree]) -> GameState:
    players = {name: replace(state.players[name], params=own) for name, own in params.items()}
    return replace(state, players=state.players | players)


def _off_zero(gradient: jax.Array) -> jax.Array:
    """What is nearly 0 becomes 1e-15: the roots in Adam and its like have no derivative at 0."""
    return jnp.where(jnp.abs(gradient) < 1e-15, jnp.asarray(1e-15, gradient.dtype), gradient)
