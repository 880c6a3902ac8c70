"""Which code this user has trained with: no other that a run brings is run without being told to.

The cache folder, which users may share, has a file of each user for each such file of code, called by its hash, with
that hash and the names in it that were used: a file that another user has moved says nothing of other code.
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
            lines = [f"{_hash(content)} {known}\n" for known in sorted({*names, name})]
            write_atomically(_place(content), "".join(lines))


def is_recorded(content: bytes, name: str) -> bool:
    """Whether this user has trained with NAME of a file of this content."""
    return name in _names(content)


def _names(content: bytes) -> set[str]:
    place = _place(content)
    try:
        if hasattr(os, "getuid") and place.lstat().st_uid != os.getuid():
            return set()
        lines = [line.partition(" ") for line in place.read_text().splitlines()]
    except (OSError, ValueError):
        return set()
    return {name for digest, _, name in lines if digest == _hash(content)}


def _place(content: bytes) -> pathlib.Path:
    user = f"-{os.getuid()}" if hasattr(os, "getuid") else ""
    return cache_dir() / "trusted" / f"{_hash(content)}{user}"


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
