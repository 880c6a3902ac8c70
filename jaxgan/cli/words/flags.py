"""The flags of a dataclass of arguments, and what a command line says with them."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import itertools
import re
import textwrap
import types
import typing
from collections import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import tyro

from jaxgan.common.errors import InputError, nearest_names
from jaxgan.common.glossary import about

_NUMBERS = (int, float)
_MANY = (tuple, list, set, frozenset, abc.Sequence, abc.Collection, abc.Set)
_YES_OR_NO = ("true", "false", "yes", "no", "on", "off", "1", "0")
_NEAR = 0.75  # of a guess within a group of flags, where the alternative is to list them
_OTHERWISE = {"lr": "learning-rate", "beta1": "b1", "beta2": "b2", "epsilon": "eps", "momentum": "b1"}


@dataclasses.dataclass(frozen=True)
class Flag:
    """One flag.

    Attributes:
      name: such as "--data.source".
      types: of its words; of several that repeat, one period.
      many: whether it takes any number of them.
      optional: whether None is a value.
      choices: the words that it takes, where they are given by the type.
      doc: what it does.
      default: what it is if it is not given.
    """

    name: str
    types: tuple[Any, ...] = (str,)
    many: bool = False
    optional: bool = False
    choices: tuple[str, ...] = ()
    doc: str = ""
    default: Any = None

    @property
    def is_switch(self) -> bool:
        """Whether it takes no word: it stands for True, and `off` for False."""
        return self.types == (bool,) and not self.many and not self.optional

    @property
    def off(self) -> str:
        """The flag that turns a switch off: "--data.no-flip"."""
        group, _, leaf = self.name.removeprefix("--").rpartition(".")
        return f"--{group}{'.' * bool(group)}no-{leaf}"

    @property
    def leaf(self) -> str:
        """Its last part."""
        return self.name.rpartition(".")[2].removeprefix("--")


class Said(NamedTuple):
    """A flag on a command line with its words, or words that follow no flag (`flag` is None)."""

    flag: Flag | None
    name: str
    words: list[str]


# --- which there are -------------------------------------------------------------------------------


def flags_of(kind: Any, default: Any = None, prefix: str = "") -> dict[str, Flag]:
    """All flags of a dataclass by name, without its positional arguments.

    Args:
      kind: the dataclass, with the markers of tyro.
      default: an instance that has the defaults.
      prefix: of all names.
    """
    hints, docs, found = typing.get_type_hints(kind, include_extras=True), docs_of(kind), {}
    for field in dataclasses.fields(kind):
        hint, marks = _bare(hints[field.name])
        value = _default_of(field) if default is None else getattr(default, field.name)
        own = next((mark.name for mark in marks if getattr(mark, "name", None) is not None), None)
        if tyro.conf.Suppress in marks or tyro.conf.Positional in marks:
            continue
        name = field.name.replace("_", "-") if own is None else own
        group = type(value) if dataclasses.is_dataclass(value) else hint
        if dataclasses.is_dataclass(group):
            inner = prefix if not name or tyro.conf.OmitArgPrefixes in marks else f"{prefix}{name}."
            found |= flags_of(group, value if dataclasses.is_dataclass(value) else None, inner)
            continue
        flag = _flag(f"--{prefix}{name}", hint, docs.get(field.name, ""), value)
        found[flag.name] = flag
    return found


def _flag(name: str, hint: Any, doc: str, default: Any) -> Flag:
    inner, optional = hint, False
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        rest = [part for part in typing.get_args(hint) if part is not type(None)]
        optional, inner = len(rest) < len(typing.get_args(hint)), rest[0]
    options = typing.get_args(inner)
    if typing.get_origin(inner) is typing.Literal:
        return Flag(name, (str,), False, optional, tuple(map(str, options)), doc, default)
    if typing.get_origin(inner) in (dict, abc.Mapping, abc.MutableMapping):
        return Flag(name, options, True, optional, (), doc, default)
    if options and typing.get_origin(inner) in _MANY:
        element = options[0]
        many = options[-1] is Ellipsis or typing.get_origin(inner) is not tuple
        period = typing.get_args(element) if typing.get_origin(element) is tuple else (element,)
        return Flag(name, period if many else options, many, optional, (), doc, default)
    return Flag(name, (inner,), False, optional, (), doc, default)


def _bare(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    if typing.get_origin(hint) is typing.Annotated:
        return hint.__origin__, hint.__metadata__
    return hint, ()


def _default_of(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None if field.default is dataclasses.MISSING else field.default


@functools.cache
def docs_of(kind: type) -> Mapping[str, str]:
    """What is written below the fields of a dataclass, by name."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        try:
            body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        except (OSError, TypeError, SyntaxError):  # no source, as in a notebook
            continue
        body = body.body if isinstance(body, ast.ClassDef) else []
        for field, text in itertools.pairwise(body):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
            ):
                found[field.target.id] = " ".join(str(text.value.value).split())
    return found


# --- what is said ----------------------------------------------------------------------------------


def scan(
    args: Sequence[str],
    flags: Mapping[str, Flag],
    command: str,
    *,
    alone: Callable[[str], bool] = lambda word: False,
    near: Mapping[str, Flag] | None = None,
) -> list[Said]:
    """A command line in parts.

    Args:
      args: what follows the command.
      flags: that it has.
      command: for messages.
      alone: whether a word is never one of those of a flag that takes many, as a preset is.
      near: those that are offered in the place of one that does not exist; None: all.

    Raises:
      InputError: for a flag that does not exist.
    """
    said: list[Said] = []
    offs = {flag.off: flag for flag in flags.values() if flag.is_switch}
    at = 0
    while at < len(args):
        word = args[at]
        at += 1
        if not word.startswith("--") or word == "--":
            said.append(Said(None, "", [word]))
            continue
        typed, equals, value = word.partition("=")
        name = typed.replace("_", "-")
        if name in ("--help", "--help-all"):
            said.append(Said(None, "", [word]))
            continue
        flag = flags.get(name) or offs.get(name)
        if flag is None:
            raise unknown_flag(typed, flags if near is None else near, command)
        words = [value] if equals else []
        if flag.is_switch and (words or (args[at : at + 1] and args[at].lower() in _YES_OR_NO)):
            raise InputError(
                f"{flag.name}: takes no value, got {(words or args[at : at + 1])[0]!r}; {flag.off} turns it off"
            )
        if not flag.is_switch and not equals:
            rest = list(args[at : next((i for i in range(at, len(args)) if args[i].startswith("--")), None)])
            words = _taken(flag, rest, alone)
            at += len(words)
        said.append(Said(flag, name, words))
    return said


def _taken(flag: Flag, words: list[str], alone: Callable[[str], bool]) -> list[str]:
    """Those of the words that belong to the flag; behind those of a flag of many, something else may follow."""
    if not flag.many:
        return words[: len(flag.types)]
    period = len(flag.types)
    return words[: next((i for i, word in enumerate(words) if i % period == 0 and alone(word)), None)]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def joined(said: Sequence[Said]) -> list[str]:
    """A command line of its parts; whole numbers are written as such where one is expected: 1e5 is 100000.

    Raises:
      InputError: for a word that its flag does not take, or one too few.
    """
    args: list[str] = []
    for flag, name, words in said:
        if flag is None:
            args += words
            continue
        kinds = [flag.types[i % len(flag.types)] for i in range(len(words))]
        words = [_whole(word) if kind is int else word for word, kind in zip(words, kinds, strict=True)]
        if not flag.is_switch:
            _check(flag, words)
        args += [name, *words]
    return args


def _check(flag: Flag, words: Sequence[str]) -> None:
    name, got = flag.name.removeprefix("--"), repr(" ".join(words)) if words else "nothing"
    if flag.optional and list(words) == ["None"]:
        return
    fits = len(words) % len(flag.types) == 0 if flag.many else len(words) == len(flag.types)
    for word, kind in zip(words, itertools.cycle(flag.types), strict=False):
        fits = fits and (kind not in _NUMBERS or _is_number(word))
        fits = fits and (kind is not int or re.fullmatch(r"[+-]?\d[\d_]*", word) is not None)
    fits = fits and (not flag.choices or all(word in flag.choices for word in words))
    if not fits:
        raise InputError(f"{name}: expected {_expected(flag)}, got {got}")


def _expected(flag: Flag) -> str:
    if flag.choices:
        return " or ".join(flag.choices)
    words = [{int: "a whole number", float: "a number"}.get(kind, "a value") for kind in flag.types]
    if flag.many and len(words) > 1:
        return f"pairs of {' and '.join(word.replace('value', 'name') for word in words)}"
    return f"{words[0]} each" if flag.many else " and ".join(words)


def _whole(word: str) -> str:
    if re.fullmatch(r"[+-]?[\d._]*[eE][+-]?\d{1,2}|[+-]?\d+\.0*", word) and _is_number(word):
        return str(int(float(word))) if float(word) == int(float(word)) else word
    return word


def unknown_flag(typed: str, flags: Mapping[str, Flag], command: str) -> InputError:
    """The error for a flag that does not exist: what it is called here, or the nearest ones."""
    see = f"(see {command} --help)"
    if typed.startswith("--no-"):
        on = typed.removeprefix("--no-").replace("_", "-")
        offs = [flag.off for flag in flags.values() if flag.is_switch and on in (flag.name[2:], flag.leaf)]
        if offs and typed not in offs:
            return InputError(
                f"unknown flag {typed!r}; did you mean {' or '.join(dict.fromkeys(offs))}? {see}"
            )
    clause = about(typed, command.removeprefix("jaxgan "))
    if clause is not None:
        missing = [name for name in re.findall(r"--[a-z][\w.-]*", clause) if name not in flags]
        if missing and "jaxgan " not in clause.partition("--")[0]:
            clause = f"in jaxgan train, {clause}"
        return InputError(f"unknown flag {typed!r}; {clause} {see}")
    group, _, leaf = typed.removeprefix("--").replace("_", "-").rpartition(".")
    meant = f"--{group}.{_OTHERWISE[leaf]}" if group and leaf in _OTHERWISE else typed
    # the encoder's, which few games have, are meant by who says so
    known = [flag for flag in flags if "--e-" in meant or not flag.startswith("--e-optimizer.")]
    near = [name for name in known if flags[name].leaf == leaf and not group]
    beside = {flags[name].leaf: name for name in known if group and name.startswith(f"--{group}.")}
    if beside:
        leaves = nearest_names(meant.rpartition(".")[2], beside, at_least=_NEAR)
        near = [beside[name] for name in leaves] or [name for name in known if flags[name].leaf == leaf]
        if not near:
            return InputError(f"unknown flag {typed!r}; there are --{group}.{', '.join(beside)} {see}")
    near = near or nearest_names(meant, [*known, "--help"])
    if not near and not group:
        leaves = nearest_names(leaf, {flags[name].leaf for name in known}, at_least=_NEAR)
        near = [name for name in known if flags[name].leaf in leaves]
    hint = f"; did you mean {' or '.join(near[:4])}? " if near else " "
    return InputError(f"unknown flag {typed!r}{hint}{see}")
