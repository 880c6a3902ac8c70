"""Whether the parts of a game are what they should be: one line each for the usual mistakes."""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Mapping
from typing import Any

import chex
import jax.numpy as jnp

from jaxgan.common.errors import InputError


def check_kind(name: str, value: Any, kind: type, such_as: str) -> None:
    """Raises InputError unless `value` is of the kind; a function or class of it that was not called is named so.

    Args:
      name: of the argument.
      value: what came.
      kind: what is expected.
      such_as: an example, for the message.
    """
    if not isinstance(value, kind):
        raise _other(name, f"{_an(kind)} such as {such_as}", value)


def check_module(name: str, value: Any) -> None:
    """Raises InputError unless `value` is a network: an instance with init and apply, as Linen modules are."""
    if isinstance(value, type):
        raise InputError(
            f"{name}: expected a Linen module such as {value.__name__}(...), got the class {value.__name__} itself"
        )
    if not callable(getattr(value, "init", None)) or not callable(getattr(value, "apply", None)):
        raise _other(name, "a Linen module (an instance of flax.linen.Module)", value)


def check_optimizer(name: str, value: Any) -> None:
    """Raises InputError unless `value` is an optax transformation."""
    if isinstance(value, type) or not callable(getattr(value, "update", None)) or isinstance(value, Mapping):
        raise _other(name, "an optax transformation such as optax.adam(2e-4, 0.5)", value)


def check_schedule(name: str, value: Any, such_as: str) -> None:
    """Raises InputError unless `value` is a function of the step, or None."""
    if value is not None and not callable(value):
        raise _other(name, f"a function of the step such as {such_as}", value)


def check_named(name: str, value: Any, kind: type, such_as: str, *, weighed: bool = False) -> None:
    """Raises InputError unless `value` is a mapping of names to things of a kind, or to pairs (weight, thing)."""
    if value is None:
        return
    pair = "(weight, " * weighed + kind.__name__ + ")" * weighed
    if not isinstance(value, Mapping):
        raise _other(name, f"a mapping of names to {pair} such as {such_as}", value)
    for key, own in value.items():
        if weighed and not (isinstance(own, tuple) and len(own) == 2 and not isinstance(own, kind)):
            raise _other(f"{name}[{key!r}]", f"a pair {pair} such as {such_as}", own)
        check_kind(f"{name}[{key!r}]", own[1] if weighed else own, kind, such_as)


def check_count(name: str, value: Any) -> None:
    """Raises InputError unless `value` is a whole number."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):  # NumPy's too
        raise _other(name, "a whole number", value)


def check_made(name: str, value: Any, kind: type, hint: str = "") -> None:
    """Raises InputError unless `value` is of the kind; `hint` ends the message."""
    if not isinstance(value, kind):
        raise InputError(f"{name}: expected {_an(kind)}, got a {type(value).__name__}{hint}")


def check_scalar(turn: str, value: Any) -> Any:
    """What the objective of a turn returned. Raises InputError, when traced, unless it is one number."""
    if jnp.shape(value) != ():
        raise InputError(
            f"turn {turn!r}: expected its objective to return one number, such as a mean, got an array of shape "
            f"{jnp.shape(value)}"
        )
    return value


def check_same(before: Any, after: Any) -> None:
    """Raises InputError, when traced, unless a step leaves arrays of the shapes and types that its state had."""
    for part in ("players", "memory"):
        try:
            chex.assert_trees_all_equal_shapes_and_dtypes(getattr(before, part), getattr(after, part))
        except AssertionError as error:
            text = " ".join(str(error).split())
            raise InputError(
                f"{part}: expected arrays of the same names, shapes and types after a step as before it; {text[:300]}"
            ) from error


def _an(kind: type) -> str:
    return f"{'an' if kind.__name__[0] in 'AEIO' else 'a'} {kind.__name__}"


def _other(name: str, expected: str, value: Any) -> InputError:
    if isinstance(value, type):
        got = f"the class {value.__name__}"
    elif inspect.isroutine(value):
        got = f"the function {getattr(value, '__name__', 'of no name')}, which is to be called first"
    else:
        text = repr(value)
        got = text if len(text) <= 60 and "\n" not in text else f"a {type(value).__name__}"
    return InputError(f"{name}: expected {expected}, got {got}")
