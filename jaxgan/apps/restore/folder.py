"""Files and folders of images through a run: files of the same names come out, and one that is broken stops none."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from jaxgan.apps.below import images_below, left_out
from jaxgan.apps.restore import files
from jaxgan.common.checking.laws import first_line
from jaxgan.common.errors import InputError
from jaxgan.common.files import printable
from jaxgan.data.labels import parsed_classes
from jaxgan.data.pixels import BrokenImage, image_suffixes

Apply = Callable[[np.ndarray, np.ndarray | None], np.ndarray]


@dataclass(frozen=True)
class Work:
    """One file to be done.

    Attributes:
      path: of the file.
      name: under which it is written, relative.
      mask: of the file that says what is lost in it; None: none.
      label: number of its class; None: none.
    """

    path: pathlib.Path
    name: pathlib.PurePath
    mask: pathlib.Path | None = None
    label: int | None = None


def listed(
    inputs: Sequence[pathlib.Path], out: pathlib.Path, masks: pathlib.Path | None = None
) -> tuple[list[Work], list[str]]:
    """The files of paths, each a file or a folder with all below it; and what of folders is left out, in words.

    Of folders, hidden files and folders and what lies in `out` are passed over.

    Args:
      inputs: of the user.
      out: folder to write.
      masks: a folder of masks that are called as the images are (with any suffix), or one file for all.

    Raises:
      InputError: for paths that do not exist or hold no images, two files that would be written to one place, a file
        that would be written over an input or a mask, or a mask that is missing.
    """
    found, known, others, written = [], files.suffixes(), list[str](), out.resolve()
    for path in inputs:
        if not path.exists():
            raise InputError(
                f"images: expected a file or a folder, got {printable(path)!r}, which does not exist"
            )
        if path.is_file():
            found.append(Work(path, pathlib.PurePath(path.name)))
            continue
        if written == path.resolve():
            raise _not_there(out, "images")
        chosen, rest = images_below(path, known, out)
        others += rest
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
    if masks is not None:
        found = [Work(work.path, work.name, _mask_of(work, masks)) for work in found]
    made = {(out / work.name).resolve() for work in found}
    if made & {work.path.resolve() for work in found}:
        raise _not_there(out, "images")
    if made & {work.mask.resolve() for work in found if work.mask is not None}:
        raise _not_there(out, "masks")
    return found, left_out(others)


def _not_there(out: pathlib.Path, what: str) -> InputError:
    return InputError(f"out: expected another folder than that of the {what}, got {printable(out)!r}")


def _mask_of(work: Work, masks: pathlib.Path) -> pathlib.Path:
    if masks.is_file():
        return masks
    if not masks.is_dir():
        raise InputError(
            f"masks: expected a file or a folder, got {printable(masks)!r}, which does not exist"
        )
    there, known = masks / work.name.parent, image_suffixes()
    near = sorted(own for own in there.iterdir() if own.stem == work.name.stem) if there.is_dir() else []
    near = [own for own in near if own.suffix.lower() in known and own.is_file()]
    if not near:
        raise InputError(f"masks: expected one called {work.name.stem!r} in {printable(masks)!r}, found none")
    return near[0]


def with_classes(works: Sequence[Work], names: Sequence[str], of: str | None = None) -> list[Work]:
    """The same files with their classes: `of`, or that which a folder above them is called as.

    Of the folders from the one that the user named down to the file's, the outermost that is called as a class counts;
    the one that the user named only if none below it is.

    Args:
      works: of `listed`.
      names: of the run's classes; none: it is not conditional.
      of: the class of all files, by name or number; None: their folders say.

    Raises:
      InputError: for a class that is not among the names, none where one is needed, or one where none is.
    """
    if not names:
        if of is not None:
            raise InputError(f"classes: expected none, as this run is not conditional, got {of!r}")
        return list(works)
    if of is not None:
        found = {*parsed_classes(of, names)}
        if len(found) > 1:
            raise InputError(f"classes: expected one class, that of all images, got {of!r}")
        return [replace(work, label=min(found)) for work in works]
    numbers, told = {name: number for number, name in enumerate(names)}, []
    for work in works:
        given = pathlib.Path(os.path.abspath(work.path)).parents[len(work.name.parts) - 1]
        folders = map(printable, (*work.name.parts[:-1], given.name))
        found = [numbers[folder] for folder in folders if folder in numbers]
        if not found:
            raise InputError(
                "classes: expected the class of each image, as this run is conditional: for all with --classes, or by "
                f"the folders that they lie in; one of {', '.join(names[:100])}, got {printable(work.path)!r}"
            )
        told.append(replace(work, label=found[0]))
    return told


def done(
    work: Work, out: pathlib.Path, apply: Apply, tell: Callable[[str], object] = lambda note: None
) -> str | None:
    """Does one file; returns None, or why it cannot be done, without its name. What is left out is told."""
    what = "cannot be read"
    try:
        opened = files.read(work.path)
        if work.mask is not None:
            what = f"its mask {printable(work.mask)!r} cannot be read"
        mask = None if work.mask is None else files.read_mask(work.mask)
        what = "nothing can be made of it"
        made = [apply(image, mask) for image in opened.images]
        what = "what is made of it cannot be written"
        opened.write(out / work.name, made)
        if opened.rounded:
            tell(
                f"{printable(work.path)}: 16 bits are read as 8, as they are kept of grey images without alpha alone"
            )
        if opened.left_out:
            tell(f"{printable(work.path)}: the first page alone, {opened.left_out:,} left out")
    except MemoryError:
        raise
    except Exception as error:  # damaged files surface as many types
        if isinstance(error, InputError):
            return first_line(error)
        known = "" if isinstance(error, BrokenImage) else f"{type(error).__name__}: "
        return f"{what} ({known}{getattr(error, 'strerror', None) or first_line(error)})"
    return None
