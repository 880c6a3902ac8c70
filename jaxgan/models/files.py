"""Network families from a file of the user's own, FILE.py:NAME."""

from __future__ import annotations

import dataclasses
from typing import Any

from jaxgan.common.errors import InputError
from jaxgan.common.user_files import load_object

_NAMES: dict[type, str] = {}  # of the families that were loaded, so that a configuration can tell its own


def load_family(name: str) -> type[Any]:
    """Loads the family FILE.py:NAME.

    Args:
      name: the file and a name in it: that of a frozen dataclass of options, all with defaults, with
        `build(shape, n_classes) -> (generator, discriminator)`, `conditional` and `convolutional`.

    Raises:
      InputError: if there is no such file or name, if running the file fails, or for another kind.
    """
    found = load_object("model", name, fits=lambda own: what_it_lacks(own) is None)
    if (lacks := what_it_lacks(found)) is not None:
        raise InputError(
            f"model: expected {name!r} to be a frozen dataclass with build(shape, n_classes), conditional and "
            f"convolutional, got {lacks}"
        )
    _NAMES[found] = name
    return found


def what_it_lacks(value: Any) -> str | None:
    """What keeps an object from being a family of networks; None if nothing does."""
    if not isinstance(value, type) or not dataclasses.is_dataclass(value):
        return (
            f"{value.__name__ if isinstance(value, type) else type(value).__name__!r}, which is no dataclass"
        )
    if not value.__dataclass_params__.frozen:  # pyright: ignore[reportAttributeAccessIssue]
        return "one that is not frozen"
    fields = dataclasses.fields(value)
    missing = dataclasses.MISSING
    if needed := [f.name for f in fields if f.default is missing and f.default_factory is missing]:
        return f"one whose option {needed[0]!r} has no default"
    names = {f.name for f in fields}
    if "name" in names:
        return "one with an option called 'name', which is the family's own in config.json"
    if not callable(getattr(value, "build", None)):
        return "one without build"
    return next(
        (
            f"one without {n}"
            for n in ("conditional", "convolutional")
            if n not in names and not hasattr(value, n)
        ),
        None,
    )


def loaded_name(family: type) -> str | None:
    """FILE.py:NAME of a family that was loaded; None for any other."""
    return _NAMES.get(family)
