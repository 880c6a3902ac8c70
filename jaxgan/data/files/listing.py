"""Which image files a folder or a zip archive has, and what is left out of it."""

from __future__ import annotations

import hashlib
import os
import pathlib
import stat
import zipfile
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from jaxgan.common.errors import InputError
from jaxgan.common.files import printable
from jaxgan.common.progress import counted
from jaxgan.data.decoding.stamps import remembered
from jaxgan.data.pixels import image_suffixes, looks_like_image
from jaxgan.data.rows import workers

_NO_IMAGES = (".txt", ".json", ".csv", ".xml", ".yaml", ".yml", ".md", ".html", ".npy", ".npz", ".py", ".pt")
_OF_SYSTEMS = ("thumbs.db", "desktop.ini")
LARGEST = 2**27  # bytes of one image of an archive, unpacked: a larger one was made to fill the memory
LARGEST_FILE = 2**29  # of one that is a file, or of labels, which are of all images
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what is unpacked no further than asked


@dataclass(frozen=True)
class Listing:
    """The files below a folder or in an archive.

    Attributes:
      path: of the folder or archive.
      names: of the images, relative, with "/", sorted.
      others: names of all other files.
      folders: names of all folders below.
      read: name -> content.
      notes: what was left out and why, in words.
      files: names of images -> which files hold them: name and path.
    """

    path: pathlib.Path
    names: Sequence[str]
    others: Sequence[str]
    folders: frozenset[str]
    read: Callable[[str], bytes]
    notes: tuple[str, ...]
    files: Callable[[Sequence[str]], Iterable[tuple[str, pathlib.Path]]]

    def identity(self, names: Sequence[str]) -> str:
        """SHA-256 (hexadecimal) of names and contents; a file that cannot be read counts by why it cannot.

        Contents are read once, and again when a file has changed.
        """
        return remembered(self.files(names), lambda: self.hashed(names))

    def hashed(self, names: Sequence[str]) -> tuple[str, bool]:
        """Reads the files, and returns what `identity` does and whether every file could be read."""
        unread: list[str] = []

        def of(name: str) -> bytes:
            try:
                content = hashlib.sha256(self.read(name)).digest()
            except Exception as error:  # dealt with when it is decoded
                content = type(error).__name__.encode()
                unread.append(name)
            return os.fsencode(name) + b"\0" + content + b"\0"

        digest = hashlib.sha256()
        for start in range(0, len(names), 256):  # bounds the files in flight
            for part in workers().map(of, names[start : start + 256]):
                digest.update(part)
        return digest.hexdigest(), not unread


def listing(path: pathlib.Path, *, follow_links: bool = False) -> Listing:
    """Lists a folder or an archive, which stays open as long as what reads from it is kept.

    Hidden files are passed over. Links inside the folder are followed, but no folder is read twice, and none that holds
    the folder itself. Of equal names in an archive the last counts, and a backslash is a slash.

    Args:
      path: of the folder or archive.
      follow_links: whether links may lead out of the folder.

    Raises:
      InputError: if there is neither a folder nor a zip archive at `path`, or a link leads out of it.
    """
    if path.is_dir():
        return _of_folder(path, follow_links)
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        why = ", which does not exist" if isinstance(error, FileNotFoundError) else f" ({error})"
        raise InputError(
            f"data.source: expected a folder or a zip archive, got {printable(path)!r}{why}"
        ) from error
    return _of_archive(path, archive)


def listed(
    path: pathlib.Path,
    files: Sequence[str],
    folders: set[str],
    read: Callable[[str], bytes],
    head: Callable[[str], bytes],
    notes: Sequence[str],
    holding: Callable[[Sequence[str]], Iterable[tuple[str, pathlib.Path]]],
    unread: Collection[str] = (),
) -> Listing:
    """The listing of files, of which images are those that their names or first bytes say to be some.

    Args:
      path: as of `Listing`.
      files: names of all.
      folders: as of `Listing`.
      read: as of `Listing`.
      head: name -> its first 16 bytes.
      notes: as of `Listing`.
      holding: `files` of `Listing`.
      unread: names that count as images whatever they hold.
    """
    suffixes = image_suffixes()

    def is_image(name: str) -> bool:
        lower = name.lower()
        if lower.endswith(suffixes) or name in unread:
            return True
        return not lower.endswith(_NO_IMAGES) and looks_like_image(head(name))

    names = [name for name in sorted(files) if is_image(name)]
    found = set(names)
    others = [name for name in sorted(files) if name not in found]
    left = [name for name in others if name.rpartition("/")[2].lower() not in (*_OF_SYSTEMS, "dataset.json")]
    if left:
        notes = [*notes, no_images(left)]
    return Listing(path, names, others, frozenset(folders), read, tuple(notes), holding)


def no_images(names: Sequence[str]) -> str:
    """A line on files that are left out, as they are no images: how many, and of which kinds."""
    kinds = Counter(pathlib.PurePosixPath(name.lower()).suffix or "without a suffix" for name in names)
    most = sorted(kinds.items(), key=lambda pair: (-pair[1], pair[0]))[:8]
    counts = ", ".join(f"{n:,} {printable(kind)}" for kind, n in most)
    return f"left out, no images that can be read: {counted(len(names), 'file')} ({counts})"


def unread(n: int) -> tuple[str, ...]:
    """A line on n files that are left out, as they cannot be read; none for 0."""
    return (f"left out, cannot be read: {counted(n, 'file')}",) if n else ()


def named(names: Sequence[str], most: int = 3) -> str:
    """The first few names, quoted, and how many more there are."""
    quoted = ", ".join(repr(printable(name)) for name in names[:most])
    return quoted + (f" and {len(names) - most:,} more" if len(names) > most else "")


def _is_hidden(part: str) -> bool:
    return part.startswith((".", "__MACOSX"))


# --- folders -----------------------------------------------------------------------------------------


def _of_folder(root: pathlib.Path, follow_links: bool) -> Listing:
    files: list[str] = []
    folders: set[str] = set()
    again: list[str] = []  # links to folders that are read anyway, or hold the root
    special: list[str] = []
    unread: list[str] = []
    outside: list[str] = []  # links that lead out of the folder
    linked: dict[str, str] = {}  # files that are links -> what they lead to
    real = os.path.realpath(root)
    seen = {_identity(parent) for parent in root.resolve().parents}
    pending, links = deque([""]), list[str]()
    while pending or links:
        here = pending.popleft() if pending else links.pop(0)
        try:
            if (identity := _identity(root / here)) in seen:
                again.append(here)
                continue
            seen.add(identity)
            entries = sorted(os.scandir(root / here), key=lambda entry: entry.name)
        except OSError:
            unread.append(here)  # a folder that cannot be read is a broken image, which is named
            continue
        if here:
            folders.add(here)
        for entry in entries:
            if _is_hidden(entry.name):
                continue
            name = f"{here}/{entry.name}" if here else entry.name
            if entry.is_symlink() and not follow_links and _leads_out(entry, real):
                outside.append(name)
                continue
            kind = _kind(entry)
            if kind == "file" and entry.is_symlink():
                linked[name] = os.path.realpath(entry.path)
            if kind == "folder":
                (links if entry.is_symlink() else pending).append(name)
            else:
                (files if kind == "file" else special).append(name)

    if outside:
        raise InputError(
            f"data.source: expected links that stay in {printable(root)!r}, got {named(sorted(outside))}, leading out; "
            "if that is meant: --data.follow-links"
        )

    def read(name: str) -> bytes:
        check_size((root / name).stat().st_size, LARGEST_FILE)
        return (root / name).read_bytes()

    def head(name: str) -> bytes:
        try:
            with (root / name).open("rb") as file:
                return file.read(16)
        except OSError:
            return b""

    notes = []
    if again:
        notes.append(
            f"linked folders not followed, as they lead back or are read already: {named(sorted(again))}"
        )
    if twice := _twice(real, files, linked):
        notes.append(f"links to files that are read as well, which so count again: {named(twice)}")
    if special:
        notes.append(f"left out, no regular file: {named(special)}")
    beside = lambda names: ((name, root / name) for name in names)
    return listed(root, [*files, *unread], folders, read, head, notes, beside, unread)


def _twice(real: str, files: Sequence[str], linked: Mapping[str, str]) -> list[str]:
    """Those links to files, sorted, which lead to other files of the folder, or where another link leads."""
    found = {os.path.join(real, name) for name in files if name not in linked} if linked else set()
    again = []
    for name in sorted(linked):
        if linked[name] in found:
            again.append(name)
        found.add(linked[name])
    return again


def check_size(size: int, largest: int) -> None:
    """Raises ValueError for too many bytes."""
    if size > largest:
        raise ValueError(f"{size:,} bytes are more than {largest:,}")


def _leads_out(entry: os.DirEntry[str], root: str) -> bool:
    """Whether a link leads to something outside of a folder that does not hold that folder, which is never read."""
    target = os.path.realpath(entry.path)
    there, above = pathlib.Path(target), pathlib.Path(root).is_relative_to(target)
    return not above and not there.is_relative_to(root) and os.path.exists(target)


def _identity(path: pathlib.Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _kind(entry: os.DirEntry[str]) -> str:
    """ "folder", "file" (also a link to nothing, which is a broken one), or "" for pipes and devices."""
    try:
        if entry.is_dir():
            return "folder"
        return "file" if entry.is_file() or not os.path.exists(entry.path) else ""
    except OSError:  # a link to itself
        return "file"


# --- archives ----------------------------------------------------------------------------------------


def unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, size: int) -> bytes:
    """The first `size` bytes of a file of an archive, for which not much more is unpacked, whatever the archive says.

    Raises:
      ValueError: for a method of compression that unpacks all at once.
    """
    if entry.compress_type not in _METHODS:
        raise ValueError(f"compressed in a way that images are not (method {entry.compress_type})")
    with archive.open(entry) as file:
        return file.read(size)


def _of_archive(path: pathlib.Path, archive: zipfile.ZipFile) -> Listing:
    entries: dict[str, zipfile.ZipInfo] = {}
    folders: set[str] = set()
    twice: list[str] = []
    links: list[str] = []
    for entry in archive.infolist():
        whole = entry.filename.replace("\\", "/")
        parts = [part for part in whole.split("/") if part not in ("", ".", "..")]
        if not parts or any(map(_is_hidden, parts)):
            continue
        name = "/".join(parts)
        folders |= {"/".join(parts[:i]) for i in range(1, len(parts))}
        if whole.endswith("/"):
            folders.add(name)
        elif stat.S_ISLNK(entry.external_attr >> 16):
            links.append(name)
        else:
            if name in entries:
                twice.append(name)
            entries[name] = entry

    def read(name: str) -> bytes:
        entry = entries[name]
        check_size(entry.file_size, LARGEST_FILE if name.lower().endswith(".json") else LARGEST)
        return unpacked(archive, entry, entry.file_size)

    def head(name: str) -> bytes:
        try:
            return unpacked(archive, entries[name], 16)
        except Exception:  # damaged archives surface as many types
            return b""

    notes = []
    if twice:
        notes.append(f"more than once in the archive, where the last counts: {named(sorted(set(twice)))}")
    if links:
        notes.append(f"left out, links inside an archive: {named(links)}")
    inside = lambda names: [("\n".join(names), path)]
    return listed(path, list(entries), folders, read, head, notes, inside)
