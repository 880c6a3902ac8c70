"""What the small files of a run hold: each is checked against this before anything is made of it.

Entries that are `NotRequired` were written by some versions or in some cases only. Of the entries of config.json the
dataclasses of `jaxgan.config` tell the types.
"""

from __future__ import annotations

import pathlib
from typing import Any, Literal, NotRequired, TypedDict

from jaxgan.common.errors import InputError
from jaxgan.common.files import printable
from jaxgan.common.schema import Count, check


class Array(TypedDict):
    """One array of a batch."""

    shape: list[Count]
    dtype: str


class Data(TypedDict):
    """What a run was trained on, as of `jaxgan.data.describe`."""

    name: str
    n: Count
    fingerprint: NotRequired[str]
    n_classes: NotRequired[Count]
    class_names: NotRequired[list[str | float | bool]]
    skipped: NotRequired[Count]
    modality: NotRequired[str]
    bounded: NotRequired[bool]
    example: NotRequired[str]
    stored: NotRequired[str]
    spec: NotRequired[dict[str, Array]]


class Environment(TypedDict):
    """What a run was trained with."""

    devices: NotRequired[list[str]]
    packages: NotRequired[dict[str, str | None]]
    date: NotRequired[str]


class RunFile(TypedDict):
    """run.json."""

    status: str
    command: str
    data: Data
    environment: Environment
    layout: NotRequired[int]
    error: NotRequired[str | None]
    train_seconds: NotRequired[float | None]
    features: NotRequired[str | None]
    judged: NotRequired[bool]
    unread: NotRequired[list[str]]
    files: NotRequired[dict[str, str]]
    own_modality: NotRequired[bool]
    history: NotRequired[list[dict[str, Any]]]


class ScoreEntry(TypedDict):
    """A score without its value, as of `jaxgan.metrics.score.Score`."""

    floor: float | None
    n_fake: Count
    n_real: Count
    features: str
    error: NotRequired[float | None]
    split: NotRequired[str]
    protocol: NotRequired[str]
    key: NotRequired[str]
    meaning: NotRequired[str]
    better: NotRequired[Literal["lower", "higher", ""]]
    scale: NotRequired[tuple[float | None, float | None]]


class Valued(ScoreEntry):
    """A score."""

    value: float | None


class Pair(TypedDict):
    """A score against two sets of reals."""

    held_out: float | None
    train: float | None


class HeldOut(TypedDict):
    """Scores against examples that were held out of the training."""

    name: str
    n: Count
    scores: dict[str, Pair]


class Scored(TypedDict):
    """The scores of a checkpoint."""

    step: Count
    scores: dict[str, Valued]
    class_histogram: NotRequired[list[Count] | None]
    held_out: NotRequired[HeldOut | None]
    generator: NotRequired[str]


class ScoresFile(TypedDict):
    """scores.json."""

    main: str
    final: Scored
    class_names: NotRequired[list[str | float | bool]]
    best: NotRequired[Scored | None]
    untrained: NotRequired[Scored | None]


class Evaluated(TypedDict):
    """An entry of evaluations.json."""

    date: str
    final: Scored


class SeedsFile(TypedDict):
    """seeds.json."""

    status: str
    command: str
    seeds: list[Count]
    how: Literal["auto", "vmap", "loop"]
    config: NotRequired[dict[str, Any]]
    error: NotRequired[str | None]


class OverSeeds(TypedDict):
    """A mean over seeds, with the ends of its interval."""

    mean: float
    low: float | None
    high: float | None


class Summed(ScoreEntry):
    """A score of several seeds."""

    final: OverSeeds | None


class SummaryFile(TypedDict):
    """summary.json."""

    main: str | None
    scores: dict[str, Summed]


class Record(TypedDict):
    """A line of metrics.jsonl; every other entry is a number."""

    step: Count
    images: NotRequired[Count]
    score: NotRequired[float | None]
    score_error: NotRequired[float | None]
    score_name: NotRequired[str]
    verdicts: NotRequired[list[str]]


class Best(TypedDict):
    """The best checkpoint so far, as of `jaxgan.metrics.choice.better_of`."""

    step: Count
    score: float
    error: NotRequired[float]
    name: NotRequired[str]
    lowest: NotRequired[tuple[float, float]]


class Owed(TypedDict):
    """What an interrupted run still has to keep of its last interval."""

    record: Record
    due: list[str]


class Meta(TypedDict):
    """What a checkpoint holds beside the state."""

    config: dict[str, Any]
    best: Best | None
    train_seconds: float
    owed: NotRequired[Owed | None]


_FILES: dict[str, Any] = {
    "run.json": RunFile,
    "scores.json": ScoresFile,
    "evaluations.json": list[Evaluated],
    "seeds.json": SeedsFile,
    "summary.json": SummaryFile,
}
_NAMED = Record.__annotations__


def check_file(path: pathlib.Path, value: Any) -> None:
    """Raises InputError, in one line, for a JSON file of a run that does not hold what such a file does."""
    where = f"run: {printable(path)!r} is damaged"
    check(value, _FILES.get(path.name, dict[str, Any]), where)
    scores = value["final"]["scores"] if path.name == "scores.json" else {}  # none if nothing could be scored
    if scores and value["main"] and value["main"] not in scores:
        known = ", ".join(map(repr, scores))
        got = printable(value["main"][:60])
        raise InputError(f"{where}: expected main to be one of final.scores ({known[:200]}), got {got!r}")
    if path.name == "seeds.json" and not value["seeds"]:
        raise InputError(f"{where}: expected seeds to be at least one, got none")


def check_record(where: str, value: Any) -> None:
    """Raises InputError, as `check_file`, for a damaged line of metrics.jsonl; `where` begins the message."""
    check(value, Record, where)
    for name, number in value.items():
        if name not in _NAMED and type(number) is not float:
            check(number, float, where, name)


def check_meta(where: str, value: Any) -> None:
    """Raises InputError, as `check_file`, if what a checkpoint holds beside the state is damaged; `where` begins it."""
    check(value, Meta, where)
    if owed := value.get("owed"):
        check_record(f"{where}, owed.record", owed["record"])
