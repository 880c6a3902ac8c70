"""Collects the scores of finished runs in one JSON file, and prints them as a table for README.md.

    python experiments/collect_scores.py runs/0000* --json experiments/results/presets.json

Hardware: any; each entry carries the environment of its own run. Time: seconds.
"""

from __future__ import annotations

import json
import pathlib
import sys
import time
from dataclasses import dataclass
from typing import Any

from jaxgan.cli.arguments import Positional, run_script
from jaxgan.common.files import write_atomically
from jaxgan.report.scores import format_number
from jaxgan.runs.folder import RunFolder

SHOWN = ("precision", "recall", "coverage", "modes", "high_quality")


@dataclass(frozen=True)
class Args:
    """Which runs."""

    runs: Positional[tuple[pathlib.Path, ...]]
    """Folders of finished runs."""
    json: pathlib.Path | None = None
    """Write everything to this file."""


def entry(path: pathlib.Path) -> dict[str, Any]:
    """What is kept of one run."""
    folder = RunFolder(path)
    run = folder.read("run.json")
    return {
        "preset": folder.config().preset,
        "steps": folder.config().steps,
        "date": time.strftime("%Y-%m-%d", time.localtime((path / "run.json").stat().st_mtime)),
        "command": run["command"],
        "status": run["status"],
        "train_seconds": run["train_seconds"],
        "data": run["data"],
        "environment": run["environment"],
        "scores": folder.read("scores.json"),
    }


def row(kept: dict[str, Any]) -> str:
    """One line of the table: main score with that of real data, then a few more."""
    scores, main = kept["scores"]["final"]["scores"], kept["scores"]["main"]
    names = [main, *(name for name in SHOWN if name in scores)]
    cells = (
        f"{name} {format_number(scores[name]['value'])} ({format_number(scores[name]['floor'])})"
        for name in names
    )
    return f"| `{kept['preset']}` | {kept['steps']:,} | {kept['train_seconds']:.0f} s | {', '.join(cells)} |"


def main(args: Args) -> None:
    kept = [entry(path) for path in args.runs]
    print("| preset | steps | training | final scores (real data) |\n|---|---|---|---|")
    for one in kept:
        print(row(one))
    if args.json is not None:
        write_atomically(args.json, json.dumps(kept, indent=1) + "\n")
        print(f"wrote {args.json}")


if __name__ == "__main__":
    sys.exit(run_script(main, Args, __doc__))
