"""Decoded images on disk: written once, atomically, then memory-mapped."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxgan.data.source import fingerprint


def cache_dir() -> pathlib.Path:
    """Returns the folder of the per-user cache: $JAXGAN_CACHE, $XDG_CACHE_HOME/jaxgan, or ~/.cache/jaxgan."""
    if explicit := os.environ.get("JAXGAN_CACHE"):
        return pathlib.Path(explicit)
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "jaxgan"


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
        rename, so that a killed run leaves no half entry, and of two that race one wins.
    """
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
    entry = cache_dir() / "data" / name
    if not (entry / "meta.json").exists():
        entry.parent.mkdir(parents=True, exist_ok=True)
        temporary = pathlib.Path(tempfile.mkdtemp(prefix=f".{name}-", dir=entry.parent))
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
