"""One image file: read without losing bits, and written in the form that it had."""

from __future__ import annotations

import io
import pathlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from jaxgan.common.errors import InputError
from jaxgan.common.files import write_atomically
from jaxgan.data.files.deep import DICOM, as_array, read_dicom, spread
from jaxgan.data.pixels import image_suffixes, is_rounded, open_image, opened_header
from jaxgan.report.pictures import png

NPZ = ".npz"
_DEEP = (".png", ".tif", ".tiff")  # which hold 16 bits
_QUALITY = 95


@dataclass(frozen=True)
class Opened:
    """The images of a file.

    Attributes:
      images: uint8 or uint16 [h, w, 1 to 4 channels] each.
      write: (path, images of the same types and channels, or others) -> nothing; writes a file of the same form.
      left_out: pages or frames after the first, which are not among the images.
      rounded: whether they have 16 bits in colour or with alpha, of which 8 are read.
    """

    images: list[np.ndarray]
    write: Callable[[pathlib.Path, list[np.ndarray]], None]
    left_out: int = 0
    rounded: bool = False


def suffixes() -> tuple[str, ...]:
    """Of the files that are read."""
    return (*image_suffixes(), NPZ, *DICOM)


def read(path: pathlib.Path) -> Opened:
    """Reads a file of any form that `suffixes` names.

    Raises:
      Exception: of many types, for a file that cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix == NPZ:
        return _of_npz(path)
    if suffix in DICOM:
        return _of_dicom(path)
    data = path.read_bytes()
    image = open_image(data)
    pixels, profile = as_array(image), image.info.get("icc_profile")
    grey = pixels.shape[2] < 3
    if pixels.dtype != np.uint8 or image.mode not in (("L", "LA") if grey else ("RGB", "RGBA")):
        profile = None  # of other values than these

    def write(out: pathlib.Path, images: list[np.ndarray]) -> None:
        own = profile if (images[0].shape[2] < 3) == grey else None
        write_image(out, images[0], own)

    rounded = pixels.dtype == np.uint8 and is_rounded(opened_header(data))
    return Opened([pixels], write, _pages(data) - 1, rounded)


def _pages(data: bytes) -> int:
    """Pages of a document or frames of an animation; the second picture of a camera's is none."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    except Exception:  # of what `open_image` mended, or damage after the first
        return 1


def read_mask(path: pathlib.Path) -> np.ndarray:
    """[h, w], true where a mask file is at least half white."""
    pixels = as_array(open_image(path.read_bytes()))
    grey = pixels[..., :1] if pixels.shape[2] < 3 else pixels[..., :3].mean(2, keepdims=True)
    return grey[..., 0] >= np.iinfo(pixels.dtype).max / 2


def write_image(path: pathlib.Path, pixels: np.ndarray, profile: bytes | None = None) -> None:
    """Writes pixels in the form that the path's suffix says, with the colour profile (ICC) that they are of.

    Raises:
      InputError: for a form that cannot hold them.
    """
    suffix, channels = path.suffix.lower(), pixels.shape[2]
    path.parent.mkdir(parents=True, exist_ok=True)
    if suffix == ".png" and profile is None:
        write_atomically(path, png(pixels))
        return
    if pixels.dtype == np.uint16 and not (suffix in _DEEP and channels == 1):
        raise InputError(
            f"out: {suffix} files hold no 16 bits of {channels} channels; convert the input to PNG"
        )
    if suffix in (".jpg", ".jpeg") and channels in (2, 4):
        raise InputError("out: JPEG files hold no alpha; convert the input to PNG")
    image, buffer = Image.fromarray(pixels[..., 0] if channels == 1 else pixels), io.BytesIO()
    form = Image.registered_extensions().get(suffix, "")
    if form not in Image.SAVE:
        raise InputError(
            f"out: expected a suffix of images that Pillow writes, got {suffix!r}; convert the input to PNG"
        )
    options = {"JPEG": {"quality": _QUALITY}, "WEBP": {"lossless": True}, "TIFF": {"compression": "tiff_lzw"}}
    options["PNG"] = {"optimize": True}
    own = {} if profile is None or form not in options else {"icc_profile": profile}
    image.save(buffer, form, **options.get(form, {}), **own)
    write_atomically(path, buffer.getvalue())


# --- arrays ----------------------------------------------------------------------------------------


def _of_npz(path: pathlib.Path) -> Opened:
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive}
    if "images" not in arrays:
        raise InputError(f"expected an array 'images', found {sorted(arrays)}")
    x = arrays["images"]
    if x.ndim not in (3, 4):
        raise InputError(f"expected images [n, h, w] or [n, h, w, c], got shape {x.shape}")
    if x.dtype.kind == "f":
        return _of_reals(arrays, x)
    if x.dtype not in (np.uint8, np.uint16):
        raise InputError(f"expected uint8, uint16 or float images, got {x.dtype}")
    flat = x.ndim == 3

    def write(out: pathlib.Path, images: list[np.ndarray]) -> None:
        made = np.stack(images)
        _save(out, {**arrays, "images": made[..., 0] if flat and made.shape[-1] == 1 else made})

    return Opened([one[..., None] if flat else one for one in x], write)


def _of_reals(arrays: dict[str, np.ndarray], x: np.ndarray) -> Opened:
    """Real numbers go through in 16 bits of their own range, and come back in their own units."""
    if not np.isfinite(x).all():
        raise InputError("expected finite numbers, got some that are not")
    flat = x.ndim == 3
    deep, back = spread(x)

    def write(out: pathlib.Path, images: list[np.ndarray]) -> None:
        made = back(np.stack(images))
        _save(out, {**arrays, "images": made[..., 0] if flat and made.shape[-1] == 1 else made})

    return Opened([one if flat else one[..., 0] for one in deep], write)


def _save(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # pyright: ignore[reportArgumentType]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, buffer.getvalue())


# --- DICOM -----------------------------------------------------------------------------------------


def _of_dicom(path: pathlib.Path) -> Opened:
    """Stored values of one grey frame, in 16 bits of their own range.

    The file that is written has the same tags, and stored values of the same type: rescale and window mean what they
    meant. An image of another size has its rows, columns and spacing of pixels changed.
    """
    found, values = read_dicom(path)
    deep, back = spread(values)

    def write(out: pathlib.Path, images: list[np.ndarray]) -> None:
        made = back(images[0][..., 0])
        if found.file_meta.TransferSyntaxUID.is_compressed:
            found.decompress()
        scale = made.shape[0] / values.shape[0]
        found.Rows, found.Columns = made.shape
        if scale != 1 and "PixelSpacing" in found:
            found.PixelSpacing = [float(x) / scale for x in found.PixelSpacing]
        found.PixelData = made.tobytes()
        buffer = io.BytesIO()
        found.save_as(buffer)
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, buffer.getvalue())

    return Opened([deep], write)
