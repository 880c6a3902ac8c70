"""From an image file, or an array, to pixels of the wanted size and channels."""

from __future__ import annotations

import io
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxgan.common.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 2**26  # of one file: beyond that it is a decompression bomb, or no training image


class BrokenImage(Exception):
    """An image file that cannot be used; says why."""


_NOT_READ = {"EPS", "WMF", "MPEG", "BUFR", "GRIB", "HDF5", "PDF"}  # by other programs only, or no images
_PHOTOMETRIC = 262  # a tag of TIFF: 0 where white is zero
_BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")


@lru_cache(maxsize=1)
def _formats() -> tuple[str, ...]:
    """The formats that Pillow reads by itself."""
    from PIL import Image

    Image.init()
    return tuple(sorted(set(Image.OPEN) - _NOT_READ))


@lru_cache(maxsize=1)
def image_suffixes() -> tuple[str, ...]:
    """The suffixes of all files that Pillow reads by itself, in lower case."""
    from PIL import Image

    formats = set(_formats())
    return tuple(sorted(suffix for suffix, name in Image.registered_extensions().items() if name in formats))


def looks_like_image(head: bytes) -> bool:
    """Whether a file is an image of a common format by its first 16 bytes, whatever it is called."""
    return head.startswith(_BEGINNINGS) or head[8:12] == b"WEBP" or head[4:12] in (b"ftypavif", b"ftypavis")


def open_image(data: bytes) -> Image.Image:
    """Decodes one file, upright by its EXIF rotation, and not past MAX_PIXELS; of an animation the first frame.

    Raises:
      BrokenImage: if it cannot be decoded, is too large, or its values have no known range.
    """
    from PIL import ImageOps

    try:
        try:
            image = _loaded(data)
        except ValueError:  # Pillow takes long texts and profiles for attacks; pixels do without them
            if (bare := _without_texts(data)) == data:
                raise
            image = _loaded(bare)
        if image.mode == "F" or (image.mode == "I" and not _fits_16_bits(image)):
            raise BrokenImage(f"the range of its values is not known (mode {image.mode})")
        upright = ImageOps.exif_transpose(image)
        return _negative(upright) if _white_is_zero(image) else upright
    except BrokenImage:
        raise
    except Exception as error:  # Pillow's decoders raise many types on damaged data
        text = re.sub(r" <_io\.BytesIO.*?>", "", str(error))  # of an address that tells nobody anything
        raise BrokenImage(text or type(error).__name__) from error


def _white_is_zero(image: Image.Image) -> bool:
    """Whether it is a TIFF file of 16-bit grey that counts down from white, which Pillow turns of 8 bits alone."""
    tags: Any = getattr(image, "tag_v2", {})
    return image.mode.startswith("I;16") and tags.get(_PHOTOMETRIC) == 0


def _negative(image: Image.Image) -> Image.Image:
    from PIL import Image

    found = Image.fromarray(65535 - np.asarray(image).astype(np.uint16))
    found.info = image.info
    return found


def _fits_16_bits(image: Image.Image) -> bool:
    low, high = np.min(image.getextrema()), np.max(image.getextrema())
    return 0 <= low <= high <= 65535


def _loaded(data: bytes) -> Image.Image:
    from PIL import Image

    image = Image.open(io.BytesIO(data), formats=_formats())
    if image.width * image.height > MAX_PIXELS:
        raise BrokenImage(f"{image.width}x{image.height} pixels are more than {MAX_PIXELS}")
    raw = _raw_mode(image)
    image.load()
    clear = image.info.get("transparency")
    if clear is not None and image.mode in (
        "L",
        "RGB",
    ):  # as it is in the file, where values may have other bits
        scale = {"L;2": 85, "L;4": 17}.get(raw, 1)
        deep = raw == "RGB;16B"
        fitted = [
            min(value // 256 if deep else value * scale, 255) for value in np.atleast_1d(clear).tolist()
        ]
        image.info["transparency"] = fitted[0] if image.mode == "L" else tuple(fitted)
    return image


def _raw_mode(image: Image.Image) -> str:
    """How pixels are written in the file, such as "RGB;16B"; "" where the format does not say."""
    tiles: Any = getattr(image, "tile", ())
    if not tiles:
        return ""
    args = tiles[0][3]
    return str(args[0] if isinstance(args, tuple) and args else args)


def _without_texts(data: bytes) -> bytes:
    """A PNG file without its texts and colour profile; any other data as they are."""
    start = _BEGINNINGS[0]
    if not data.startswith(start):
        return data
    kept, at = [start], len(start)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] not in (b"tEXt", b"zTXt", b"iTXt", b"iCCP"):
            kept.append(data[at:end])
        at = end
    return b"".join(kept)


def opened_header(data: bytes) -> Image.Image:
    """An image of which the header alone is read: its size, mode and form, which decoding may change."""
    from PIL import Image

    try:
        return Image.open(io.BytesIO(data), formats=_formats())
    except ValueError:
        return Image.open(io.BytesIO(_without_texts(data)), formats=_formats())


def header(data: bytes) -> tuple[int, int]:
    """Height and width of an image, upright or not."""
    image = opened_header(data)
    return image.height, image.width


def is_grey_file(data: bytes) -> bool:
    """Whether an image has no colour, by its header and palette: 1, L, LA, 16 bit, or a palette of greys."""
    return is_grey(opened_header(data))


def is_grey(image: Image.Image, palette_of: Image.Image | None = None) -> bool:
    """As of `is_grey_file`, of an image of which the header is read; `palette_of` is the same, decoded."""
    if _raw_mode(image) == "LA;16B":  # which Pillow opens as RGBA
        return True
    if image.mode in ("P", "PA"):
        has_palette = image if palette_of is None else palette_of
        palette = np.asarray(has_palette.getpalette("RGB") or [0, 1, 2]).reshape(-1, 3)
        return bool((palette == palette[:, :1]).all())
    return image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I")


def is_deep_file(data: bytes) -> bool:
    """Whether an image is grey of more than 8 bits, by its header."""
    return is_deep(opened_header(data))


def is_deep(image: Image.Image) -> bool:
    """As of `is_deep_file`, of an image of which the header is read."""
    return image.mode.startswith("I")


def is_rounded(image: Image.Image) -> bool:
    """Whether an image of which the header is read has more than 8 bits a channel, grey or in colour."""
    return is_deep(image) or re.search(";16[BLN]$", _raw_mode(image)) is not None or _is_deep_ppm(image)


def _is_deep_ppm(image: Image.Image) -> bool:
    tiles: Any = getattr(image, "tile", ())
    if not tiles or not tiles[0][0].startswith("ppm"):
        return False
    args = tiles[0][3]
    return isinstance(args, tuple) and args[1] > 255  # the largest value; maps of black and white have none


_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def to_pixels(image: Image.Image, resolution: int | None, channels: int) -> np.ndarray:
    """Converts an image to uint8 [h, w, channels], the central square of it scaled to `resolution`.

    Channels are grey, grey and alpha, RGB, or RGBA. Without alpha, transparent pixels are laid over
    white. 16-bit grey is scaled to 8 bits; CMYK, palettes and other modes are converted. With
    `resolution` None the size is left as it is.
    """
    from PIL import Image

    if image.mode.startswith("I"):  # 16-bit grey, which a conversion by Pillow would clip at 255
        image = _deep_grey(image)
    elif image.mode == "La":
        image = image.convert("LA")
    elif image.mode == "LAB":
        image = rgb_of_lab(image)
    if channels in (2, 4):
        image = image.convert("RGBA")
    elif "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    pixels = np.asarray(_scaled(image.convert(_MODES[channels]), resolution), np.uint8)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def rgb_of_lab(image: Image.Image) -> Image.Image:
    """A CIE Lab image in sRGB, which a conversion by Pillow refuses."""
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    assert converted is not None
    return converted


def _deep_grey(image: Image.Image) -> Image.Image:
    """16-bit grey as 8 bits, with alpha where one of its values stands for transparency."""
    from PIL import Image

    values = np.asarray(image, np.float64)
    grey = Image.fromarray(np.uint8(np.clip(values / 257, 0, 255) + 0.5))
    clear = image.info.get("transparency")
    if clear is None:
        return grey
    return Image.merge("LA", (grey, Image.fromarray(np.uint8(255 * (values != clear)))))


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


_MOST_ROWS = 2048  # of one picture without colours


def is_one_picture(shape: tuple[int, ...], n: int | None = None) -> bool:
    """Whether an array of images holds one picture [h, w, c], rather than many [n, h, w].

    Args:
      shape: of the array.
      n: the number of images, where it is known.
    """
    if len(shape) != 3 or shape[1] <= 4 or shape[2] not in (1, 2, 3, 4) or n == shape[0]:
        return False  # no row of 4 pixels is an image
    height, width, channels = shape
    return channels > 2 or (height <= _MOST_ROWS and height <= 2 * width and width <= 2 * height)


def check_images(what: str, images: Any, n: int | None = None) -> np.ndarray:
    """Gives images [n, h, w, c] of an array that may lack the channel axis, or be one picture [h, w, c].

    Args:
      what: whose images they are, for messages.
      images: the array.
      n: their number, where it is known.

    Raises:
      InputError: for types other than uint8 and uint16, more than 4 channels, or no images at all.
    """
    images = np.asarray(images)
    if is_one_picture(images.shape, n):
        images = images[None]
    if images.dtype.kind == "u" and images.dtype.itemsize == 2:
        images = images.astype(np.uint16, copy=False)  # of either byte order
    if images.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{what}: expected uint8 images (or uint16), got {images.dtype}")
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[3] > 4:
        first = images.ndim == 4 and images.shape[1] <= 4
        hint = "; the channels come last: images.transpose(0, 2, 3, 1)" if first else ""
        raise InputError(
            f"{what}: expected images of shape [n, height, width, 1 to 4 channels], got {images.shape}{hint}"
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
