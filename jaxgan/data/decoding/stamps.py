"""What the content of files hashes to, remembered as long as the files stay as they are."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterable

from jaxgan.common.files import write_atomically
from jaxgan.data.cache import cache_dir

SETTLED = 2 * 10**9
"""Nanoseconds after which a further change of a file shows in its times."""


def remembered(
    files: Iterable[tuple[str, str | os.PathLike[str]]], compute: Callable[[], tuple[str, bool]]
) -> str:
    """A hash of the content of files: that of `compute`, which is not called again while nothing shows a change.

    A change shows in the number, size or times of a file. Of files that were changed in the last two seconds nothing
    is remembered: a second change might not show. Nor is it where one could not be read, as that may pass by itself.

    Args:
      files: what each is called, which is a part of its content, and its path.
      compute: gives the hash, 64 hexadecimal digits, of all of it, and whether all of it could be read.
    """
    digest, newest = hashlib.sha256(), 0
    begun = time.time_ns()
    try:
        for name, path in files:
            found = os.stat(path)
            facts = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            digest.update(os.fsencode(name) + f"\0{facts}\0".encode())
            newest = max(newest, found.st_mtime_ns, found.st_ctime_ns)
    except OSError:  # dealt with where they are read
        return compute()[0]
    path = cache_dir() / "content" / digest.hexdigest()[:32]
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if re.fullmatch("[0-9a-f]{64}", known := path.read_text()):
            return known
    content, is_whole = compute()
    if is_whole and newest < begun - SETTLED:
        with contextlib.suppress(OSError):
            write_atomically(path, content)
    return content
