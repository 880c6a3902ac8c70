"""A run's folder: what lies where, and how a finished run is opened again."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jaxgan.common.errors import InputError
from jaxgan.common.files import local_folder, write_atomically
from jaxgan.common.user_files import short_name, split
from jaxgan.config.config import Config
from jaxgan.config.fields import from_json, to_json
from jaxgan.config.own_files import with_files

LAYOUT = 2  # of the checkpoints: they keep a `GameState`


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
            return json.loads(path.read_text())
        except FileNotFoundError as error:
            raise InputError(
                f"run: expected the folder of a run, got {str(self.path)!r}, which has no {name}"
            ) from error
        except (OSError, ValueError) as error:
            raise InputError(f"run: cannot read {str(path)!r}: {error}") from error

    def facts(self) -> dict[str, Any]:
        """run.json of a run whose checkpoints this version can read. Raises InputError for any other."""
        facts = self.read("run.json")
        if facts.get("layout", 1) != LAYOUT:
            age = "an older" if facts.get("layout", 1) < LAYOUT else "a newer"
            raise InputError(
                f"run: {str(self.path)!r} was made by {age} version of jaxgan, and cannot be continued, sampled or "
                "scored by this one"
            )
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
        """The configuration. Raises InputError if it cannot be read.

        Files of the user's own are the copies that the run began with.
        """

        def copied(copy: str, name: str) -> str:
            path = self.path / copy
            return f"{path}:{short_name(name)}" if path.exists() else name

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
            try:
                records.append(json.loads(line))
            except ValueError:  # the last line of a killed run may be half a line
                continue
        return records

    def rewind(self, step: int) -> None:
        """Forgets records and grids after `step`, which will be made again."""
        kept = [json.dumps(record) for record in self.records() if record["step"] <= step]
        write_atomically(self.metrics, "".join(line + "\n" for line in kept))
        for grid in self.samples.glob("step-*.png"):
            if int(grid.stem.removeprefix("step-")) > step:
                grid.unlink()


def new_folder(config: Config, name: str) -> RunFolder:
    """Makes the next free folder OUT/00000-NAME. Raises OSError if it cannot be made."""
    out = local_folder("out", config.out)
    out.mkdir(parents=True, exist_ok=True)
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
) -> RunFolder:
    """Makes the folder of a new run: the next free OUT/00000-PRESET, or `path`.

    Files of the user's own are copied into it, and the run uses these copies from then on.

    Raises:
      OSError: if it cannot be made.
    """
    plain = to_json(config)
    if path is None:
        folder = new_folder(config, config.preset)
    else:
        path.mkdir(parents=True)
        folder = RunFolder(path)
    folder.samples.mkdir()

    def keep(copy: str, name: str) -> str:
        write_atomically(folder.path / copy, split(name)[0].read_bytes())
        return name

    folder.write("config.json", with_files(plain, keep))
    facts = {"status": "running", "command": command, "data": data, "environment": environment}
    folder.write("run.json", {**facts, "layout": LAYOUT})
    return folder
