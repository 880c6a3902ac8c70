"""Sources by their splits: what is held out of training."""

from __future__ import annotations

from jaxgan.common.errors import InputError
from jaxgan.data.source import Images


def parsed_name(name: str) -> tuple[str, str, str]:
    """(kind, name or path, split) of a source; "" for what it has not."""
    kind, _, rest = name.partition(":")
    if kind == "tfds":
        base, _, split = rest.partition(":")
        return kind, base, split
    return (kind, rest, "") if kind in ("folder", "npz") else (kind, "", rest)


def other_split(source: Images) -> Images | None:
    """The test split of data that come in splits (the train split, if `source` is of that); None without one."""
    from jaxgan.data.sources import open_source

    kind, base, split = parsed_name(source.name)
    if not split or ("train" in split and "test" in split):
        return None
    height, width, channels = source.shape
    try:
        other = open_source(
            f"{kind}:{base}" if base else kind,
            "train" if split.startswith("test") else "test",
            resolution=height if height == width else None,
            channels=channels if channels in (1, 3) else None,
        )
    except InputError:
        return None
    return other if isinstance(other, Images) and other.shape == source.shape else None
