"""Files and folders of images through a run: files of the same names come out, and one that is broken stops none."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from jaxgan.apps.restore import files
from jaxgan.common.errors import InputError
from jaxgan.common.files import printable
from jaxgan.common.laws import first_line
from jaxgan.data.pixels import BrokenImage

Apply = Callable[[np.ndarray, np.ndarray | None], np.ndarray]


@dataclass(frozen=True)
class Work:
    """One file to be done.

    Attributes:
      path: of the file.
      name: under which it is written, relative.
      mask: of the file that says what is lost in it; None: none.
    """

    path: pathlib.Path
    name: pathlib.PurePath
    mask: pathlib.Path | None = None


def listed(
    inputs: Sequence[pathlib.Path], out: pathlib.Path, masks: pathlib.Path | None = None
) -> tuple[list[Work], list[str]]:
    """The files of paths, each a file or a folder with all below it; and what of folders is left out, in words.

    Args:
      inputs: of the user.
      out: folder to write.
      masks: a folder of masks that are called as the images are (with any suffix), or one file for all.

    Raises:
      InputError: for paths that do not exist or hold no images, two files that would be written to one place, a file
        that would be written over an input, or a mask that is missing.
    """
    found, known, others = [], files.suffixes(), 0
    for path in inputs:
        if not path.exists():
            raise InputError(
                f"images: expected a file or a folder, got {printable(path)!r}, which does not exist"
            )
        if path.is_file():
            found.append(Work(path, pathlib.PurePath(path.name)))
            continue
        if out.resolve() == path.resolve():
            raise InputError(f"out: expected another folder than that of the images, got {printable(out)!r}")
        below = sorted(own for own in path.rglob("*") if own.is_file() and out not in own.parents)
        chosen = [own for own in below if own.suffix.lower() in known]
        others += len(below) - len(chosen)
        found += [Work(own, own.relative_to(path)) for own in chosen]
    if not found:
        raise InputError(
            f"images: expected at least one image in {', '.join(map(printable, inputs))}, found none"
        )
    places: dict[pathlib.PurePath, pathlib.Path] = {}
    for work in found:
        if work.name in places:
            raise InputError(
                f"images: expected files of different names, got {printable(places[work.name])!r} and "
                f"{printable(work.path)!r}"
            )
        places[work.name] = work.path
        if (out / work.name).resolve() == work.path.resolve():
            raise InputError(f"out: expected another folder than that of the images, got {printable(out)!r}")
    if masks is not None:
        found = [Work(work.path, work.name, _mask_of(work, masks)) for work in found]
    return found, [f"left out, no images by their names: {others:,} files"] if others else []


def _mask_of(work: Work, masks: pathlib.Path) -> pathlib.Path:
    if masks.is_file():
        return masks
    if not masks.is_dir():
        raise InputError(
            f"masks: expected a file or a folder, got {printable(masks)!r}, which does not exist"
        )
    stem = masks / work.name.with_suffix("")
    near = sorted(stem.parent.glob(f"{stem.name}.*")) if stem.parent.is_dir() else []
    if not near:
        raise InputError(f"masks: expected one called {work.name.stem!r} in {printable(masks)!r}, found none")
    return near[0]


def done(work: Work, out: pathlib.Path, apply: Apply) -> str | None:
    """Does one file; returns None, or in one line why it cannot be done."""
    try:
        opened = files.read(work.path)
        mask = None if work.mask is None else files.read_mask(work.mask)
        opened.write(out / work.name, [apply(image, mask) for image in opened.images])
    except MemoryError:
        raise
    except Exception as error:  # damaged files surface as many types
        known = isinstance(error, InputError | BrokenImage)
        text = re.sub(r" <_io\.BytesIO.*?>", "", first_line(error))
        return f"{printable(work.path)}: {'' if known else f'{type(error).__name__}: '}{text}"
    return None
