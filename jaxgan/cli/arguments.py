"""Command lines into dataclasses, and what is wrong with them in one line."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import tyro

from jaxgan.common.errors import InputError

Arguments = TypeVar("Arguments")


@dataclass(frozen=True)
class Nothing:
    """This command takes no arguments."""


def parse(kind: type[Arguments], args: Sequence[str], verb: str, default: Any = None) -> Arguments:
    """Arguments of a verb. Raises InputError, in one line, for those that do not parse."""
    options: dict[str, Any] = {} if default is None else {"default": default}
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(kind, args=list(args), prog=f"jaxgan {verb}", **options)
    except SystemExit as stop:
        if not stop.code:
            raise
    raise InputError(_one_line(complaint.getvalue(), verb))


def _one_line(box: str, verb: str) -> str:
    """What a parser's framed message says: its first paragraph, and the nearest option."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip("│| ") for line in box.splitlines()]
    lines = [line for line in lines if line and not re.match(r"[╭╰+].*[╮╯+]$", line)]
    rules = [i for i, line in enumerate(lines) if set(line) <= {"─", "-"}]
    if rules and set(lines[rules[0]]) == {"-"}:  # without Unicode the title is a paragraph of its own
        lines, rules = lines[rules[0] + 1 :], [i - rules[0] - 1 for i in rules[1:]]
    text = " ".join(lines[: (rules or [len(lines)])[0]]) or "cannot parse the arguments"
    hints = ("Perhaps you meant", "Arguments similar to")
    near = [lines[i + 1] for i, line in enumerate(lines[:-1]) if line.startswith(hints)]
    hint = f"; did you mean {near[0].split(' ')[0]}?" if near else ""
    return f"{text}{hint} (see jaxgan {verb} --help)"
