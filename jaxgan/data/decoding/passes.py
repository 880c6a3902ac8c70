"""One pass over all images: which are broken, what each hashes to, and, where they are kept, their pixels on disk."""

from __future__ import annotations

import os
import pathlib
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.common.progress import Progress
from jaxgan.data import cache
from jaxgan.data.cache import Decoded
from jaxgan.data.pixels import BrokenImage
from jaxgan.data.rows import Encoded, Undecoded, digest_of, row_hash, workers

AT_A_TIME = 256
"""How many images are decoded ahead at most."""
_IN_MEMORY = 2**26  # bytes that they take at most


_SILENT = 5.0  # seconds, after which it is told how far it is


class Again(Exception):
    """What `Undecoded.read` raises to end the pass, which is to begin anew in another way."""


def gone_through(
    images: Undecoded, folder: pathlib.Path, *, keep: bool, what: str, skip_broken: bool = False
) -> Decoded:
    """Decodes all images once, on all cores.

    Args:
      images: to decode.
      folder: of an entry of the cache.
      keep: whether the pixels are kept, in a memory map in that folder.
      what: all of them, in words.
      skip_broken: whether broken ones are left out, and counted.

    Returns:
      What was found; the labels are those that `images.read` gives, and there are no names of classes.

    Raises:
      InputError: for a broken image, which is named, images that differ in size, or no good one.
      Again: as of `images.read`.
    """
    places: list[int] = []
    labels = np.zeros(images.n, np.int32)
    hashes = np.zeros(images.n, np.uint64)
    shape: Any = ()
    pixels: np.ndarray | None = None
    digest: Any = None
    for place, (found, label) in _decoded(images):
        if isinstance(found, BrokenImage):
            if skip_broken:
                continue
            raise InputError(
                f"data.source: broken image {images.name(place)!r} ({found}); --data.skip-broken leaves such files out"
            )
        if not places:
            shape = found.shape
            digest = digest_of(found.dtype, (images.n, *shape))
            pixels = cache.new_images(folder / "images.npy", (images.n, *shape)) if keep else None
        if found.shape != shape:
            raise InputError(
                f"data.resolution: expected a size, as images differ: {images.name(places[0])!r} has "
                f"{shape[0]}x{shape[1]} pixels, {images.name(place)!r} {found.shape[0]}x{found.shape[1]}; say one, "
                "such as --data.resolution 64"
            )
        n = len(places)
        if pixels is not None:
            pixels[n] = found
        labels[n], hashes[n] = label, row_hash(found)
        digest.update(found.tobytes())
        places.append(place)
    if not places:
        raise InputError(f"data.source: all {images.n} images in {what!r} are broken")
    n = len(places)
    at, labels, hashes = np.asarray(places, np.int64), labels[:n], hashes[:n]
    if n < images.n:
        if pixels is not None:
            pixels = _shortened(pixels, n, folder)
        digest = None  # it began with another number of images
    kept = Encoded(images, at, shape, hashes) if pixels is None else pixels
    return Decoded(kept, labels, (), skipped=images.n - n, hashes=hashes, places=at, digest=digest)


def _decoded(images: Undecoded) -> Iterator[tuple[int, tuple[np.ndarray | BrokenImage, int]]]:
    """Every place, in order, and what is there."""

    def read(place: int) -> tuple[np.ndarray | BrokenImage, int]:
        try:
            return images.read(place)
        except Again:
            raise
        except Exception as error:  # damaged images and archives surface as many types
            return (error if isinstance(error, BrokenImage) else BrokenImage(str(error))), 0

    with warnings.catch_warnings(), Progress(sys.stderr) as shown:
        warnings.simplefilter("ignore")  # Pillow's, of odd metadata
        start, many, begun = 0, 2 * (os.cpu_count() or 2), time.monotonic()
        while start < images.n:
            if time.monotonic() - begun > _SILENT:
                shown.count("decoding: image", start, images.n)
            chunk = range(start, min(start + many, images.n))
            for place, (found, label) in zip(chunk, workers().map(read, chunk), strict=True):
                yield place, (found, label)
                if not isinstance(found, BrokenImage):
                    many = max(2, min(_IN_MEMORY // found.nbytes, AT_A_TIME))
            start = chunk.stop


def _shortened(images: np.ndarray, n: int, folder: pathlib.Path) -> np.ndarray:
    """The first n images; the file, which is longer than needed, is written again."""
    kept = cache.new_images(folder / "kept.npy", (n, *images.shape[1:]))
    for start in range(0, n, AT_A_TIME):
        kept[start : start + AT_A_TIME] = images[start : min(start + AT_A_TIME, n)]
    kept.flush()
    os.replace(folder / "kept.npy", folder / "images.npy")
    return np.lib.format.open_memmap(folder / "images.npy", "r+")
