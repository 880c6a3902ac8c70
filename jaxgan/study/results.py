"""The results of cells, and the folder in which they are kept."""

from __future__ import annotations

import io
import json
import math
import pathlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, Literal, NotRequired, TypedDict

import numpy as np

from jaxgan.common.files import printable, write_atomically
from jaxgan.common.schema import Count, check, parsed_json, read_text
from jaxgan.study.spec import Cell

_FORMAT = 1


class _StoredStep(TypedDict):
    step: Count


class _StoredData(TypedDict):
    modes: NotRequired[Count | None]
    classes: NotRequired[Count | None]
    modality: NotRequired[str]


class _StoredEnvironment(TypedDict):
    date: NotRequired[str]


class _StoredOutcome(TypedDict):
    """An outcome as a file has it."""

    seed: Count
    status: Literal["finished", "diverged"]
    diverged_at: Count | None
    curve: list[_StoredStep]
    final: dict[str, float | None]
    best: dict[str, float | None] | None


class _StoredKind(TypedDict):
    key: str
    meaning: str
    better: Literal["lower", "higher", ""]
    scale: tuple[float | None, float | None]


class _StoredCell(TypedDict):
    dataset: str
    loss: str
    penalty: str
    dynamics: str
    seeds: list[Count]
    fields: dict[str, Any]


class _Stored(TypedDict):
    """The result of a cell as a file has it."""

    format: int
    key: str
    status: Literal["finished", "failed"]
    error: str | None
    traceback: str | None
    seconds: float
    cell: _StoredCell
    data: _StoredData
    environment: _StoredEnvironment
    outcomes: list[_StoredOutcome]
    kinds: NotRequired[dict[str, _StoredKind]]


@dataclass(frozen=True)
class Outcome:
    """The result of one seed of a cell.

    Attributes:
      seed: of weights, data order and noise.
      status: "finished", or "diverged" if a loss was no longer finite.
      diverged_at: the step at which that was seen.
      curve: records of the quick scores on the way, each with its "step".
      final: scores of the last step by name; a score that is undefined is None.
      best: the same at the step with the lowest main score, with its "step"; None if there was no score.
    """

    seed: int
    status: str
    diverged_at: int | None
    curve: Sequence[Mapping[str, Any]]
    final: Mapping[str, float | None]
    best: Mapping[str, float | None] | None

    @property
    def diverged(self) -> bool:
        """Whether the seed did not reach the end."""
        return self.status != "finished"


@dataclass(frozen=True)
class CellResult:
    """The result of a cell.

    Attributes:
      cell: what was trained.
      key: the cell's hash, as computed where it was trained.
      status: "finished", even if seeds diverged, or "failed" if the program raised or died.
      outcomes: one for each seed; none if the cell failed.
      data: number of "modes" of the mixture and of "classes" of the images, 0 where there are none, and the name of
        the "modality".
      kinds: how each score is read, by its name, as `jaxgan.metrics.catalogue.kind_of` takes it; empty in what
        was trained before this was kept.
      seconds: time that the training took.
      environment: of the process that trained it (see `jaxgan.runs.environment`).
      error: in one line.
      traceback: of the error.
      samples: examples at the end, by seed.
    """

    cell: Cell
    key: str
    status: str
    _: KW_ONLY
    outcomes: tuple[Outcome, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    kinds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seconds: float = 0.0
    environment: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    traceback: str | None = None
    samples: Mapping[int, np.ndarray] = field(default_factory=dict, compare=False)

    @property
    def failed(self) -> bool:
        """Whether the cell has an error and no outcomes."""
        return self.status == "failed"

    @classmethod
    def failure(
        cls, cell: Cell, key: str, error: str, traceback: str = "", seconds: float = 0.0
    ) -> CellResult:
        """Makes the result of a cell that raised, or whose process died."""
        return cls(
            cell, key, "failed", seconds=seconds, error=" ".join(error.split()), traceback=traceback or None
        )

    def to_json(self) -> dict[str, Any]:
        """A plain dict without the samples; numbers that are not finite become None."""
        return {
            "format": _FORMAT,
            "key": self.key,
            "status": self.status,
            "error": self.error,
            "traceback": self.traceback,
            "seconds": round(self.seconds, 3),
            "cell": self.cell.to_json(),
            "data": dict(self.data),
            "kinds": plain(self.kinds),
            "environment": dict(self.environment),
            "outcomes": [plain(vars(outcome)) for outcome in self.outcomes],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> CellResult:
        """Reads a dict made by `to_json`; raises ValueError for any other."""
        check(content, _Stored, "cell")
        for outcome in content["outcomes"]:
            check(outcome["curve"], list[dict[str, float | str | None]], "cell", "curve")
        if content["format"] != _FORMAT:
            raise ValueError(f"expected format {_FORMAT}, got {content['format']}")
        kept = {name: value for name, value in content.items() if name not in ("format", "cell", "outcomes")}
        outcomes = tuple(Outcome(**outcome) for outcome in content["outcomes"])
        return cls(cell=Cell.from_json(content["cell"]), outcomes=outcomes, **kept)


def plain(value: Any) -> Any:
    """A value as JSON has it: numbers that are not finite become None, NumPy scalars become Python's."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True)
class Store:
    """The folder cells/ of a study: for each cell a JSON file, whole or absent, and its samples beside it."""

    path: pathlib.Path

    def save(self, result: CellResult) -> None:
        """Writes the samples and then the result, whose presence says that both are there."""
        if result.samples:
            buffer = io.BytesIO()
            # without compression: noise does not shrink
            np.savez(buffer, **{str(seed): samples for seed, samples in result.samples.items()})  # type: ignore[arg-type]
            write_atomically(self._file(result.cell, result.key, "npz"), buffer.getvalue())
        text = json.dumps(result.to_json(), indent=1, allow_nan=False) + "\n"
        write_atomically(self._file(result.cell, result.key, "json"), text)

    def load(self, cell: Cell, key: str) -> CellResult | None:
        """The result of a cell; None if there is none or its file is damaged, which a warning says."""
        path = self._file(cell, key, "json")
        try:
            result = CellResult.from_json(parsed_json(read_text("out", path)))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            reason = " ".join(str(error).split())[:300]
            warnings.warn(f"out: {printable(path)!r} is left out, as it is damaged ({reason})", stacklevel=2)
            return None
        # what was asked for, as the file may be a stranger's: a cell names code and data
        whole = result.failed or [outcome.seed for outcome in result.outcomes] == list(cell.seeds)
        return replace(result, cell=cell) if result.key == key and whole else None

    def with_samples(self, result: CellResult) -> CellResult:
        """The result with its samples, if their file is there and can be read."""
        try:
            path = self._file(result.cell, result.key, "npz")
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return replace(result, samples={int(seed): arrays[seed] for seed in arrays.files})
        except Exception:  # damaged files surface as many types
            return result

    def _file(self, cell: Cell, key: str, suffix: str) -> pathlib.Path:
        return self.path / f"{cell.slug}-{key}.{suffix}"
