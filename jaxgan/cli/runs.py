"""`jaxgan runs`: a table of what has been trained."""

from __future__ import annotations

import json
import pathlib
from dataclasses import dataclass

from jaxgan.cli.arguments import Positional, parse

_WIDEST = 60  # characters of a cell: files of strangers have more
_LONGEST = 3e9  # seconds, a century: the same


@dataclass(frozen=True)
class Runs:
    """List the runs in a folder: what was trained on what, how far, how well, and how it ended."""

    folder: Positional[pathlib.Path] = pathlib.Path("runs")
    """Folder of runs, or a run."""
    json: bool = False
    """Print a JSON list instead of a table."""


def runs(args: list[str]) -> None:
    """Prints a line for every run in a folder."""
    parsed = parse(Runs, args, "runs")

    from jaxgan.cli.status import warnings_in_lines
    from jaxgan.common.files import printable
    from jaxgan.common.progress import clock
    from jaxgan.report.scores import format_number
    from jaxgan.report.terminal import print_table
    from jaxgan.runs.listing import runs_in

    with warnings_in_lines():
        found = runs_in(parsed.folder)
    if parsed.json:
        print(json.dumps([run.to_json() for run in found], indent=1))
        return
    if not found:
        print(f"no runs in {parsed.folder}")
        return
    rows = []
    for run in found:
        step = f"{run.step:,}/{run.steps:,}" if run.steps else "–"
        score = f"{run.score_name} {format_number(run.score)}" if run.score_name else "–"
        name = run.name + (f" ({run.seeds} seeds)" if run.seeds > 1 else "")
        known = run.seconds is not None and 0 <= run.seconds < _LONGEST
        time = clock(run.seconds or 0.0) if known else "–"
        state = run.state.partition(":")[0]
        cells = (name, run.data, run.network, run.loss, step, score, state, time)
        rows.append([cell if len(cell) <= _WIDEST else f"{cell[: _WIDEST - 1]}…" for cell in cells])
    print_table(("name", "data", "network", "loss", "step", "score", "state", "time"), rows, numbers=(4, 7))
    for run in found:
        if run.state.startswith("damaged"):
            print(printable(f"{run.name} is {run.state}"))
