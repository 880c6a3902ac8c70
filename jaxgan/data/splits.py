"""The splits of sources, which tell what is held out of training."""

from __future__ import annotations

import copy
import hashlib
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.progress import counted
from jaxgan.data.labels import parsed_classes
from jaxgan.data.modality import PAIR
from jaxgan.data.rows import Lazy, Rows, row_hash
from jaxgan.data.source import Arrays, Images, Source
from jaxgan.data.spec import LABEL

MOST_HELD_OUT = 10_000


def parsed_name(name: str) -> tuple[str, str, str]:
    """Takes the name of a source apart: (kind, name or path, split), with "" for what it does not have."""
    kind, _, rest = name.partition(":")
    if kind == "tfds":
        base, _, split = rest.partition(":")
        return kind, base, split
    return (kind, rest, "") if kind in ("folder", "npz", "tar", "deep") else (kind, "", rest)


def with_classes_of(source: Source, other: Any) -> Any:
    """Another split with the classes of `source` in their order; images of other classes are left out.

    Splits of which only one has labels stay as they are. None if nothing is left.
    """
    if not source.class_names or not other.class_names or source.class_names == other.class_names:
        return other
    index = {name: i for i, name in enumerate(source.class_names)}
    number = np.asarray([index.get(name, -1) for name in other.class_names], np.int32)
    kept = np.flatnonzero(number[other.arrays[LABEL]] >= 0)
    if not len(kept):
        return None
    part = _part(other, kept, class_names=source.class_names)
    labels = number[part.arrays[LABEL]]
    identity = hashlib.sha256(f"{part.fingerprint} of {len(source.class_names)} classes".encode()).hexdigest()
    renumbered = (
        {"labels": labels} if isinstance(part, Images) else {"arrays": {**part.arrays, LABEL: labels}}
    )
    return _changed(part, fingerprint=identity, whole="", **renumbered)


def with_held_out(source: Any, held_out: Any) -> Any:
    """Images or arrays with another split held out, in the classes of `source`; what that leaves out is noted."""
    known, notes = with_classes_of(source, held_out), source.notes
    if lost := len(held_out) - (0 if known is None else len(known)):
        noun = source.modality.name
        notes = (
            *notes,
            f"left out of what is held out, of classes that are not trained on: {counted(lost, noun)}",
        )
    return _changed(source, held_out=known, notes=notes)


# --- some of the classes -------------------------------------------------------------------------------


def with_kept_classes(source: Source, classes: str) -> Source:
    """The examples of some classes alone, which are numbered anew in the order that they had.

    What is held out, or opened later as another split, keeps the same classes.

    Args:
      source: finite, with labels.
      classes: names or numbers, such as "0-8" or "cat,dog", as of `jaxgan.data.labels.parsed_classes`.

    Raises:
      InputError: for data without labels, a class that does not exist, or none that has examples.
    """
    if not isinstance(source, Images | Arrays) or not source.class_names:
        raise InputError(
            f"data.keep_classes: expected data with classes, got {source.name!r}, which has none"
        )
    try:
        numbers = sorted({*parsed_classes(classes, source.class_names)})
    except InputError as error:
        raise InputError(f"data.keep_classes: {str(error).removeprefix('classes: ')}") from error
    labels = np.asarray(source.arrays[LABEL])
    rows = np.flatnonzero(np.isin(labels, numbers))
    if not len(rows):
        raise InputError(f"data.keep_classes: expected classes with examples, got {classes!r}")
    if len(numbers) == source.n_classes:
        return source
    names = tuple(source.class_names[number] for number in numbers)
    part = _part(source, rows, class_names=names)
    renumbered = np.searchsorted(numbers, labels[rows]).astype(np.int32)
    own = (
        {"labels": renumbered} if isinstance(part, Images) else {"arrays": {**part.arrays, LABEL: renumbered}}
    )
    held_out = None if source.held_out is None else with_classes_of(part, source.held_out)
    identity = hashlib.sha256(f"{part.fingerprint} of the classes {names}".encode()).hexdigest()
    noun = f"{source.modality.name}s"
    note = f"{len(rows):,} of {len(source):,} {noun} are used, of {len(names)} of {source.n_classes} classes"
    return _changed(
        part,
        fingerprint=identity,
        whole="",
        held_out=held_out,
        notes=(*source.notes, note),
        **own,
    )


# --- a part that is held out ---------------------------------------------------------------------------


def with_hold_out(source: Source, share: float) -> Source:
    """The source without a share of its examples, which becomes its `held_out`.

    Nothing happens to data that are endless, or have something held out already. The examples are chosen by a hash
    of their content, at most 10,000 of them: which are held out does not depend on names or order, and hardly
    changes as examples come and go. Equal ones stay together, and no class is held out whole.

    Args:
      source: any.
      share: of the examples, at least 0 and below 1; 0 holds none out.

    Raises:
      InputError: for another share.
    """
    check_range("data.hold_out", share, at_least=0, below=1)
    if share == 0 or not isinstance(source, Images | Arrays) or source.held_out is not None:
        return source
    held = held_out_rows(source.arrays[source.example], share, _known(source))
    none = said_of_none_held(len(source), share, source.modality.name)
    unheld = _changed(source, notes=(*source.notes, *none))
    if not len(held):
        return unheld
    rest = np.setdiff1d(np.arange(len(source)), held)
    if LABEL in source.arrays:
        held = without_whole_classes(held, source.arrays[LABEL])
        rest = np.setdiff1d(np.arange(len(source)), held)
    if not len(held) or not len(rest):
        return unheld
    others = _part(source, held, name=f"held-out part of {source.name}", skipped=0)
    note = said_of_held(len(held), len(source), source.modality.name)
    return _part(source, rest, held_out=others, notes=(*source.notes, note))


def without_whole_classes(held: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The rows that are held out, but for classes of which all is: these could not be learned, and stay."""
    rest = np.setdiff1d(np.arange(len(labels)), held)
    return held[np.isin(labels[held], np.unique(labels[rest]))]


def as_recorded(source: Any, recorded: Mapping[str, Any]) -> Any:
    """The data as a run began with them: pairs without the classes of their folders, where it knew of none.

    Args:
      source: as it is opened now.
      recorded: what run.json says of the data, as of `jaxgan.data.describe`.
    """
    if source.modality is not PAIR or recorded.get("n_classes", 0) or not isinstance(source, Arrays):
        return source
    return _without_labels(source)


def _without_labels(source: Arrays) -> Arrays:
    """The same examples without their classes, and so with another fingerprint."""
    if LABEL not in source.arrays:
        return source
    return replace(
        source,
        arrays={name: x for name, x in source.arrays.items() if name != LABEL},
        class_names=(),
        fingerprint="",
        held_out=None if source.held_out is None else _without_labels(source.held_out),
    )


def said_of_held(held: int, n: int, noun: str) -> str:
    """What is said where `held` of n examples, each a `noun`, are held out."""
    are = "is" if held == 1 else "are"
    return f"{held:,} of {n:,} {noun}s {are} held out of training, to compare with (--data.hold-out 0: none)"


def said_of_none_held(n: int, share: float, noun: str) -> list[str]:
    """What is said where a share of n examples should be held out and none can be; nothing for a share of 0."""
    if not share:
        return []
    if not round(share * n):
        why = f"{counted(n, noun)} {'is' if n == 1 else 'are'} too few for a share of {share:g} (--data.hold-out)"
    else:
        why = "too many examples are equal, or a class would be lost"
    return [f"nothing is held out of training, so scores compare with training {noun}s: {why}"]


def held_out_rows(examples: Any, share: float, hashes: np.ndarray | None = None) -> np.ndarray:
    """Which examples are held out: ascending numbers, of `share` of them but at most 10,000.

    Examples are taken in the order of their hashes, equal ones all or none.

    Args:
      examples: an array, or what stands for it, [n, ...].
      share: of the examples.
      hashes: of each, as of `content_hashes`; None: not known yet.
    """
    return _first_by_hash(examples, min(round(share * len(examples)), MOST_HELD_OUT), hashes)


def _known(source: Any) -> np.ndarray | None:
    """The hashes of examples, where they have been computed before."""
    return getattr(source, "hashes", None)


def _first_by_hash(examples: Any, wanted: int, known: np.ndarray | None) -> np.ndarray:
    """Ascending numbers of at most so many examples, those with the smallest hashes; equal ones all or none."""
    if not wanted:
        return np.empty(0, np.int64)
    known = content_hashes(examples) if known is None else known
    hashes, group, counts = np.unique(known, return_inverse=True, return_counts=True)
    taken, room = np.zeros(len(hashes), bool), wanted
    for i, count in enumerate(counts):
        if count <= room:
            taken[i], room = True, room - count
        if not room:
            break
    return np.flatnonzero(taken[group.reshape(-1)])


def with_share(source: Source, share: float) -> Source:
    """A share of the examples of finite data to train on; scores go on comparing with all of them, `complete`.

    The examples are chosen as those that are held out are, and after them: by a hash of their content, a smaller
    share from within a larger one, equal ones all or none.

    Args:
      source: any finite one, or any with a share of 1.
      share: of the examples, above 0 and at most 1.

    Raises:
      InputError: for another share, one of which nothing is left, or data that are sampled without end.
    """
    check_range("data.share", share, above=0, at_most=1)
    if share == 1:
        return source
    if not isinstance(source, Images | Arrays):
        raise InputError(
            f"data.share: expected 1 for {source.name!r}, which is sampled without end, got {share:g}"
        )
    rows = _first_by_hash(source.arrays[source.example], round(share * len(source)), _known(source))
    if len(rows) < 2:
        raise InputError(
            f"data.share: expected at least 2 of the {len(source):,} {source.modality.name}s in {source.name!r}, got "
            f"{share:g}"
        )
    note = f"{len(rows):,} of {len(source):,} {source.modality.name}s are trained on (--data.share)"
    return _part(source, rows, complete=source, notes=(*source.notes, note))


def content_hashes(examples: Any) -> np.ndarray:
    """A hash of the bytes of each example, uint64 [n]."""

    def of(start: int) -> list[int]:
        return [row_hash(example) for example in examples[start : start + 1024]]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = list(pool.map(of, range(0, len(examples), 1024)))
    return np.asarray([value for part in parts for value in part], np.uint64)


def _part(source: Any, rows: np.ndarray, **fields: Any) -> Any:
    """Some rows of all arrays; it is not hashed again, as it follows from the whole."""
    arrays: Mapping[str, Any] = {key: _chosen(x, rows) for key, x in source.arrays.items()}
    identity = hashlib.sha256(source.fingerprint.encode() + rows.astype("<i8").tobytes()).hexdigest()
    own: dict[str, Any] = {"arrays": arrays}
    if isinstance(source, Images):
        hashes = None if source.hashes is None else source.hashes[rows]
        own = {"images": arrays["image"], "labels": arrays.get(LABEL), "hashes": hashes}
    return _changed(source, fingerprint=identity, whole=source.fingerprint, **own, **fields)


def _changed(source: Any, **fields: Any) -> Any:
    """A copy of a finite source with other values in its fields; classes keep their numbers, if none has examples."""
    made = copy.copy(source)
    made.__dict__.pop("spec", None)
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


def _chosen(array: Any, rows: np.ndarray) -> Any:
    """Rows of an array: what is not in memory is not read."""
    return Rows(array, rows) if isinstance(array, np.memmap | Lazy) else np.asarray(array)[rows]
