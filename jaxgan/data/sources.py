"""Sources of data, by name."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar, cast

import numpy as np

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError, unknown
from jaxgan.common.files import expanded
from jaxgan.common.user_files import is_file, load_builder
from jaxgan.data.catalogue import load_tfds
from jaxgan.data.decoding.choice import check_pipeline
from jaxgan.data.files import holds_shards, load_folder, load_npz, load_tar
from jaxgan.data.files.deep import load_deep
from jaxgan.data.files.listing import unread
from jaxgan.data.files.pairs import load_domains, load_pairs
from jaxgan.data.labels import without_examples
from jaxgan.data.mnist import load_mnist
from jaxgan.data.source import Arrays, Endless, Finite, Images, Source
from jaxgan.data.splits import (
    parsed_name,
    with_classes_of,
    with_held_out,
    with_hold_out,
    with_kept_classes,
    with_share,
)
from jaxgan.data.stacked import load_stacked_mnist
from jaxgan.data.toy import TOYS

_KINDS = ("tfds:", "folder:", "npz:", "tar:", "deep:", "pairs:", "domains:")
S = TypeVar("S", bound=Source)
SOURCES = (
    "mnist",
    "stacked_mnist",
    "tfds:NAME",
    "folder:PATH",
    "tar:PATTERN",
    "npz:PATH",
    "deep:PATH",
    "pairs:A,B",
    "domains:A,B",
    *TOYS,
    "FILE.py:NAME",
)


def named(spec: str) -> str:
    """The source that a path stands for: a folder or zip archive "folder:PATH", an npz file "npz:PATH".

    A tar archive, or a folder of such alone, is "tar:PATH".

    What is no path of such a thing stays as it is.
    """
    if not spec or spec in SOURCES or spec.startswith(_KINDS) or is_file(spec):
        return spec
    path = expanded(spec)
    if path.suffix.lower() == ".npz" and path.is_file():
        return f"npz:{spec}"
    if holds_shards(path):
        return f"tar:{spec}"
    return f"folder:{spec}" if path.is_dir() or (path.suffix.lower() == ".zip" and path.is_file()) else spec


def is_path(spec: str) -> bool:
    """Whether a word that names no source looks like a path."""
    return ":" not in spec and ("/" in spec or bool(pathlib.Path(spec).suffix))


def open_source(
    spec: str,
    split: str = "train",
    *,
    resolution: int | None = None,
    channels: int | None = None,
    skip_broken: bool = False,
    follow_links: bool = False,
    hold_out: float = 0.0,
    keep_classes: str = "",
    share: float = 1.0,
    pipeline: str = "auto",
) -> Source:
    """Opens the source called `spec`.

    Args:
      spec: "mnist", "stacked_mnist", "tfds:NAME" or "tfds:NAME:SPLIT", "folder:PATH" (a directory or
        zip archive), "tar:PATTERN" (shards, as of `load_tar`), "npz:PATH", "deep:PATH" (16 bits), "pairs:A,B" or
        "pairs:A" (as of `load_pairs`), "domains:A,B" (two sources of images), "ring", "grid", "swissroll",
        "FILE.py:NAME", as of `load_source`, or a path alone, as of `named`.
      split: of mnist, stacked_mnist and tfds sources, and of folders with such folders in them; the others have
        only "train".
      resolution: side, in pixels, of the square that images are scaled and cut to. None keeps the size.
      channels: 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGBA). None keeps them.
      skip_broken: whether broken image files of a folder are left out, and counted.
      follow_links: whether links in a folder may lead out of it.
      hold_out: share of finite data without a second split that is held out, as of
        `jaxgan.data.splits.with_hold_out`.
      keep_classes: of labelled data, which are used, as of `jaxgan.data.splits.with_kept_classes`; "" keeps all.
      share: of the examples that are left, to train on, as of `jaxgan.data.splits.with_share`.
      pipeline: whether images of a folder, shards or TFDS are decoded at once, "resident", or when they are asked for,
        "stream"; "auto" goes by how much memory they take, as of `jaxgan.data.decoding.choice.streams`. Nothing else
        about the source depends on it.

    Raises:
      InputError: if it cannot be opened as asked; the message says why.
    """
    check_range("data.resolution", resolution, at_least=1, unit="pixel")
    if channels not in (None, 1, 2, 3, 4):
        raise InputError(
            f"data.channels: expected 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGBA), got {channels}"
        )
    check_pipeline(pipeline)
    kind, _, rest = spec.partition(":")
    if kind in ("pairs", "domains") and rest:
        size: dict[str, Any] = {"resolution": resolution, "channels": channels}
        shared: dict[str, Any] = {
            "skip_broken": skip_broken,
            "follow_links": follow_links,
            "hold_out": hold_out,
        }
        if share != 1:
            raise InputError(f"data.share: expected 1 with {kind}, got {share:g}")
        if kind == "pairs":
            two = load_pairs(rest, **size, **shared)
        else:
            open_one = lambda one: open_source(one, split, **size, **shared, pipeline="resident")
            two = load_domains(rest, open_one, hold_out=hold_out)
        return with_kept_classes(two, keep_classes) if keep_classes else two
    opened = _opened(spec, split, resolution, channels, (skip_broken, follow_links), pipeline)
    if keep_classes:
        opened = with_kept_classes(opened, keep_classes)
    check_range("data.hold_out", hold_out, at_least=0, below=1)
    if hold_out and other_split(opened) is None:
        opened = with_hold_out(opened, hold_out)
    return with_share(opened, share)


def _opened(
    spec: str,
    split: str,
    resolution: int | None,
    channels: int | None,
    of_folder: tuple[bool, bool],
    pipeline: str,
) -> Source:
    if is_file(spec):
        if split != "train" or resolution is not None or channels is not None:
            raise InputError(
                f"data.source: {spec!r} takes no split, resolution or channels: it is as its file makes it"
            )
        return _noted(load_source(spec)())
    spec = named(spec)
    kind, _, rest = spec.partition(":")
    if kind == "mnist" and not rest:
        return load_mnist(split, resolution=resolution, channels=channels)
    if kind == "stacked_mnist" and not rest:
        return load_stacked_mnist(split, resolution=resolution, channels=channels)
    if kind == "tfds" and rest:
        name, _, own_split = rest.partition(":")
        return load_tfds(
            name, own_split or split, resolution=resolution, channels=channels, pipeline=pipeline
        )
    size = {"resolution": resolution, "channels": channels, "pipeline": pipeline}
    if kind == "folder" and rest:
        broken, links = of_folder
        return load_folder(rest, split, skip_broken=broken, follow_links=links, **size)
    if kind == "deep" and rest:
        if channels not in (None, 1):
            raise InputError(
                f"data.channels: expected 1 (grey) with deep, got {channels}; --data.channels 1 says so"
            )
        broken, links = of_folder
        return load_deep(rest, resolution=resolution, skip_broken=broken, follow_links=links)
    if kind == "tar" and rest:
        return load_tar(rest, split, skip_broken=of_folder[0], **size)
    if is_path(spec):
        raise InputError(
            f"data.source: expected a folder, a zip or tar archive, an npz file or one of {', '.join(SOURCES)}, got "
            f"{spec!r}, which {'is none of these' if pathlib.Path(spec).exists() else 'does not exist'}"
        )
    if split != "train":
        raise InputError(f"data.split: source {spec!r} has no split but 'train', got {split!r}")
    if kind == "npz" and rest:
        return load_npz(rest, resolution=resolution, channels=channels)
    if spec in TOYS:
        sizes = {"data.resolution": resolution, "data.channels": channels}
        if asked := [f"{name} {value}" for name, value in sizes.items() if value is not None]:
            raise InputError(
                f"data.source: expected images, as there is {' and '.join(asked)}, got {spec!r}, which is made of "
                "points"
            )
        return TOYS[spec]()
    raise unknown("data source", spec, SOURCES)


def _noted(source: Source) -> Source:
    """A user's own source with notes on classes without examples, files left out, and what cannot be held out."""
    if isinstance(source, Images | Arrays):
        more = [note for note in unread(source.skipped) if note not in source.notes]
        source = replace(source, notes=(*source.notes, *more))
    if isinstance(source, Images) and source.labels is not None:
        numbers = {*np.unique(source.labels).tolist()}
        present = [name for number, name in enumerate(source.class_names) if number in numbers]
        source = replace(source, notes=(*source.notes, *without_examples(present, source.class_names)))
    if isinstance(source, Images | Arrays) and source.held_out is not None:
        return with_held_out(source, source.held_out)
    return source


def other_split(source: S) -> S | None:
    """The split that `source` is not: what is held out of training data, the train split of others.

    It is opened with the size and the channels of the source, and has its classes. None for data that come without
    splits and of which nothing is held out.
    """
    if source.held_out is not None:
        return cast(S, with_classes_of(source, source.held_out))
    kind, base, split = parsed_name(source.name)
    if kind not in ("mnist", "stacked_mnist", "tfds") or not split:
        return None
    if split.startswith("all") or ("train" in split and "test" in split):  # which have all that there is
        return None
    name = f"{kind}:{base}" if base else kind
    try:
        other = open_source(name, "train" if split.startswith("test") else "test", **source.opened_with)
    except InputError:
        return None
    same = (other.modality, other.shape) == (source.modality, source.shape)
    return cast(S, with_classes_of(source, other)) if same else None


def load_source(name: str, *, anew: bool = False) -> Callable[..., Source]:
    """Loads the source FILE.py:NAME as a function without arguments.

    Args:
      name: the file and a name in it: that of a `Source`, or of a function without arguments that
        returns one.
      anew: run the file even if it has been run before.

    Raises:
      InputError: if there is no such file or name, if running the file fails, or for another kind.
    """
    wanted = "a jaxgan.data.Source (Images, Arrays, Points, Draws)"
    return load_builder("data.source", name, as_source, wanted, anew=anew)


def as_source(value: Any) -> Source | None:
    """A `Source` that is finite or endless, as it is; None for anything else."""
    return value if isinstance(value, Finite | Endless) else None
