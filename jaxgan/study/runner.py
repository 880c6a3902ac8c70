"""Running a study: cells that are not there yet are trained, and each is kept as soon as it is done."""

from __future__ import annotations

import functools
import pathlib
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxgan.common.errors import lookup
from jaxgan.config.data import open_data
from jaxgan.data import Points
from jaxgan.study.launchers import LAUNCHERS, LaunchOptions
from jaxgan.study.results import CellResult, Outcome, Store, plain
from jaxgan.study.spec import Cell

Train = Callable[..., Sequence[Any]]
"""(config, seeds) -> a `jaxgan.train.recorder.Member` for each seed."""

_SAMPLES_KEPT = 2500  # points of a seed; of images 64
_say = functools.partial(print, flush=True)


def run_cell(cell: Cell, train: Train | None = None) -> CellResult:
    """Trains all seeds of a cell in this process. What is raised becomes a failed result.

    Args:
      cell: what to train.
      train: (config, seeds) -> members; None: `jaxgan.train.recorder.run_members`.

    Returns:
      The result, with samples.
    """
    began, key = time.monotonic(), ""
    try:
        key = cell.key  # before training: a loss's file may change while it runs
        from jaxgan.runs.environment import environment, start

        if train is None:
            from jaxgan.train.recorder import run_members

            start()
            train = run_members
        config = cell.config()
        members = train(config, cell.seeds)
        return CellResult(
            cell,
            key,
            "finished",
            outcomes=tuple(_outcome(member) for member in members),
            data=_data_facts(config),
            seconds=time.monotonic() - began,
            environment=environment(),
            samples={
                member.seed: _kept(np.asarray(member.samples))
                for member in members
                if member.samples is not None
            },
        )
    except Exception as error:
        line = f"{type(error).__name__}: {error}"
        return CellResult.failure(cell, key, line, traceback.format_exc(), time.monotonic() - began)


def _outcome(member: Any) -> Outcome:
    names = ("seed", "status", "diverged_at", "curve", "final", "best")
    return Outcome(**{name: plain(getattr(member, name)) for name in names})


def _kept(samples: np.ndarray) -> np.ndarray:
    return samples[: 64 if samples.ndim == 4 else _SAMPLES_KEPT]


def _data_facts(config: Any) -> dict[str, int]:
    source = open_data(config)
    modes = len(source.modes) if isinstance(source, Points) else 0
    return {"modes": modes, "classes": source.n_classes}


def run_study(
    cells: Sequence[Cell],
    out: pathlib.Path,
    options: LaunchOptions | None = None,
    *,
    train: Train | None = None,
    say: Callable[[str], None] = _say,
) -> list[CellResult]:
    """Trains the cells that `out` lacks and returns the results of all, in the order given.

    A cell is written whole as soon as it is done, under a name that holds the hash of everything
    that determines it. So a study that was killed, by whatever signal, goes on where it stopped
    when it is started again, and one whose spec has changed trains what is new.

    Args:
      cells: what to train.
      out: folder of the study; cells go to its folder cells/.
      options: how cells are spread over processes or machines; None: the defaults.
      train: (config, seeds) -> members, picklable; None: `jaxgan.train.recorder.run_members`.
      say: takes lines of progress.

    Returns:
      One result a cell, without samples.

    Raises:
      InputError: for a launcher that does not exist or cannot start.
    """
    options = options or LaunchOptions()
    launch = lookup("launcher", options.launcher, LAUNCHERS)
    store, by_key = Store(out / "cells"), {cell.key: cell for cell in cells}
    results: dict[str, CellResult] = {}
    for key, cell in by_key.items():
        kept = store.load(cell, key)
        if kept is not None and not (kept.failed and options.retry_failed):
            results[key] = kept
    pending = {key: cell for key, cell in by_key.items() if key not in results}
    say(f"study: {out}: {len(by_key)} cells, {len(results)} kept, {len(pending)} to train")
    clock = _Clock(len(pending))
    if pending:
        for result in launch(pending, functools.partial(run_cell, train=train), options):
            key, result = _checked(result, pending)
            store.save(result)
            results[key] = CellResult.from_json(result.to_json())
            say(f"[{len(results)}/{len(by_key)}] {_line(result)}; {clock.tick()} left")
    return [results[key] for key in by_key]


def _checked(result: tuple[str, CellResult], pending: Mapping[str, Cell]) -> tuple[str, CellResult]:
    """Refuses what was trained from something else than was asked for."""
    key, found = result
    if found.failed:
        return key, CellResult.failure(
            pending[key], key, found.error or "", found.traceback or "", found.seconds
        )
    if found.key != key:
        error = (
            f"expected the cell {key}, trained was {found.key}: jaxgan or the loss's file differs there, or "
            "has changed since the study began"
        )
        return key, CellResult.failure(pending[key], key, error, seconds=found.seconds)
    return key, found


def _line(result: CellResult) -> str:
    text = f"{result.cell.dataset}: {result.cell.variant}: "
    if result.failed:
        return text + f"FAILED: {(result.error or '')[:160]}"
    from jaxgan.study.analysis import headline, summary_line

    return text + f"{summary_line(result, headline([result]))}, {result.seconds:.1f} s"


class _Clock:
    """Time left, from the pace of this process."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._began = total, 0, time.monotonic()

    def tick(self) -> str:
        """One more is done; the time that the rest will take at this pace."""
        self._done += 1
        seconds = (time.monotonic() - self._began) / self._done * (self._total - self._done)
        minutes, seconds = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
