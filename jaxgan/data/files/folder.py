"""Images from a folder or a zip archive, decoded once into the cache."""

from __future__ import annotations

import os
import pathlib
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.common.files import expanded, printable
from jaxgan.data import cache
from jaxgan.data.files.classes import Part, parts_of
from jaxgan.data.files.listing import Listing, listing
from jaxgan.data.labels import numbered
from jaxgan.data.pixels import BrokenImage, is_grey_file, open_image, to_pixels
from jaxgan.data.source import Images
from jaxgan.data.splits import with_held_out

_DECODER = 2  # of the entries in the cache: counts the changes of what images are decoded to


def load_folder(
    path: str,
    split: str = "train",
    *,
    resolution: int | None = None,
    channels: int | None = None,
    skip_broken: bool = False,
    follow_links: bool = False,
) -> Images:
    """Opens the images below a folder or inside a zip archive, which is never unpacked.

    These are all files that Pillow reads by itself. First-level sub-folders are the classes, in natural order, and
    so are the labels in a dataset.json of StyleGAN's; folders called train and test are splits. Images are decoded
    once into the cache, and again when the content of a file changes. They have 8 bits a channel; deeper ones are
    rounded.

    Args:
      path: of the folder or archive.
      split: "train", or "test" or "val" where there are such folders. The other one is held out.
      resolution: side of the square images in pixels; None keeps their size, which must then be the same.
      channels: 1, 2 (grey and alpha), 3 or 4 (RGBA); None gives 1 if all images are grey, else 3.
      skip_broken: whether broken files are left out, and counted.
      follow_links: whether links may lead out of the folder.

    Raises:
      InputError: if there is nothing at `path`, it has no image or a broken one (which is named),
        a link leads out of it, the images differ in size and there is no `resolution`, or labels do not fit the images.
    """
    root = expanded(path)
    shown = printable(root)
    if not root.exists():
        raise InputError(
            f"data.source: expected a folder or a zip archive, got {shown!r}, which does not exist"
        )
    with listing(root, follow_links=follow_links) as files:
        if not files.names:
            left = "".join(f"; {note}" for note in files.notes)
            raise InputError(
                f"data.source: expected PNG, JPEG or WebP images (or others that Pillow reads) in {shown!r}, found "
                f"none{left}"
            )
        own, other = parts_of(files, split)
        name = f"folder:{printable(path)}"
        source = _load(
            files, own, name if split == "train" else f"{name} ({split})", resolution, channels, skip_broken
        )
        if other is None:
            return source
        held_out = _load(files, other, f"the other split of {name}", resolution, source.shape[2], skip_broken)
    if held_out.shape != source.shape:
        raise InputError(
            f"data.resolution: expected a size, as the splits of {shown!r} differ: {source.shape[0]}x{source.shape[1]} "
            f"and {held_out.shape[0]}x{held_out.shape[1]} pixels; say one, such as --data.resolution 64"
        )
    return with_held_out(source, held_out)


def _load(
    files: Listing, part: Part, name: str, resolution: int | None, channels: int | None, skip_broken: bool
) -> Images:
    """The images of a part, from the cache, or decoded and put there."""
    key = {
        "kind": "folder",
        "decoder": _DECODER,
        "files": files.identity(part.names),
        "classes": part.classes and list(part.classes),
        "resolution": resolution,
        "channels": channels,
        "skip_broken": skip_broken,
    }
    decoded = cache.cached(
        key, lambda folder: _decode(files, part, folder, resolution, channels, skip_broken)
    )
    gone = sorted({*(part.classes or ())} - {*decoded.class_names})
    lost = [f"all images of these classes are broken: {', '.join(gone)}"] if gone else []
    return Images(
        name,
        decoded.images,
        decoded.labels,
        decoded.class_names,
        decoded.fingerprint,
        decoded.skipped,
        notes=(*files.notes, *part.notes, *lost),
    )


def _decode(
    files: Listing,
    part: Part,
    folder: pathlib.Path,
    resolution: int | None,
    channels: int | None,
    skip_broken: bool,
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...], int]:
    def image_of(name: str) -> np.ndarray | BrokenImage:
        try:
            return to_pixels(open_image(files.read(name)), resolution, depth)
        except Exception as error:  # damaged images and archives surface as many types
            return error if isinstance(error, BrokenImage) else BrokenImage(str(error))

    depth = channels or (1 if _all_grey(files, part.names) else 3)
    good: list[int] = []  # places in the part
    images: np.memmap | None = None
    with ThreadPoolExecutor(os.cpu_count()) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of odd metadata
        names = iter(enumerate(part.names))
        while chunk := list(islice(names, 256)):  # bounds the decoded images in flight
            decoded = pool.map(image_of, [name for _, name in chunk])
            for (place, name), pixels in zip(chunk, decoded, strict=True):
                if isinstance(pixels, BrokenImage):
                    if skip_broken:
                        continue
                    raise InputError(
                        f"data.source: broken image {printable(files.path / name)!r} ({pixels}); "
                        "--data.skip-broken leaves such files out"
                    )
                if images is None:
                    shape = (len(part.names), *pixels.shape)
                    images = cache.new_images(folder / "images.npy", shape)
                if pixels.shape != images.shape[1:]:
                    raise InputError(
                        f"data.resolution: expected a size, as images differ: {printable(part.names[good[0]])!r} has "
                        f"{images.shape[1]}x{images.shape[2]} pixels, {printable(name)!r} "
                        f"{pixels.shape[0]}x{pixels.shape[1]}; say one, such as --data.resolution 64"
                    )
                images[len(good)] = pixels
                good.append(place)
    if images is None:
        raise InputError(f"data.source: all {len(part.names)} images in {printable(files.path)!r} are broken")
    skipped = len(part.names) - len(good)
    if skipped:  # the file is longer than needed: written again
        kept = cache.new_images(folder / "kept.npy", (len(good), *images.shape[1:]))
        for start in range(0, len(good), 256):
            kept[start : start + 256] = images[start : min(start + 256, len(good))]
        kept.flush()
        os.replace(folder / "kept.npy", folder / "images.npy")
        images = np.lib.format.open_memmap(folder / "images.npy", "r+")
    if part.classes is None:
        return images, None, (), skipped
    return images, *numbered([part.classes[place] for place in good]), skipped


def _all_grey(files: Listing, names: Sequence[str]) -> bool:
    """Whether no image has colour; mostly the first one tells, and headers are enough."""
    for name in names:
        try:
            if not is_grey_file(files.read(name)):
                return False
        except Exception:  # broken ones are dealt with when they are decoded
            continue
    return True
