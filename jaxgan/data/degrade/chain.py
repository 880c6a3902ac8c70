"""Degradations by name, and chains of them from a configuration."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

from jaxgan.common.errors import InputError, in_group, lookup, renamed, unknown
from jaxgan.data.degrade.base import Chain, Degradation
from jaxgan.data.degrade.filters import colourise, deblur, super_resolution
from jaxgan.data.degrade.jpeg import jpeg
from jaxgan.data.degrade.masks import inpaint
from jaxgan.data.degrade.noise import denoise

DEGRADATIONS: dict[str, Callable[..., Degradation]] = {
    "inpaint": inpaint,
    "super-resolution": super_resolution,
    "denoise": denoise,
    "colourise": colourise,
    "deblur": deblur,
    "jpeg": jpeg,
}
"""Name, after what undoes it -> function of its options. A new one is a function and a line here."""


def chain_of(names: Sequence[str], options: Sequence[tuple[str, Any]] = ()) -> Chain | None:
    """The chain of degradations that a configuration names, in their order; None for none.

    Args:
      names: of `DEGRADATIONS`, each once.
      options: pairs of a name and a number or word, each for those degradations that have it.

    Raises:
      InputError: for a name or an option that does not exist, a value out of range, or an order that cannot be.
    """
    if not names:
        if options:
            raise InputError(
                f"data.degrade_options: expected data.degrade beside it, got {options[0][0]!r} alone"
            )
        return None
    builders = {name: lookup("data.degrade", name, DEGRADATIONS) for name in names}
    if len(builders) < len(names):
        raise InputError(f"data.degrade: expected each name once, got {', '.join(names)}")
    if "inpaint" in names[:-1]:
        raise InputError(
            f"data.degrade: expected inpaint last, as its mask is that of the input, got {', '.join(names)}"
        )
    takes = {name: inspect.signature(build).parameters for name, build in builders.items()}
    known = sorted({option for own in takes.values() for option in own})
    for option, _ in options:
        if option not in known:
            if not known:
                raise InputError(
                    f"data.degrade_options: expected none for {', '.join(names)}, got {option!r}"
                )
            raise unknown("data.degrade_options", option, known)
    parts = []
    with renamed(in_group("data.degrade_options", dict(options))):
        for name, build in builders.items():
            own = {
                option: _typed(option, value, takes[name][option].default)
                for option, value in options
                if option in takes[name]
            }
            parts.append(build(**own))
    return Chain(tuple(parts))


def options_for(names: Sequence[str], options: Sequence[tuple[str, Any]]) -> tuple[tuple[str, Any], ...]:
    """Those of the options that one of these degradations takes: what is left of those of others."""
    takes = [inspect.signature(DEGRADATIONS[name]).parameters for name in names if name in DEGRADATIONS]
    return tuple((option, value) for option, value in options if any(option in own for own in takes))


def _typed(option: str, value: Any, default: Any) -> Any:
    """The value of an option as of the type of its default; numbers may be written as words."""
    if isinstance(default, str):
        return str(value)
    try:
        number = float(value)
    except ValueError:
        raise InputError(f"{option}: expected a number, got {value!r}") from None
    if isinstance(default, int):
        if not math.isfinite(number) or number != int(number):
            raise InputError(f"{option}: expected a whole number, got {value}")
        return int(number)
    return number
