"""Objects from a file of the user's own: FILE.py:NAME."""

from __future__ import annotations

import ast
import hashlib
import inspect
import os
import pathlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

import jax

from jaxgan.common.checking.laws import first_line
from jaxgan.common.errors import InputError, unknown

T = TypeVar("T")
OWN = "FILE.py:NAME"
"""How something of a file of the user's own is named, for lists of what is accepted."""
_HELD: dict[pathlib.Path, str] = {}  # files that are run as they were when they were looked at, or not at all


def is_file(name: str) -> bool:
    """Whether something is named as FILE.py:NAME."""
    return ".py:" in name


def split(name: str) -> tuple[pathlib.Path, str]:
    """FILE.py:NAME -> its two parts."""
    path, _, attribute = name.rpartition(":")
    return pathlib.Path(path), attribute


def short_name(name: str) -> str:
    """FILE.py:NAME -> NAME; any other name stays as it is."""
    return split(name)[1] if is_file(name) else name


def content_hash(kind: str, path: pathlib.Path) -> str:
    """SHA-256 (hexadecimal) of a file of the user's own. Raises InputError if it cannot be read."""
    return hashlib.sha256(_content(kind, path)).hexdigest()


def hold_to(path: pathlib.Path, content: bytes) -> None:
    """From now on this process runs the file at `path` with this content, which was looked at, and with no other."""
    _HELD[path.resolve()] = hashlib.sha256(content).hexdigest()


def _content(kind: str, path: pathlib.Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{kind}: expected FILE:NAME, cannot read {str(path)!r}: {error.strerror}"
        ) from error


def load_object(
    kind: str, name: str, *, anew: bool = False, fits: Callable[[Any], bool] = lambda found: True
) -> Any:
    """The object called NAME in FILE.py. The file is run by itself, and only once as long as it does not change.

    Args:
      kind: what is wanted, as a user would call it ("loss").
      name: FILE.py:NAME.
      anew: run the file even if it has been run before.
      fits: what in the file may be wanted, such as `callable`: names of other things are not offered.

    Raises:
      InputError: if there is no such file or name, or if running the file fails.
    """
    path, attribute = split(name)
    if not path.is_file():
        raise InputError(f"{kind}: expected a Python file in {name!r}, got no file {str(path)!r}")
    module = _run(kind, path, anew)
    if not hasattr(module, attribute):
        known = [own for own in _public(module, path) if fits(getattr(module, own))]
        none = "" if known else "the file defines none"
        raise unknown(f"{kind} in {str(path)!r}", attribute, known, where=none)
    return getattr(module, attribute)


def has_name(kind: str, name: str) -> bool:
    """Whether there is such a NAME in FILE.py. Raises InputError if running the file fails."""
    path, attribute = split(name)
    return hasattr(_run(kind, path, False), attribute)


def public_names(kind: str, path: pathlib.Path) -> list[str]:
    """What a file of the user's own defines, without what it imports and names that begin with _.

    Raises:
      InputError: if there is no such file, or running it fails.
    """
    if not path.is_file():
        raise InputError(f"{kind}: expected a Python file, got no file {str(path)!r}")
    return _public(_run(kind, path, False), path)


def _public(module: ModuleType, path: pathlib.Path) -> list[str]:
    found: list[str] = []
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.append(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found += [name.id for t in targets for name in ast.walk(t) if isinstance(name, ast.Name)]
    return [name for name in dict.fromkeys(found) if not name.startswith("_") and hasattr(module, name)]


def load_builder(
    kind: str, name: str, convert: Callable[[Any], T | None], wanted: str, *, anew: bool = False
) -> Callable[..., T]:
    """Loads FILE.py:NAME as a function of its options.

    Args:
      kind: what is wanted, as a user would call it ("loss").
      name: the file and a name in it, of a thing of this kind, or of a function that returns one and has
        defaults for all its options.
      convert: turns an object into the thing that is wanted; None if it cannot be.
      wanted: what `convert` takes, for messages ("a jaxgan.Loss").
      anew: as of `load_object`.

    Returns:
      A function of the options that returns the thing.

    Raises:
      InputError: as `load_object`, or for an object of another kind. The function raises it for options that
        do not fit, and for whatever the user's function raises.
    """
    fits = lambda own: callable(own) or convert(own) is not None
    found = load_object(kind, name, anew=anew, fits=fits)
    if (ready := convert(found)) is not None:
        return lambda: ready
    if not callable(found):
        raise InputError(
            f"{kind}: expected {name!r} to be {wanted} or a function that returns one, got {found!r}"
        )

    def build(**options: Any) -> T:
        given = f"{options or 'no options'}"
        made = convert(value := call(kind, name, found, (), options, given))
        if made is None:
            raise InputError(f"{kind}: expected {name!r} to return {wanted}, got {type(value).__name__}")
        return made

    build.__signature__ = inspect.signature(found)  # pyright: ignore
    return build


def call(
    kind: str, name: str, function: Callable[..., Any], args: Any, options: dict[str, Any], given: str
) -> Any:
    """Calls a function of the user's own; raises InputError if it cannot be called so, or for what it raises."""
    try:
        inspect.signature(function).bind(*args, **options)
    except TypeError as error:
        raise InputError(f"{kind}: {name!r} cannot be called with {given}: {error}") from error
    try:
        return function(*args, **options)
    except (InputError, jax.errors.ConcretizationTypeError):
        raise
    except Exception as error:  # whatever the user's function raises
        raise InputError(f"{kind}: {name!r} raised {type(error).__name__}: {first_line(error)}") from error


def _run(kind: str, path: pathlib.Path, anew: bool) -> ModuleType:
    content, place = _content(kind, path), path.resolve()
    digest = hashlib.sha256(content).hexdigest()
    if _HELD.get(place, digest) != digest:
        raise InputError(f"{kind}: '{path}' has changed since it was looked at; begin again")
    module_name = f"jaxgan_user_{hashlib.sha256(str(place).encode()).hexdigest()[:12]}_{digest[:12]}"
    if module_name in sys.modules and not anew:
        return sys.modules[module_name]
    module = sys.modules[module_name] = ModuleType(module_name)
    module.__file__ = os.path.abspath(path)
    try:
        # This content, and no bytecode that lies beside it. Arrays of the file are arrays, also if it is run during a
        # trace.
        with jax.ensure_compile_time_eval():
            exec(compile(content, module.__file__, "exec", dont_inherit=True), module.__dict__)
    except Exception as error:  # whatever the user's file raises
        del sys.modules[module_name]
        raise InputError(
            f"{kind}: running '{path}' raised {type(error).__name__}: {first_line(error)}"
        ) from error
    return module
