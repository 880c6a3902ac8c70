"""What becomes of a run whose numbers are not finite any more: the evidence, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common import processes
from jaxgan.common.devices import local
from jaxgan.common.errors import InputError
from jaxgan.data.permutation import positions, shuffled_index
from jaxgan.games.game import GameState
from jaxgan.runs.checkpoint import Checkpoints
from jaxgan.runs.folder import RunFolder
from jaxgan.train.members import Members
from jaxgan.train.stops import Diverged

_BACK = "rolled_back_to"  # of an entry of the history


class Setbacks:
    """Where a member diverged, and which of its checkpoints it went on from, as the history in run.json keeps them.

    After a setback the noise of all later steps is another, while the data come in the same order. It depends on the
    checkpoint and on how often the run went back to it, so that an interrupted run finds the same again.

    Attributes:
      steps: of the checkpoints that it went back to, in the order in which it did.
    """

    def __init__(self, members: Members, k: int, folder: RunFolder, checkpoints: Checkpoints) -> None:
        """Starts without a setback, for member `k`, whose run folder and checkpoints these are."""
        self.steps: list[int] = []
        self._members, self._k, self._folder, self._checkpoints = members, k, folder, checkpoints
        self._most = members.config.health.roll_back

    def read(self, step: int) -> None:
        """Reads the setbacks up to `step`, where the run goes on, from run.json; those after it will happen again."""
        history = processes.from_first(lambda: self._folder.read("run.json").get("history", []))
        found = [entry.get(_BACK) for entry in history]
        self.steps = [back for back in found if type(back) is int and back <= step]

    def noised(self, state: GameState, step: int) -> GameState:
        """The state of the checkpoint of `step`, with the noise that belongs to it after the setbacks so far."""
        times = self.steps.count(step)
        if not times:
            return state
        other = jax.jit(lambda key: jax.random.fold_in(key, times), out_shardings=state.key.sharding)
        return replace(state, key=other(state.key))

    def after(
        self, error: Diverged, warn: Callable[[str], None]
    ) -> tuple[GameState, dict[str, Any], int] | None:
        """Adds what is known of a divergence to the history, and finds the checkpoint to go on from.

        Args:
          error: that says what is not finite.
          warn: is told of checkpoints that cannot be read, which are set aside.

        Returns:
          State, as it was saved, meta dict and step of the newest checkpoint without a number that is not finite; None
          where there is none, or the run has gone back as often as it may.
        """
        found = self._newest_finite(warn) if len(self.steps) < self._most else None
        told: dict[str, Any] = {"at": error.step, "diverged": str(error)}
        if examples := _examples(self._members, self._k, error.step):
            told["examples"] = examples
        if found is not None:
            told[_BACK] = found[2]
            self.steps.append(found[2])
        self._folder.add_history(**told)
        return found

    def _newest_finite(self, warn: Callable[[str], None]) -> tuple[GameState, dict[str, Any], int] | None:
        self._checkpoints.wait()
        for step in reversed(self._checkpoints.steps()):
            try:
                state, meta = self._checkpoints.read(step, self._members.like())
            except processes.Late:  # which says nothing of the checkpoint
                raise
            except InputError as error:
                self._checkpoints.set_aside(step)
                warn(f"{error}; it was moved to checkpoints-broken")
                continue
            if bool(local(_is_finite(state.players))):
                return state, meta, step
        return None


@jax.jit
def _is_finite(players: Mapping[str, Any]) -> jax.Array:
    real = [x for x in jax.tree.leaves(players) if jnp.issubdtype(x.dtype, jnp.floating)]
    return jnp.stack([jnp.isfinite(x).all() for x in real]).all()


def _examples(members: Members, k: int, step: int | None) -> str:
    """The numbers, in the data, of the examples that made step `step`, counted from 1; "" where they are drawn."""
    n, config = members.source.n, members.config
    if n is None or not step:
        return ""
    epoch, position = positions(step - 1, n, config.batch_size * config.d_steps)
    return " ".join(map(str, np.asarray(shuffled_index(position, n, seed=members.seeds[k], epoch=epoch))))
