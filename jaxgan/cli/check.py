"""`jaxgan check`: which laws something of one's own obeys, and which it breaks."""

from __future__ import annotations

import contextlib
import inspect
import pathlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any, Literal

from jaxgan.cli.arguments import Positional, parse
from jaxgan.common.checking.laws import Verdict
from jaxgan.common.errors import InputError, unknown
from jaxgan.common.user_files import has_name, is_file, load_builder, load_object, public_names, split

Kind = Literal["loss", "penalty", "model", "source", "augmentation", "game"]


@dataclass(frozen=True)
class Check:
    """Run every law on something of your own, and say which it breaks; the exit status is 1 if there is one."""

    name: Positional[str]
    """FILE.py:NAME, or the name of something built in."""
    kind: Kind | None = None
    """What it is; None finds out."""
    preset: str = "toy-ring"
    """The preset whose configuration a game is given."""
    data: str | None = None
    """The source whose examples a game is played with; None takes the preset's."""


def check(args: list[str]) -> int:
    """Runs every law on NAME, which is FILE.py:NAME or built in, and says which it breaks."""
    parsed = parse(Check, args, "check")

    from jaxgan.runs import environment

    environment.start()
    name = parsed.name
    if name.endswith(".py"):
        raise _without_name(pathlib.Path(name))
    kind = parsed.kind or (kind_of_file(name) if is_file(name) else kind_of_name(name))
    print(f"{name}: {'an' if kind[0] in 'aeiou' else 'a'} {kind}")
    return report(name, _check_game(parsed) if kind == "game" else _CHECKS[kind](name))


def report(name: str, verdicts: Sequence[Verdict]) -> int:
    """Prints what became of each law, and returns 1 if one is broken, else 0."""
    marks = {"holds": "ok     ", "broken": "BROKEN ", "skipped": "-      "}
    for verdict in verdicts:
        print(f"{marks[verdict.outcome]} {verdict.law:12} {verdict.detail}")
    broken = [verdict.law for verdict in verdicts if verdict.outcome == "broken"]
    if broken:
        print(f"{name} breaks {len(broken)} of {len(verdicts)} laws: {', '.join(broken)}")
    else:
        print(f"{name} obeys every law that applies")
    return int(bool(broken))


# --- what it is ------------------------------------------------------------------------------------


def kind_of_name(name: str) -> Kind:
    """What something built in is. Raises InputError for a name that does not exist."""
    from jaxgan.augment import AUGMENTATIONS
    from jaxgan.data import SOURCES
    from jaxgan.losses import LOSSES
    from jaxgan.models import MODELS
    from jaxgan.penalties import PENALTIES

    tables: dict[Kind, Any] = {
        "loss": LOSSES,
        "penalty": PENALTIES,
        "model": MODELS,
        "augmentation": AUGMENTATIONS,
        "source": [source for source in SOURCES if ":" not in source],
    }
    for kind, table in tables.items():
        if name in table:
            return kind
    known = [entry for table in tables.values() for entry in table]
    raise unknown("thing to check", name, ["FILE.py:NAME", *known])


def kind_of_file(name: str) -> Kind:
    """What FILE.py:NAME is. Raises InputError for what is none of the kinds."""
    path, attribute = split(name)
    if path.is_file() and not has_name("check", name):
        raise unknown(f"thing to check in {str(path)!r}", attribute, checkable(path))
    found = load_object("check", name)
    if isinstance(found, type) and (is_dataclass(found) or hasattr(found, "build")):
        return "model"
    if callable(found) and not isinstance(found, tuple | type):
        takes = list(inspect.signature(found).parameters)
        if takes[:1] == ["batch"] or takes[1:2] == ["config"]:
            return "game"
    kind = _kind_of(found)
    if kind is None and callable(found):  # a function or a class that makes it
        kind = _kind_of(load_builder("check", name, _anything_else_than(found), "anything")()[0])
    if kind is None:
        raise InputError(
            f"check: expected {name!r} to be a loss, penalty, model, source, augmentation or game, or a function "
            f"that returns one, got {type(found).__name__}; --kind says what it is to be"
        )
    return kind


def _kind_of(value: Any) -> Kind | None:
    from jaxgan.augment.files import as_augmentation
    from jaxgan.data.sources import as_source
    from jaxgan.losses.files import as_loss
    from jaxgan.penalties.files import as_penalty

    converts: dict[Kind, Callable[[Any], Any]] = {
        "penalty": as_penalty,
        "source": as_source,
        "loss": as_loss,
        "augmentation": as_augmentation,
    }
    return next((kind for kind, convert in converts.items() if convert(value) is not None), None)


def _anything_else_than(found: Any) -> Callable[[Any], Any]:
    return lambda value: None if value is found else (value,)


def checkable(path: pathlib.Path) -> dict[str, Kind]:
    """What `jaxgan check` can check in a file: name -> what it is.

    Raises:
      InputError: if there is no such file, or running it fails.
    """
    from jaxgan.models.files import what_it_lacks

    found: dict[str, Kind] = {}
    for name in public_names("check", path):
        with contextlib.suppress(InputError):
            kind, full = kind_of_file(f"{path}:{name}"), f"{path}:{name}"
            if kind != "model" or what_it_lacks(load_object("check", full)) is None:
                found[name] = kind
    return found


def _without_name(path: pathlib.Path) -> InputError:
    names = checkable(path)
    found = ", ".join(f"{path}:{name} ({kind})" for name, kind in names.items())
    return InputError(
        f"check: expected FILE.py:NAME, got {str(path)!r}; in it: {found or 'nothing to check'}"
    )


# --- the laws of each kind -------------------------------------------------------------------------


def _check_loss(name: str) -> list[Verdict]:
    from jaxgan.losses import find_loss, laws

    return laws.check(find_loss(name)())


def _check_penalty(name: str) -> list[Verdict]:
    from jaxgan.penalties import find_penalty, laws

    return laws.check(find_penalty(name)())


def _check_model(name: str) -> list[Verdict]:
    from jaxgan.models import find_model, laws

    return laws.check(find_model(name)())


def _check_source(name: str) -> list[Verdict]:
    from jaxgan.data import laws, open_source
    from jaxgan.data.sources import load_source

    open_source(name)  # what keeps it from being opened is one line
    return laws.check(
        (lambda: load_source(name, anew=True)()) if is_file(name) else lambda: open_source(name)
    )


def _check_augmentation(name: str) -> list[Verdict]:
    from jaxgan.augment import find_augmentation, laws

    return laws.check(find_augmentation(name)())


def _check_game(parsed: Check) -> list[Verdict]:
    import jax.numpy as jnp

    from jaxgan.config.data import open_data
    from jaxgan.config.fields import with_fields
    from jaxgan.config.presets import get_preset
    from jaxgan.games import laws

    config = with_fields(get_preset(parsed.preset), game=parsed.name)
    if parsed.data is not None:
        config = with_fields(config, **{"data.source": parsed.data})
    source, n = open_data(config), 8 * config.d_steps * config.dynamics.pack

    def batch(seed: int) -> dict[str, Any]:
        examples = {name: jnp.asarray(x) for name, x in source.some(n, seed).items()}
        labels = {name: x.astype(jnp.int32) for name, x in examples.items() if name == "label"}
        return {
            name: source.modality.to_model(x) for name, x in examples.items() if name not in labels
        } | labels

    build = lambda: config.build(source.spec)
    return laws.check(build(), [batch(seed) for seed in range(3)], build)


_CHECKS: dict[str, Callable[[str], list[Verdict]]] = {
    "loss": _check_loss,
    "penalty": _check_penalty,
    "model": _check_model,
    "source": _check_source,
    "augmentation": _check_augmentation,
}
