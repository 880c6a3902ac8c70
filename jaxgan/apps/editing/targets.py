"""Images from files, in the form that a run's data have."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jaxgan.apps.attributes import eight_bits
from jaxgan.apps.below import images_below, left_out, not_read, unreadable
from jaxgan.apps.fitted import changes_in, of_file
from jaxgan.common.errors import InputError
from jaxgan.common.files import expanded, printable, read_bytes
from jaxgan.data import Spec
from jaxgan.data.pixels import BrokenImage, image_suffixes

LARGEST = 2**28  # bytes of a file
WAY = "way"  # name of the picture of all ways


class Targets(NamedTuple):
    """Images of files.

    Attributes:
      names: of the files, without suffixes and each once.
      images: uint8 or uint16 [n, h, w, c].
      files: of which they are.
      notes: what of folders are no images, in words.
      broken: files of folders that cannot be read, which are left out, with why: a line for each reason.
    """

    names: list[str]
    images: np.ndarray
    files: list[pathlib.Path]
    notes: list[str]
    broken: list[str]


def read_targets(paths: Sequence[pathlib.Path], spec: Spec, out: pathlib.Path | None = None) -> Targets:
    """The images in files and folders, as the data of a run are stored.

    What a folder holds that cannot be read as an image is left out, and named.

    Args:
      paths: image files of every format that Pillow reads, and folders with all below them, but for hidden files and
        folders.
      spec: of the data of the run.
      out: folder in which an image NAME.png is written for each name, and one called WAY.

    Raises:
      InputError: for a path where there is nothing, a folder without images, a file that is named and cannot be read as
        an image, one that would be written over, or if nothing can be read.
    """
    files, others = list[pathlib.Path](), list[str]()
    found_in: set[pathlib.Path] = set()  # folders, and not named one by one
    for typed in paths:
        path = expanded(typed)
        if path.is_dir():
            written = out if out is not None and out.resolve() != path.resolve() else None
            inside, rest = images_below(path, image_suffixes(), written)
            others += rest
            if not inside:
                raise InputError(f"images: expected images in the folder {printable(path)!r}, got none")
            files += inside
            found_in.update(inside)
        else:
            files.append(path)
    if not files:
        raise InputError("images: expected at least one file, got none")
    names = _unique([file.stem for file in files])
    if out is not None:
        made = {(out / f"{name}.png").resolve() for name in [*names, WAY]}
        if over := [file for file in files if file.resolve() in made]:
            raise InputError(
                f"out: expected a folder in which no image is written over, got that of {printable(over[0])!r}"
            )
    images, kept, forms = [], [], list[int]()
    failed: dict[str, list[pathlib.Path]] = {}
    for name, file in zip(names, files, strict=True):
        try:
            images.append(_read(file, spec, forms.append))
        except InputError as error:
            if file not in found_in:
                raise
            failed.setdefault(unreadable(error.__cause__ or error), []).append(file)
            continue
        kept.append((name, file))
    broken = [not_read(same, why) for why, same in failed.items()]
    notes = [*left_out(others), *changes_in(forms, spec)]
    if not images:
        raise InputError(f"images: expected at least one that can be read, got none; {(broken + notes)[0]}")
    return Targets([name for name, _ in kept], np.stack(images), [file for _, file in kept], notes, broken)


def _read(file: pathlib.Path, spec: Spec, tell: Callable[[int], object] = lambda form: None) -> np.ndarray:
    try:
        data = read_bytes("images", file, largest=LARGEST)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(
            f"images: expected a file or a folder, got nothing at {printable(file)!r}"
        ) from error
    try:
        return of_file(data, spec, tell)
    except BrokenImage as error:
        raise InputError(f"images: cannot read {printable(file)!r}: {error}") from error


def _unique(names: list[str]) -> list[str]:
    taken: dict[str, None] = {}
    for name in names:
        plain = "".join(c if c.isalnum() or c in "-_." else "_" for c in name) or "image"
        own, number = plain, 2
        while own in taken or own == WAY:
            own, number = f"{plain}-{number}", number + 1
        taken[own] = None
    return list(taken)


def read_attributes(path: pathlib.Path, spec: Spec) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Images and what is true of them, from a JSON file {image file: {attribute: true or false}}.

    The files are named from the folder of the JSON file on. Attributes whose values are neither true, false, 0 nor 1 in
    all images are left out, and so are those that all images have or lack.

    Args:
      path: of the JSON file.
      spec: of the run, in whose form the images are given, as uint8.

    Returns:
      uint8 [n, h, w, c], and by name bool [n].

    Raises:
      InputError: for a file that holds something else, an image that cannot be read, or no attribute that is left.
    """
    try:
        rows = json.loads(read_bytes("attributes", expanded(path), largest=LARGEST))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"attributes: expected a file, got nothing at {printable(path)!r}") from error
    except ValueError as error:
        raise InputError(f"attributes: {printable(path)!r} is no JSON: {error}") from error
    if not isinstance(rows, dict) or not rows or not all(isinstance(row, dict) for row in rows.values()):
        raise InputError(
            f"attributes: expected {{image file: {{attribute: true or false}}}} in {printable(path)!r}"
        )
    names = [name for name in next(iter(rows.values())) if all(name in row for row in rows.values())]
    columns = {name: [row[name] for row in rows.values()] for name in names}
    binary = {
        name: v
        for name, v in columns.items()
        if all(x in (True, False, 0, 1) for x in v) and len(set(v)) == 2
    }
    if not binary:
        raise InputError(
            f"attributes: expected at least one that is true of some and false of other images in {printable(path)!r}"
        )
    images = np.stack([_read(expanded(path).parent / name, spec) for name in rows])
    return eight_bits(images), {name: np.asarray(values, bool) for name, values in binary.items()}
