"""A run's folder: what lies where, and how a finished run is opened again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import pathlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jaxgan.common.errors import InputError, nearest_names
from jaxgan.common.files import local_folder, write_atomically
from jaxgan.common.user_files import short_name, split
from jaxgan.config.config import Config
from jaxgan.config.fields import from_json, to_json
from jaxgan.config.own_files import with_files
from jaxgan.data import Spec

LAYOUT = 3  # of the checkpoints: they keep a `GameState`, and checksums
_NUMBER = (int, float)
_KINDS: dict[str, Any] = {  # of the entries that are read of each file, where they are there
    "run.json": {
        "layout": int,
        "status": str,
        "command": str,
        "error": (str, type(None)),
        "train_seconds": _NUMBER,
        "features": (str, type(None)),
        "files": {},
        "own_modality": bool,
        "history": list,
        "environment": {"devices": list, "packages": dict},
        "data": {
            "name": str,
            "n": int,
            "n_classes": int,
            "modality": str,
            "example": str,
            "stored": str,
            "class_names": list,
            "fingerprint": str,
            "skipped": int,
            "spec": {},
        },
    },
    "scores.json": {"main": str, "class_names": list, "final": {"step": int, "scores": dict}},
    "seeds.json": {"status": str, "command": str, "seeds": list, "how": str, "config": dict},
}
_WORDS = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "a whole number",
    bool: "true or false",
    type(None): "null",
}


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run, and its small files.

    config.json is the configuration; run.json tells what was trained on, with what, and how it
    ended; metrics.jsonl has one record an interval, scores.json the final scores.
    """

    path: pathlib.Path

    @property
    def metrics(self) -> pathlib.Path:
        """metrics.jsonl."""
        return self.path / "metrics.jsonl"

    @property
    def samples(self) -> pathlib.Path:
        """Folder of grids."""
        return self.path / "samples"

    @property
    def report(self) -> pathlib.Path:
        """report.html."""
        return self.path / "report.html"

    def read(self, name: str) -> Any:
        """A JSON file of the folder. Raises InputError if it is missing or damaged."""
        path = self.path / name
        try:
            value = json.loads(path.read_text())
        except (FileNotFoundError, NotADirectoryError) as error:
            members = sorted(self.path.glob("seed-*/run.json")) if name == "run.json" else []
            lacks = (
                f"which holds several seeds, such as {members[0].parent}"
                if members
                else f"which {self._lacks(name)}"
            )
            near = near_run(self.path) if name == "run.json" and not members else None
            hint = "" if near is None else f"; did you mean {str(near)!r}?"
            raise InputError(
                f"run: expected the folder of a run, got {str(self.path)!r}, {lacks}{hint}"
            ) from error
        except (OSError, ValueError) as error:
            raise InputError(f"run: cannot read {str(path)!r}: {error}") from error
        if name == "evaluations.json":
            _check_kind(path, "it", value, list)
        else:
            _check_kind(path, "it", value, _KINDS.get(name, {}))
        return value

    def _lacks(self, name: str) -> str:
        if not self.path.exists():
            return "does not exist"
        return f"has no {name}" if self.path.is_dir() else "is a file"

    def facts(self) -> dict[str, Any]:
        """run.json of a run whose checkpoints this version can read. Raises InputError for any other."""
        facts = self.read("run.json")
        for entry in ("status", "data"):
            if entry not in facts:
                raise InputError(f"run: {str(self.path / 'run.json')!r} is damaged: it has no {entry!r}")
        if facts.get("layout", 1) != LAYOUT:
            age = "an older" if facts.get("layout", 1) < LAYOUT else "a newer"
            raise InputError(
                f"run: {str(self.path)!r} was made by {age} version of jaxgan, and cannot be continued, sampled or "
                "scored by this one"
            )
        Spec.from_json(facts["data"])  # which raises where it cannot be read
        return facts

    def write(self, name: str, value: Any) -> None:
        """Writes a JSON file of the folder, whole or not at all."""
        write_atomically(self.path / name, json.dumps(value, indent=1) + "\n")

    def update(self, **values: Any) -> None:
        """Changes entries of run.json."""
        self.update_file("run.json", **values)

    def update_file(self, name: str, **values: Any) -> None:
        """Changes entries of a JSON file of the folder."""
        self.write(name, {**self.read(name), **values})

    def config(self) -> Config:
        """The configuration.

        Files of the user's own are the copies that the run began with.

        Raises:
          InputError: if it cannot be read, or such a copy is missing or has changed.
        """
        kept = self.read("run.json").get("files", {})

        def copied(copy: str, name: str) -> str:
            path = self.path / copy
            if not path.is_file():
                raise InputError(
                    f"run: {str(path)!r}, the run's copy of {name!r}, is missing; put it back (the original may have "
                    "changed since)"
                )
            if copy in kept and _hash(path.read_bytes()) != kept[copy]:
                raise InputError(
                    f"run: {str(path)!r}, the run's copy of {name!r}, has changed since the run began: expected the "
                    f"SHA-256 {kept[copy]}, got {_hash(path.read_bytes())}; put it back"
                )
            return f"{path}:{short_name(name)}"

        plain = self.read("config.json")
        if isinstance(plain.get("data"), dict):  # runs of before there was such a thing held nothing out
            plain["data"].setdefault("hold_out", 0.0)
        return from_json(with_files(plain, copied))

    def records(self) -> list[dict[str, Any]]:
        """All whole records of metrics.jsonl."""
        if not self.metrics.exists():
            return []
        records = []
        for line in self.metrics.read_text().splitlines():
            with contextlib.suppress(ValueError):  # the last line of a killed run may be half a line
                record = json.loads(line)
                if isinstance(record, dict) and isinstance(record.get("step"), int):
                    records.append(record)
        return records

    def add_history(self, **entry: Any) -> None:
        """Adds what has been changed about the run to the history in run.json, with the date."""
        dated = {"date": time.strftime("%Y-%m-%d %H:%M"), **entry}
        self.update(history=[*self.read("run.json").get("history", []), dated])

    def rewind(self, step: int) -> None:
        """Forgets records and grids after `step`, which will be made again."""
        kept = [json.dumps(record) for record in self.records() if record["step"] <= step]
        write_atomically(self.metrics, "".join(line + "\n" for line in kept))
        for grid in self.samples.glob("step-*.png"):
            if int(grid.stem.removeprefix("step-")) > step:
                grid.unlink()


def near_run(path: pathlib.Path) -> pathlib.Path | None:
    """The run that is probably meant by a path of none: that of a file in it, or the newest in it or of its name.

    The name may lack its number, or the folder `runs` that it lies in.
    """
    inside = lambda folder: [entry.parent for entry in folder.glob("*/run.json")]
    newest = lambda runs: max(runs, key=lambda run: ((run / "run.json").stat().st_mtime, run.name))
    try:
        for parent in (path, *path.parents):
            if (parent / "run.json").is_file():
                return parent
        if path.is_dir() and (runs := inside(path)):
            return newest(runs)
        runs = [run for folder in (path.parent, path.parent / "runs") for run in inside(folder)]
        wanted = path.name
        named = [run for run in runs if wanted in (run.name, re.sub(r"^\d+-", "", run.name))]
        numbered = [run for run in runs if wanted.isdigit() and run.name[:5] == wanted.zfill(5)]
        if named or numbered:
            return newest(named or numbered)
        near = nearest_names(path.name, [run.name for run in runs])
        return newest([run for run in runs if run.name in near]) if near else None
    except (OSError, ValueError):  # what cannot be looked at
        return None


def check_name(name: str) -> str:
    """The name of a run, which ends the name of its folder. Raises InputError for one that cannot."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+=,-]{0,99}", name):
        raise InputError(
            "name: expected at most 100 letters, digits and . _ - + = , of which the first is a letter or digit, got "
            f"{name!r}"
        )
    return name


def new_folder(config: Config, name: str) -> RunFolder:
    """Makes the next free folder OUT/00000-NAME. Raises InputError if OUT is no folder and cannot be made."""
    out = local_folder("out", config.out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"out: expected a folder, or a place for a new one, got {config.out!r} ({error.strerror})"
        ) from error
    numbers = [int(entry.name[:5]) for entry in out.iterdir() if entry.name[:5].isdigit()]
    number = max(numbers, default=-1) + 1
    while True:
        path = out / f"{number:05d}-{name}"
        try:
            path.mkdir()
            return RunFolder(path)
        except FileExistsError:  # another run was faster
            number += 1


def create(
    config: Config,
    data: Mapping[str, Any],
    environment: Mapping[str, Any],
    command: str,
    path: pathlib.Path | None = None,
    *,
    name: str | None = None,
    own_modality: bool = False,
) -> RunFolder:
    """Makes the folder of a new run: the next free OUT/00000-NAME, or `path`.

    Files of the user's own are copied into it, and the run uses these copies from then on.

    Args:
      config: of the run.
      data: what is known of its data, as of `jaxgan.data.source.describe`.
      environment: what it runs on.
      command: the command line.
      path: of the folder, instead.
      name: of the run; None: that of the preset.
      own_modality: whether the modality of the data is one of the user's own, that only their file knows.

    Raises:
      OSError: if it cannot be made.
    """
    plain = to_json(config)
    if path is None:
        folder = new_folder(config, config.preset if name is None else check_name(name))
    else:
        path.mkdir(parents=True)
        folder = RunFolder(path)
    folder.samples.mkdir()
    hashes = {}

    def keep(copy: str, name: str) -> str:
        content = split(name)[0].read_bytes()
        write_atomically(folder.path / copy, content)
        hashes[copy] = _hash(content)
        return name

    folder.write("config.json", with_files(plain, keep))
    facts = {"status": "running", "command": command, "data": data, "environment": environment}
    own = {"own_modality": True} if own_modality else {}
    folder.write("run.json", {**facts, **own, "files": hashes, "layout": LAYOUT})
    return folder


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _check_kind(path: pathlib.Path, what: str, value: Any, kind: Any) -> None:
    """Raises InputError where a value of a JSON file, or an entry that is there of an object, is of another type."""
    entries: Mapping[str, Any] = kind if isinstance(kind, dict) else {}
    wanted: Any = dict if isinstance(kind, dict) else kind
    holder: Any = value
    fits: bool = isinstance(value, wanted) and (wanted is bool or type(value) is not bool)
    if not fits:
        words = "a number" if kind == _NUMBER else _WORDS[kind[0] if type(kind) is tuple else wanted]
        raise InputError(
            f"run: {str(path)!r} is damaged: expected {what} to be {words}, got {str(value)[:60]!r}"
        )
    for name, inner in entries.items():
        if name in holder:
            _check_kind(path, f"{what}.{name}".removeprefix("it."), holder[name], inner)
