"""Images that are to be judged: files of all sizes and modes, or a source, in the form of a run's data."""

from __future__ import annotations

import pathlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jaxgan.apps.below import images_below, left_out, not_read, unreadable
from jaxgan.apps.fitted import changes_in, of_file
from jaxgan.common.errors import InputError
from jaxgan.common.files import expanded
from jaxgan.common.user_files import is_file
from jaxgan.data import Spec, as_images, open_source
from jaxgan.data.decoding.forms import without_flags
from jaxgan.data.pixels import BrokenImage, image_suffixes
from jaxgan.data.sources import named


@dataclass
class Given:
    """Images to judge.

    Attributes:
      names: of each, for tables.
      images: [n, height, width, channels] of the run's type.
      classes: name of the class of each, where that is known; else empty.
      notes: what else was left out, in words.
      broken: files that cannot be read, which are left out, with why: a line for each reason.
      changed: what was changed in images to make them as the run's are, in words.
    """

    names: list[str]
    images: np.ndarray
    classes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)


def read_images(
    words: Sequence[str],
    spec: Spec,
    *,
    split: str = "test",
    limit: int | None = None,
    out: pathlib.Path | None = None,
) -> Given:
    """The images that words name: files and folders, or one source of `open_source`.

    Every image is scaled and centre-cropped to the size of the run's, and made grey or colour as these are; 16-bit grey
    keeps its bits where the run's data have 16. Files that cannot be read are left out, and named.

    Args:
      words: paths, or the name of one source.
      spec: of the run's data.
      split: of a source that has splits.
      limit: at most so many images, chosen at random; None: all.
      out: a folder that is written, which is not read where it lies in one of the others.

    Raises:
      InputError: if nothing is there that can be read.
    """
    if not spec.modality.is_picture:
        raise InputError(f"run: expected one of images, got one of {spec.modality.name}s")
    paths = [expanded(word) for word in words]
    if len(words) == 1 and (named(words[0]).startswith(("tfds:", "npz:", "tar:")) or not paths[0].exists()):
        return _of_source(words[0], spec, split, limit)
    files, others = [], list[str]()
    for word, path in zip(words, paths, strict=True):
        if path.is_dir():
            known, rest = images_below(path, image_suffixes(), out)
            others += rest
            files += [(str(p.relative_to(path)), p) for p in known]
        elif path.is_file():
            files.append((path.name, path))
        else:
            raise InputError(
                f"images: expected files, folders or a data source, got {word!r}, which does not exist"
            )
    times = Counter(name for name, _ in files)
    files = [files[row] for row in _chosen(len(files), limit)]
    names, found, forms = [], [], list[int]()
    failed: dict[str, list[pathlib.Path]] = {}
    for name, path in files:
        try:
            found.append(of_file(path.read_bytes(), spec, forms.append))
            names.append(name if times[name] == 1 else str(path))
        except (BrokenImage, OSError) as error:
            failed.setdefault(unreadable(error), []).append(path)
    broken = [not_read(same, why) for why, same in failed.items()]
    notes = left_out(others)
    if not found:
        why = f"; {(broken + notes)[0]}" if broken or notes else ""
        raise InputError(
            f"images: expected at least one image that can be read in {' '.join(words)!r}, got none{why}"
        )
    changed = list(changes_in(forms, spec))
    return Given(names, np.stack(found), notes=notes, broken=broken, changed=changed)


def _of_source(word: str, spec: Spec, split: str, limit: int | None) -> Given:
    height, width, channels = spec.shape
    size: dict[str, Any] = {"channels": channels, "resolution": height if height == width else None}
    if is_file(word):
        size = {}
    try:
        source = open_source(word, split, **size)
    except InputError:
        if split != "test":
            raise
        source = open_source(word, **size)  # one that has no such split
    images = as_images(source, "images")
    if images.shape != spec.shape or images.images.dtype != spec.stored:
        raise InputError(
            f"images: expected images of the run's shape {spec.shape} and type {spec.stored}, got {images.shape} and "
            f"{images.images.dtype}"
        )
    rows = _chosen(len(images), limit)
    classes = []
    if images.labels is not None:
        classes = [images.class_names[label] for label in np.asarray(images.labels)[rows]]
    notes = [without_flags(note) for note in images.notes]
    return Given([str(row) for row in rows], np.asarray(images.images[rows]), classes, notes)


def _chosen(n: int, limit: int | None) -> np.ndarray:
    """At most so many numbers below n, at random."""
    if limit is None or limit >= n:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).permutation(n)[:limit])
