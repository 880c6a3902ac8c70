"""Images from a folder or a zip archive."""

from __future__ import annotations

import contextlib
import pathlib
from dataclasses import replace
from functools import partial

import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.common.files import expanded, printable
from jaxgan.data import cache
from jaxgan.data.decoding.choice import streams
from jaxgan.data.decoding.forms import changes, counts_of, form_of
from jaxgan.data.decoding.passes import Again, gone_through
from jaxgan.data.files.classes import Part, parts_of
from jaxgan.data.files.listing import Listing, listing, unread
from jaxgan.data.labels import numbered
from jaxgan.data.pixels import header, is_grey_file, open_image, to_pixels
from jaxgan.data.rows import Encoded, Undecoded
from jaxgan.data.source import Images
from jaxgan.data.splits import with_held_out

_DECODER = 5  # of the entries in the cache: counts the changes of what is decoded or kept


def load_folder(
    path: str,
    split: str = "train",
    *,
    resolution: int | None = None,
    channels: int | None = None,
    skip_broken: bool = False,
    follow_links: bool = False,
    pipeline: str = "auto",
) -> Images:
    """Opens the images below a folder or inside a zip archive, which is never unpacked.

    These are all files that Pillow reads by itself. First-level sub-folders are the classes, in natural order, and
    so are the labels in a dataset.json of StyleGAN's; folders called train and test are splits. Images are decoded
    once, and again when the content of a file changes: into the cache, or, where they are streamed, to see which are
    broken and what they hash to. They have 8 bits a channel; deeper ones are rounded.

    Args:
      path: of the folder or archive.
      split: "train", or "test" or "val" where there are such folders. The other one is held out.
      resolution: side of the square images in pixels; None keeps their size, which must then be the same.
      channels: 1, 2 (grey and alpha), 3 or 4 (RGBA); None gives 1 if all images are grey, else 3.
      skip_broken: whether broken files are left out, and counted.
      follow_links: whether links may lead out of the folder.
      pipeline: "resident" decodes all into the cache, "stream" each image when it is asked for, and "auto" goes by how
        much memory they take, as of `jaxgan.data.decoding.choice.streams`.

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
    files = listing(root, follow_links=follow_links)
    if not files.names:
        left = "".join(f"; {note}" for note in files.notes)
        raise InputError(
            f"data.source: expected PNG, JPEG or WebP images (or others that Pillow reads) in {shown!r}, found "
            f"none{left}"
        )
    own, other = parts_of(files, split)
    name = f"folder:{printable(path)}"
    load = partial(load_part, files, resolution=resolution, skip_broken=skip_broken, pipeline=pipeline)
    source = load(own, name if split == "train" else f"{name} ({split})", channels=channels)
    if other is None:
        return source
    held_out = load(other, f"the other split of {name}", channels=source.shape[2])
    if held_out.shape != source.shape:
        raise InputError(
            f"data.resolution: expected a size, as the splits of {shown!r} differ: {source.shape[0]}x{source.shape[1]} "
            f"and {held_out.shape[0]}x{held_out.shape[1]} pixels; say one, such as --data.resolution 64"
        )
    return with_held_out(source, held_out)


def load_part(
    files: Listing,
    part: Part,
    name: str,
    *,
    resolution: int | None,
    channels: int | None,
    skip_broken: bool,
    pipeline: str,
) -> Images:
    """The images of a part: decoded and put into the cache, or decoded when they are asked for.

    Args:
      files: which hold them.
      part: which these are.
      name: of the source.
      resolution: as of `load_folder`.
      channels: as of `load_folder`.
      skip_broken: as of `load_folder`.
      pipeline: as of `jaxgan.data.decoding.choice.streams`.

    Raises:
      InputError: as `load_folder`.
    """
    keep = not streams(pipeline, _decoded_bytes(files, part, resolution, channels))
    key = {
        "kind": "folder",
        "decoder": _DECODER,
        "files": files.identity(part.names),
        "classes": part.classes and list(part.classes),
        "resolution": resolution,
        "channels": channels,
        "skip_broken": skip_broken,
        "pixels": keep,
    }

    def decode(folder: pathlib.Path) -> cache.Decoded:
        found = _decode(files, part, folder, resolution, channels, skip_broken, keep)
        forms = () if found.labels is None else found.labels.tolist()  # they stand in the place of labels
        found = replace(found, forms=counts_of(forms))
        if (classes := part.classes) is None:
            return replace(found, labels=None)
        labels, names = numbered([classes[int(place)] for place in found.places])
        return replace(found, labels=labels, class_names=names)

    def stand_in(shape: tuple[int, ...], places: np.ndarray, hashes: np.ndarray) -> Encoded:
        return Encoded(_images(files, part, resolution, shape[2], formed=False), places, shape, hashes)

    found = cache.cached(key, decode, None if keep else stand_in)
    gone = sorted({*(part.classes or ())} - {*found.class_names})
    lost = [f"all images of these classes are broken: {', '.join(gone)}"] if gone else []
    return Images(
        name,
        found.images,
        found.labels,
        class_names=found.class_names,
        fingerprint=found.fingerprint,
        skipped=found.skipped,
        notes=(
            *files.notes,
            *part.notes,
            *unread(found.skipped),
            *lost,
            *changes(found.forms, found.images.shape[3]),
        ),
        hashes=found.hashes,
    )


def _images(
    files: Listing,
    part: Part,
    resolution: int | None,
    depth: int,
    *,
    all_grey: bool = False,
    formed: bool = True,
) -> Undecoded:
    """The images of a part in so many channels, with their forms; with `all_grey`, one of colour ends the pass."""

    def read(place: int) -> tuple[np.ndarray, int]:
        content = files.read(part.names[place])
        if all_grey and _is_grey(content) is False:
            raise Again
        image = open_image(content)
        return to_pixels(image, resolution, depth), form_of(content, image) if formed else 0

    return Undecoded(len(part.names), read, lambda place: printable(files.path / part.names[place]))


def _decode(
    files: Listing,
    part: Part,
    folder: pathlib.Path,
    resolution: int | None,
    channels: int | None,
    skip_broken: bool,
    keep: bool,
) -> cache.Decoded:
    passed = partial(
        gone_through, folder=folder, keep=keep, what=printable(files.path), skip_broken=skip_broken
    )
    if channels is None and _first(files, part)[1]:
        with contextlib.suppress(Again):
            return passed(_images(files, part, resolution, 1, all_grey=True))
    return passed(_images(files, part, resolution, channels or 3))


def _first(files: Listing, part: Part) -> tuple[tuple[int, int], bool]:
    """Height and width of the first image of a part whose header can be read, and whether it is grey."""
    for name in part.names:
        with contextlib.suppress(Exception):  # broken ones are dealt with when they are decoded
            content = files.read(name)
            return header(content), is_grey_file(content)
    return (1, 1), False


def _decoded_bytes(files: Listing, part: Part, resolution: int | None, channels: int | None) -> int:
    """How many bytes the images of a part take, decoded, going by the first one."""
    size, is_grey = _first(files, part)
    height, width = size if resolution is None else (resolution, resolution)
    return len(part.names) * height * width * (channels or (1 if is_grey else 3))


def _is_grey(content: bytes) -> bool | None:
    """Whether an image has no colour, by its header; None if that cannot be read."""
    try:
        return is_grey_file(content)
    except Exception:  # dealt with when it is decoded
        return None
