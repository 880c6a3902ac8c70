"""Files of settings: those of a run and of one's own, in JSON, YAML or TOML, as arguments of a command line."""

from __future__ import annotations

import collections
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from jaxgan.cli.words.flags import Flag
from jaxgan.common.errors import InputError, unknown
from jaxgan.common.files import read_bytes
from jaxgan.common.user_files import is_file, split

_DEEPEST, _MOST = 32, 100_000  # values in each other, and in all: configurations have 4, and some hundred


def read_settings(path: pathlib.Path, *, trust: bool = False) -> dict[str, Any]:
    """The settings of a file: JSON, YAML (where PyYAML is installed) or TOML, by its suffix; or those of a run.

    Args:
      path: of the file, or of the run's folder.
      trust: whether it may name code (FILE.py:NAME) that this user has not trained with, as it may be a stranger's.

    Raises:
      InputError: if there is no such file, it cannot be read, or it names such code and is not trusted.
    """
    path = path.expanduser()
    run = path if path.is_dir() else path.parent if path.name == "config.json" else None
    if run is not None and (run / "config.json").is_file() and (run / "run.json").is_file():
        from jaxgan.config.fields import to_json
        from jaxgan.runs.folder import RunFolder

        return to_json(RunFolder(run, trust).config())
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        says = getattr(error, "strerror", None) or "it is no text"
        raise InputError(
            f"config: expected a file or the folder of a run, cannot read '{path}': {says}"
        ) from error
    try:
        plain = _parsed(path, text)
    except RecursionError as error:
        raise InputError(f"config: '{path}' cannot be read: its parts lie too deep in each other") from error
    except InputError:
        raise
    except ValueError as error:  # of JSON and TOML
        raise InputError(f"config: '{path}' cannot be read: {' '.join(str(error).split())}") from error
    _check_size(path, plain)
    if not isinstance(plain, Mapping):
        raise InputError(f"config: expected names and values in '{path}', got {type(plain).__name__}")
    if not trust:
        _check_code(path, plain)
    return dict(plain)


def _check_size(path: pathlib.Path, plain: Any) -> None:
    """Raises InputError for values in values beyond any use: YAML's aliases make billions of few lines."""
    pending, n = [(plain, 0)], 0
    while pending:
        value, depth = pending.pop()
        n += 1
        if depth > _DEEPEST or n > _MOST:
            raise InputError(
                f"config: '{path}': expected at most {_MOST:,} values, and lists and objects at most {_DEEPEST} deep "
                "in each other, got more"
            )
        if isinstance(value, Mapping):
            pending += [(inner, depth + 1) for pair in value.items() for inner in pair]
        elif isinstance(value, list | tuple | set):
            pending += [(inner, depth + 1) for inner in value]


def _check_code(path: pathlib.Path, plain: Mapping[str, Any]) -> None:
    """Raises InputError for code that is named anywhere in settings, and that this user has not trained with."""
    from jaxgan.runs import trusted

    for name in filter(is_file, _texts(plain)):
        file, attribute = split(name)
        try:
            content = read_bytes("config", file, largest=2**24)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InputError(
                f"config: '{path}': expected a Python file in {name!r}, got no file {str(file)!r}"
            ) from error
        if not trusted.is_recorded(content, attribute):
            raise InputError(
                f"config: '{path}' names code that you have not trained with: {name!r}; read it, and if you trust it, "
                "run it with --trust"
            )


def _texts(value: Any) -> Iterator[str]:
    """All words in a value, as `_words` has them, and names of entries; YAML has more types than names of code need."""
    if isinstance(value, Mapping):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    else:
        yield str(value)


def _parsed(path: pathlib.Path, text: str) -> Any:
    suffix = path.suffix.lower()
    if suffix == ".toml":
        import tomllib

        return tomllib.loads(text)
    if suffix in (".yaml", ".yml"):
        try:
            import yaml
        except ImportError as error:
            raise InputError(
                f"config: reading '{path}' needs PyYAML (pip install pyyaml); JSON and TOML need nothing"
            ) from error
        try:
            _check_keys(yaml.compose(text, yaml.SafeLoader))
            return yaml.safe_load(text) or {}
        except yaml.YAMLError as error:
            raise ValueError(str(error)) from error
    if suffix == ".json":
        return json.loads(text, object_pairs_hook=_once)
    raise InputError(f"config: expected a .json, .yaml or .toml file or the folder of a run, got '{path}'")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, or ValueError for a name that stands in it twice."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name!r} stands there twice")
        found[name] = value
    return found


def _check_keys(node: Any) -> None:
    """Raises ValueError for a name that stands twice in a mapping of YAML, of which the last would count."""
    pending, seen = [node], set()
    while pending:
        node = pending.pop()
        if id(node) in seen or not isinstance(getattr(node, "value", None), list):
            continue
        seen.add(id(node))
        for item in node.value:
            pending += item if isinstance(item, tuple) else [item]
        if pairs := [item for item in node.value if isinstance(item, tuple)]:
            _once([(str(key.value), value) for key, value in pairs])


def as_arguments(plain: Mapping[str, Any], flags: Mapping[str, Flag], where: str) -> list[str]:
    """Settings as the arguments that say the same; dots in names lead into groups as well.

    Args:
      plain: names and values, groups within.
      flags: all that there are.
      where: the settings are from, for messages.

    Raises:
      InputError: for a name that does not exist, or a value that cannot be one.
    """
    args: list[str] = []
    leaves = _leaves(plain, flags, "")
    for name, n in collections.Counter(_flag(name) for name, _ in leaves).items():
        if n > 1:  # in two spellings, or with and without its group
            raise InputError(f"{name.removeprefix('--')}: expected it once in {where}, got it {n} times")
    for name, value in leaves:
        flag = flags.get(_flag(name))
        if flag is None and name == "seeds":
            raise InputError(f"seeds: expected it on the command line (--seeds {value}), got it in {where}")
        if flag is None:
            raise unknown(f"field of {where}", name, [n.removeprefix("--").replace("-", "_") for n in flags])
        args += _said(flag, value)
    return args


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _leaves(plain: Mapping[str, Any], flags: Mapping[str, Flag], prefix: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in plain.items():
        name = f"{prefix}{key}"
        if name == "model.name":
            found.append(("model", value))
        elif isinstance(value, Mapping) and (name == "model" or _flag(name) not in flags):
            found += _leaves(value, flags, f"{name}.")
        else:
            found.append((name, value))
    return found


def _said(flag: Flag, value: Any) -> list[str]:
    if flag.is_switch:
        if not isinstance(value, bool):
            raise InputError(f"{flag.name.removeprefix('--')}: expected true or false, got {value!r}")
        return [flag.name if value else flag.off]
    if value is None and not flag.optional:
        raise InputError(f"{flag.name.removeprefix('--')}: expected a value, got none")
    words = _words(value)
    if flags := [word for word in words if word.startswith("--")]:  # which a stranger's run would set unseen
        name = flag.name.removeprefix("--")
        raise InputError(f"{name}: expected no value that begins with --, got {flags[0]!r}")
    return [flag.name, *words]


def _words(value: Any) -> list[str]:
    """A value as words: of pairs and lists, all that are in them."""
    if isinstance(value, Mapping):
        return [word for pair in value.items() for word in _words(pair)]
    if isinstance(value, list | tuple):
        return [word for item in value for word in _words(item)]
    return [str(value)]
