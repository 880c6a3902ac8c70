"""The training loop, of one member or of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxgan.config.config import Config
from jaxgan.games.game import GameState, Metrics
from jaxgan.train.clock import Clock, Signals
from jaxgan.train.members import Members
from jaxgan.train.sinks.base import Sink
from jaxgan.train.stops import Diverged


class Keeper:
    """Keeps what is to be kept of a member. This base class keeps only whether the member diverged.

    Attributes:
      open: whether more is to come.
      error: how the member diverged; None if it did not.
      best: of the scores on the way, as of `jaxgan.metrics.choice.better_of`; None if there was none.
      owes: whether the run is to stop here, as a signal came while something was kept of the last interval; all is
        saved.
    """

    open: bool = True
    error: Diverged | None = None
    best: dict[str, Any] | None = None
    owes: bool = False

    def wait(self) -> None:
        """Returns when the last checkpoint is on disk."""

    def keep(self, state: GameState, record: dict[str, Any], due: set[str], seconds: float) -> dict[str, Any]:
        """Keeps what is due of an interval.

        Args:
          state: at its end.
          record: "step", "images", "images_per_second" and the means of its metrics.
          due: of "log", "evaluate", "sample" and "save".
          seconds: that it took.

        Returns:
          The record, with all that was found.

        Raises:
          Diverged: if something is not finite that the metrics did not show.
        """
        return record

    def diverged(self, error: Diverged) -> None:
        """Ends the member, because its numbers are not finite."""
        self.open, self.error = False, error


def loop(
    members: Members,
    keepers: Sequence[Keeper],
    sinks: Sequence[Sink],
    states: Any,
    step: int,
    *,
    signals: Signals | None = None,
    wanted: Sequence[str] = ("log", "evaluate", "sample", "save"),
) -> tuple[Any, int]:
    """Trains to the last step, or until a signal has come (all is saved then), or until no member is left.

    Args:
      members: what to train.
      keepers: of each of them.
      sinks: are told of all together.
      states: of the members; consumed.
      step: of the states.
      signals: what may stop it.
      wanted: what ends an interval.

    Returns:
      The states, and their step.
    """
    config, inputs, pending = members.config, members.inputs(step), []
    for sink in sinks:
        sink.start(step)
    clock, start = Clock(config, members.repeat, step), step
    while step < config.steps and any(keeper.open for keeper in keepers):
        states, metrics = members.advance(states, inputs, step)
        if step == start:
            jax.block_until_ready(metrics)
            clock.compiled(step + members.repeat)
        step += members.repeat
        pending.append(metrics)
        stop = signals is not None and signals.after_dispatch()
        due = clock.due(step, stop) & set(wanted)
        if not due:
            continue
        series = joined(pending)  # waits for the device, once an interval
        pending.clear()
        seconds, rate = clock.read(step)
        still = [(k, keeper) for k, keeper in enumerate(keepers) if keeper.open]
        if "save" in due:  # so that whenever this process ends, all have the save before it in common
            for _, keeper in still:
                keeper.wait()
        records = []
        for k, keeper in still:
            try:
                record = _record(config, {name: values[k] for name, values in series.items()}, step)
                record["images_per_second"] = rate
                records.append(keeper.keep(members.member(states, k), record, due, seconds))
            except Diverged as error:
                keeper.diverged(error)
        for sink in sinks if records else ():
            sink.record(_together(records, keepers))
        if stop or any(keeper.owes for keeper in keepers):
            break
        clock.restart(step)
    return states, step


def joined(pending: Sequence[Metrics]) -> dict[str, np.ndarray]:
    """Reads the metrics of several dispatches from the devices, and joins their steps: name -> [members, steps]."""
    read = [jax.device_get(metrics) for metrics in pending]
    return {name: np.concatenate([metrics[name] for metrics in read], axis=1) for name in read[0]}


def _record(config: Config, series: Mapping[str, np.ndarray], step: int) -> dict[str, Any]:
    """The means of a member's metrics [steps], of which `step` is the last.

    Raises:
      Diverged: at the first step with a number that is not finite.
    """
    finite = {name: np.isfinite(values) for name, values in series.items()}
    bad = {name: int(np.argmin(ok)) for name, ok in finite.items() if not ok.all()}
    if bad:
        at = min(bad.values())
        terms = ", ".join(f"{name} = {series[name][at]}" for name in sorted(bad) if bad[name] == at)
        first = step - len(next(iter(series.values()))) + 1 + at
        raise Diverged(f"step {first}: not finite: {terms}", first)
    record: dict[str, Any] = {"step": step, "images": step * config.batch_size * config.d_steps}
    return record | {name: float(values.mean()) for name, values in series.items()}


def _together(records: Sequence[Mapping[str, Any]], keepers: Sequence[Keeper]) -> dict[str, Any]:
    """What the members' records say in the mean; their images a second add up. Of one, its best score too."""
    first, *others = records
    shared = {name: first[name] for name in first if all(name in record for record in others)}
    mean = {n: float(np.mean([r[n] for r in records])) for n, x in shared.items() if isinstance(x, float)}
    if "images_per_second" in mean:
        mean["images_per_second"] *= len(records)
    if len(keepers) == 1 and keepers[0].best is not None:
        mean["best_score"] = keepers[0].best["score"]
    return shared | mean
