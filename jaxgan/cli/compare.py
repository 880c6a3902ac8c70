"""`jaxgan compare`: runs side by side on one page."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

from jaxgan.cli.arguments import Positional, check_out, parse
from jaxgan.cli.status import warnings_in_lines
from jaxgan.common.errors import InputError


@dataclass(frozen=True)
class Compare:
    """Write a page with runs side by side: samples, what differs in their settings, curves and final scores.

    `jaxgan evaluate A B --compare` computes the scores of two runs anew, on the same reals.
    """

    runs: Positional[tuple[pathlib.Path, ...]] = ()
    """Folders of runs, of one seed or of several."""
    out: pathlib.Path = pathlib.Path("compare.html")
    """The page."""


def compare(args: list[str]) -> None:
    """Writes a page with runs side by side."""
    parsed = parse(Compare, args, "compare")
    if len(parsed.runs) < 2:
        raise InputError(f"runs: expected at least two runs, got {len(parsed.runs)}")
    check_out("out", parsed.out, (".html",))

    from jaxgan.report.compare import write_comparison
    from jaxgan.runs.folder import RunFolder

    with warnings_in_lines():
        write_comparison([RunFolder(path) for path in parsed.runs], parsed.out)
    print(f"wrote {parsed.out}")
