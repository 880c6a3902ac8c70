"""What is known of images once decoded, and their pixels, on disk: written once, atomically, then memory-mapped."""

from __future__ import annotations

import atexit
import contextlib
import errno
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from jaxgan.common.files import expanded
from jaxgan.data.rows import fingerprint, finished


def cache_dir() -> pathlib.Path:
    """Returns the folder of the per-user cache: $JAXGAN_CACHE, $XDG_CACHE_HOME/jaxgan, or ~/.cache/jaxgan.

    Where there is no home folder, it is one that the process removes at its end.
    """
    if explicit := os.environ.get("JAXGAN_CACHE"):
        return expanded(explicit)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return expanded(base) / "jaxgan"
    home = home_dir()
    return temporary_dir() if home is None else home / ".cache" / "jaxgan"


def home_dir() -> pathlib.Path | None:
    """The home folder of the user; None if there is none."""
    try:
        return pathlib.Path.home()
    except RuntimeError:
        return None


@lru_cache(maxsize=1)
def temporary_dir() -> pathlib.Path:
    """A folder for what would be cached, where nothing can be: removed when the process ends."""
    folder = tempfile.mkdtemp(prefix="jaxgan-cache-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return pathlib.Path(folder)


def why_unwritable(folder: pathlib.Path) -> str:
    """Why nothing can be written into a folder, which is made if it is not there; "" if something can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        return error.strerror or str(error)
    return ""


@dataclass(frozen=True, eq=False)
class Decoded:
    """What is known of images that have been decoded.

    Attributes:
      images: uint8 [n, h, w, c], or what stands for it: memory-mapped and read only, or decoded again when asked for.
      labels: int32 [n], or None.
      class_names: one for each label value.
      skipped: number of broken files that were left out.
      hashes: of each image, as of `jaxgan.data.rows.row_hash`, uint64 [n].
      places: of the images among all files, int64 [n].
      digest: where a fingerprint has been begun, which lacks the labels alone.
      fingerprint: of the images and labels; "" before they are in the cache.
      forms: how many images there are of which form, as of `jaxgan.data.decoding.forms.counts_of`; empty where nobody
        counted.
    """

    images: Any
    labels: np.ndarray | None
    class_names: tuple[str, ...]
    _: KW_ONLY
    skipped: int
    hashes: np.ndarray
    places: np.ndarray
    digest: Any = None
    fingerprint: str = ""
    forms: Mapping[str, int] = field(default_factory=dict)


def new_images(path: pathlib.Path, shape: tuple[int, ...]) -> np.memmap:
    """Makes a uint8 .npy file, memory-maps it for writing, and takes all its room on the disk at once.

    Raises:
      OSError: if the disk is full. Later, a write to the map that finds no room would end the process.
    """
    images = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return images


Decode = Callable[[pathlib.Path], Decoded]
StandIn = Callable[[tuple[int, ...], np.ndarray, np.ndarray], Any]


def cached(key: dict[str, Any], decode: Decode, stand_in: StandIn | None = None) -> Decoded:
    """Returns the entry of `key`; if there is none yet, it is decoded first.

    Args:
      key: everything that the result depends on, as JSON can hold it. Any change makes another entry.
      decode: folder -> what was found. Images that are kept are a memory map inside the folder. It runs in a temporary
        folder that becomes the entry in one rename, so that a killed run leaves no half entry. Of several processes of
        a machine one decodes, and the others wait for it; where files cannot be locked they all do, and of those that
        race one wins.
      stand_in: (shape of an image, places, hashes) -> what stands for images that are not kept; None where they are.
    """
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
    folder = cache_dir() / "data"
    if (found := _read(folder / name, stand_in)) is not None:
        return found
    if _is_lost(folder):
        folder = temporary_dir() / "data"
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder / f".{name}.lock"):
        if (found := _read(folder / name, stand_in)) is not None:  # another process has been decoding it
            return found
        shutil.rmtree(folder / name, ignore_errors=True)  # damaged
        return _decoded(folder, name, key, decode, stand_in)


@contextlib.contextmanager
def _alone(lock: pathlib.Path) -> Iterator[None]:
    """Waits until no other process of this machine is inside; ends with the process, however that ends."""
    file = _locked(lock)
    try:
        yield
    finally:
        if file is not None:
            with contextlib.suppress(OSError):
                lock.unlink()  # before it is let go: who waits for it sees that it is gone, and makes another
            file.close()


def _locked(lock: pathlib.Path) -> Any:
    """The lock file, open and locked; None where files cannot be locked."""
    try:
        import fcntl
    except ImportError:
        return None
    while True:
        try:
            file = lock.open("w")
        except OSError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(file.fileno()), os.stat(lock)):
                return file
        except FileNotFoundError:
            pass
        except OSError:  # a file system without locks
            file.close()
            return None
        file.close()  # who had it before has removed it


def _decoded(
    folder: pathlib.Path, name: str, key: dict[str, Any], decode: Decode, stand_in: StandIn | None
) -> Decoded:
    entry, temporary = folder / name, pathlib.Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder))
    try:
        _write(temporary, key, decode(temporary))
        try:
            os.rename(temporary, entry)
        except OSError:
            if not (entry / "meta.json").exists():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if (found := _read(entry, stand_in)) is None:
        raise OSError(errno.EIO, "what was written cannot be read", str(entry))
    return found


def _is_lost(folder: pathlib.Path) -> bool:
    """Whether nothing can be kept in a folder. A full disk is another matter: it is an error."""
    why = why_unwritable(folder)
    return bool(why) and why not in (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))


def _write(folder: pathlib.Path, key: dict[str, Any], found: Decoded) -> None:
    if isinstance(found.images, np.memmap):
        found.images.flush()
    labels = None if found.labels is None else found.labels.astype(np.int32)
    arrays = {"labels": labels, "hashes": found.hashes, "places": found.places}
    for name, array in arrays.items():
        if array is not None:
            np.save(folder / f"{name}.npy", array)
    digest = found.digest
    meta = {
        "key": key,
        "shape": found.images.shape[1:],
        "class_names": found.class_names,
        "skipped": found.skipped,
        "forms": dict(found.forms),
        "fingerprint": fingerprint(found.images, labels) if digest is None else finished(digest, labels),
    }
    (folder / "meta.json").write_text(json.dumps(meta, indent=1))


def _read(entry: pathlib.Path, stand_in: StandIn | None) -> Decoded | None:
    """An entry; None if there is none, or a damaged one."""
    try:
        meta = json.loads((entry / "meta.json").read_text())
        hashes, places = np.load(entry / "hashes.npy"), np.load(entry / "places.npy")
        if stand_in is None:
            images: Any = np.load(entry / "images.npy", mmap_mode="r")
        else:
            images = stand_in(tuple(meta["shape"]), places, hashes)
        if len(images) != len(hashes):
            return None
        return Decoded(
            images,
            np.load(entry / "labels.npy") if (entry / "labels.npy").exists() else None,
            tuple(meta["class_names"]),
            skipped=meta["skipped"],
            hashes=hashes,
            places=places,
            fingerprint=meta["fingerprint"],
            forms=meta.get("forms", {}),
        )
    except (OSError, ValueError, KeyError, EOFError, TypeError):
        return None
