"""What is raised for bad input: one line that names the argument, what was expected and what came."""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from jaxgan.common.glossary import about

Entry = TypeVar("Entry")
_PLAYER = re.compile(r"(?<![a-z])([gd])([-_])")  # of one of the two, as in g_optimizer and --d-optimizer.b1


class InputError(ValueError):
    """Bad input: the command line prints its one line and exits with status 2, without a traceback."""


@contextlib.contextmanager
def renamed(names: Mapping[str, str]) -> Iterator[None]:
    """Inside, an InputError about an argument names it as the user sets it: {"dim": "latent.dim"}."""
    try:
        yield
    except InputError as error:
        name, colon, rest = str(error).partition(":")
        if not colon or name not in names:
            raise
        raise InputError(f"{names[name]}:{rest}") from error


def in_group(group: str, names: Iterable[str]) -> dict[str, str]:
    """For `renamed`: each of the names with the group, and a dot, before it."""
    return {name: f"{group}.{name}" for name in names}


def nearest(name: str, known: Iterable[str]) -> str:
    """The hint "did you mean 'x'? ", or "" where nothing is near; it names all that are as near."""
    near = nearest_names(name, known)
    return f"did you mean {' or '.join(map(repr, near))}? " if near else ""


def nearest_names(name: str, known: Iterable[str], *, at_most: int = 4, at_least: float = 0.65) -> list[str]:
    """The entries that `name` may stand for: those that begin with it, else the most similar.

    What is as similar is named as well, and so is the other player's: "optimizer.b1" is near to both
    "g_optimizer.b1" and "d_optimizer.b1".

    Args:
      name: what was asked for.
      known: what there is.
      at_most: so many names.
      at_least: as similar, from 0 to 1.
    """
    known, plain = list(dict.fromkeys(known)), _plain(name)
    longer = [entry for entry in known if _plain(entry).startswith(plain)] if len(plain) >= 3 else []
    if 1 < len(longer) <= at_most:
        return longer
    alike = {entry: _alike(plain, _plain(entry)) for entry in known}
    best = max(alike.values(), default=0.0)
    if best < at_least:
        return longer[:1]
    near = [entry for entry, ratio in alike.items() if ratio == best]
    if not _PLAYER.search(name):
        for entry in tuple(near):
            other = _PLAYER.sub(lambda found: ("d" if found[1] == "g" else "g") + found[2], entry)
            near += [other] if other in alike and other not in near else []
    return near[:at_most]


def _alike(a: str, b: str) -> float:
    """From 0 to 1; names as short as "r1" that differ in one letter are near to each other."""
    ratio = difflib.SequenceMatcher(None, a, b).ratio()
    one_off = len(a) == len(b) > 1 and sum(x != y for x, y in zip(a, b, strict=True)) == 1
    return max(ratio, 0.65) if one_off else ratio


def _plain(name: str) -> str:
    return name.lower().lstrip("-").replace("_", "-")


def unknown(
    kind: str, name: str, known: Iterable[str], *, list_all: bool = True, where: str = ""
) -> InputError:
    """The error for a name that is not in a table.

    It says what other tools' names are called here, or else names the nearest entry; and it names all entries.

    Args:
      kind: what the name stands for, as a user would call it ("loss", "preset").
      name: what was asked for.
      known: every valid name.
      list_all: list them all after the nearest; not for a catalogue of hundreds.
      where: what is said in place of the list, such as what lists them.

    Returns:
      The error, for the caller to raise.
    """
    known = sorted(known, key=lambda entry: (":" in entry, entry))  # FILE.py:NAME last
    rest = where or (f"known: {', '.join(known)}" if list_all else f"one of {len(known)} is expected")
    clause = about(name)
    almost = difflib.get_close_matches(_plain(name), map(_plain, known), cutoff=0.9)
    hint = nearest(name, known) if clause is None or almost else f"{clause}; "
    return InputError(f"unknown {kind} {name!r}; {hint}{rest}")


def lookup(kind: str, name: str, table: Mapping[str, Entry], *, also: Iterable[str] = ()) -> Entry:
    """Returns `table[name]`; raises InputError naming the nearest entry if there is none.

    Args:
      kind: as of `unknown`.
      name: as of `unknown`.
      table: what is looked up.
      also: what is accepted besides its names, for the message, such as "FILE.py:NAME".
    """
    if name not in table:
        raise unknown(kind, name, [*table, *also])
    return table[name]
