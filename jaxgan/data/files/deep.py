"""Images of 16 bits from a folder: PNG, TIFF and DICOM files whose values are not crushed to 8 bits."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxgan.common.checking.laws import first_line
from jaxgan.common.errors import InputError
from jaxgan.common.files import expanded, printable
from jaxgan.common.packages import need
from jaxgan.data.decoding.forms import all_but_black
from jaxgan.data.files.listing import listing, unread
from jaxgan.data.pixels import open_image, resized, rgb_of_lab
from jaxgan.data.source import Images, fingerprint

if TYPE_CHECKING:
    from PIL import Image

DICOM = (".dcm", ".dicom")


def as_array(image: Image.Image) -> np.ndarray:
    """Pixels of an opened image with all their bits: uint16 [h, w, 1] of 16-bit grey, else uint8 [h, w, c]."""
    if image.mode.startswith("I"):
        return np.clip(np.asarray(image, np.int64), 0, 65535).astype(np.uint16)[..., None]
    if image.mode in ("P", "PA") or (image.mode in ("L", "RGB") and "transparency" in image.info):
        image = image.convert("RGBA" if image.mode == "PA" or "transparency" in image.info else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode == "La":
        image = image.convert("LA")
    elif image.mode == "LAB":
        image = rgb_of_lab(image)
    elif image.mode not in ("L", "LA", "RGB", "RGBA"):
        image = image.convert("RGBA" if "a" in image.mode.lower() else "RGB")
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def deep_pixels(image: Image.Image, resolution: int | None) -> np.ndarray:
    """A grey image as uint16 [h, w, 1]; 8 bits are brought to that range, and alpha is laid over white.

    Args:
      image: as `open_image` gives it.
      resolution: side of the central square to which it is scaled; None: it stays as it is.
    """
    pixels = as_array(image)
    if pixels.dtype == np.uint8:
        pixels = pixels.astype(np.uint16) * 257
    return resized(pixels[None], resolution, 1)[0]


def read_dicom(path: pathlib.Path) -> tuple[Any, np.ndarray]:
    """A DICOM file and its stored values [h, w], of one grey frame.

    Raises:
      InputError: without the package pydicom, or for another form.
      Exception: of many types, for a file that cannot be read.
    """
    need(["pydicom"], "a DICOM file", "pip install 'jaxgan[restore]'")
    import pydicom  # pyright: ignore[reportMissingImports]

    found = pydicom.dcmread(path)
    values = found.pixel_array
    if values.ndim != 2 or getattr(found, "SamplesPerPixel", 1) != 1:
        raise InputError(f"expected one grey frame, got values of shape {values.shape}")
    return found, values


def spread(values: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Values [h, w] over all of 16 bits by their own range, uint16 [h, w, 1]; and the way back to their units and type.

    Whole numbers of at most 65,536 steps come back as they were.
    """
    low, high = float(values.min()), float(values.max())
    span = (high - low) or 1.0
    deep = np.round((values.astype(np.float64) - low) / span * 65535).astype(np.uint16)

    def back(pixels: np.ndarray) -> np.ndarray:
        found = pixels.astype(np.float64) / 65535 * span + low
        return (np.round(found) if np.issubdtype(values.dtype, np.integer) else found).astype(values.dtype)

    return deep[..., None], back


def load_deep(path: str, *, resolution: int | None, skip_broken: bool, follow_links: bool = False) -> Images:
    """A folder of grey images of 16 bits, uint16; those of 8 bits are brought to that range.

    Values of DICOM files go by each file's own range.

    Args:
      path: of the folder; all below it is read, but for hidden files.
      resolution: as of `open_source`.
      skip_broken: as of `open_source`.
      follow_links: as of `open_source`.

    Raises:
      InputError: for a folder without images, a broken one, one in colour, or sizes that differ.
    """
    root, shown = expanded(path), printable(path)
    names = []
    if root.is_dir():
        files = listing(root, follow_links=follow_links)
        scans = [name for name in files.others if name.lower().endswith(DICOM)]
        names = [root / name for name in sorted([*files.names, *scans])]
    if not names:
        raise InputError(f"data.source: expected a folder of 16-bit images, got {shown!r}, which holds none")
    images, skipped = [], 0
    for name in names:
        try:
            images.append(_deep(name, resolution))
        except InputError as error:
            text = str(error)
            if not text.startswith("expected"):
                raise
            raise InputError(f"data.source: {text}, of {printable(name)!r}") from error
        except Exception as error:  # damaged files surface as many types
            if not skip_broken:
                raise InputError(
                    f"data.source: cannot read image {printable(name)!r} ({first_line(error)}); --data.skip-broken "
                    "leaves such out"
                ) from error
            skipped += 1
            continue
        if images[-1].shape != images[0].shape:
            raise InputError(
                f"data.resolution: expected a size, as {printable(name)!r} is not {images[0].shape[0]}x"
                f"{images[0].shape[1]}; say one, such as --data.resolution 64"
            )
    if not images:
        raise InputError(f"data.source: expected images in {shown!r}, found none that can be read")
    pixels = np.stack(images)
    return Images(
        f"deep:{shown}",
        pixels,
        None,
        class_names=(),
        fingerprint=fingerprint(pixels),
        skipped=skipped,
        notes=(*unread(skipped), *all_but_black(pixels)),
    )


def _deep(name: pathlib.Path, resolution: int | None) -> np.ndarray:
    if name.suffix.lower() in DICOM:
        pixels = spread(read_dicom(name)[1])[0]
    else:
        pixels = as_array(open_image(name.read_bytes()))
        if pixels.shape[2] != 1:
            raise InputError(
                f"data.source: expected grey images, got {printable(name)!r} of {pixels.shape[2]} channels"
            )
        if pixels.dtype == np.uint8:
            pixels = pixels.astype(np.uint16) * 257
    return resized(pixels[None], resolution, None)[0]
