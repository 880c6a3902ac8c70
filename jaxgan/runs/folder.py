"""A run's folder: what lies where, and how a finished run is opened again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
import re
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jaxgan.common.errors import InputError, nearest_names
from jaxgan.common.files import local_folder, printable, read_bytes, write_atomically
from jaxgan.common.schema import parsed_json, read_text
from jaxgan.common.user_files import hold_to, short_name, split
from jaxgan.config.config import Config
from jaxgan.config.fields import check_plain, from_json, to_json
from jaxgan.config.own_files import with_files
from jaxgan.data import Spec
from jaxgan.runs import trusted
from jaxgan.runs.schema import check_file, check_record

KINDS = {
    "reconstructions": "Truth, and what the encoder and the generator make of it, beside each other.",
    "traversals": "What single coordinates of the latent do: a row goes through one, all else stays.",
}
"""Pictures beside the samples, for games that make them: folder -> what they show."""
LAYOUT = 3  # of the checkpoints: they keep a `GameState`, and checksums
_METRICS = 2**30  # bytes of metrics.jsonl, of some ten million steps, beyond which it is not read
_PICTURE = 2**26  # the same of a picture of samples
_CODE = 2**24  # and of a file of code


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run, and its small files.

    config.json is the configuration; run.json tells what was trained on, with what, and how it
    ended; metrics.jsonl has one record an interval, scores.json the final scores.

    Attributes:
      path: of the folder.
      trust: whether code that the run brings is run, and links are followed out of it, although it may be a
        stranger's.
      silent: whether this writes nothing: of several processes that make the run together the first alone writes.
    """

    path: pathlib.Path
    trust: bool = False
    silent: bool = False

    @property
    def metrics(self) -> pathlib.Path:
        """Path of metrics.jsonl."""
        return self.path / "metrics.jsonl"

    @property
    def samples(self) -> pathlib.Path:
        """Path of the folder with the grids."""
        return self.path / "samples"

    @property
    def report(self) -> pathlib.Path:
        """Path of report.html."""
        return self.path / "report.html"

    def pictures(self, kind: str = "samples") -> list[tuple[int, pathlib.Path]]:
        """The grids of samples with their steps, oldest first; none that a link out of the folder stands for.

        Args:
          kind: other pictures instead, one of `KINDS`.
        """
        named = re.compile(r"step-([0-9]{1,18})\.png")
        found = ((named.fullmatch(path.name), path) for path in (self.path / kind).glob("step-*.png"))
        return sorted((int(match[1]), path) for match, path in found if match and self._is_picture(path))

    @property
    def reals(self) -> pathlib.Path | None:
        """The picture of reals; None where there is none in the folder."""
        path = self.samples / "reals.png"
        return path if self._is_picture(path) else None

    def _is_picture(self, path: pathlib.Path) -> bool:
        try:
            return path.is_file() and path.stat().st_size <= _PICTURE and (self.trust or self._holds(path))
        except OSError:
            return False

    def _holds(self, path: pathlib.Path) -> bool:
        """Whether a path lies in the folder, whatever links it goes through."""
        return pathlib.Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.path))

    def read(self, name: str) -> Any:
        """A JSON file of the folder. Raises InputError if it is missing or damaged."""
        path = self.path / name
        try:
            value = parsed_json(read_text("run", path))
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
        except InputError:
            raise
        except ValueError as error:
            raise InputError(f"run: cannot read {str(path)!r}: {error}") from error
        check_file(path, value)
        if name == "config.json":
            check_plain(value, f"run: {printable(path)!r} is damaged")
        return value

    def _lacks(self, name: str) -> str:
        if not self.path.exists():
            return "does not exist"
        return f"has no {name}" if self.path.is_dir() else "is a file"

    def facts(self) -> dict[str, Any]:
        """The content of run.json. Raises InputError unless this version can read the run's checkpoints."""
        facts = self.read("run.json")
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
        if self.silent:
            return
        write_atomically(self.path / name, json.dumps(value, indent=1) + "\n")

    def update(self, **values: Any) -> None:
        """Changes entries of run.json."""
        self.update_file("run.json", **values)

    def update_file(self, name: str, **values: Any) -> None:
        """Changes entries of a JSON file of the folder."""
        self.write(name, {**self.read(name), **values})

    def config(self, *, trains: bool = False) -> Config:
        """The configuration of the run.

        Files of the user's own are the copies that the run began with, and nothing else, wherever config.json says
        that they were.

        Args:
          trains: whether this user trains with it, which is recorded: its code runs without being asked about then.

        Raises:
          InputError: if it cannot be read, or such a copy is missing or has changed; unless the folder is trusted, for
            code that this user has not trained with, and for links that lead out of the folder.
        """
        self.check_links()
        kept, untold, code = self.read("run.json").get("files", {}), [], []

        def copied(copy: str, name: str) -> str:
            path = self.path / copy
            content = self._copy(path, name, kept.get(copy))
            if not self.trust and not trusted.is_recorded(content, short_name(name)):
                untold.append(f"{printable(name)!r} ({copy})")
            code.append((path, content, short_name(name)))
            return f"{path}:{short_name(name)}"

        plain = self.read("config.json")
        if isinstance(plain.get("data"), dict):  # runs of before there were such things
            plain["data"].setdefault("hold_out", 0.0)
            plain["data"].setdefault("follow_links", True)
            before = {"device": "resident", "host": "stream"}
            if isinstance(place := plain["data"].pop("placement", None), str):
                plain["data"].setdefault("pipeline", before.get(place, place))
        plain = with_files(plain, copied)
        if untold:
            raise InputError(
                f"run: {printable(self.path)!r} brings code that you have not trained with: {', '.join(untold)}; read "
                "it, and if you trust it, run it with --trust (in Python: trust=True); what you trained with is "
                "known as long as the cache folder is kept"
            )
        for path, content, name in code:
            hold_to(path, content)
            if trains:
                trusted.record(content, name)
        return from_json(plain)

    def check_links(self) -> None:
        """Raises InputError, unless the folder is trusted, for a link that leads out of it."""
        if not self.trust and (link := next(self._links_out(), None)) is not None:
            raise InputError(
                f"run: {printable(link)!r} is a link that leads out of the run, to "
                f"{printable(os.path.realpath(link))!r}; if that is meant: --trust (in Python: trust=True)"
            )

    def _copy(self, path: pathlib.Path, name: str, kept: str | None) -> bytes:
        """The content of the run's copy of FILE.py:NAME, whose hash is `kept`, if there is one."""
        copy = f"{printable(path)!r}, the run's copy of {printable(name)!r},"
        if not path.is_file():
            raise InputError(f"run: {copy} is missing; put it back (the original may have changed since)")
        if not self._holds(path):  # also of a run that is trusted: it is not its copy
            raise InputError(f"run: {copy} is a link that leads out of the run; put the file itself there")
        content = read_bytes("run", path, largest=_CODE)
        if kept is not None and _hash(content) != kept:
            raise InputError(
                f"run: {copy} has changed since the run began: expected the SHA-256 {printable(kept)}, got "
                f"{_hash(content)}; put it back"
            )
        return content

    def _links_out(self) -> Iterator[pathlib.Path]:
        """Links in the folder that lead out of it; those of Weights & Biases, which alone reads them, are its own."""
        passed = {self.path / "wandb", *self.path.glob("seed-*/wandb")}
        pending = [self.path]
        while pending:
            with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        if not self._holds(path := pathlib.Path(entry.path)):
                            yield path
                    elif entry.is_dir() and (path := pathlib.Path(entry.path)) not in passed:
                        pending.append(path)

    def records(self) -> list[dict[str, Any]]:
        """All whole records of metrics.jsonl; warns of lines that are no text. Raises InputError for a damaged one."""
        try:
            content = read_bytes("run", self.metrics, largest=_METRICS)
        except (FileNotFoundError, NotADirectoryError):
            return []
        records = []
        for i, line in enumerate(content.split(b"\n")):
            try:
                record = parsed_json(line.decode())
            except UnicodeDecodeError:
                text = f"run: {printable(self.metrics)!r}, line {i + 1}, is no text, and is left out"
                warnings.warn(text, stacklevel=2)
                continue
            except ValueError:  # the last line of a killed run may be half a line
                continue
            check_record(f"run: {printable(self.metrics)!r}, line {i + 1}, is damaged", record)
            records.append(record)
        return records

    def add_history(self, **entry: Any) -> None:
        """Adds what has been changed about the run to the history in run.json, with the date."""
        dated = {"date": time.strftime("%Y-%m-%d %H:%M"), **entry}
        self.update(history=[*self.read("run.json").get("history", []), dated])

    def rewind(self, step: int) -> None:
        """Forgets records and grids after `step`, which will be made again."""
        if self.silent:
            return
        kept = [json.dumps(record) for record in self.records() if record["step"] <= step]
        write_atomically(self.metrics, "".join(line + "\n" for line in kept))
        for kind in ("samples", *KINDS):
            for later, grid in self.pictures(kind):
                if later > step:
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

    Files of the user's own are copied into it, and the run uses these copies from then on. That this user has trained
    with them is recorded: they run again without being asked about.

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
        trusted.record(content, short_name(name))
        return name

    folder.write("config.json", with_files(plain, keep))
    facts = {"status": "running", "command": command, "data": data, "environment": environment}
    own = {"own_modality": True} if own_modality else {}
    folder.write("run.json", {**facts, **own, "files": hashes, "layout": LAYOUT})
    return folder


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
