"""Floors: what real held-out data score, computed once and kept in the cache."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

from jaxgan.common.files import write_atomically
from jaxgan.data import cache_dir


def cached_floors(
    key: str, compute: Callable[[], tuple[dict[str, float], str]]
) -> tuple[dict[str, float], str]:
    """Floors by the name of the score, and a text that says what they are of; the same for every run.

    Args:
      key: the name under which they are cached; it holds everything that they depend on.
      compute: called if they are not in the cache.
    """
    path = cache_dir() / "floors" / f"{key}.json"
    with contextlib.suppress(OSError, ValueError, KeyError):  # missing or damaged: computed again
        stored = json.loads(path.read_text())
        return stored["floors"], stored["split"]
    floors, split = compute()
    if floors:
        with contextlib.suppress(OSError):  # no room for a cache is no reason to lose scores
            write_atomically(path, json.dumps({"floors": floors, "split": split}))
    return floors, split
