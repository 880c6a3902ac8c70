"""Hyper-parameters of losses and penalties, which a configuration holds as pairs of names and numbers."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jaxgan.common.errors import InputError, in_group, renamed, unknown
from jaxgan.common.numerics import is_number
from jaxgan.losses import Loss, find_loss, in_python

Options = Sequence[tuple[str, Any]]


def typed_options(of: str, given: Options, known: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    """Options with each number converted to the type of the parameter's default.

    Args:
      of: what takes the options, for messages ("loss 'hinge'").
      given: names, and numbers or texts, as the command line has them.
      known: parameters of the function that takes the options.

    Raises:
      InputError: for an option that does not exist, or a value that is not of its type.
    """
    options: dict[str, Any] = {}
    for name, value in given:
        if name not in known:
            raise unknown(f"option of {of}", name, known)
        if name in options:
            raise InputError(f"{name}: expected this option of {of} once, got it twice")
        plain = is_number(value) or isinstance(value, str)
        options[name] = _like(known[name].default, of, name, value) if plain else value
    return options


def _like(default: Any, of: str, name: str, value: float | str) -> Any:
    if isinstance(default, str) or isinstance(value, str):
        if type(default) is not type(value):
            raise InputError(
                f"{name}: expected a {'name' if isinstance(default, str) else 'number'}, got {value!r}"
            )
        return value
    if isinstance(default, bool):
        if value not in (0, 1):
            raise InputError(f"{name}: expected 0 or 1, got {value}")
        return bool(value)
    if isinstance(default, int):
        if not math.isfinite(value) or value != int(value):
            raise InputError(f"{name}: expected a whole number, got {value}")
        return int(value)
    if isinstance(default, tuple):
        return (float(value),)
    if isinstance(default, float):
        return value
    raise InputError(
        f"{name}: expected an option of {of} that is a number; this one can be given in Python only"
    )


def build_each(
    of: str, builders: Mapping[str, Callable[..., Any]], given: Options, field: str
) -> dict[str, Any]:
    """Calls each of several functions with those of the options that it takes: name -> what it builds.

    Args:
      of: what they build, for messages ("the augmentations").
      builders: name -> function of hyper-parameters.
      given: names and numbers.
      field: of the configuration that holds them, for messages.

    Raises:
      InputError: for an option that none of them takes, or a number that is not of its type.
    """
    takes = {name: inspect.signature(build).parameters for name, build in builders.items()}
    known = {option for options in takes.values() for option in options}
    for option, _ in given:
        if option not in known:
            if not builders:
                raise InputError(f"{field}.{option}: expected no option of {of}, as there are none, got one")
            raise unknown(f"option of {of}", option, known)
    own = {name: [(option, value) for option, value in given if option in takes[name]] for name in builders}
    with renamed(in_group(field, dict(given))):
        return {
            name: build(**typed_options(name, own[name], takes[name])) for name, build in builders.items()
        }


def build_loss(name: str, given: Options, label_smoothing: float) -> Loss:
    """The loss called `name`, with its options.

    Args:
      name: an entry of LOSSES, or FILE.py:NAME.
      given: its hyper-parameters.
      label_smoothing: one of them, for the losses that have it; 0 for the others.

    Raises:
      InputError: for a loss or an option that does not exist, or a value out of range.
    """
    build = find_loss(name)
    if in_python.is_given(name):
        return build()
    known = inspect.signature(build).parameters
    named = in_group("loss_options", (option for option, _ in given))
    with renamed(named):
        options = typed_options(f"loss {name!r}", given, known)
    smoothed = not is_number(label_smoothing) or label_smoothing != 0
    if smoothed and "label_smoothing" not in known:
        raise InputError(f"label_smoothing: loss {name!r} has none, got {label_smoothing}")
    if smoothed and "label_smoothing" in options:
        raise InputError("label_smoothing: given twice, by itself and among loss_options")
    if "label_smoothing" in known:
        options.setdefault("label_smoothing", label_smoothing)
    with renamed(named):
        return build(**options)
