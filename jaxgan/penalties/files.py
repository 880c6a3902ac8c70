"""Penalties from a file of the user's own, FILE.py:NAME."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxgan.common.user_files import load_builder
from jaxgan.penalties.base import Penalty, Term


def load_penalty(name: str) -> Callable[..., Penalty]:
    """Loads the penalty FILE.py:NAME as a function of its options, like those in PENALTIES.

    Args:
      name: the file and a name in it: that of a `Penalty`, of a `Term` (which is the discriminator's), or
        of a function that returns one and has defaults for all its options.

    Raises:
      InputError: if there is no such file or name, if running the file fails, or for another kind.
    """
    return load_builder("penalty", name, as_penalty, "a jaxgan.Penalty or a jaxgan.Term")


def as_penalty(value: Any) -> Penalty | None:
    """A `Penalty`, or the discriminator's `Term` as one; None for anything else."""
    return Penalty(value) if isinstance(value, Term) else value if isinstance(value, Penalty) else None
