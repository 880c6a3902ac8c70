"""A batch that is taken in parts, one after the other, with the gradients of the whole ("gradient accumulation").

Examples are dealt to the parts in turn, so that of a batch which is split over devices each keeps its own, and so that
groups of examples that lie a quarter of the batch apart, as those of the minibatch's standard deviation, stay together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.common.errors import InputError
from jaxgan.games.game import Game, GameState, PyTree

Objective = Callable[[PyTree, Any], tuple[jax.Array, PyTree]]  # of parameters and a `Deal`


@dataclass(frozen=True)
class Parts:
    """Which part of every turn's examples is looked at.

    Attributes:
      n: how many there are; of one part: all examples.
      block: neighbours that stay together.
      compares: whether objectives look at all logits of a batch at once: every part is then computed twice.
      index: of this one.
      heard: takes what is to be joined, while every part is computed for the first time.
      known: what was heard of all parts, [n, ...] each, in the order in which it is asked for.
    """

    n: int = 1
    block: int = 1
    compares: bool = False
    index: Any = 0
    heard: list[jax.Array] | None = None
    known: Iterator[jax.Array] | None = None

    def of(self, x: jax.Array) -> jax.Array:
        """The rows of this part: [examples, ...] -> [examples / n, ...]."""
        if self.n == 1:
            return x
        return x.reshape(-1, self.n, self.block, *x.shape[1:])[:, self.index].reshape(-1, *x.shape[1:])

    def numbers(self, rows: int) -> jax.Array:
        """Which examples of the turn the `rows` rows of this part are, [rows]."""
        if self.n == 1:
            return jnp.arange(rows)
        blocks = jnp.arange(rows // self.block)[:, None] * self.n + self.index
        return (blocks * self.block + jnp.arange(self.block)).reshape(-1)

    def joined(self, x: jax.Array) -> jax.Array:
        """The rows of all parts, of which those of this one, `x`, are n times as steep: what is averaged over parts.

        Where nothing is compared, they are the rows of this part alone.
        """
        if self.heard is not None:
            self.heard.append(x)
            return jnp.concatenate([x] * self.n)  # of the right shape; nobody looks at what becomes of it
        if self.known is None:
            return x
        rows = next(self.known)
        mine = rows[self.index]
        return rows.at[self.index].set(mine + self.n * (x - mine)).reshape(-1, *x.shape[1:])


def parts_of(game: Game, examples: int, n: int, shares: int = 1) -> Parts:
    """The parts of a batch of a game.

    Args:
      game: of the step.
      examples: of a step, in one share.
      n: how many parts.
      shares: of the batch, under a mapped axis.

    Raises:
      InputError: for a number that does not divide the examples of every turn, or leaves a network too few of them to
        compare in groups.
    """
    if n == 1:
        return Parts()
    block = game.critic.multiple if game.critic else 1
    for turn in game.turns:
        rows = len(range(examples)[turn.examples])
        if n < 1 or rows % (n * block):
            together = f", {block} of which stay together" if block > 1 else ""
            raise InputError(
                f"microbatches: expected a divisor of the {rows} examples of turn {turn.name!r}{together}, got {n}"
            )
        for name, player in game.players.items():
            judged = shares * rows // block
            group = min(getattr(player.module, "group", 1), judged)
            if judged // n % group:
                raise InputError(
                    f"microbatches: expected parts that groups of {group} examples divide, as the {name} compares "
                    f"those, got {n} parts of {judged // n}"
                )
    return Parts(n, block, game.compares())


def gradient(objective: Objective, params: PyTree, deal: Any) -> tuple[PyTree, PyTree]:
    """The gradient in `params` of a loss of a deal, and what comes beside it: the means over the parts of the deal.

    Whole numbers, which are the same in every part, stay as they are.

    Args:
      objective: (params, deal) -> (loss, aux).
      params: what the gradient is taken in.
      deal: a `Deal` with its parts; which of them is being computed does not matter.
    """
    slope, parts = jax.grad(objective, has_aux=True), replace(deal.parts, heard=None, known=None)
    if parts.n == 1:
        return slope(params, deal)
    at = lambda index, **said: replace(deal, parts=replace(parts, index=index, **said))

    def listen(_: None, index: jax.Array) -> tuple[None, list[jax.Array]]:
        heard: list[jax.Array] = []
        objective(params, at(index, heard=heard))
        return None, heard

    order = jnp.arange(parts.n, dtype=jnp.int32)
    known = jax.lax.scan(listen, None, order)[1] if parts.compares else None

    def found(index: Any) -> tuple[PyTree, PyTree]:
        return slope(params, at(index, known=None if known is None else iter(known)))

    def add(total: PyTree, index: jax.Array) -> tuple[PyTree, None]:
        return jax.tree.map(lambda x, new: x + new if _is_real(new) else new, total, found(index)), None

    start = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(found, order[0]))
    total, _ = jax.lax.scan(jax.checkpoint(add, prevent_cse=False), start, order)  # pyright: ignore
    return jax.tree.map(lambda x: x / parts.n if _is_real(x) else x, total)


def _is_real(x: jax.Array) -> bool:
    return jnp.issubdtype(x.dtype, jnp.floating)


def inexact(game: Game, state: GameState) -> list[str]:
    """In words, what of a game is not the same in parts as in a whole batch; empty if all is, to rounding.

    Args:
      game: of the step.
      state: arrays or shapes.
    """
    found = []
    for name, player in state.players.items():
        paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(player.stats.get("batch_stats", {}))]
        if any(getattr(path[-1], "key", "") != "mean" for path in paths):
            found.append(f"the {name} normalises by statistics of a part, not of the whole batch")
    names = {slot.rpartition("/")[2] for slot in game.memory}
    return found + [f"the penalty {name} {text}" for name, text in _OF_A_PART.items() if name in names]


_OF_A_PART = {
    "path_length": "compares with the mean of a part, not of the whole batch",
    "dragan": "goes as far as the deviation of a part, not of the whole batch",
}
