"""The command line of a study: its options change a spec and say how it is run."""

from __future__ import annotations

import pathlib
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import tyro

from jaxgan.common.errors import InputError
from jaxgan.report.terminal import print_table
from jaxgan.study.analysis import DatasetAnalysis, analyse
from jaxgan.study.launchers import LaunchOptions
from jaxgan.study.report import write_outputs
from jaxgan.study.results import CellResult, Store
from jaxgan.study.runner import Train, run_study
from jaxgan.study.spec import Cell, Spec
from jaxgan.study.tables import header, variant_row


@dataclass(frozen=True)
class StudyArgs:
    """What a study trains, and how."""

    spec: tyro.conf.OmitArgPrefixes[Spec] = field(default_factory=Spec)
    launch: tyro.conf.OmitArgPrefixes[LaunchOptions] = field(default_factory=LaunchOptions)
    out: pathlib.Path = pathlib.Path("runs/study")
    """Folder of the study. A study that is started again with its folder goes on where it stopped."""
    only: str = ""
    """Train and report only the cells whose name contains this."""
    list: bool = False
    """Print the cells and train nothing."""
    report_only: bool = False
    """Report the cells that are there and train nothing."""
    test: Literal["auto", "welch", "mann_whitney"] = "auto"
    """Test of pairs; auto: welch if every seed has a value, otherwise mann_whitney."""


def run_command(args: StudyArgs, *, title: str, train: Train | None = None) -> int:
    """Runs a study as the command line asks and returns the exit status.

    0: the study has ended, even if some cells failed. 2: the input was bad; one line on stderr says how.
    130: it was stopped with Ctrl-C; the same command goes on.
    """
    try:
        return _run(args, title, train)
    except InputError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; finished cells are kept, and the same command goes on", file=sys.stderr)
        return 130


def _run(args: StudyArgs, title: str, train: Train | None) -> int:
    every = args.spec.cells()
    cells = [cell for cell in every if args.only in f"{cell.label} {cell.variant}"]
    if not cells:
        raise InputError(f"only: expected a part of a cell's name, got {args.only!r}; --list prints them")
    if args.list:
        for cell in cells:
            print(f"{cell.key}  {cell.label}  ({len(cell.seeds)} seeds)")
        print(f"{len(cells)} cells, {sum(len(cell.seeds) for cell in cells)} runs")
        return 0
    results = (
        _kept(cells, args.out) if args.report_only else run_study(cells, args.out, args.launch, train=train)
    )
    if len(cells) < len(every):
        title += f" ({len(cells)} of {len(every)} cells)"
    written = write_outputs(results, args.out, title=title, command=_command(), test=args.test)
    for analysis in analyse(results, args.test):
        _show(analysis)
    failed = sum(result.failed for result in results)
    if failed:
        print(f"{failed} cells failed; --retry-failed trains them again")
    print("wrote " + ", ".join(str(path) for path in written if path.parent == args.out))
    return 0


def _show(analysis: DatasetAnalysis) -> None:
    """Prints the table of a dataset, and what failed."""
    first = analysis.metrics[0] if analysis.metrics else None
    order = f", by {first.name} ({'higher' if first.higher else 'lower'} is better)" if first else ""
    print(f"{analysis.dataset}{order}")
    if analysis.variants:
        short = {"p against the first": "p", header(analysis)[1]: "final", header(analysis)[2]: "best"}
        names = [short.get(name, name).removesuffix(", final") for name in header(analysis)]
        rows = [variant_row(analysis, i) for i in range(len(analysis.variants))]
        print_table(names, rows, numbers=range(1, len(names)))
    for result in analysis.failed:
        print(f"failed: {result.cell.variant}: {result.error}")


def _kept(cells: Sequence[Cell], out: pathlib.Path) -> list[CellResult]:
    found = [Store(out / "cells").load(cell, cell.key) for cell in cells]
    kept = [result for result in found if result is not None]
    if not kept:
        raise InputError(
            f"out: expected the folder of a study of these cells, got {str(out)!r}, which has none"
        )
    return kept


def _command() -> str:
    return shlex.join(["python", *sys.argv])
