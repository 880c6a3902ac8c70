"""Runs a study: trains the cells that are not there yet, and keeps each as soon as it is done."""

from __future__ import annotations

import functools
import pathlib
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxgan.common.errors import lookup
from jaxgan.common.progress import Pace
from jaxgan.config.data import open_data
from jaxgan.study.analysis import headline, summary_line
from jaxgan.study.launchers import LAUNCHERS, LaunchOptions
from jaxgan.study.results import CellResult, Outcome, Store, plain
from jaxgan.study.spec import Cell

Train = Callable[..., Sequence[Any]]
"""(config, seeds) -> a `jaxgan.train.recorder.Member` for each seed."""

_say = functools.partial(print, flush=True)


def run_cell(cell: Cell, train: Train | None = None) -> CellResult:
    """Trains all seeds of a cell in this process; an exception becomes a failed result.

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
        source = open_data(config)
        facts = {"modes": source.n_modes, "classes": source.n_classes, "modality": source.modality.name}
        return CellResult(
            cell,
            key,
            "finished",
            outcomes=tuple(_outcome(member) for member in members),
            data=facts,
            kinds={
                name: kind.to_json()
                for member in members
                for name, kind in getattr(member, "kinds", {}).items()
            },
            seconds=time.monotonic() - began,
            environment=environment(),
            samples={
                member.seed: np.asarray(member.samples)[: source.modality.shown]
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
    when it is started again, and a study whose spec has changed trains only what is new.

    Args:
      cells: what to train.
      out: folder of the study, which keeps the cells in its folder cells/.
      options: how cells are spread over processes or machines; None: the defaults.
      train: (config, seeds) -> members, picklable; None: `jaxgan.train.recorder.run_members`.
      say: prints a line of progress.

    Returns:
      A result for each cell, without samples.

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
    pace = Pace(len(by_key), len(results))
    if pending:
        for result in launch(pending, functools.partial(run_cell, train=train), options):
            key, result = _checked(result, pending)
            store.save(result)
            results[key] = CellResult.from_json(result.to_json())
            say(f"[{len(results)}/{len(by_key)}] {_line(result)}; {pace.left(len(results))} left")
    return [results[key] for key in by_key]


def _checked(result: tuple[str, CellResult], pending: Mapping[str, Cell]) -> tuple[str, CellResult]:
    """The key and result of a cell; a failure if what was trained is not what was asked for."""
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
    return text + f"{summary_line(result, headline([result]))}, {result.seconds:.1f} s"
