"""Command lines into frozen dataclasses, and what is wrong with them in one line.

Every verb is a file with a dataclass of its arguments, whose docstrings are its help, and a function of its name
that takes what follows the verb: `parsed = parse(Sample, args, "sample")`. A verb that has verbs of its own hands
them to `dispatch`; an experiment is run by `run_script`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import io
import os
import pathlib
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import tyro

from jaxgan.cli.status import exit_status
from jaxgan.cli.words.flags import flags_of, joined, scan
from jaxgan.cli.words.help import laid_out
from jaxgan.common.errors import InputError, nearest, unknown

Arguments = TypeVar("Arguments")
Verb = Callable[[list[str]], int | None]
Positional = tyro.conf.Positional


def parse(
    kind: type[Arguments], args: Sequence[str], verb: str, default: Arguments | None = None
) -> Arguments:
    """The arguments of a verb.

    Args:
      kind: a dataclass; its docstrings are what `--help` prints.
      args: what follows the verb.
      verb: with the verbs before it, such as "losses check".
      default: what is not given is taken from it.

    Raises:
      InputError: in one line, for arguments that do not parse.
      SystemExit: with status 0, after `--help`.
    """
    return _parse(kind, args, f"jaxgan {verb}", default)


def dispatch(verb: str, args: list[str], verbs: Mapping[str, Verb]) -> int | None:
    """Runs the one of `verbs` that `args` begin with.

    Args:
      verb: whose verbs they are.
      args: what follows it.
      verbs: functions of what follows their names; the first line of their docstrings is the help of `verb`.
        "" names what is run without arguments, if there is such a thing.

    Raises:
      InputError: for none of them.
    """
    name = args[0] if args else ""
    if name in ("-h", "--help"):
        print(_listed(verb, verbs))
        return 0
    if name in verbs:
        return verbs[name](args[1:])
    known = [name for name in verbs if name]
    if "" in verbs:
        raise unknown(f"{verb} command", name, known)
    expected, hint = " or ".join(map(repr, known)), nearest(name, known)
    raise InputError(
        f"{verb}: expected {expected}, got {name or 'nothing'!r}" + (f"; {hint}" if hint else "")
    )


def _listed(verb: str, verbs: Mapping[str, Verb]) -> str:
    names = [f"jaxgan {verb} {name}".rstrip() for name in verbs]
    width = max(map(len, names))
    says = [(function.__doc__ or "").strip().splitlines()[0] for function in verbs.values()]
    lines = [f"  {name:{width}}  {text}" for name, text in zip(names, says, strict=True)]
    return "\n".join([*lines, "", "Each has a --help of its own."])


def run_script(
    main: Callable[[Arguments], int | None],
    kind: type[Arguments],
    description: str | None = None,
    default: Arguments | None = None,
) -> int:
    """Runs a script with the arguments of its command line, and returns its exit status.

    Args:
      main: what the script does.
      kind: a dataclass, as of `parse`.
      description: what `--help` begins with; None: the docstring of `kind`.
      default: as of `parse`.
    """
    script = f"python {sys.argv[0]}"
    return exit_status(lambda: main(_parse(kind, sys.argv[1:], script, default, description)))


def print_rows(rows: Mapping[str, object]) -> None:
    """Prints names and what is said of them, one a line."""
    width = max(map(len, rows))
    for name, text in rows.items():
        print(f"{name:{width}}  {text}")


def gflop(operations: float) -> str:
    """Writes operations in GFLOP: with two decimals or, where those would tell nothing, three digits."""
    return f"{operations / 1e9:{',.2f' if operations >= 1e9 else '.3g'}} GFLOP"


def check_out(name: str, path: pathlib.Path, suffixes: Collection[str] = ()) -> None:
    """Refuses at the start a file that could not be written at the end.

    Args:
      name: of the argument, for messages.
      path: of the file; "" among the suffixes stands for a folder, which may be called anything if it stands alone.
      suffixes: that it may end with; none: any.

    Raises:
      InputError: for another suffix, a folder in the place of the file or the reverse, or a place where nothing can be
        written.
    """
    suffix = "" if tuple(suffixes) == ("",) else path.suffix.lower()
    if suffix == "" and "" in suffixes and path.exists() and not path.is_dir():
        raise InputError(f"{name}: expected a folder, got the file {str(path)!r}")
    if suffixes and suffix not in suffixes:
        files = [known for known in suffixes if known]
        listed = " or ".join(filter(None, [", ".join(files[:-1]), files[-1]]))
        folder = " or a folder" if "" in suffixes else ""
        raise InputError(f"{name}: expected a {listed} file{folder}, got {str(path)!r}")
    if path.is_dir() and not (suffixes and suffix == ""):
        raise InputError(f"{name}: expected a file, got the folder {str(path)!r}")
    there = next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())
    if not there.is_dir() and there != path.absolute():
        raise InputError(f"{name}: cannot write {str(path)!r}, as {str(there)!r} is no folder")
    there = there if there.is_dir() else there.parent
    try:
        with tempfile.TemporaryFile(dir=there):  # rights alone do not tell, as of /proc
            pass
    except OSError as error:
        raise InputError(
            f"{name}: cannot write {str(path)!r}, as nothing may be written in {str(there)!r} ({error.strerror})"
        ) from error


def checkpoint(text: str, *also: str) -> str | int:
    """The value of a flag that names a checkpoint. Raises InputError for anything but last, best and steps.

    Args:
      text: what was given.
      *also: other words that the command takes, for the message.
    """
    if text in ("last", "best"):
        return text
    if text.isdigit():
        return int(text)
    words = ", ".join(map(repr, ("last", "best", *also)))
    raise InputError(f"checkpoint: expected {words} or a step, got {text!r}")


def _parse(
    kind: type[Arguments],
    args: Sequence[str],
    command: str,
    default: Arguments | None = None,
    description: str | None = None,
) -> Arguments:
    options: dict[str, Any] = {} if default is None else {"default": default}
    complaint, wants_help = io.StringIO(), any(arg in ("-h", "--help") for arg in args)
    if not wants_help:
        args = joined(scan(args, flags_of(kind, default), command))
    with _of_a_fitting_width() as width:
        if wants_help:
            print(laid_out(inspect.cleandoc(description or kind.__doc__ or ""), width), end="\n\n")
        try:
            with contextlib.redirect_stderr(complaint):
                return tyro.cli(kind, args=list(args), prog=command, description="", **options)
        except SystemExit as stop:
            if not stop.code:
                raise
    raise InputError(_one_line(complaint.getvalue(), command))


def with_flags_of(kind: type[Any], text: str, *, of_a_run: bool = False) -> str:
    """A text whose flags of `jaxgan train` are replaced by those of another command, as by `flags_named_for`."""
    own = flags_of(kind)

    def named(found: re.Match[str]) -> str:
        if found[0] in own:
            return found[0]
        short = f"--{found[0].rpartition('.')[2]}"
        return short if short in own and not of_a_run else f"{found[0]} of `jaxgan train`"

    return re.sub(r"--[a-z]+\.[a-z-]*[a-z]", named, text)


@contextlib.contextmanager
def flags_named_for(kind: type[Any], *, of_a_run: bool = False) -> Iterator[None]:
    """Within, messages of bad input name flags that the command has.

    What opens data speaks of the flags of `jaxgan train`, such as --data.skip-broken. Where the command has
    the last part of it as a flag, that is named; where it has not, it is said whose flag it is. The argument that a
    message begins with, such as "data.resolution:", is named as the command has it.

    Args:
      kind: the dataclass of the command's arguments.
      of_a_run: the data are those of a run: what is said of them is of fields of its config.json and of flags that it
        was trained with, for which arguments of the command do not stand.
    """
    arguments, own = {field.name for field in dataclasses.fields(kind)}, flags_of(kind)

    def begun(found: re.Match[str]) -> str:
        flag = f"--{found[1]}{found[2]}".replace("_", "-")
        stands = flag not in own and found[2] in arguments and not of_a_run
        return f"{found[2]}:" if stands else found[0]

    try:
        yield
    except InputError as error:
        if str(error).startswith("unknown flag"):
            raise
        text = with_flags_of(kind, str(error), of_a_run=of_a_run)
        text = re.sub(r"^(data\.)([a-z_]+):", begun, text)
        raise (error if text == str(error) else type(error)(text)) from error.__cause__


@contextlib.contextmanager
def _of_a_fitting_width() -> Iterator[int]:
    """Lets the parser believe in a terminal of a width that it can cope with, which is given."""
    before, width = os.environ.get("COLUMNS"), min(max(shutil.get_terminal_size().columns, 60), 110)
    os.environ["COLUMNS"] = str(width)
    try:
        yield width
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def _one_line(box: str, command: str) -> str:
    """What a parser's framed message says: its first paragraph."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip("│| ") for line in box.splitlines()]
    lines = [line for line in lines if line and not re.match(r"[╭╰+].*[╮╯+]$", line)]
    rules = [i for i, line in enumerate(lines) if set(line) <= {"─", "-"}]
    if rules and set(lines[rules[0]]) == {"-"}:  # without Unicode the title is a paragraph of its own
        lines, rules = lines[rules[0] + 1 :], [i - rules[0] - 1 for i in rules[1:]]
    text = " ".join(lines[: (rules or [len(lines)])[0]]) or "cannot parse the arguments"
    surplus = re.fullmatch(r"Unrecognized options?: (.*)", text)
    if surplus:
        text = f"unexpected {' '.join(surplus[1].split(', '))!r}"
    return f"{text} (see {command} --help)"
