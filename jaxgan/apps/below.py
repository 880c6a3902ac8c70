"""Which files of a folder are images to work on."""

from __future__ import annotations

import pathlib
from collections.abc import Collection, Sequence

from jaxgan.common.files import printable
from jaxgan.common.progress import counted
from jaxgan.data.files.listing import named, no_images


def images_below(
    folder: pathlib.Path, suffixes: Collection[str], out: pathlib.Path | None = None
) -> tuple[list[pathlib.Path], list[str]]:
    """The images in a folder and all below it, by their names, in order; and the names of its other files.

    Hidden files, hidden folders and what lies in `out` are passed over.

    Args:
      folder: which exists.
      suffixes: of images, in lower case.
      out: a folder that is written.
    """
    below = [
        own
        for own in sorted(folder.rglob("*"))
        if own.is_file() and not any(part.startswith(".") for part in own.relative_to(folder).parts)
    ]
    if out is not None and (written := out.resolve()).is_relative_to(folder.resolve()):
        below = [own for own in below if not own.resolve().is_relative_to(written)]
    images = [own for own in below if own.suffix.lower() in suffixes]
    return images, [str(own.relative_to(folder)) for own in below if own.suffix.lower() not in suffixes]


def left_out(others: Sequence[str]) -> list[str]:
    """A line that counts files that are no images, if there are any, as of data to train on."""
    return [no_images(others)] if others else []


def unreadable(error: BaseException) -> str:
    """Why a file cannot be read, as of `not_read`: without its name, which the system says, too."""
    return f"cannot be read ({getattr(error, 'strerror', None) or error})"


def not_read(files: Sequence[pathlib.Path], why: str) -> str:
    """A line on files that are left out for one reason, such as "cannot be read (truncated)"."""
    if len(files) == 1:
        return f"left out: {printable(files[0])!r}: {why}"
    return f"left out: {counted(len(files), 'file')} ({named([str(file) for file in files])}): {why}"
