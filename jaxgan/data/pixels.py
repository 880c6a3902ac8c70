"""From an image file, or an array, to uint8 pixels of the wanted size and channels."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from jaxgan.common.errors import InputError

MAX_PIXELS = 2**26  # of one file: beyond that it is a decompression bomb, or no training image


class BrokenImage(Exception):
    """An image file that cannot be used; says why."""


def open_image(data: bytes) -> Image.Image:
    """Decodes one file, upright by its EXIF rotation, and not past MAX_PIXELS.

    Raises:
      BrokenImage: if it cannot be decoded, or is too large.
    """
    try:
        image = Image.open(io.BytesIO(data))
        if image.width * image.height > MAX_PIXELS:
            raise BrokenImage(f"{image.width}x{image.height} pixels are more than {MAX_PIXELS}")
        image.load()
        return ImageOps.exif_transpose(image)
    except BrokenImage:
        raise
    except Exception as error:  # Pillow's decoders raise many types on damaged data
        raise BrokenImage(str(error) or type(error).__name__) from error


def is_grey(image: Image.Image) -> bool:
    """Whether an image has no colour by its mode: 1, L, LA or 16 bit."""
    return image.mode in ("1", "L", "LA") or image.mode.startswith("I")


def to_pixels(image: Image.Image, resolution: int | None, channels: int) -> np.ndarray:
    """uint8 [h, w, channels]: converted, the central square scaled to `resolution`.

    Transparent pixels are laid over white; 16-bit grey is scaled to 8 bits; CMYK, palettes and
    other modes are converted to RGB. With `resolution` None the size is left as it is.
    """
    image = _opaque(image).convert("L" if channels == 1 else "RGB")
    if resolution is not None and image.size != (resolution, resolution):
        side = min(image.size)
        left, top = (image.width - side) / 2, (image.height - side) / 2
        square = (left, top, left + side, top + side)
        image = image.resize((resolution, resolution), Image.Resampling.LANCZOS, box=square)
    pixels = np.asarray(image, np.uint8)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey, which a conversion by Pillow would clip at 255
        return Image.fromarray(np.uint8(np.clip(np.asarray(image, np.float64) / 257, 0, 255) + 0.5))
    if "A" in image.mode or "transparency" in image.info:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image


def check_images(what: str, images: Any) -> np.ndarray:
    """uint8 [n, h, w, c] from an array that may lack the channel axis.

    Raises:
      InputError: for other types or shapes, or no images at all.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise InputError(f"{what}: expected uint8 images (pixels 0 to 255), got {images.dtype}")
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        raise InputError(f"{what}: expected images of shape [n, height, width, 1 or 3], got {images.shape}")
    if 0 in images.shape:
        raise InputError(
            f"{what}: expected at least one image of at least one pixel, got shape {images.shape}"
        )
    return images


def resized(images: np.ndarray, resolution: int | None, channels: int | None) -> np.ndarray:
    """Every image through `to_pixels`; the array itself where that would change nothing."""
    same_size = resolution is None or images.shape[1:3] == (resolution, resolution)
    depth = channels or images.shape[3]
    if same_size and depth == images.shape[3]:
        return images
    return np.stack([to_pixels(from_array(image), resolution, depth) for image in images])


def from_array(image: np.ndarray) -> Image.Image:
    """A Pillow image of uint8 [h, w, 1 or 3]."""
    return Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
