"""Decoded images on disk: written once, atomically, then memory-mapped."""

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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from jaxgan.common.files import expanded
from jaxgan.data.rows import fingerprint


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
    """The contents of one cache entry.

    Attributes:
      images: uint8 [n, h, w, c], memory-mapped and read only.
      labels: int32 [n], or None.
      class_names: one for each label value.
      fingerprint: of the images and labels.
      skipped: number of broken files that were left out.
    """

    images: np.ndarray
    labels: np.ndarray | None
    class_names: tuple[str, ...]
    fingerprint: str
    skipped: int


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


Decode = Callable[[pathlib.Path], tuple[np.ndarray, np.ndarray | None, tuple[str, ...], int]]


def cached(key: dict[str, Any], decode: Decode) -> Decoded:
    """Returns the entry of `key`; if there is none yet, it is decoded first.

    Args:
      key: everything that the result depends on, as JSON can hold it. Any change makes another entry.
      decode: folder -> (images, labels, class names, number of broken files). It may build the images
        in a memory map inside the folder. It runs in a temporary folder that becomes the entry in one
        rename, so that a killed run leaves no half entry. Of several processes of a machine one decodes, and the
        others wait for it; where files cannot be locked they all do, and of those that race one wins.
    """
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
    folder = cache_dir() / "data"
    for entry in (folder / name, temporary_dir() / "data" / name if _is_lost(folder) else None):
        if entry is None or not os.path.exists(entry / "meta.json"):
            continue
        try:
            return _read(entry)
        except (OSError, ValueError, KeyError, EOFError):  # damaged: decoded again
            shutil.rmtree(entry, ignore_errors=True)
    if _is_lost(folder):
        folder = temporary_dir() / "data"
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder / f".{name}.lock"):
        if (folder / name / "meta.json").exists():  # another process has been decoding it
            with contextlib.suppress(OSError, ValueError, KeyError, EOFError):
                return _read(folder / name)
        return _decoded(folder, name, key, decode)


@contextlib.contextmanager
def _alone(lock: pathlib.Path) -> Iterator[None]:
    """Waits until no other process of this machine is inside; ends with the process, however that ends."""
    try:
        import fcntl

        file = lock.open("w")
    except (ImportError, OSError):
        yield
        return
    with file:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                lock.unlink()


def _decoded(folder: pathlib.Path, name: str, key: dict[str, Any], decode: Decode) -> Decoded:
    entry, temporary = folder / name, pathlib.Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder))
    try:
        _write(temporary, key, decode)
        try:
            os.rename(temporary, entry)
        except OSError:
            if not (entry / "meta.json").exists():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return _read(entry)


def _is_lost(folder: pathlib.Path) -> bool:
    """Whether nothing can be kept in a folder. A full disk is another matter: it is an error."""
    why = why_unwritable(folder)
    return bool(why) and why not in (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))


def _write(folder: pathlib.Path, key: dict[str, Any], decode: Decode) -> None:
    images, labels, class_names, skipped = decode(folder)
    if isinstance(images, np.memmap) and pathlib.Path(str(images.filename)) == folder / "images.npy":
        images.flush()  # built in place
    else:
        np.save(folder / "images.npy", images)
    if labels is not None:
        np.save(folder / "labels.npy", labels.astype(np.int32))
    meta = {
        "key": key,
        "class_names": class_names,
        "skipped": skipped,
        "fingerprint": fingerprint(images, None if labels is None else labels.astype(np.int32)),
    }
    (folder / "meta.json").write_text(json.dumps(meta, indent=1))


def _read(folder: pathlib.Path) -> Decoded:
    meta = json.loads((folder / "meta.json").read_text())
    labels = folder / "labels.npy"
    return Decoded(
        np.load(folder / "images.npy", mmap_mode="r"),
        np.load(labels) if labels.exists() else None,
        tuple(meta["class_names"]),
        meta["fingerprint"],
        meta["skipped"],
    )
