"""Objects from a file of the user's own: FILE.py:NAME."""

from __future__ import annotations

import hashlib
import importlib.util
import pathlib
import sys
from typing import Any

from jaxgan.common.errors import InputError, unknown


def is_file(name: str) -> bool:
    """Whether something is named as FILE.py:NAME."""
    return ".py:" in name


def split(name: str) -> tuple[pathlib.Path, str]:
    """FILE.py:NAME -> its two parts."""
    path, _, attribute = name.rpartition(":")
    return pathlib.Path(path), attribute


def load_object(kind: str, name: str) -> Any:
    """What NAME is in FILE.py, which is run by itself.

    Args:
      kind: what is wanted, as a user would call it ("loss").
      name: FILE.py:NAME.

    Raises:
      InputError: if there is no such file or name, or if running the file fails.
    """
    path, attribute = split(name)
    if not path.is_file():
        raise InputError(f"{kind}: expected a Python file in {name!r}, got no file {str(path)!r}")
    module_name = f"jaxgan_user_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's file raises
        raise InputError(f"{kind}: running '{path}' raised {type(error).__name__}: {error}") from error
    if not hasattr(module, attribute):
        own = [
            name
            for name, value in vars(module).items()
            if isinstance(value, tuple) or getattr(value, "__module__", "") == module_name
        ]
        raise unknown(f"{kind} in {str(path)!r}", attribute, own)
    return getattr(module, attribute)
