"""Which files of a folder are images to work on."""

from __future__ import annotations

import pathlib
from collections.abc import Collection

from jaxgan.common.progress import counted
from jaxgan.data.files.listing import named


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


def left_out(others: list[str]) -> list[str]:
    """A line that counts and names files that are no images, if there are any."""
    if not others:
        return []
    return [f"left out, no images by their names: {counted(len(others), 'file')} ({named(others)})"]
