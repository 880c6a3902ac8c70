"""Checks of arguments: whether a number lies in its range."""

from __future__ import annotations

from typing import Any

from jaxgan.common.errors import InputError
from jaxgan.common.numerics import is_number


def check_range(
    name: str,
    value: Any,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    unit: str = "",
) -> None:
    """Raises InputError if `value` is a plain number outside of a range; NaN lies outside of every range.

    What is no plain number passes, because it cannot be checked now: a traced value, a schedule, None.

    Args:
      name: of the argument; its last part stands for the number in messages such as "0 <= b1 < 1".
      value: what is checked.
      at_least: the smallest number allowed.
      above: the number must exceed this.
      at_most: the largest number allowed.
      below: the number must be smaller than this.
      unit: what the number counts, for the message: "fakes".
    """
    if not is_number(value):
        return
    inside = (
        (at_least is None or value >= at_least)
        and (above is None or value > above)
        and (at_most is None or value <= at_most)
        and (below is None or value < below)
    )
    if not inside:
        expected = f"{_range(name.rpartition('.')[2], at_least, above, at_most, below)} {unit}".rstrip()
        raise InputError(f"{name}: expected {expected}, got {value}")


def _range(
    leaf: str, at_least: float | None, above: float | None, at_most: float | None, below: float | None
) -> str:
    """A range in words where it is simple, and otherwise as a formula."""
    if at_most is None and below is None:
        if at_least is not None:
            return f"at least {at_least}"
        return "a positive number" if above == 0 else f"more than {above}"
    if at_least is not None and at_most is not None:
        return f"{'an integer' if isinstance(at_most, int) else 'a number'} from {at_least} to {at_most}"
    low = f"{at_least} <= " if at_least is not None else f"{above} < " if above is not None else ""
    return f"{low}{leaf} {f'< {below}' if at_most is None else f'<= {at_most}'}"
