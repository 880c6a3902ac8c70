"""The splits of sources, which tell what is held out of training."""

from __future__ import annotations

from typing import TypeVar, cast

from jaxgan.common.errors import InputError
from jaxgan.data.source import Source

S = TypeVar("S", bound=Source)


def parsed_name(name: str) -> tuple[str, str, str]:
    """Takes the name of a source apart: (kind, name or path, split), with "" for what it does not have."""
    kind, _, rest = name.partition(":")
    if kind == "tfds":
        base, _, split = rest.partition(":")
        return kind, base, split
    return (kind, rest, "") if kind in ("folder", "npz") else (kind, "", rest)


def other_split(source: S) -> S | None:
    """The split that `source` is not: the test split of training data, the train split of others.

    It is opened with the size and the channels of the source. None for data that come without splits.
    """
    from jaxgan.data.sources import open_source

    kind, base, split = parsed_name(source.name)
    if not split or ("train" in split and "test" in split):
        return None
    name = f"{kind}:{base}" if base else kind
    try:
        other = open_source(name, "train" if split.startswith("test") else "test", **source.opened_with)
    except InputError:
        return None
    same = (other.modality, other.shape) == (source.modality, source.shape)
    return cast(S, other) if same else None
