"""Losses from a file of the user's own, FILE.py:NAME."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from jaxgan.common.errors import InputError
from jaxgan.common.user_files import load_object
from jaxgan.losses.base import Loss


def load_loss(name: str) -> Callable[..., Loss]:
    """Loads the loss FILE.py:NAME as a function of its options.

    Args:
      name: the file and a name in it. The name is that of a `Loss`, of a pair (discriminator,
        generator), or of a function that returns one and has defaults for all its options. A pair says
        nothing of its logits: it has no threshold and compares nothing. The file is run by itself, and a
        run keeps a copy of it alone, so that what it imports must be installed.

    Returns:
      A function like those in LOSSES.

    Raises:
      InputError: if there is no such file or name, if running the file fails, or for another kind.
    """
    found = load_object("loss", name)
    if _as_loss(found) is not None:
        return lambda: _as_loss(found)  # pyright: ignore[reportReturnType]
    if not callable(found):
        raise InputError(
            f"loss: expected {name!r} to be a jaxgan.Loss or a function that returns one, got {found!r}"
        )

    def build(**options: Any) -> Loss:
        try:
            inspect.signature(found).bind(**options)
        except TypeError as error:
            raise InputError(
                f"loss: {name!r} cannot be called with {options or 'no options'}: {error}"
            ) from error
        try:
            made = _as_loss(value := found(**options))
        except Exception as error:  # whatever the user's function raises
            raise InputError(f"loss: {name!r} raised {type(error).__name__}: {error}") from error
        if made is None:
            raise InputError(f"loss: expected {name!r} to return a jaxgan.Loss, got {type(value).__name__}")
        return made

    build.__signature__ = inspect.signature(found)  # pyright: ignore
    return build


def _as_loss(value: Any) -> Loss | None:
    if isinstance(value, Loss):
        return value
    if isinstance(value, tuple) and len(value) == 2 and all(map(callable, value)):
        return Loss(*value)
    return None
