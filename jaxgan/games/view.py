"""What an objective sees: networks by name, its turn's examples, random numbers by name, memory."""

from __future__ import annotations

import functools
import inspect
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax

from jaxgan.common import keys
from jaxgan.common.errors import InputError, unknown
from jaxgan.games.axis import Axis
from jaxgan.games.game import FROZEN, Batch, Game, GameState, Metrics, PyTree, Turn
from jaxgan.games.parts import Parts
from jaxgan.penalties import Scene, Term


@dataclass(frozen=True)
class Deal:
    """What a step is dealt.

    Attributes:
      batch: named arrays, [examples, ...] each.
      key: of the step's random numbers.
      axis: the mapped axis that the step runs under.
      parts: in which the examples of a turn are looked at.
    """

    batch: Batch
    key: jax.Array
    axis: Axis = Axis()  # noqa: RUF009  (frozen)
    parts: Parts = Parts()  # noqa: RUF009

    def keys(self, draw: int, stream: str, n: int) -> jax.Array:
        """Keys of `n` examples, [n]: functions of (seed, step, draw, stream, global index of the example)."""
        key = jax.random.fold_in(jax.random.fold_in(self.key, draw), zlib.crc32(stream.encode()))
        return self.axis.shared_out(
            keys.of_numbers(key, self.axis.first(self.parts.n * n) + self.parts.numbers(n))
        )


class View:
    """A turn as its objective sees it, alive while the turn is traced.

    Attributes:
      name: of the turn.
      batch: the turn's examples, by name.
      step: number of the step, int32.
      memory: what is remembered between steps, by name; what the objective puts here is kept.
      metrics: numbers to report, by name.
    """

    def __init__(
        self, game: Game, turn: Turn, state: GameState, params: Mapping[str, PyTree], deal: Deal
    ) -> None:
        """A view of `state`, with the movers' parameters replaced by `params`."""
        self.game, self.turn, self.state, self.params, self.deal = game, turn, state, params, deal
        self.name, self.step = turn.name, state.step
        self.batch = {name: deal.parts.of(x[turn.examples]) for name, x in deal.batch.items()}
        self.stats = {name: _changing(state.players[name].stats) for name in params}
        self.memory: dict[str, PyTree] = dict(state.memory)
        self.metrics: Metrics = {}

    def __call__(self, name: str, *inputs: Any, **options: Any) -> Any:
        """The answer of a network in training. Movers keep the statistics that it leaves them with.

        A network that is random in training (noise, dropout, mixed styles) takes `keys`: it is given one key an
        example, the same whenever it is called in turns of one draw, unless the caller gives others. Of fewer
        inputs than there are examples each stands for as many, and has the key of the first of them. One that
        changes with time takes `step`. Option `method` names another method than __call__.
        """
        out, left = self._apply(name, self.stats.get(name, self._begun(name)), inputs, options)
        if name in self.stats:
            self.stats[name] = left
        return out

    def ask(self, name: str, *inputs: Any, **options: Any) -> Any:
        """The same answer with the statistics that the turn began with; the network remembers nothing of it."""
        return self._apply(name, self._begun(name), inputs, options)[0]

    def also(self, name: str, *inputs: Any, **options: Any) -> Any:
        """The answer of `ask`; of the statistics that it leaves, a mover keeps those that its other calls leave alone.

        So a part of a network that only some call uses is trained beside what all calls share, and two calls that
        share their first half are compiled to one computation of it, if the other is the first of the turn.
        """
        begun = self._begun(name)
        out, left = self._apply(name, begun, inputs, options)
        if name in self.stats:
            kept = lambda before, now, after: after if now is before else now
            self.stats[name] = jax.tree.map(kept, begun, self.stats[name], left)
        return out

    def averaged(self, name: str, *inputs: Any, **options: Any) -> Any:
        """The answer of a player's average, at rest (train=False); no gradient goes to it."""
        module = self.deal.axis.module(self.game.players[name].module)
        average = self.deal.axis.whole(self.state.players[name].average)
        return module.apply(average, *inputs, train=False, **options)

    def _apply(self, name: str, stats: PyTree, inputs: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
        params = self.params[name] if name in self.params else self.state.players[name].params
        params = self.deal.axis.whole(params)
        module = self.deal.axis.module(self.game.players[name].module)
        takes = _options(type(module), options.get("method", "__call__"))
        if "step" in takes and "step" not in options:
            options = {**options, "step": self.step}
        if "keys" in takes and "keys" not in options:
            if self.n % len(inputs[0]):
                raise InputError(
                    f"{name}: expected inputs that divide {self.n} examples, or keys, got {len(inputs[0])} inputs"
                )
            each = self.n // len(inputs[0])  # examples that one input stands for
            options = {**options, "keys": self.keys(f"network/{name}")[::each]}
        variables = {**self.state.players[name].stats, **stats, "params": params}
        return module.apply(variables, *inputs, train=True, mutable=list(stats), **options)

    def _begun(self, name: str) -> PyTree:
        return _changing(self.state.players[name].stats)

    @property
    def n(self) -> int:
        """Examples of this turn (on this device, under a mapped axis; of this part, where there are several)."""
        return next(iter(self.batch.values())).shape[0]

    def keys(self, stream: str) -> jax.Array:
        """One key an example, [n], of the random numbers called `stream` in this turn's draw."""
        return self.deal.keys(self.turn.draw, stream, self.n)

    def log(self, name: str, value: jax.Array) -> jax.Array:
        """Reports a scalar as "<turn>/<name>", and returns it."""
        self.metrics[name] = value
        return value

    def gathered(self, logits: jax.Array) -> jax.Array:
        """Logits of the whole batch in at least float32: what a loss must be given."""
        return self.deal.parts.joined(self.deal.axis.gathered(logits))

    def written(self) -> dict[str, PyTree]:
        """The memory that the objective wrote. Raises ValueError for a name that the game does not have."""
        for name in self.memory:
            if name not in self.state.memory:
                raise unknown("memory", name, self.state.memory)
        return {name: value for name, value in self.memory.items() if value is not self.state.memory[name]}


# --- terms of a turn ---


def starts(turn: str, terms: Mapping[str, tuple[Any, Term]]) -> dict[str, Callable[[], Any]]:
    """What the terms of a turn remember at the start: for `Game.memory`."""
    return {f"{turn}/{name}": term.init for name, (_, term) in terms.items()}


def weighed(
    view: View, loss: jax.Array, terms: Mapping[str, tuple[Any, Term]], scene: Scene, pack: int = 1
) -> jax.Array:
    """`loss` plus the weighted means of the terms, which are reported unweighted under their names.

    Args:
      view: the turn; the terms' memories are `view.memory["<turn>/<name>"]`, as of `starts`.
      loss: what they are added to.
      terms: name -> (weight, term).
      scene: what they look at.
      pack: examples of the turn that make one of the scene.
    """
    for name, (weight, term) in terms.items():
        slot = f"{view.name}/{name}"
        values, view.memory[slot] = term.value(view.memory[slot], scene, view.keys(slot)[::pack])
        if values.ndim != 1:
            raise InputError(
                f"{slot}: expected one value an example, [batch], got shape {list(values.shape)}"
            )
        loss += weight * view.log(name, values.mean())
    return loss


def _changing(stats: PyTree) -> PyTree:
    return {name: collection for name, collection in stats.items() if name != FROZEN}


@functools.cache
def _options(module: type, method: str) -> frozenset[str]:
    return frozenset(inspect.signature(getattr(module, method)).parameters)
