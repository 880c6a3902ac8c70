"""What a study trains: a declarative spec, and the cells that it stands for."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import json
import pathlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import tyro

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError, lookup
from jaxgan.common.packages import version_of
from jaxgan.common.user_files import content_hash, is_file, short_name, split
from jaxgan.config import OptimizerConfig
from jaxgan.config.config import Config
from jaxgan.config.data import open_data
from jaxgan.config.fields import from_json, frozen, to_json, with_fields
from jaxgan.config.own_files import with_files
from jaxgan.config.presets import get_preset
from jaxgan.data.sources import named
from jaxgan.losses import LOSSES, find_loss
from jaxgan.study.variants import (
    NO_PENALTY,
    PRESET,
    DynamicsVariants,
    Fields,
    PenaltyVariants,
    Variant,
    flat,
    parse_fields,
)

# Fields that say where and how a run is done, not what comes out of it.
_NOT_IDENTITY = (
    "preset",
    "out",
    "seed",
    "log_every",
    "checkpoint_every",
    "sample_every",
    "compute",
    "logger",
)
# Fields that came later: they count where they are not as they would have been, so that keys of cells stay.
_LATER = {
    "game": "gan",
    "game_options": (),
    "augment": (),
    "augment_options": (),
    "e_optimizer": dataclasses.asdict(OptimizerConfig()),
}
_LATER_OF = {
    "data": {
        "share": 1.0,
        "follow_links": False,
        "keep_classes": "",
        "degrade": (),
        "degrade_options": (),
        "crop": None,
    },
    "health": {"roll_back": 0},
    "g_optimizer": {"hold": 0.0},
    "d_optimizer": {"hold": 0.0},
}
# What of how a run is done changes more than the last digits, where it is not as it would have been.
_COMPUTED = {"microbatches": 1, "matmul_precision": "default"}


@dataclass(frozen=True, kw_only=True)
class Spec:
    """Datasets x losses x penalties x dynamics, each combination trained with every seed."""

    datasets: tuple[str, ...] = ("toy-ring",)
    """Presets to start from."""
    losses: tuple[str, ...] = tuple(LOSSES)
    """Names of losses, or FILE:NAME for a loss of your own."""
    penalties: PenaltyVariants = (NO_PENALTY,)
    """default (the preset's), none, or weights with other penalty fields in quotes: "r1 0.1 r2 0.1 every 4"."""
    dynamics: DynamicsVariants = (PRESET,)
    """default (the preset's), or fields of dynamics or of the configuration in quotes: "unroll 3", "d_steps 5"."""
    dynamics_for: tuple[str, ...] = ()
    """Losses that get every variant of dynamics, where others get the first only; none named: all losses."""
    seeds: int = 5
    """Number of seeds: 0, 1, ..."""
    set: tuple[tuple[str, str], ...] = ()
    """Fields of every cell, over all others: steps 500 model.g_widths [64,64]."""
    fields: tyro.conf.Suppress[Fields] = field(default_factory=dict)
    """Fields of every cell."""
    loss_fields: tyro.conf.Suppress[Mapping[str, Fields]] = field(default_factory=dict)
    """Fields of the cells of one loss, such as the width of its critic's output."""

    def cells(self) -> tuple[Cell, ...]:
        """Every combination once, checked as far as it can be without data.

        Raises:
          InputError: for a name or a field that does not exist.
        """
        check_range("seeds", self.seeds, at_least=1)
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

    def _cell(self, dataset: str, loss: str, penalty: Variant, dynamics: Variant) -> Cell:
        last = parse_fields("set", [word for pair in self.set for word in pair])
        fields = flat(self.fields, self.loss_fields.get(loss, {}), penalty.changes, dynamics.changes, last)
        cell = Cell(dataset, loss, penalty.name, dynamics.name, tuple(range(self.seeds)), fields)
        cell.check()
        return cell


# --- cells ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """One combination of a spec with all its seeds: the unit that is trained, kept and resumed.

    Attributes:
      dataset: name of the preset.
      loss: its name, or FILE:NAME.
      penalty: name of the variant.
      dynamics: name of the variant.
      seeds: that are trained.
      fields: changes of the preset, the variants' own included.
    """

    dataset: str
    loss: str
    penalty: str
    dynamics: str
    seeds: tuple[int, ...]
    fields: Fields = field(default_factory=dict)

    @property
    def variant(self) -> str:
        """The cell's name within its dataset: the loss, and what is changed of penalties and dynamics."""
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
        """Hash of everything that determines the result: of `identity`."""
        text = json.dumps(self.identity(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """Name of the cell's files, without their suffix."""
        return f"{self.slug}-{self.key}"

    @property
    def slug(self) -> str:
        """Dataset and variant, as part of a file's name."""
        return re.sub(r"[^A-Za-z0-9._=]+", "-", f"{self.dataset}-{self.variant}").strip("-")[:100]

    def config(self) -> Config:
        """The configuration of all seeds.

        Raises:
          InputError: for a field that does not exist, or a value of another type.
        """
        config = with_fields(get_preset(self.dataset), **{**self.fields, "loss": self.loss})
        return from_json(to_json(config))  # where types are checked

    def identity(self) -> dict[str, Any]:
        """What determines the result: configuration, seeds, version, data, and the content of files of one's own."""
        hashed = lambda copy, name: (
            f"{content_hash(copy.split('.')[0], split(name)[0])[:16]}:{short_name(name)}"
        )
        config = with_files(to_json(self.config()), hashed)
        kept = {name: value for name, value in config.items() if name not in _NOT_IDENTITY}
        kept = {name: value for name, value in kept.items() if name not in _LATER or value != _LATER[name]}
        for group, later in _LATER_OF.items():
            kept[group] = {
                name: x for name, x in kept[group].items() if name not in later or x != later[name]
            }
        if computed := {name: x for name, x in config["compute"].items() if x != _COMPUTED.get(name, x)}:
            kept["compute"] = computed
        del kept["data"]["pipeline"]
        kept["data"]["placement"] = "auto"  # which it was called, and which changes no result
        identity = {"config": kept, "seeds": list(self.seeds), "jaxgan": version_of("jaxgan")}
        if named(self.config().data.source).startswith(
            ("folder:", "npz:", "tar:", "tfds:", "deep:", "pairs:", "domains:")
        ):  # their content may change
            identity["data"] = _fingerprint(Config(data=self.config().data))
        return identity

    def check(self) -> None:
        """Raises InputError for what can be seen to be wrong without data or training."""
        find_loss(self.loss)
        self.config().check()
        _ = self.key

    def to_json(self) -> dict[str, Any]:
        """A plain dict that `from_json` reads back."""
        return {**dataclasses.asdict(self), "fields": dict(self.fields), "seeds": list(self.seeds)}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Cell:
        """The cell of a dict made by `to_json`."""
        fields = {name: frozen(value) for name, value in plain["fields"].items()}
        return cls(**{**plain, "seeds": tuple(plain["seeds"]), "fields": fields})


@functools.lru_cache(maxsize=32)
def _fingerprint(config: Config) -> str:
    return open_data(config).fingerprint
