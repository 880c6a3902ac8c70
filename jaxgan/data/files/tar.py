"""Images from shards: tar archives as those of WebDataset, which are never unpacked."""

from __future__ import annotations

import contextlib
import glob
import itertools
import os
import pathlib
import re
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from jaxgan.common.errors import InputError
from jaxgan.common.files import expanded, printable
from jaxgan.common.progress import counted
from jaxgan.data.files.classes import Part, class_of, parsed_json
from jaxgan.data.files.folder import load_part
from jaxgan.data.files.listing import LARGEST, Listing, check_size, listed, named
from jaxgan.data.pixels import image_suffixes
from jaxgan.data.rows import workers
from jaxgan.data.source import Images

_SUFFIX = ".tar"
_PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")  # which are refused, with what to do
_BLOCK = 512
_BEHIND = 2**16  # bytes behind an archive's end that are looked at
_LABELS = ("cls", "json")
_KEYS = ("label", "cls", "class")  # of a JSON file that say the class
_LARGEST_LABEL = 2**20
_MOST = 10**6  # shards that a pattern may stand for


def holds_shards(path: pathlib.Path) -> bool:
    """Whether a path is a tar archive, or a folder that holds such, and no images or folders beside them.

    Archives that are compressed as a whole count, so that what opens them can say what to do.
    """
    if path.name.lower().endswith((_SUFFIX, *_PACKED)):
        return path.is_file()
    suffixes, found = image_suffixes(), False
    with contextlib.suppress(OSError), os.scandir(path) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir() or entry.name.lower().endswith(suffixes):
                return False
            found = found or entry.name.lower().endswith(_SUFFIX)
    return found


def load_tar(
    pattern: str,
    split: str = "train",
    *,
    resolution: int | None = None,
    channels: int | None = None,
    skip_broken: bool = False,
    pipeline: str = "auto",
) -> Images:
    """Opens the images in tar archives.

    Files of one name up to its first dot form a sample, as WebDataset has it: an image, and its class in a file .cls
    (a number or a name) or as "label", "cls" or "class" of a file .json. Of a sample that has several images the first
    by name is taken.

    Args:
      pattern: an archive, a folder of archives, or several by "*", "?", "[...]" or "{000..123}", "{a,b}".
      split: "train", the only one.
      resolution: as of `load_folder`.
      channels: as of `load_folder`.
      skip_broken: as of `load_folder`.
      pipeline: as of `load_folder`.

    Raises:
      InputError: if there is no such archive or it cannot be read (compressed ones cannot, at any place), there are no
        images, or only some have a class; and as `load_folder`.
    """
    if split != "train":
        raise InputError(
            f"data.split: source {f'tar:{printable(pattern)}'!r} has no split but 'train', got {split!r}"
        )
    files, part = listed_shards(pattern)
    return load_part(
        files,
        part,
        f"tar:{printable(pattern)}",
        resolution=resolution,
        channels=channels,
        skip_broken=skip_broken,
        pipeline=pipeline,
    )


def listed_shards(pattern: str) -> tuple[Listing, Part]:
    """The images in all shards that a pattern stands for, as of `load_tar`, and their classes."""
    shards = _shards(pattern)
    root = pathlib.Path(os.path.commonpath([shard.parent for shard in shards]))
    members: dict[str, _Member] = {}
    twice: list[str] = []
    special: list[str] = []
    for shard, found in zip(shards, workers().map(_members, shards), strict=True):
        above = shard.relative_to(root).as_posix()
        members |= {f"{above}/{member.name}": member for member in found.files}
        twice += [f"{above}/{name}" for name in found.twice]
        special += [f"{above}/{name}" for name in found.special]
    label_files = [name for name in members if name.rpartition(".")[2].lower() in _LABELS]

    def read(name: str) -> bytes:
        return members[name].content(LARGEST)

    def head(name: str) -> bytes:
        try:
            return members[name].content(LARGEST, 16)
        except (OSError, ValueError):  # dealt with when it is decoded
            return b""

    def holding(names: Sequence[str]) -> Iterable[tuple[str, pathlib.Path]]:
        return [("\n".join(names), shards[0]), *((shard.name, shard) for shard in shards)]

    others, left_out = sorted(members.keys() - set(label_files)), []
    if twice:
        left_out.append(f"more than once in an archive, where the last counts: {named(twice)}")
    if special:
        left_out.append(f"left out, no regular file: {named(special)}")
    files = listed(root, others, {shard.name for shard in shards}, read, head, left_out, holding)
    if not files.names:
        left = "".join(f"; {note}" for note in files.notes)
        raise InputError(
            f"data.source: expected images in {counted(len(shards), 'tar archive')} {printable(pattern)!r}, found "
            f"none{left}"
        )
    by_sample: dict[str, str] = {}
    for name in files.names:
        by_sample.setdefault(_sample(name), name)
    names = sorted(by_sample.values())
    notes = []
    if more := len(files.names) - len(names):
        notes.append(f"left out, beside another image of their samples: {counted(more, 'image')}")
    return files, Part(names, _classes(names, label_files, members), tuple(notes))


def _shards(pattern: str) -> list[pathlib.Path]:
    """The archives that a pattern stands for, sorted."""
    whole = expanded(pattern)
    if whole.is_dir():
        found = sorted(path for path in whole.iterdir() if path.suffix.lower() == _SUFFIX)
        if not found:
            raise InputError(f"data.source: expected tar archives in {printable(whole)!r}, found none")
    elif whole.exists():
        found = [whole]
    else:
        found = []
        for one in itertools.islice(_braces(str(whole)), _MOST):
            matched = [pathlib.Path(one)] if os.path.exists(one) else map(pathlib.Path, glob.glob(one))
            if not (matched := sorted(matched)):
                raise InputError(
                    f"data.source: expected tar archives at {printable(one)!r}, found none"
                    + ("" if one == str(whole) else f" (of {printable(pattern)!r})")
                )
            found += matched
        found = sorted(set(found))
    return [path.absolute() for path in found]


def _braces(text: str) -> Iterable[str]:
    """What a text with {000..123} or {a,b} in it stands for, as in a shell."""
    match = re.search(r"\{([^{}]*)\}", text)
    if match is None:
        yield text
        return
    before, inside, after = text[: match.start()], match[1], text[match.end() :]
    if span := re.fullmatch(r"([0-9]+)\.\.([0-9]+)", inside):
        width = len(span[1]) if len(span[1]) == len(span[2]) or span[1].startswith("0") else 0
        first, last = int(span[1]), int(span[2])
        way = 1 if first <= last else -1
        choices: Iterable[str] = (f"{i:0{width}}" for i in range(first, last + way, way))
    else:
        choices = inside.split(",") if "," in inside else [f"{{{inside}}}"]
    for choice in choices:
        for rest in _braces(after):
            yield before + choice + rest


@dataclass(frozen=True, slots=True)
class _Member:
    """A file in an archive: where it begins, and its size."""

    shard: pathlib.Path
    name: str
    offset: int
    size: int

    def content(self, largest: int, size: int | None = None) -> bytes:
        """Its first `size` bytes, or all of at most `largest`."""
        check_size(self.size if size is None else 0, largest)
        size = self.size if size is None else min(size, self.size)
        with self.shard.open("rb", buffering=0) as file:
            file.seek(self.offset)
            found = b""
            while len(found) < size and (more := file.read(size - len(found))):
                found += more
        if len(found) < size:
            raise ValueError("the archive ends within it")
        return found


@dataclass(frozen=True, slots=True)
class _Found:
    """The regular files in an archive, of those of one name the last; names that come again, and of other things."""

    files: list[_Member]
    twice: list[str]
    special: list[str]


def _members(shard: pathlib.Path) -> _Found:
    """What is in an archive; a hard link is the file that it stands for."""
    found: dict[str, _Member] = {}
    twice: list[str] = []
    special: list[str] = []
    try:
        with tarfile.open(shard, "r:") as archive:
            while (entry := archive.next()) is not None:
                archive.members = []  # pyright: ignore[reportAttributeAccessIssue]  # which would keep them all
                if archive.offset <= entry.offset:
                    raise ValueError("a file in it has a size below 0")
                name = _plain(entry.name)
                if not name or entry.isdir() or name.rpartition("/")[2].startswith("."):
                    continue
                linked = found.get(_plain(entry.linkname)) if entry.islnk() else None
                if linked is None and (not entry.isreg() or entry.issparse()):
                    special.append(name)
                    continue
                if name in found:
                    twice.append(name)
                own = _Member(shard, name, entry.offset_data, entry.size)
                found[name] = own if linked is None else replace(linked, name=name)
            _check_end(shard, archive.offset)
    except Exception as error:  # damaged archives surface as many types
        packed = isinstance(error, tarfile.TarError)
        how = " (one that is compressed as a whole is to be unpacked with gunzip and the like first)" * packed
        raise InputError(
            f"data.source: expected a tar archive, got {printable(shard)!r}: {printable(str(error)[:200])}{how}"
        ) from error
    return _Found(list(found.values()), twice, special)


def _plain(name: str) -> str:
    """A name in an archive without "." and ".."; "" where nothing is left."""
    return "/".join(part for part in name.split("/") if part not in ("", ".", ".."))


def _check_end(shard: pathlib.Path, offset: int) -> None:
    """Raises ValueError unless an archive ends at `offset`, where no other file of it could be read.

    Archives end with zeros; without them they were cut off or damaged, and files may be missing.
    """
    with shard.open("rb") as file:
        file.seek(offset)
        end = file.read(_BLOCK + _BEHIND)
    if len(end) < _BLOCK:
        raise ValueError(f"it has no end mark after byte {offset:,}, as if cut off")
    if any(end[:_BLOCK]):
        raise ValueError(f"no file of it can be read from byte {offset:,} on")
    if any(end):
        raise ValueError(f"it goes on behind its end mark at byte {offset:,}, as if put together by cat")


def _sample(name: str) -> str:
    """The name of a file up to the first dot, with its folders: what the files of a sample share."""
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.partition(".")[0]


def _classes(names: Sequence[str], labels: Sequence[str], members: dict[str, _Member]) -> list[str] | None:
    """The class of each image; None where none has any."""
    told: dict[str, str] = {}
    for name in sorted(
        labels, key=lambda name: name.lower().endswith(".cls")
    ):  # which comes last, and counts
        if (found := _label(name, members[name])) is not None:
            told[_sample(name)] = found
    if not told:
        return None
    missing = [name for name in names if _sample(name) not in told]
    if len(missing) == len(names):
        return None
    if missing:
        raise InputError(
            f"data.source: expected a class of every image (.cls, or 'label' in .json), found none of {named(missing)}"
        )
    return [told[_sample(name)] for name in names]


def _label(name: str, member: _Member) -> str | None:
    """What a file says of the class; None where it says nothing."""
    try:
        content = member.content(_LARGEST_LABEL)
    except (OSError, ValueError) as error:
        raise InputError(f"data.source: cannot read {printable(name)!r} ({error})") from error
    if name.lower().endswith(".cls"):
        text = content.decode("utf-8", "backslashreplace").strip()
        if not text:
            raise InputError(f"data.source: expected a class in {printable(name)!r}, found nothing")
        return printable(text)
    found = parsed_json(name, content)
    told = [found[key] for key in _KEYS if key in found] if isinstance(found, dict) else []
    if not told or told[0] is None:
        return None
    return printable(class_of(f"data.source: expected the class in {printable(name)!r} to be one", told[0]))
