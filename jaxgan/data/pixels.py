"""From an image file, or an array, to pixels of the wanted size and channels."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxgan.common.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 2**26  # of one file: beyond that it is a decompression bomb, or no training image


class BrokenImage(Exception):
    """An image file that cannot be used; says why."""


def open_image(data: bytes) -> Image.Image:
    """Decodes one file, upright by its EXIF rotation, and not past MAX_PIXELS.

    Raises:
      BrokenImage: if it cannot be decoded, or is too large.
    """
    from PIL import Image, ImageOps

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


_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def to_pixels(image: Image.Image, resolution: int | None, channels: int) -> np.ndarray:
    """Converts an image to uint8 [h, w, channels], the central square of it scaled to `resolution`.

    Channels are grey, grey and alpha, RGB, or RGBA. Without alpha, transparent pixels are laid over
    white. 16-bit grey is scaled to 8 bits; CMYK, palettes and other modes are converted. With
    `resolution` None the size is left as it is.
    """
    from PIL import Image

    if image.mode.startswith("I"):  # 16-bit grey, which a conversion by Pillow would clip at 255
        image = Image.fromarray(np.uint8(np.clip(np.asarray(image, np.float64) / 257, 0, 255) + 0.5))
    if channels in (2, 4):
        image = image.convert("RGBA")
    elif "A" in image.mode or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    pixels = np.asarray(_scaled(image.convert(_MODES[channels]), resolution), np.uint8)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _scaled(image: Image.Image, resolution: int | None) -> Image.Image:
    from PIL import Image

    if resolution is None or image.size == (resolution, resolution):
        return image
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    square = (left, top, left + side, top + side)
    return image.resize((resolution, resolution), Image.Resampling.LANCZOS, box=square)


def _to_deep_pixels(image: np.ndarray, resolution: int | None, channels: int) -> np.ndarray:
    """`to_pixels` of uint16 [h, w, c], which Pillow converts in grey only."""
    has_alpha, most = image.shape[2] in (2, 4), 65535.0
    opacity = image[:, :, -1:] / most if has_alpha else np.ones((*image.shape[:2], 1))
    colour = (image[:, :, :-1] if has_alpha else image).astype(np.float64)
    if channels < 3 and colour.shape[2] == 3:
        colour = colour @ np.array([[0.299], [0.587], [0.114]])  # as Pillow makes grey of RGB
    colour = np.broadcast_to(colour, (*colour.shape[:2], 3 if channels > 2 else 1)) * opacity
    planes = np.moveaxis(np.concatenate([colour, opacity], axis=2), 2, 0).astype(np.float32)
    from PIL import Image

    scaled = np.stack([np.asarray(_scaled(Image.fromarray(plane), resolution)) for plane in planes])
    over_black, opacity = scaled[:-1], np.clip(scaled[-1:], 0, 1)
    if channels in (2, 4):
        pixels = np.concatenate([over_black / np.maximum(opacity, 1e-6), most * opacity])
    else:
        pixels = over_black + most * (1 - opacity)
    return np.clip(np.round(np.moveaxis(pixels, 0, 2)), 0, most).astype(np.uint16)


def check_images(what: str, images: Any) -> np.ndarray:
    """Gives images [n, h, w, c] of an array that may lack the channel axis.

    Raises:
      InputError: for types other than uint8 and uint16, more than 4 channels, or no images at all.
    """
    images = np.asarray(images)
    if images.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{what}: expected uint8 images (or uint16), got {images.dtype}")
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[3] > 4:
        raise InputError(
            f"{what}: expected images of shape [n, height, width, 1 to 4 channels], got {images.shape}"
        )
    if 0 in images.shape:
        raise InputError(
            f"{what}: expected at least one image of at least one pixel, got shape {images.shape}"
        )
    return images


def resized(images: np.ndarray, resolution: int | None, channels: int | None) -> np.ndarray:
    """Converts every image as `to_pixels` does, in the type that it has; the array itself if that changes nothing."""
    same_size = resolution is None or images.shape[1:3] == (resolution, resolution)
    depth = channels or images.shape[3]
    if same_size and depth == images.shape[3]:
        return images
    if images.dtype == np.uint16:
        return np.stack([_to_deep_pixels(image, resolution, depth) for image in images])
    return np.stack([to_pixels(from_array(image), resolution, depth) for image in images])


def from_array(image: np.ndarray) -> Image.Image:
    """A Pillow image of uint8 [h, w, 1 to 4 channels], or of 16-bit grey."""
    from PIL import Image

    return Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
