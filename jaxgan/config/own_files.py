"""Files of the user's own that a configuration names: FILE.py:NAME."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jaxgan.common.user_files import is_file
from jaxgan.config.config import Config
from jaxgan.config.fields import to_json

PLACES = {
    "loss": "loss",
    "game": "game",
    "model.name": "model",
    "data.source": "source",
    "augment": "augmentation",
    "penalty.weights": "penalty",
    "game_options": "features",
}
"""Fields that may name a file -> what the run's copy of it is called, without number and suffix."""


def own_files(config: Config) -> list[str]:
    """Every FILE.py:NAME that a configuration names."""
    found: list[str] = []

    def noted(_: str, name: str) -> str:
        found.append(name)
        return name

    with_files(to_json(config), noted)
    return found


def with_files(plain: Mapping[str, Any], change: Callable[[str, str], str]) -> dict[str, Any]:
    """A configuration in its JSON form, with every FILE.py:NAME in it changed.

    Args:
      plain: as made by `to_json`.
      change: (name of the run's copy, FILE.py:NAME) -> what stands in its place.
    """
    result = dict(plain)
    for place, copy in PLACES.items():
        group, _, name = place.rpartition(".")
        holder = result.get(group) if group else result
        if not isinstance(holder, Mapping) or name not in holder:
            continue
        changed = {name: _changed(holder[name], copy, change)}
        result |= {group: {**holder, **changed}} if group else changed
    return result


def _changed(value: Any, copy: str, change: Callable[[str, str], str]) -> Any:
    """A name changed, or each one in a sequence of names or of pairs that begin with a name."""
    if isinstance(value, str):
        return change(f"{copy}.py", value) if is_file(value) else value
    if not isinstance(value, list | tuple):
        return value
    changed = []
    for i, item in enumerate(value):
        pair = [
            _changed(own, f"{copy}-{i}", change)
            for own in (item if isinstance(item, list | tuple) and item else [item])
        ]
        changed.append(tuple(pair) if isinstance(item, list | tuple) else pair[0])
    return tuple(changed)
