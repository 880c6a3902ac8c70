"""Packages: their versions, those that only some commands need, and modules that are imported when they are used."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable, Iterable
from functools import cache
from types import ModuleType

from jaxgan.common.errors import InputError


def need(modules: Iterable[str], who: str, command: str) -> None:
    """Raises InputError, which names the packages that cannot be imported and what installs them.

    Args:
      modules: names under which the packages are imported.
      who: what needs them, as the line begins.
      command: that installs them.
    """
    missing = [name for name in modules if not is_there(name)]
    if missing:
        noun = "package" if len(missing) == 1 else "packages"
        raise InputError(f"{who} needs the {noun} {', '.join(missing)}: {command}")


def is_there(module: str) -> bool:
    """Whether a package could be imported; this does not import it."""
    if module in sys.modules:
        return sys.modules[module] is not None
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


@cache
def version_of(package: str) -> str:
    """Installed version, or "missing"."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def modules_of(package: str) -> Callable[[str], ModuleType]:
    """A `__getattr__` for the package of that name, which imports its modules when they are first asked for.

    After `import jaxgan`, `jaxgan.apps.restore.baselines` can then be used.
    """

    def find(name: str) -> ModuleType:
        wanted = f"{package}.{name}"
        try:
            return importlib.import_module(wanted)
        except ModuleNotFoundError as error:
            if error.name != wanted:  # of what it imports
                raise
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find
