"""Floors: what real held-out data score, computed once and kept in the cache."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from typing import NamedTuple

from jaxgan.common.files import write_atomically
from jaxgan.data import cache_dir


class Floors(NamedTuple):
    """What real data score.

    Attributes:
      values: by the name of the score.
      split: what they are of, or why there are none at all.
      missing: why a score has none, by its kind.
    """

    values: Mapping[str, float]
    split: str
    missing: Mapping[str, str] = {}


def cached_floors(key: str, compute: Callable[[], Floors]) -> Floors:
    """Floors from the cache, or computed and put there; the same for every run.

    Args:
      key: the name under which they are cached; it holds everything that they depend on.
      compute: called if they are not in the cache.
    """
    path = cache_dir() / "floors" / f"{key}.json"
    with contextlib.suppress(OSError, ValueError, KeyError):  # missing or damaged: computed again
        stored = json.loads(path.read_text())
        return Floors(stored["floors"], stored["split"], stored["missing"])
    floors = compute()
    if floors.values:
        with contextlib.suppress(OSError):  # no room for a cache is no reason to lose scores
            stored = {"floors": floors.values, "split": floors.split, "missing": floors.missing}
            write_atomically(path, json.dumps(stored))
    return floors
