"""What every game must obey, as functions that try to refute it: three steps of it are played.

A law takes a `Match`: the game, and what it is played with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.checking.draws import draws_apart
from jaxgan.common.checking.laws import (
    Broken,
    Skipped,
    Verdict,
    by_path,
    hold_arrays,
    hold_finite,
    hold_form,
    verdicts,
)
from jaxgan.games.game import Batch, Game, GameState, Metrics, Turn, init
from jaxgan.games.step import make_step
from jaxgan.games.view import Deal, View


class Match:
    """A game, and the batches of the steps in which it is looked at."""

    def __init__(self, game: Game, batches: Sequence[Batch], anew: Callable[[], Game] | None = None) -> None:
        """Plays nothing yet; the arguments are those of `check`."""
        self.game, self.batches, self.anew = game, batches, anew or (lambda: game)
        self.traces = 0

    @cached_property
    def start(self) -> GameState:
        """The state that it starts from."""
        return init(self.game, jax.random.key(0), self.batches[0])

    @cached_property
    def step(self) -> Any:
        """The compiled step, which counts how often it is traced."""
        plain = make_step(self.game)

        def counted(state: GameState, batch: Batch) -> tuple[GameState, Metrics]:
            self.traces += 1
            return plain(state, batch)

        return jax.jit(counted)

    @cached_property
    def played(self) -> list[tuple[GameState, Metrics]]:
        """State and metrics after each of the steps."""
        state, after = self.start, []
        for batch in self.batches:
            state, metrics = self.step(state, batch)
            after.append((state, metrics))
        return after


def form_law(match: Match) -> str:
    """A step gives a state of arrays of the same form, and scalar metrics."""
    batch = match.batches[0]
    try:
        hold_arrays(match.start, "state")
        after, metrics = match.step.eval_shape(match.start, batch)
    except KeyError as error:
        raise Broken(f"raises KeyError: {error}; the batch has {', '.join(batch)}") from error
    hold_form(match.start, after, "state")
    for name, value in metrics.items():
        if value.shape != ():
            raise Broken(f"metrics: expected scalars, got {name!r} of shape {list(value.shape)}")
    return f"arrays only, which keep their form; metrics: {', '.join(sorted(metrics))}"


def trace_law(match: Match) -> str:
    """One trace serves all steps."""
    _ = match.played
    if match.traces != 1:
        raise Broken(f"the step was traced {match.traces} times in {len(match.batches)} steps of one form")
    return f"one serves {len(match.batches)} steps"


def purity_law(match: Match) -> str:
    """The same state and batch give the same, also when the game is built and compiled again."""
    expected, batch, other = by_path(match.played[0]), match.batches[0], match.anew()
    again = jax.jit(make_step(other))(init(other, jax.random.key(0), batch), batch)
    second = match.step(match.start, batch)
    for got, when in ((second, "the second time"), (again, "when the game is built again")):
        found = by_path(got)
        for path, x in expected.items():
            if path not in found or not _equal(x, found[path]):
                raise Broken(f"the same state and batch give another {path} {when}: draw by view.keys(NAME)")
    return "the same state and batch give the same, bit for bit"


def _equal(a: Any, b: Any) -> bool:
    typed = lambda x: jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
    plain = lambda x: np.asarray(jax.random.key_data(x) if typed(x) else x)
    return np.array_equal(plain(a), plain(b), equal_nan=jnp.issubdtype(a.dtype, jnp.floating))


def chance_law(match: Match) -> str:
    """All that a step draws hangs on the key of the run."""
    given = match.start, match.batches[0]
    if draws_apart(make_step(match.game), given, match.start.key):
        raise Broken(
            "a step draws by a key that is not of the run, and so the same numbers in every step and for every seed: "
            "draw by view.keys(NAME), and constants when the game is built"
        )
    return "all that is drawn hangs on the run's key"


def movers_law(match: Match) -> str:
    """Every player has a turn, and all its parameters move."""
    movers = {name for turn in match.game.turns for name in turn.movers}
    end = match.played[-1][0]
    for name, player in match.start.players.items():
        if name not in movers:
            raise Broken(f"player {name!r} never moves: it is among the movers of no turn")
        before, after = by_path(player.params), by_path(end.players[name].params)
        still = [path for path, x in before.items() if _equal(x, after[path])]
        if still and len(still) == len(before):
            raise Broken(
                f"player {name!r} never moves: its objective does not depend on it, or its learning rate is 0"
            )
        if still:
            raise Broken(f"player {name!r}: {', '.join(still[:3])} never moves: no gradient reaches it")
    return f"all move: {', '.join(match.game.players)}"


def finite_law(match: Match) -> str:
    """States and metrics stay finite."""
    for state, metrics in match.played:
        hold_finite(metrics, "metrics")
        hold_finite(state.players, "players")
        hold_finite(state.memory, "memory")
    return f"states and metrics are, for {len(match.batches)} steps"


def output_law(match: Match) -> str:
    """What the game says that it makes can be sampled, and what it says of its critic can be asked."""
    game, state, batch = match.game, match.played[-1][0], match.batches[0]
    found = []
    if game.output is not None:
        module, latent = game.players[game.output.player].module, game.output.latent
        z, labels = latent.sample(jax.random.key(1), 4), None if "label" not in batch else batch["label"][:4]
        make = jax.jit(lambda variables, z: module.apply(variables, z, labels, train=False))
        made: Any = make(game.averaged(state), z)
        if made.shape[1:] not in [x.shape[1:] for x in batch.values()]:
            raise Broken(f"output: expected examples as in the batch, got {list(made.shape[1:])}")
        hold_finite(made, f"output: what {game.output.player!r} makes")
        found.append(f"examples {list(made.shape[1:])} from latents")
    if (critic := game.critic) is not None:
        nobody, deal = Turn("health", (), lambda view: jnp.zeros(())), Deal(dict(batch), jax.random.key(2))
        logits = jax.jit(lambda state: critic.logits(View(game, nobody, state, {}, deal)))(state)
        if len(logits) != 2 or logits[0].shape != logits[1].shape:
            raise Broken("critic: expected logits of reals and of fakes, of one shape")
        hold_finite(logits, "critic: the logits")
        found.append("logits of reals and fakes")
    if not found:
        raise Skipped("the game says of neither")
    return " and ".join(found)


LAWS: dict[str, Callable[[Match], str]] = {
    "form": form_law,
    "trace": trace_law,
    "purity": purity_law,
    "chance": chance_law,
    "movers": movers_law,
    "finite": finite_law,
    "output": output_law,
}


def check(game: Game, batches: Sequence[Batch], anew: Callable[[], Game] | None = None) -> list[Verdict]:
    """Tries every law; once the form is wrong, the others are skipped.

    Args:
      game: what must obey.
      batches: of three steps.
      anew: builds the game again, to see whether it plays the same; None takes the game itself.
    """
    return verdicts(LAWS, Match(game, batches, anew))
