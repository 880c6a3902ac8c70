"""Losses from a file of the user's own, FILE.py:NAME."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxgan.common.user_files import load_builder
from jaxgan.losses.base import Loss


def load_loss(name: str) -> Callable[..., Loss]:
    """Loads the loss FILE.py:NAME as a function of its options, like those in LOSSES.

    Args:
      name: the file and a name in it. The name is that of a `Loss`, of a pair (discriminator,
        generator), or of a function that returns one and has defaults for all its options. A pair says
        nothing of its logits: it has no threshold and compares nothing. The file is run by itself, and a
        run keeps a copy of it alone, so that what it imports must be installed.

    Raises:
      InputError: if there is no such file or name, if running the file fails, or for another kind.
    """
    return load_builder("loss", name, as_loss, "a jaxgan.Loss")


def as_loss(value: Any) -> Loss | None:
    """A `Loss`, or a pair (discriminator, generator), as a `Loss`; None for anything else."""
    if isinstance(value, Loss):
        return value
    if isinstance(value, tuple) and len(value) == 2 and all(map(callable, value)):
        return Loss(*value)
    return None
