"""Which code this user has trained with: no other that a run brings is run without being told to.

The cache folder has a file for each such file of code, called by its hash, with the names in it that were used.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib

from jaxgan.common.files import write_atomically
from jaxgan.data.cache import cache_dir


def record(content: bytes, name: str) -> None:
    """Remembers that this user trains with NAME of a file of this content; without a place for it, nothing is kept."""
    names = _names(content)
    if name not in names:
        with contextlib.suppress(OSError):
            write_atomically(_place(content), "".join(f"{known}\n" for known in sorted({*names, name})))


def is_recorded(content: bytes, name: str) -> bool:
    """Whether this user has trained with NAME of a file of this content."""
    return name in _names(content)


def _names(content: bytes) -> set[str]:
    place = _place(content)
    try:
        if hasattr(os, "getuid") and place.lstat().st_uid != os.getuid():  # of a cache that several share
            return set()
        return set(place.read_text().splitlines())
    except (OSError, ValueError):
        return set()


def _place(content: bytes) -> pathlib.Path:
    return cache_dir() / "trusted" / hashlib.sha256(content).hexdigest()
