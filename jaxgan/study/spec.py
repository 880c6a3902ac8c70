"""What a study trains: a small declarative spec, and the cells that it stands for."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import json
import pathlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tyro

from jaxgan.common.errors import InputError, lookup
from jaxgan.common.user_files import is_file, split
from jaxgan.common.versions import version_of
from jaxgan.config.config import Config, from_json, to_json
from jaxgan.config.data import open_data
from jaxgan.config.fields import with_fields
from jaxgan.config.presets import get_preset
from jaxgan.losses import LOSSES, find_loss
from jaxgan.penalties import PENALTIES

Fields = Mapping[str, Any]
"""Dotted names of configuration fields, with their values."""

# Fields that say where and how a run is done, not what comes out of it.
_NOT_IDENTITY = ("preset", "out", "seed", "log_every", "checkpoint_every", "sample_every", "compute")


@dataclass(frozen=True)
class Spec:
    """Losses x penalties x dynamics x datasets, each trained with every seed."""

    datasets: tuple[str, ...] = ("toy-ring",)
    """Presets to start from."""
    losses: tuple[str, ...] = tuple(LOSSES)
    """Names of losses, or FILE:NAME for a loss of your own."""
    penalties: tuple[str, ...] = ("none",)
    """default (the preset's), none, or weights and other penalty fields: r1=0.1+r2=0.1, or r1=1+every=4."""
    dynamics: tuple[str, ...] = ("default",)
    """default (the preset's), or fields of dynamics or of the configuration: updates=extragradient, or d_steps=5."""
    dynamics_for: tuple[str, ...] = ()
    """Losses that get every entry of dynamics, the others only the first; none named: all get every one."""
    seeds: int = 5
    """How many seeds: 0, 1, ..."""
    set: tuple[str, ...] = ()
    """Fields of every cell, over all others: steps=500 model.g_widths=[64,64]."""
    fields: tyro.conf.Suppress[Fields] = field(default_factory=dict)
    """Fields of every cell."""
    loss_fields: tyro.conf.Suppress[Mapping[str, Fields]] = field(default_factory=dict)
    """Fields of the cells of one loss, such as the width of its critic's output."""

    def cells(self) -> tuple[Cell, ...]:
        """Every combination once, checked as far as it can be without data.

        Raises:
          InputError: for a name or a field that does not exist.
        """
        if self.seeds < 1:
            raise InputError(f"seeds: expected at least 1, got {self.seeds}")
        for name in ("datasets", "losses", "penalties", "dynamics"):
            if not getattr(self, name):
                raise InputError(f"{name}: expected at least one, got none")
        for loss in self.dynamics_for:
            lookup("loss of dynamics_for", loss, dict.fromkeys([*LOSSES, *self.losses]))
        found = {}
        for dataset, loss, penalty, dynamics in itertools.product(
            self.datasets, self.losses, self.penalties, self.dynamics
        ):
            if dynamics == self.dynamics[0] or not self.dynamics_for or loss in self.dynamics_for:
                cell = self._cell(dataset, loss, penalty, dynamics)
                found.setdefault(cell.key, cell)
        return tuple(found.values())

    def _cell(self, dataset: str, loss: str, penalty: str, dynamics: str) -> Cell:
        fields = {
            **self.fields,
            **self.loss_fields.get(loss, {}),
            **_penalty_fields(penalty),
            **_dynamics_fields(dynamics),
            **_assignments("set", self.set),
        }
        cell = Cell(dataset, loss, penalty, dynamics, tuple(range(self.seeds)), fields)
        cell.check()
        return cell


def _assignments(argument: str, entries: Sequence[str]) -> dict[str, Any]:
    """["a=1", "b=x"] as {"a": 1, "b": "x"}: values are JSON, or else text."""
    found = {}
    for entry in entries:
        name, equals, text = entry.partition("=")
        if not equals or not name:
            raise InputError(f"{argument}: expected NAME=VALUE, got {entry!r}")
        try:
            found[name] = _frozen(json.loads(text))
        except ValueError:
            found[name] = text
    return found


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _entries(text: str) -> list[str]:
    return re.split(r"\+(?=[A-Za-z_])", text)  # not the plus of 1e+5


def _penalty_fields(text: str) -> dict[str, Any]:
    if text == "default":
        return {}
    if text == "none":
        return {"penalty.weights": ()}
    given = _assignments("penalties", _entries(text))
    others = {f"penalty.{name}" for name in _penalty_options()}
    weights = {name: value for name, value in given.items() if f"penalty.{name}" not in others}
    for name, weight in weights.items():
        lookup("penalty", name, PENALTIES)
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise InputError(f"penalties: expected {name}=WEIGHT, a number, got {weight!r}")
    rest = {f"penalty.{name}": value for name, value in given.items() if name not in weights}
    plain = {"penalty.schedule": "constant", "penalty.every": 1, "penalty.options": ()}  # not the preset's
    return {"penalty.weights": tuple((name, float(w)) for name, w in weights.items()), **plain, **rest}


def _penalty_options() -> list[str]:
    return [f.name for f in dataclasses.fields(Config().penalty) if f.name != "weights"]


def _dynamics_fields(text: str) -> dict[str, Any]:
    if text == "default":
        return {}
    known = {f.name for f in dataclasses.fields(Config)}
    given = _assignments("dynamics", _entries(text))
    return {
        name if "." in name or name in known else f"dynamics.{name}": value for name, value in given.items()
    }


# --- cells ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """One variant on one dataset, with all its seeds: the unit that is trained, kept and resumed."""

    dataset: str
    loss: str
    penalty: str
    dynamics: str
    seeds: tuple[int, ...]
    fields: Fields = field(default_factory=dict)

    @property
    def variant(self) -> str:
        """The cell's name within its dataset; what is left at its default is left out."""
        loss = pathlib.Path(self.loss).name if is_file(self.loss) else self.loss
        parts = [] if self.penalty == "default" else [self.penalty if self.penalty != "none" else ""]
        parts += [] if self.dynamics == "default" else [self.dynamics]
        return ", ".join([loss, *(part for part in parts if part)])

    @property
    def label(self) -> str:
        """Dataset, loss, penalty and dynamics."""
        return " / ".join([self.dataset, self.loss, self.penalty, self.dynamics])

    @property
    def key(self) -> str:
        """Hash of everything that determines the result (see `identity`)."""
        text = json.dumps(self.identity(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """Name of the cell's files, without suffix."""
        return f"{self.slug}-{self.key}"

    @property
    def slug(self) -> str:
        """Dataset and variant, as part of a file's name."""
        return re.sub(r"[^A-Za-z0-9._=]+", "-", f"{self.dataset}-{self.variant}").strip("-")[:100]

    def config(self) -> Config:
        """The whole configuration.

        Raises:
          InputError: for a field that does not exist, or a value of another type.
        """
        config = with_fields(get_preset(self.dataset), **{**self.fields, "loss": self.loss})
        return from_json(to_json(config))  # where types are checked

    def identity(self) -> dict[str, Any]:
        """What determines the result: configuration, seeds, version, and the content of a loss's file."""
        config = to_json(self.config())
        kept = {name: value for name, value in config.items() if name not in _NOT_IDENTITY}
        if is_file(self.loss):
            path, name = split(self.loss)
            kept["loss"] = f"{_content_hash(path)}:{name}"
        identity = {"config": kept, "seeds": list(self.seeds), "jaxgan": version_of("jaxgan")}
        if self.config().data.source.startswith(("folder:", "npz:", "tfds:")):  # their content may change
            identity["data"] = _fingerprint(Config(data=self.config().data))
        return identity

    def check(self) -> None:
        """Raises InputError for what can be seen to be wrong before anything is trained."""
        find_loss(self.loss)
        self.config().check()
        _ = self.key

    def to_json(self) -> dict[str, Any]:
        """A plain dict that `from_json` reads back."""
        return {**dataclasses.asdict(self), "fields": dict(self.fields), "seeds": list(self.seeds)}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Cell:
        """The cell of a dict made by `to_json`."""
        fields = {name: _frozen(value) for name, value in plain["fields"].items()}
        return cls(**{**plain, "seeds": tuple(plain["seeds"]), "fields": fields})


@functools.lru_cache(maxsize=32)
def _fingerprint(config: Config) -> str:
    return open_data(config).fingerprint


def _content_hash(path: pathlib.Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise InputError(f"loss: expected FILE:NAME, cannot read {str(path)!r}: {error.strerror}") from error
