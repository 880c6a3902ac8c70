"""Images from an npz file."""

from __future__ import annotations

import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.common.files import expanded, printable
from jaxgan.data.labels import parsed_labels
from jaxgan.data.pixels import check_images, resized
from jaxgan.data.source import Images, fingerprint


def load_npz(path: str, *, resolution: int | None = None, channels: int | None = None) -> Images:
    """Opens the arrays "images", uint8 or uint16 [n, h, w] or [n, h, w, c], and "labels" of an npz file.

    Images of 1 channel are grey, of 2 grey and alpha, of 3 RGB, of 4 RGB and alpha. Labels are whole numbers or
    texts, [n] or [n, 1], and may be missing. Each value that occurs is a class, in ascending order.

    Raises:
      InputError: if the file is missing or no npz, or an array is missing or of the wrong shape.
    """
    shown = printable(path)
    try:
        with np.load(expanded(path), allow_pickle=False) as archive:
            if "images" not in archive:
                raise InputError(
                    f"data.source: expected an array 'images' in {shown!r}, found {sorted(archive)}"
                )
            images, labels = archive["images"], archive.get("labels")
    except FileNotFoundError as error:
        raise InputError(f"data.source: expected an npz file, got {shown!r}, which does not exist") from error
    except InputError:
        raise
    except Exception as error:  # damaged archives surface as many types
        raise InputError(
            f"data.source: expected an npz file of plain arrays, got {shown!r} ({error})"
        ) from error
    n = None if labels is None else len(np.atleast_1d(labels))
    checked = check_images(f"data.source: 'images' of {shown!r}", images, n)
    images = resized(checked, resolution, channels)
    class_names: tuple[str, ...] = ()
    if labels is not None:
        labels, class_names = parsed_labels(f"data.source: 'labels' of {shown!r}", labels, len(images))
    return Images(f"npz:{shown}", images, labels, class_names, fingerprint(images, labels))
