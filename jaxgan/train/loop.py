"""The training loop, of one member or of many: clocks, signals, and what is kept when."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import jax
import numpy as np

from jaxgan.common.files import write_atomically
from jaxgan.config.config import Config
from jaxgan.games.game import GameState, Metrics
from jaxgan.metrics import make_evaluator
from jaxgan.runs.checkpoint import SaveError
from jaxgan.runs.environment import environment
from jaxgan.runs.folder import RunFolder, create
from jaxgan.runs.seeds import is_alive
from jaxgan.train.clock import Clock, Signals
from jaxgan.train.grids import reals_of
from jaxgan.train.keeper import RunKeeper, restored
from jaxgan.train.members import Members, set_up
from jaxgan.train.progress import Progress, Voice
from jaxgan.train.sinks import Sink
from jaxgan.train.stops import Diverged, Stopped


def train(config: Config, command: Sequence[str] | None = None) -> RunFolder:
    """Trains from the beginning, in a new folder.

    Args:
      config: what to do.
      command: the command line, for the report.

    Returns:
      The run's folder, with report.html.

    Raises:
      InputError: for a configuration or data that cannot be trained.
      Diverged: if a metric is not finite.
      Stopped: after SIGINT or SIGTERM; the run can be resumed.
      SaveError: if a checkpoint cannot be written.
    """
    members = set_up(config)
    text = shlex.join(command) if command else f"jaxgan train {config.preset}"
    folder = create(config, members.data, environment(), text)
    write_reals(members, folder)
    return train_in(folder, [folder], members)


def write_reals(members: Members, folder: RunFolder) -> None:
    """Writes a picture of real examples, for comparison."""
    by_class = members.sampler is not None and members.sampler.n_classes > 0
    write_atomically(folder.samples / "reals.png", reals_of(members.source, by_class))


class Keeper(Protocol):
    """Keeps what is to be kept of a member.

    Attributes:
      open: whether more is to come.
      best: {"step", "score"} of the lowest score on the way; None if there was none.
    """

    open: bool
    best: Any

    def wait(self) -> None:
        """Returns when the last checkpoint is on disk."""

    def keep(
        self, state: GameState, record: Mapping[str, Any], due: set[str], pace: tuple[float, float]
    ) -> Mapping[str, Any]:
        """Keeps what is due; returns the record with all that was found. Raises Diverged."""
        ...

    def diverged(self, error: Diverged) -> None:
        """Ends."""


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
    clock = Clock(config, members.repeat, step)
    while step < config.steps and any(keeper.open for keeper in keepers):
        states, metrics = members.advance(states, inputs)
        step += members.repeat
        pending.append(metrics)
        stop = signals is not None and signals.received is not None
        due = clock.due(step, stop) & set(wanted)
        if not due:
            continue
        series = joined(pending)  # waits for the device, once an interval
        pending.clear()
        records = _kept(members, keepers, states, series, step, due, clock.read(step))
        if records:
            shown = _mean(records)
            if len(keepers) == 1 and keepers[0].best is not None:
                shown["best_score"] = keepers[0].best["score"]
            for sink in sinks:
                sink.record(shown)
        if stop:
            break
        clock.restart(step)
    return states, step


def joined(pending: Sequence[Metrics]) -> dict[str, np.ndarray]:
    """The metrics of some dispatches, read from the devices: [members, steps] each."""
    read = [jax.device_get(metrics) for metrics in pending]
    return {name: np.concatenate([metrics[name] for metrics in read], axis=1) for name in read[0]}


def _kept(
    members: Members,
    keepers: Sequence[Keeper],
    states: Any,
    series: Mapping[str, np.ndarray],
    step: int,
    due: set[str],
    pace: tuple[float, float],
) -> list[Mapping[str, Any]]:
    """Ends an interval for every member that still has finite numbers; returns what was recorded of each."""
    still = [(k, keeper) for k, keeper in enumerate(keepers) if keeper.open]
    if "save" in due:  # so that whenever this process ends, all have the save before it in common
        for _, keeper in still:
            keeper.wait()
    records = []
    for k, keeper in still:
        try:
            record = _means(members.config, {name: values[k] for name, values in series.items()}, step)
            records.append(keeper.keep(members.member(states, k), record, due, pace))
        except Diverged as error:
            keeper.diverged(error)
    return records


def _means(config: Config, series: Mapping[str, np.ndarray], step: int) -> dict[str, Any]:
    """The record of a member's metrics [steps], of which `step` is the last.

    Raises:
      Diverged: at the first step with a number that is not finite.
    """
    finite = {name: np.isfinite(values) for name, values in series.items()}
    first = {name: int(np.argmin(ok)) for name, ok in finite.items() if not ok.all()}
    if first:
        at = min(first.values())
        terms = ", ".join(f"{name} = {series[name][at]}" for name in sorted(first) if first[name] == at)
        bad = step - len(next(iter(series.values()))) + 1 + at
        raise Diverged(f"step {bad}: not finite: {terms}", bad)
    record: dict[str, Any] = {"step": step, "images": step * config.batch_size * config.d_steps}
    return record | {name: float(values.mean()) for name, values in series.items()}


def _mean(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the members' records say in the mean; their images a second add up."""
    first = records[0]
    shared = [name for name in first if all(name in record for record in records)]
    mean = {n: float(np.mean([r[n] for r in records])) for n in shared if isinstance(first[n], float)}
    if "images_per_second" in mean:
        mean["images_per_second"] *= len(records)
    return {**{n: first[n] for n in shared if n != "verdicts"}, **mean}


def train_in(
    folder: RunFolder,
    own: Sequence[RunFolder],
    members: Members,
    *,
    resumed: bool = False,
    sinks: Callable[[Sink], Sequence[Sink]] = lambda terminal: (),
) -> RunFolder:
    """Trains members to the end, scores and reports; or goes on with what was interrupted.

    Args:
      folder: of all.
      own: a run folder for each member: `folder` itself, or one in it for each.
      members: what to train.
      resumed: go on from the newest good checkpoints.
      sinks: terminal -> further sinks of all together.

    Returns:
      `folder`.

    Raises:
      InputError, Diverged, Stopped, SaveError: as `train`.
    """
    alone = list(own) == [folder]
    terminal = Progress(members.config.steps, folder.path)
    evaluator = None
    if members.sampler is not None:
        evaluator = make_evaluator(members.source, own[0].read("run.json").get("features"))
    keepers = []
    for k, (seed, kept) in enumerate(zip(members.seeds, own, strict=True)):
        voice = Voice(terminal, "" if alone else f"seed {seed}")
        keepers.append(RunKeeper(members, k, kept, evaluator, voice))
        if resumed and not alone and not is_alive(kept):
            keepers[-1].drop()
    _Session(members, keepers, [terminal, *sinks(terminal)], folder, alone).run(resumed)
    return folder


class _Session:
    """What is around the loop: beginning, scores, and every way to end."""

    def __init__(
        self,
        members: Members,
        keepers: Sequence[RunKeeper],
        sinks: Sequence[Sink],
        folder: RunFolder,
        alone: bool,
    ) -> None:
        self.members, self.keepers, self.sinks, self.folder, self.alone = (
            members,
            keepers,
            sinks,
            folder,
            alone,
        )
        self.signals = Signals()

    def run(self, resumed: bool) -> None:
        """Trains, scores, and closes everything, whatever happens."""
        with self.signals:
            try:
                self._run(resumed)
            except Stopped:
                self.close("stopped")
                raise
            except Diverged as error:
                self.close("diverged", str(error))
                raise
            except BaseException as error:
                with contextlib.suppress(Exception):
                    self.close("failed", f"{type(error).__name__}: {error}")
                if isinstance(error, OSError) and not isinstance(error, SaveError):
                    raise SaveError(
                        f"could not write in {str(self.folder.path)!r} ({error}); {self.left()}"
                    ) from error
                raise

    def _run(self, resumed: bool) -> None:
        members, keepers = self.members, self.keepers
        if resumed:
            states, step = restored(members, keepers, self.folder.path)
        else:
            states, step = members.joined([keeper.begin() for keeper in keepers]), 0
        states, step = loop(members, keepers, self.sinks, states, step, signals=self.signals)
        left = [keeper for keeper in keepers if keeper.open]
        if not left:
            lost = keepers[0].error if self.alone else None
            raise lost or Diverged(f"all {len(keepers)} members diverged by step {step:,}")
        self.go_on(step)
        if members.sampler is not None:
            who, each = ("", "") if self.alone else (f"{len(left)} members, ", " each")
            self.sinks[0].note(f"scoring {who}{members.config.final_n:,} fakes{each}")
        for keeper in left:
            keeper.finish(members.member(states, keeper.k), step, lambda: self.go_on(step))
        self.close("finished")

    def go_on(self, step: int) -> None:
        """Raises Stopped after a signal; `step` has been saved."""
        if self.signals.received is not None:
            raise Stopped(self.signals.received, step, self.folder)

    def left(self) -> str:
        """What there is to go on from, in words."""
        if self.alone:
            return self.keepers[0].left()
        return f"go on from the last good checkpoints with: jaxgan resume {self.folder.path}"

    def close(self, status: str, error: str | None = None) -> None:
        """Closes what is open, all of it; raises what could not be closed."""
        with contextlib.ExitStack() as last_first:
            for sink in self.sinks:
                last_first.callback(sink.close, status, error)
            for keeper in reversed(self.keepers):
                if keeper.open:
                    last_first.callback(keeper.close, status, error)
