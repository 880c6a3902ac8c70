"""Images that are given instead of drawn from a generator."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.common.user_files import is_file
from jaxgan.data import Images, as_images, open_source
from jaxgan.data.decoding.forms import without_flags
from jaxgan.data.sources import is_path, named

FIRST_SEED = 1_000_000  # of scored fakes; those of grids start at 0


def open_images(
    spec: str,
    name: str,
    *,
    resolution: int | None = None,
    channels: int | None = None,
    skip_broken: bool = False,
    follow_links: bool = False,
    keep_classes: str = "",
) -> Images:
    """The images of a folder, a zip or tar archive, an npz file, or anything else that `open_source` knows.

    Args:
      spec: a path or a data source.
      name: of the argument, for messages.
      resolution: as of `open_source`.
      channels: as of `open_source`.
      skip_broken: as of `open_source`.
      follow_links: as of `open_source`.
      keep_classes: as of `open_source`.

    Raises:
      InputError: if there are none to be opened, or the source is made of points.
    """
    if is_path(named(spec)) and not is_file(spec):
        raise InputError(
            f"{name}: expected a folder, a zip or tar archive, an npz file or a data source, got {spec!r}"
        )
    source = open_source(
        spec,
        resolution=resolution,
        channels=channels,
        skip_broken=skip_broken,
        follow_links=follow_links,
        keep_classes=keep_classes,
    )
    for note in source.notes:
        warnings.warn(f"{name}: {without_flags(note)}", stacklevel=2)
    return as_images(source, name)


class FixedImages:
    """Given images in a generator's place: the first n of them, in a fixed random order."""

    def __init__(self, images: Images) -> None:
        """Reads nothing yet."""
        self._images = images
        self._order = np.random.default_rng(FIRST_SEED).permutation(len(images))

    def __call__(self, n: int) -> np.ndarray:
        """The first n images. Raises InputError if there are fewer."""
        if n > len(self._order):
            raise InputError(
                f"n: expected at most the {len(self._order)} images of {self._images.name!r}, got {n}"
            )
        return np.asarray(self._images.images[self._order[:n]])

    def batches(self, n: int, size: int) -> Any:
        """Yields the same images in batches, and how many of each count; a memory map is never read whole."""
        for start in range(0, n, size):
            chosen = self._order[start : min(start + size, n)]
            part = np.asarray(self._images.images[chosen])
            padding = np.zeros((size - len(part), *part.shape[1:]), part.dtype)
            yield np.concatenate([part, padding]), len(part)

    def labels(self, n: int) -> np.ndarray | None:
        """The labels of the same images, or None if there are none."""
        return None if self._images.labels is None else self._images.labels[self._order[:n]]
