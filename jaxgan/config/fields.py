"""Fields of configurations: read from JSON and written to it, changed by name, compared."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, TypeVar

from jaxgan.common.errors import InputError, unknown
from jaxgan.common.schema import LARGEST_INT
from jaxgan.config.config import Config
from jaxgan.models import MODELS, find_model, model_name

T = TypeVar("T")
_hints = lru_cache(typing.get_type_hints)


@lru_cache
def _parts(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    return typing.get_origin(hint), typing.get_args(hint)


def to_json(config: Config) -> dict[str, Any]:
    """A plain dict that `from_json` reads back; the model carries its name."""
    plain = dataclasses.asdict(config)
    return plain | {"model": {"name": model_name(type(config.model)), **plain["model"]}}


def from_json(plain: Mapping[str, Any]) -> Config:
    """The configuration of a dict made by `to_json`; fields that it lacks take their defaults.

    Raises:
      InputError: for a field that does not exist, or a value that is not of its field's type.
    """
    if not isinstance(plain, Mapping):
        raise InputError(f"config.json: expected an object, got {plain!r}")
    model = _model_of(plain)
    kind = find_model(model.get("name", "dcgan"))
    fields = {name: value for name, value in model.items() if name != "name"}
    return _from_plain(Config, {**plain, "model": _from_plain(kind, fields, "model.")})


def check_plain(plain: Mapping[str, Any], where: str) -> None:
    """Raises InputError for the first field of a configuration in its JSON form that is not of its type.

    Nothing is built: networks of a file of code, and fields that this version does not know, are passed over.

    Args:
      plain: as made by `to_json`.
      where: what the message begins with.
    """
    try:
        model = _model_of(plain)
        _check_known(MODELS.get(model.get("name", "")), model, "model.")
        _check_known(Config, {name: value for name, value in plain.items() if name != "model"}, "")
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _model_of(plain: Mapping[str, Any]) -> Mapping[str, Any]:
    model = plain.get("model", {"name": "dcgan"})
    if not isinstance(model, Mapping) or not isinstance(model.get("name", "dcgan"), str):
        raise InputError(f"model: expected an object with the name of a family, got {repr(model)[:200]}")
    return model


def _check_known(kind: Any, plain: Mapping[str, Any], prefix: str) -> None:
    hints = {} if kind is None else _hints(kind)
    for name in [name for name in plain if name in hints]:
        _check_type(prefix + name, plain[name], hints[name])
        if dataclasses.is_dataclass(hints[name]):
            _check_known(hints[name], plain[name], f"{prefix}{name}.")


def _from_plain(kind: Any, plain: Mapping[str, Any], prefix: str = "") -> Any:
    hints = _hints(kind)
    fields = {f.name for f in dataclasses.fields(kind)}
    values = {}
    for name, value in plain.items():
        if name not in fields:
            raise unknown("field of config.json", prefix + name, [prefix + f for f in fields])
        _check_type(prefix + name, value, hints[name])
        if dataclasses.is_dataclass(hints[name]) and isinstance(value, Mapping):
            value = _from_plain(hints[name], value, f"{prefix}{name}.")
        values[name] = frozen(value)
    return kind(**values)


def check_types(group: Any, prefix: str = "") -> None:
    """Raises InputError for the first field of a configuration, or of a group in it, that is not of its type.

    Args:
      group: the configuration.
      prefix: of the names in messages.
    """
    hints = _hints(type(group))
    for name in (field.name for field in dataclasses.fields(group)):
        value = getattr(group, name)
        _check_type(prefix + name, value, hints[name])
        if dataclasses.is_dataclass(value):
            check_types(value, f"{prefix}{name}.")


def _check_type(name: str, value: Any, hint: Any) -> None:
    origin, inner = _parts(hint)
    if origin is Literal and value not in inner:
        raise unknown(name, str(value), inner)
    if not _fits(value, hint):
        raise InputError(f"{name}: expected {_in_words(hint)}, got {repr(value)[:200]}")


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value of JSON, or one that has been read already, can stand in a field of this type."""
    origin, inner = _parts(hint)
    if hint is int:
        return type(value) is int and abs(value) <= LARGEST_INT
    if hint in (str, bool):
        return type(value) is hint
    if hint is float:
        return type(value) is float or (type(value) is int and abs(value) <= LARGEST_INT)
    if origin is Literal:
        return value in inner
    if hint is type(None):
        return value is None
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, kind) for kind in inner)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            return False
        kinds = [inner[0]] * len(value) if inner[1:] == (...,) else inner
        return len(kinds) == len(value) and all(map(_fits, value, kinds))
    if dataclasses.is_dataclass(hint):
        return isinstance(value, Mapping | typing.cast(type, hint))
    return True


def _in_words(hint: Any) -> str:
    """A type as messages call it."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(_in_words, inner))
    if origin is tuple:
        return f"a list of {_in_words(inner[0])}s" if inner[1:] == (...,) else "pair"
    if hint is type(None):
        return "null"
    return "an object" if dataclasses.is_dataclass(hint) else getattr(hint, "__name__", str(hint))


def frozen(value: Any) -> Any:
    """The value with lists, as JSON has them, made tuples, as configurations have them."""
    return tuple(frozen(item) for item in value) if isinstance(value, list | tuple) else value


def with_fields(config: T, **fields: Any) -> T:
    """A copy with fields changed; a dot leads into a group: with_fields(c, **{"penalty.every": 4}).

    Weights and options are reached by name: "penalty.weights.r1", "loss_options.alpha".

    Raises:
      InputError: for a field that does not exist.
    """
    for name, value in fields.items():
        config = _with_field(config, name, name.split("."), value)
    return config


def _with_field(group: Any, full_name: str, path: Sequence[str], value: Any) -> Any:
    if isinstance(group, tuple):  # pairs of names and numbers, such as penalty.weights.r1
        pairs = [pair for pair in group if isinstance(pair, tuple)]
        own = ".".join(path)  # FILE.py:NAME has dots of its own
        if own not in dict(pairs):
            raise unknown("field", full_name, [full_name.removesuffix(own) + name for name, _ in pairs])
        return tuple((name, value if name == own else old) for name, old in pairs)
    known = [f.name for f in dataclasses.fields(group)] if dataclasses.is_dataclass(group) else []
    if path[0] not in known:
        raise unknown("field", full_name, [".".join([*full_name.split(".")[: -len(path)], f]) for f in known])
    inner = value if len(path) == 1 else _with_field(getattr(group, path[0]), full_name, path[1:], value)
    changed: Any = dataclasses.replace
    return changed(group, **{path[0]: inner})


def differences(a: Mapping[str, Any], b: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Dotted names and values of the fields in which two configurations, as JSON, differ."""
    found = []
    for name in sorted(set(a) | set(b)):
        x, y = a.get(name), b.get(name)
        if isinstance(x, Mapping) and isinstance(y, Mapping):
            found += differences(x, y, f"{prefix}{name}.")
        elif frozen(x) != frozen(y):
            found.append(f"{prefix}{name} ({x!r} -> {y!r})")
    return found


def is_real(group: Any, path: Sequence[str]) -> bool:
    """Whether a field of a configuration is a real number: a hyper-parameter, not a size or a choice."""
    if isinstance(group, tuple):  # pairs of names and numbers
        return True
    if len(path) > 1:
        return is_real(getattr(group, path[0]), path[1:])
    return dataclasses.is_dataclass(group) and typing.get_type_hints(type(group))[path[0]] is float
