"""Losses that were given as objects in Python: they have a name as long as the process lives."""

from __future__ import annotations

import uuid

from jaxgan.common.errors import InputError
from jaxgan.losses.base import Loss

_PREFIX = "python:"
_KEPT: dict[str, Loss] = {}


def keep(loss: Loss) -> str:
    """A name, which no other process gives, by which `find` knows this loss from now on."""
    name = _PREFIX + uuid.uuid4().hex[:12]
    _KEPT[name] = loss
    return name


def is_given(name: str) -> bool:
    """Whether a loss of this name was given as an object, in this process or another."""
    return name.startswith(_PREFIX)


def is_kept(name: str) -> bool:
    """Whether it was given in this process."""
    return name in _KEPT


def find(name: str) -> Loss:
    """The loss. Raises InputError if it was given in another process."""
    if name not in _KEPT:
        raise InputError(
            f"loss: {name!r} was an object of the Python process that began this run, and is gone with it; keep a loss "
            "in a file, FILE.py:NAME, to resume runs of it"
        )
    return _KEPT[name]
