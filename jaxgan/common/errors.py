"""What is raised for bad input: one line that names the argument, what was expected and what came."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

Entry = TypeVar("Entry")


class InputError(ValueError):
    """Bad input: the command line prints its one line and exits with status 2, without a traceback."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The hint "did you mean 'x'? ", or "" where nothing is near."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}? " if near else ""


def unknown(kind: str, name: str, known: Iterable[str], *, list_all: bool = True) -> InputError:
    """The error for a name that is not in a table: it names the nearest entry and all of them.

    Args:
      kind: what the name stands for, as a user would call it ("loss", "preset").
      name: what was asked for.
      known: every valid name.
      list_all: list them all after the nearest; not for a catalogue of hundreds.

    Returns:
      The error, for the caller to raise.
    """
    known = sorted(known)
    rest = f"known: {', '.join(known)}" if list_all else f"one of {len(known)} is expected"
    return InputError(f"unknown {kind} {name!r}; {nearest(name, known)}{rest}")


def lookup(kind: str, name: str, table: Mapping[str, Entry]) -> Entry:
    """Returns `table[name]`; raises InputError naming the nearest entry if there is none."""
    if name not in table:
        raise unknown(kind, name, table)
    return table[name]
