"""Images from files, in the form that a run's data have."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.common.files import expanded, printable, read_bytes
from jaxgan.data import Spec
from jaxgan.data.pixels import BrokenImage, check_images, image_suffixes, open_image, resized

LARGEST = 2**28  # bytes of a file


def read_targets(paths: Sequence[pathlib.Path], spec: Spec) -> tuple[list[str], np.ndarray]:
    """The images in files and folders, as the data of a run are stored.

    Args:
      paths: image files of every format that Pillow reads, and folders of them (without their sub-folders).
      spec: of the data of the run.

    Returns:
      The names of the files, without suffixes and each once, and uint8 or uint16 [n, h, w, c].

    Raises:
      InputError: for a path where there is nothing, a folder without images, or a file that cannot be read as an image.
    """
    files: list[pathlib.Path] = []
    for typed in paths:
        path = expanded(typed)
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.suffix.lower() in image_suffixes())
            if not inside:
                raise InputError(f"images: expected images in the folder {printable(path)!r}, got none")
            files += inside
        else:
            files.append(path)
    if not files:
        raise InputError("images: expected at least one file, got none")
    images = [fitted(_decoded(file), spec) for file in files]
    return _unique([file.stem for file in files]), np.stack(images)


def fitted(image: np.ndarray, spec: Spec) -> np.ndarray:
    """An image [h, w, c] of 8 or 16 bits, its central part of the run's proportions, in the run's size and type.

    Raises:
      InputError: for an array that is no image.
    """
    height, width, channels = spec.shape
    image = check_images("images", image[None])[0]
    h, w = image.shape[:2]
    if h * width > w * height:
        keep = max(round(w * height / width), 1)
        image = image[(h - keep) // 2 : (h - keep) // 2 + keep]
    elif h * width < w * height:
        keep = max(round(h * width / height), 1)
        image = image[:, (w - keep) // 2 : (w - keep) // 2 + keep]
    if height == width:
        image = resized(image[None], height, channels)[0]
    else:
        image = _scaled(resized(image[None], None, channels)[0], height, width)
    if image.dtype == spec.stored:
        return image
    return (image // 257 if spec.stored == "uint8" else image.astype(np.uint16) * 257).astype(spec.stored)


def _scaled(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scaled to a size of other proportions than a square's, channel by channel."""
    from PIL import Image

    if image.shape[:2] == (height, width):
        return image
    most = np.iinfo(image.dtype).max
    planes = [
        np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.LANCZOS))
        for plane in np.moveaxis(image.astype(np.float32), 2, 0)
    ]
    return np.clip(np.round(np.stack(planes, axis=2)), 0, most).astype(image.dtype)


def _decoded(file: pathlib.Path) -> np.ndarray:
    """uint8 [h, w, c], or uint16 [h, w, 1] of grey of 16 bits."""
    try:
        data = read_bytes("images", file, largest=LARGEST)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(
            f"images: expected a file or a folder, got nothing at {printable(file)!r}"
        ) from error
    try:
        image: Any = open_image(data)
    except BrokenImage as error:
        raise InputError(f"images: cannot read {printable(file)!r}: {error}") from error
    if image.mode.startswith("I"):
        return np.asarray(image).astype(np.uint16)[:, :, None]
    transparent = "A" in image.mode or "a" in image.mode or "transparency" in image.info
    grey = image.mode in ("1", "L")
    pixels = np.asarray(image.convert("RGBA" if transparent else "L" if grey else "RGB"), np.uint8)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _unique(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    given = []
    for name in names:
        name = "".join(c if c.isalnum() or c in "-_." else "_" for c in name) or "image"
        seen[name] = seen.get(name, 0) + 1
        given.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return given


def read_attributes(path: pathlib.Path, spec: Spec) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Images and what is true of them, from a JSON file {image file: {attribute: true or false}}.

    The files are named from the folder of the JSON file on. Attributes whose values are neither true, false, 0 nor 1 in
    all images are left out, and so are those that all images have or lack.

    Args:
      path: of the JSON file.
      spec: of the run, in whose form the images are given, as uint8.

    Returns:
      uint8 [n, h, w, c], and by name bool [n].

    Raises:
      InputError: for a file that holds something else, an image that cannot be read, or no attribute that is left.
    """
    try:
        rows = json.loads(read_bytes("attributes", expanded(path), largest=LARGEST))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"attributes: expected a file, got nothing at {printable(path)!r}") from error
    except ValueError as error:
        raise InputError(f"attributes: {printable(path)!r} is no JSON: {error}") from error
    if not isinstance(rows, dict) or not rows or not all(isinstance(row, dict) for row in rows.values()):
        raise InputError(
            f"attributes: expected {{image file: {{attribute: true or false}}}} in {printable(path)!r}"
        )
    names = [name for name in next(iter(rows.values())) if all(name in row for row in rows.values())]
    columns = {name: [row[name] for row in rows.values()] for name in names}
    binary = {
        name: v
        for name, v in columns.items()
        if all(x in (True, False, 0, 1) for x in v) and len(set(v)) == 2
    }
    if not binary:
        raise InputError(
            f"attributes: expected at least one that is true of some and false of other images in {printable(path)!r}"
        )
    images = np.stack([fitted(_decoded(expanded(path).parent / name), spec) for name in rows])
    eight = images if images.dtype == np.uint8 else (images // 257).astype(np.uint8)
    return eight, {name: np.asarray(values, bool) for name, values in binary.items()}
