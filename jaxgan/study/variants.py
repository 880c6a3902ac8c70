"""Variants: what a study changes of a preset's configuration, under a name for tables and files."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from tyro.constructors import PrimitiveConstructorSpec

from jaxgan.common.errors import InputError
from jaxgan.config.config import Config
from jaxgan.config.fields import frozen
from jaxgan.config.moves import PenaltyConfig
from jaxgan.penalties import find_penalty

Fields = Mapping[str, Any]
"""Dotted names of configuration fields, with their values."""


@dataclass(frozen=True)
class Variant:
    """A change of a configuration that has a name.

    Attributes:
      name: for tables and files.
      changes: new values of fields by their dotted names. The name of a group takes a whole group:
        {"dynamics.unroll": 3}, or {"d_optimizer": OptimizerConfig(kind="sgd", learning_rate=0.01)}.
    """

    name: str
    changes: Fields = field(default_factory=dict)


PRESET = Variant("default")
"""The preset as it is."""
NO_PENALTY = Variant("none", {"penalty.weights": ()})
"""The preset without its penalties."""


def variant(**changes: Any) -> Variant:
    """A variant that is named after its changes: variant(d_steps=5), variant(updates="simultaneous").

    A name that is no field of `Config` is one of its group `dynamics`.
    """
    known = {f.name for f in dataclasses.fields(Config)}
    full = {name if "." in name or name in known else f"dynamics.{name}": v for name, v in changes.items()}
    return Variant(_name(changes.items()), full)


def penalty_variant(weights: Mapping[str, float], **others: Any) -> Variant:
    """Penalties in place of the preset's, named after their weights: penalty_variant({"r1": 1.0}, every=4).

    Args:
      weights: of penalties, by name.
      others: fields of `PenaltyConfig`. Where they are not given, the penalties are applied in every
        update, with constant weights and without options, whatever the preset does.

    Raises:
      InputError: for a penalty that does not exist, or a weight that is not a number.
    """
    for name, weight in weights.items():
        find_penalty(name)
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise InputError(f"penalties: expected a number as the weight of {name}, got {weight!r}")
    group = {
        "weights": tuple((name, float(weight)) for name, weight in weights.items()),
        **{"schedule": "constant", "every": 1, "options": ()},
        **others,
    }
    name = _name([*weights.items(), *others.items()])
    return Variant(name, {f"penalty.{field}": value for field, value in group.items()})


def _name(changes: Iterable[tuple[str, Any]]) -> str:
    return "+".join(f"{name}={_text(value)}" for name, value in changes)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":")).removesuffix(".0")


def flat(*changes: Fields) -> dict[str, Any]:
    """The changes in one dict, the last one of a field winning; a whole group becomes all of its fields."""
    found: dict[str, Any] = {}
    for name, value in (item for each in changes for item in each.items()):
        group = vars(value) if dataclasses.is_dataclass(value) else None
        found |= {name: value} if group is None else {f"{name}.{leaf}": v for leaf, v in group.items()}
    return found


# --- the command line ----------------------------------------------------------------------------


def parse_fields(argument: str, words: Sequence[str]) -> dict[str, Any]:
    """Fields and values that take turns on a command line: steps 500 model.g_widths [64,64].

    Args:
      argument: that they were given to, for messages.
      words: names and values; a value is JSON, or else text.

    Raises:
      InputError: for a name without a value.
    """
    if len(words) % 2:
        raise InputError(f"{argument}: expected NAME VALUE NAME VALUE ..., got {' '.join(words)!r}")
    return {name: _value(text) for name, text in zip(words[::2], words[1::2], strict=True)}


def _value(text: str) -> Any:
    try:
        return frozen(json.loads(text))
    except ValueError:
        return text


def parse_penalties(text: str) -> Variant:
    """The variant of "default", "none", or weights and other fields of `PenaltyConfig`: "r1 0.1 every 4".

    Raises:
      InputError: for a penalty that does not exist, or a weight that is not a number.
    """
    if text in (PRESET.name, NO_PENALTY.name):
        return PRESET if text == PRESET.name else NO_PENALTY
    given = parse_fields("penalties", text.split())
    fields = {f.name for f in dataclasses.fields(PenaltyConfig)}
    others = {name: value for name, value in given.items() if name in fields}
    return penalty_variant({n: v for n, v in given.items() if n not in others}, **others)


def parse_dynamics(text: str) -> Variant:
    """The variant of "default", or of fields: "updates extragradient", "d_steps 5 d_optimizer.b1 0.9".

    Raises:
      InputError: for a name without a value.
    """
    return PRESET if text == PRESET.name else variant(**parse_fields("dynamics", text.split()))


def _parsed_by(parse: Callable[[str], Variant]) -> PrimitiveConstructorSpec[tuple[Variant, ...]]:
    """How the command line reads several variants, each from one argument, and shows them."""
    return PrimitiveConstructorSpec(
        nargs="*",
        metavar="[VARIANT [VARIANT ...]]",
        instance_from_str=lambda texts: tuple(map(parse, texts)),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda variants: [v.name.replace("=", " ").replace("+", " ") for v in variants],
    )


PenaltyVariants = Annotated[tuple[Variant, ...], _parsed_by(parse_penalties)]
DynamicsVariants = Annotated[tuple[Variant, ...], _parsed_by(parse_dynamics)]
