"""Images from an npz file."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.common.files import expanded, printable
from jaxgan.common.progress import counted
from jaxgan.data.decoding.forms import all_but_black, grey_in_colour
from jaxgan.data.labels import parsed_labels
from jaxgan.data.pixels import check_images, is_one_picture, resized
from jaxgan.data.source import Images, fingerprint
from jaxgan.data.splits import with_held_out


def load_npz(path: str, *, resolution: int | None = None, channels: int | None = None) -> Images:
    """Opens the arrays "images" and "labels" of an npz file.

    Images are uint8 or uint16 [n, h, w], [n, h, w, c] or, of one, [h, w, c]; those of 1 channel are grey, of 2 grey
    and alpha, of 3 RGB, of 4 RGB and alpha. A note tells of an array that is taken as one picture: one of 1 or 2
    channels is if neither side is more than twice the other, and there are at most 2,048 rows. Labels are whole
    numbers or texts, [n] or [n, 1], and may be missing. Each value that occurs is a class, in ascending order.
    Further arrays "held_out_images" and, if there are, "held_out_labels" are examples that are held out of training;
    those of classes that "labels" lacks are left out, with a note.

    Raises:
      InputError: if the file is missing or no npz, or an array is missing or of the wrong shape.
    """
    shown = printable(path)
    try:
        with expanded(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            if "images" not in archive:
                raise InputError(
                    f"data.source: expected an array 'images' in {shown!r}, found {sorted(archive)}"
                )
            images, labels = archive["images"], archive.get("labels")
            others, other_labels = archive.get("held_out_images"), archive.get("held_out_labels")
    except FileNotFoundError as error:
        raise InputError(f"data.source: expected an npz file, got {shown!r}, which does not exist") from error
    except InputError:
        raise
    except Exception as error:  # damaged archives surface as many types
        raise InputError(
            f"data.source: expected an npz file of plain arrays, got {shown!r} ({error})"
        ) from error
    name, size = f"npz:{shown}", (resolution, channels)
    source = _images(name, f"of {shown!r}", "", images, labels, *size)
    if others is None:
        if other_labels is not None:
            raise InputError(
                f"data.source: expected an array 'held_out_images' beside 'held_out_labels' in {shown!r}, found none"
            )
        return source
    held_out = _images(f"held-out part of {name}", f"of {shown!r}", "held_out_", others, other_labels, *size)
    found, expected = ((x.shape, str(x.images.dtype)) for x in (held_out, source))
    if found != expected:
        raise InputError(
            f"data.source: 'held_out_images' of {shown!r}: expected {expected[1]} images of the shape {expected[0]}, "
            f"as the others, got {found[1]} of {found[0]}"
        )
    if labels is None and other_labels is not None:
        notes = (*source.notes, "'held_out_labels' are not used, as there are no 'labels'")
        source = dataclasses.replace(source, notes=notes)
    return with_held_out(source, held_out)


def _images(
    name: str,
    where: str,
    prefix: str,
    images: Any,
    labels: Any,
    resolution: int | None,
    channels: int | None,
) -> Images:
    n = None if labels is None else len(np.atleast_1d(labels))
    shape = np.shape(images)
    if n is None and len(shape) == 3 == shape[0] and min(shape[1:]) > 4:
        raise InputError(
            f"data.source: '{prefix}images' {where}: expected [n, height, width] or [n, height, width, channels], got "
            f"{shape}: one picture, channels first? images.transpose(1, 2, 0)[None] is one; 3 grey images? "
            "images[..., None]"
        )
    checked = check_images(f"data.source: '{prefix}images' {where}", images, n)
    images = resized(checked, resolution, channels)
    class_names: tuple[str, ...] = ()
    if labels is not None:
        labels, class_names = parsed_labels(f"data.source: '{prefix}labels' {where}", labels, len(images))
    one = (
        f"'{prefix}images': {shape} is taken as one picture; {prefix}images[None] says so, and "
        f"{prefix}images[..., None] that it is {counted(shape[0], 'grey image')}"
    )
    told = (one,) if is_one_picture(shape, n) else ()
    notes = (*told, *grey_in_colour(checked.shape[3], channels), *all_but_black(checked))
    return Images(
        name, images, labels, class_names=class_names, fingerprint=fingerprint(images, labels), notes=notes
    )
