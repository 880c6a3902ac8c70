"""Values of JSON files held to types, as Python writes them: TypedDict, list, dict, tuple, Literal, unions."""

from __future__ import annotations

import json
import pathlib
import types
import typing
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, NotRequired

from jaxgan.common.errors import InputError
from jaxgan.common.files import printable, read_bytes

Count = Annotated[int, "from 0 on"]
"""A whole number that is not negative."""
LARGEST = 2**28
"""Bytes of a JSON file, beyond which it is not read: those of runs have a few thousand."""
LARGEST_INT = 2**63 - 1
"""The largest whole number that arrays have a place for."""
_WORDS: dict[Any, str] = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}


def read_text(argument: str, path: pathlib.Path, *, largest: int = LARGEST) -> str:
    """The text of a file, as of `jaxgan.common.files.read_bytes`; InputError also for a file that is no text."""
    content = read_bytes(argument, path, largest=largest)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{argument}: cannot read {printable(path)!r}: {error}") from error


def parsed_json(text: str) -> Any:
    """The value of a JSON text. Raises ValueError for any other text."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("its lists and objects lie too deep in each other") from error


def check(value: Any, hint: Any, where: str, what: str = "") -> None:
    """Raises InputError for the first part of a value that is not of its type.

    Args:
      value: as `json.loads` has it.
      hint: its type. Entries of a TypedDict that are not `NotRequired` must be there; others than it names may. A
        float is any number.
      where: what the message begins with: "run: 'FILE' is damaged".
      what: the part of the file that the value is, such as "data.n"; "" for all of it.
    """
    found = _misfit(value, hint, what)
    if found is not None:
        part, expected, got = found
        shown = "nothing" if got is _NOTHING else repr(printable(str(got)[:60]))
        raise InputError(f"{where}: expected {printable(part) or 'it'} to be {expected}, got {shown}")


_NOTHING = object()
_Misfit = tuple[str, str, Any] | None  # the part, what was expected of it, what came


def _misfit(value: Any, hint: Any, what: str) -> _Misfit:
    origin, inner = _parts(hint)
    if hint is Any:
        return None
    if origin is Annotated:
        found = _misfit(value, inner[0], what)
        return found or ((what, "at least 0", value) if value < 0 else None)
    if origin is NotRequired:
        return _misfit(value, inner[0], what)
    if origin in (typing.Union, types.UnionType):
        return _of_union(value, inner, what)
    if origin is Literal:
        expected = f"one of {', '.join(map(repr, inner))}"
        return None if isinstance(value, str) and value in inner else (what, expected, value)
    if typing.is_typeddict(hint):
        return _of_object(value, _fields(hint), what)
    kind = origin or hint
    if kind is tuple:
        if not isinstance(value, list) or len(value) != len(inner):
            return what, f"a list of {len(inner)}", value
        return _first(
            _misfit(x, own, f"{what}[{i}]") for i, (x, own) in enumerate(zip(value, inner, strict=True))
        )
    if not _is(value, kind):
        return what, _WORDS[kind], value
    if kind is list and inner:
        return _first(_misfit(x, inner[0], f"{what}[{i}]") for i, x in enumerate(value))
    if kind is dict and inner:
        return _first(_misfit(x, inner[1], _inside(what, name)) for name, x in value.items())
    return None


def _is(value: Any, kind: Any) -> bool:
    if kind is float:
        return type(value) is float or (type(value) is int and abs(value) <= LARGEST_INT)
    if kind is int:
        return type(value) is int and abs(value) <= LARGEST_INT
    return isinstance(value, kind)


def _of_union(value: Any, kinds: tuple[Any, ...], what: str) -> _Misfit:
    misfits = [_misfit(value, kind, what) for kind in kinds]
    if None in misfits:
        return None
    inside = next((found for found in misfits if found is not None and found[0] != what), None)
    return inside or (what, " or ".join(found[1] for found in misfits if found is not None), value)


def _of_object(value: Any, fields: Mapping[str, tuple[bool, Any]], what: str) -> _Misfit:
    if not isinstance(value, dict):
        return what, _WORDS[dict], value
    for name, (needed, kind) in fields.items():
        if name in value:
            found = _misfit(value[name], kind, _inside(what, name))
        else:
            found = (_inside(what, name), _in_words(kind), _NOTHING) if needed else None
        if found is not None:
            return found
    return None


@lru_cache
def _parts(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    return typing.get_origin(hint), typing.get_args(hint)


@lru_cache
def _fields(kind: Any) -> dict[str, tuple[bool, Any]]:
    """The entries of a TypedDict: whether each must be there, and its type."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return {name: (typing.get_origin(hint) is not NotRequired, hint) for name, hint in hints.items()}


def _in_words(hint: Any) -> str:
    origin, inner = _parts(hint)
    if origin in (Annotated, NotRequired):
        return _in_words(inner[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(_in_words, inner))
    return _WORDS.get(dict if typing.is_typeddict(hint) else origin or hint, "there")


def _inside(what: str, name: str) -> str:
    return f"{what}.{name}" if what else name


def _first(found: Any) -> _Misfit:
    return next((each for each in found if each is not None), None)
