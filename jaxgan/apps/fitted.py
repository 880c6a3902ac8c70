"""Images of any size, mode and number of bits, in the form that a run's data have."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from jaxgan.apps.attributes import eight_bits
from jaxgan.data import Spec
from jaxgan.data.decoding.forms import changes, counts_of, form_of
from jaxgan.data.files.deep import as_array
from jaxgan.data.pixels import check_images, open_image, resized, to_pixels
from jaxgan.metrics.restoration import enlarged


def of_file(data: bytes, spec: Spec, tell: Callable[[int], object] = lambda form: None) -> np.ndarray:
    """The image of a file, its central part of the run's proportions, in the run's size and type.

    Args:
      data: of the file.
      spec: of the run's data.
      tell: is told the form of the image, as of `jaxgan.data.decoding.forms.form_of`.

    Raises:
      BrokenImage: if it cannot be read.
    """
    image, (height, width, channels) = open_image(data), spec.shape
    tell(form_of(data, image))
    if spec.stored == "uint8" and height == width:
        return to_pixels(image, height, channels)  # as data to train on are read
    return of_array(as_array(image), spec)


def changes_in(forms: Sequence[int], spec: Spec) -> tuple[str, ...]:
    """What was changed in images of these forms to make them as a run's data are, in words."""
    return changes(counts_of(forms), spec.shape[2], bits=8 * np.dtype(spec.stored).itemsize, run=True)


def of_array(image: np.ndarray, spec: Spec) -> np.ndarray:
    """An image [h, w, c] of 8 or 16 bits, its central part of the run's proportions, in the run's size and type.

    Raises:
      InputError: for an array that is no image.
    """
    height, width, channels = spec.shape
    image = check_images("images", image[None])[0]
    if height == width:
        image = resized(image[None], height, channels)[0]
    else:
        image = enlarged(
            resized(_cropped(image, height, width)[None], None, channels)[0], height, width, "lanczos"
        )
    if image.dtype == spec.stored:
        return image
    return eight_bits(image) if spec.stored == "uint8" else image.astype(np.uint16) * np.uint16(257)


def _cropped(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The central part of these proportions."""
    h, w = image.shape[:2]
    if h * width > w * height:
        keep = max(round(w * height / width), 1)
        return image[(h - keep) // 2 : (h - keep) // 2 + keep]
    keep = max(round(h * width / height), 1)
    return image[:, (w - keep) // 2 : (w - keep) // 2 + keep]
