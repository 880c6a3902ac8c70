"""One configuration over several seeds in one program: `jaxgan train PRESET --seeds N`.

The folder holds one ordinary run folder a seed (`seed-00000/`, which `sample`, `evaluate` and `load`
open), `seeds.json`, and, at the end, `summary.json` and `report.html` with means and intervals.
"""

from __future__ import annotations

import contextlib
import pathlib
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.config.config import Config, to_json
from jaxgan.config.fields import differences, with_fields
from jaxgan.games.game import GANState
from jaxgan.games.step import Metrics
from jaxgan.metrics import make_evaluator
from jaxgan.report.seeds import summary_lines, write_summary
from jaxgan.runs.checkpoint import Checkpoints, SaveError, abstract
from jaxgan.runs.environment import environment
from jaxgan.runs.folder import RunFolder, create, new_folder
from jaxgan.runs.seeds import RECORD, is_alive, member_folder, summarise
from jaxgan.train.clock import Clock, Signals
from jaxgan.train.loop import Loop, write_reals
from jaxgan.train.members import Ensemble
from jaxgan.train.progress import MemberProgress, Progress
from jaxgan.train.resume import saved_steps
from jaxgan.train.setup import Setup
from jaxgan.train.stops import Diverged, Stopped


def train_seeds(config: Config, n: int, command: Sequence[str] | None = None) -> RunFolder:
    """Trains `n` seeds, from `config.seed` on, side by side in a new folder.

    Args:
      config: of all members.
      n: how many.
      command: the command line, for the reports.

    Returns:
      The folder, with report.html.

    Raises:
      InputError: for a configuration or data that cannot be trained.
      Diverged: if every member did; others' ends are results.
      Stopped: after SIGINT or SIGTERM; `resume_seeds` goes on.
      SaveError: if something cannot be written.
    """
    if n < 1:
        raise InputError(f"seeds: expected at least 1, got {n}")
    if config.compute.how != "jit":
        raise InputError(
            f"compute.how: expected 'jit' with --seeds, whose members are mapped, got {config.compute.how!r}"
        )
    seeds = [config.seed + k for k in range(n)]
    ensemble = Ensemble(config, seeds, how=config.compute.members, devices=config.compute.devices)
    folder = new_folder(config, f"{config.preset}-seeds")
    text = shlex.join(command) if command else f"jaxgan train {config.preset} --seeds {n}"
    env = environment()
    for k, seed in enumerate(seeds):
        own = member_folder(folder, seed)
        create(_member_config(config, seed), ensemble.data, env, text, own.path)
        write_reals(_member_setup(ensemble, k), own)
    folder.write(
        RECORD,
        {
            "status": "running",
            "command": text,
            "seeds": seeds,
            "how": ensemble.how,
            "config": to_json(config),
            "environment": env,
        },
    )
    return _Members(ensemble, folder).run()


def is_seeds(path: pathlib.Path) -> bool:
    """Whether a folder is one of several seeds."""
    return (path / RECORD).exists()


def resume_seeds(folder: RunFolder) -> RunFolder:
    """Goes on with all members from the newest step that all have saved.

    Raises:
      InputError: if the folder cannot be read, or a member's configuration has changed.
      Diverged, Stopped, SaveError: as `train_seeds`.
    """
    record = folder.read(RECORD)
    if missing := [name for name in ("seeds", "how", "config") if not record.get(name)]:
        raise InputError(f"run: {str(folder.path / RECORD)!r} is damaged: it has no {missing[0]}")
    members = [member_folder(folder, seed) for seed in record["seeds"]]
    for member, seed in zip(members, record["seeds"], strict=True):
        changed = differences({**record["config"], "seed": seed}, member.read("config.json"))
        if changed:
            raise InputError(
                f"config.json of {str(member.path)!r} has changed: {'; '.join(changed)}; put it back"
            )
    config = members[0].config()
    alive = [member for member in members if is_alive(member)]
    if not alive:
        raise Diverged(f"all {len(members)} members have diverged: there is nothing to go on with")
    starts = sorted(set.intersection(*(set(saved_steps(member)) for member in alive)))
    ensemble = Ensemble(
        config, record["seeds"], how=record["how"], devices=config.compute.devices, starts=starts
    )
    for member in members:
        if changed := differences(member.read("run.json")["data"], ensemble.data):
            raise InputError(f"data.source: the data have changed since the run began: {'; '.join(changed)}")
    folder.update_file(RECORD, status="running", error=None)
    return _Members(ensemble, folder).run(starts)


def _member_config(config: Config, seed: int) -> Config:
    return with_fields(config, seed=seed)


@dataclass(frozen=True, eq=False)
class _MemberSetup(Setup):
    """What one member's records need; the ensemble's program takes the place of its own."""

    first: Callable[[], GANState]

    def init(self) -> GANState:
        return self.first()


def _member_setup(ensemble: Ensemble, k: int) -> Setup:
    config = _member_config(ensemble.config, ensemble.seeds[k])
    return _MemberSetup(
        config,
        ensemble.source,
        ensemble.gan,
        None,
        ensemble.pipeline,
        None,
        ensemble.repeat,
        ensemble.sampler,
        partial(ensemble.init_member, k),
    )


class _Stopwatch(Clock):
    """A clock stopped at the interval's end: one member's records do not slow the next one's figures."""

    def __init__(self, clock: Clock, step: int) -> None:
        self._reading = clock.read(step)

    def read(self, step: int) -> tuple[float, float]:
        return self._reading


class _Members:
    """The members' own records, around the one program that trains them all."""

    def __init__(self, ensemble: Ensemble, folder: RunFolder) -> None:
        self.ensemble, self.folder, self.config = ensemble, folder, ensemble.config
        self.progress = Progress(self.config.steps, folder.path)
        self.signals = Signals()
        first = member_folder(folder, ensemble.seeds[0])
        evaluator = make_evaluator(ensemble.source, first.read("run.json").get("features"))
        self.loops = []
        for k, seed in enumerate(ensemble.seeds):
            loop = Loop(
                _member_setup(ensemble, k),
                member_folder(folder, seed),
                evaluator,
                MemberProgress(self.progress, f"seed {seed}"),
            )
            loop.signals = self.signals
            self.loops.append(loop)
        self.alive = [is_alive(loop.folder) for loop in self.loops]
        self.open = [True] * len(self.loops)
        self.pending: list[Metrics] = []

    def run(self, starts: Sequence[int] | None = None) -> RunFolder:
        """Trains all to the end and scores them; goes on from one of `starts`, if they are given."""
        with self.signals:
            try:
                states, step = self._start() if starts is None else self._restart(starts)
                states = self._train(states, step)
                self._finish(states)
            except Stopped as stopped:
                self._close("stopped")
                raise Stopped(stopped.signum, stopped.step, self.folder) from None
            except Diverged as error:
                self._close("diverged", str(error))
                raise
            except BaseException as error:
                with contextlib.suppress(Exception):
                    self._close("failed", f"{type(error).__name__}: {error}")
                if isinstance(error, OSError) and not isinstance(error, SaveError):
                    raise SaveError(
                        f"could not write in {str(self.folder.path)!r} ({error}); go on from the last good "
                        f"checkpoints with: jaxgan resume {self.folder.path}"
                    ) from error
                raise
        return self.folder

    def _start(self) -> tuple[Any, int]:
        return self.ensemble.joined([loop.start(resumed=False)[0] for loop in self.loops]), 0

    def _restart(self, starts: Sequence[int]) -> tuple[Any, int]:
        at = self._newest_readable(starts)
        states, step = [], 0
        for k, loop in enumerate(self.loops):
            if not self.alive[k]:  # its place in the program; nothing of it is recorded
                self.open[k] = False
                loop.checkpoints.close()
                states.append(self.ensemble.init_member(k))
                continue
            state, step = loop.start(True, -1 if at is None else at)
            states.append(state)
        return self.ensemble.joined(states), step

    def _newest_readable(self, starts: Sequence[int]) -> int | None:
        """The newest of the steps that all members have saved, and saved well; None if there are none."""
        like = abstract(jax.eval_shape(partial(self.ensemble.init_member, 0)))
        alive = [loop for loop, alive in zip(self.loops, self.alive, strict=True) if alive]
        bad: list[tuple[Loop, int]] = []
        for at in sorted(starts, reverse=True):
            unreadable = [loop for loop in alive if not _readable(loop.checkpoints, at, like)]
            bad += [(loop, at) for loop in unreadable]
            if not unreadable:
                for loop, step in bad:
                    loop.checkpoints.set_aside(step)
                    loop.progress.note(
                        f"checkpoint {step} cannot be read; it was moved to checkpoints-broken, and all go "
                        f"back to step {at:,}"
                    )
                return at
        if starts:
            raise InputError(
                f"no checkpoints to go on from in {str(self.folder.path)!r}: none of {sorted(starts)} can be "
                "read for every member"
            )
        have = {loop.folder.path.name: loop.checkpoints.steps() for loop in alive}
        if any(len(steps) > 1 for steps in have.values()):  # more than an interrupted first save leaves
            raise InputError(f"no step that all members have saved: {have}; nothing was changed")
        return None

    def _train(self, states: Any, step: int) -> Any:
        inputs = self.ensemble.inputs(step)
        self.progress.start(step)
        clock = Clock(self.config, self.ensemble.repeat, step)
        while step < self.config.steps:
            states, metrics = self.ensemble.advance(states, inputs)
            step += self.ensemble.repeat
            self.pending.append(metrics)
            stop = self.signals.received is not None
            due = clock.due(step, stop)
            if not due:
                continue
            self._interval(states, step, due, clock)
            if stop:
                raise Stopped(self.signals.received or 0, step, self.folder)
            clock.restart(step)
        return states

    def _interval(self, states: Any, step: int, due: set[str], clock: Clock) -> None:
        pending = [jax.device_get(metrics) for metrics in self.pending]
        self.pending.clear()
        series = {name: np.concatenate([m[name] for m in pending], axis=1) for name in pending[0]}
        if "save" in due:  # so that whenever this process ends, all have the save before it in common
            for loop, alive in zip(self.loops, self.alive, strict=True):
                if alive:
                    loop.checkpoints.wait()
        stopwatch = _Stopwatch(clock, step)
        for k, loop in enumerate(self.loops):
            if not self.alive[k]:
                continue
            loop.pending = [(step, {name: values[k] for name, values in series.items()})]
            try:
                loop.interval(self.ensemble.member(states, k), step, due, stopwatch)
            except Diverged as error:
                self.alive[k] = self.open[k] = False
                loop.progress.note(f"diverged: {error}")
                loop.close("diverged", str(error))
        if not any(self.alive):
            raise Diverged(f"all {len(self.alive)} members diverged by step {step:,}")
        records = [loop.progress.record for loop, alive in zip(self.loops, self.alive, strict=True) if alive]
        mean = {
            name: float(np.mean([r[name] for r in records])) for name in records[0] if name != "score_name"
        }
        mean["images_per_second"] *= len(records)
        names = {name: records[0][name] for name in ("score_name",) if name in records[0]}
        self.progress.update({**mean, "step": step, **names}, None)

    def _finish(self, states: Any) -> None:
        self.progress.note(f"scoring {sum(self.alive)} members, {self.config.final_n:,} fakes each")
        for k, loop in enumerate(self.loops):
            if self.alive[k]:
                loop.finish(self.ensemble.member(states, k))
                self.open[k] = False
        summary = summarise(self.folder)
        self.progress.stop()
        write_summary(self.folder, summary)
        self.folder.update_file(RECORD, status="finished", error=None)
        for line in summary_lines(summary):
            self.progress.note(line)

    def _close(self, status: str, error: str | None = None) -> None:
        """Closes what is open, all of it; then raises the first failure to do so, if there was one."""
        self.progress.stop()
        failures = []
        for k, loop in enumerate(self.loops):
            if self.open[k]:
                self.open[k] = False
                try:
                    loop.close(status, error)
                except Exception as failure:
                    failures.append(failure)
        self.folder.update_file(RECORD, status=status, error=error)
        if failures:
            raise failures[0]


def _readable(checkpoints: Checkpoints, step: int, like: GANState) -> bool:
    try:
        checkpoints.restore(step, like)
        checkpoints.meta(step)
    except InputError:
        return False
    return True
