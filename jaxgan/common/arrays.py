"""Arrays that are given in Python, checked and turned to images as they are stored; mistakes are named in one line."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxgan.common.errors import InputError

_CHANNELS = (1, 2, 3, 4)


def as_pixels(images: Any) -> np.ndarray:
    """Images as they are stored: uint8 or uint16 [n, height, width, channels].

    Whole numbers stay as they are. Real numbers are rounded to 8 bits; their range is read off: [0, 1] where none is
    negative and none exceeds 1, [-1, 1] where some are negative, otherwise [0, 255]. Where hardly any is negative, or
    none by much, the range is not known.

    Args:
      images: an array, or a list of arrays of one size: [n, height, width, 1 to 4 channels] or [n, height, width].

    Raises:
      InputError: for anything else; the message names the likely mistake, and what mends it.
    """
    array = _array(images)
    array = _with_channels(array)
    if np.issubdtype(array.dtype, np.floating):
        return _rounded(array)
    return _whole(array)


def as_labels(labels: Any, n: int) -> np.ndarray:
    """Labels as they are stored: int32 [n], from 0 on, each of them taken by an example.

    Args:
      labels: whole numbers [n] or [n, 1].
      n: number of images.

    Raises:
      InputError: for anything else; the message names the likely mistake, and what mends it.
    """
    array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2 and len(array) == n:
        raise InputError(
            f"labels: expected one whole number an image, got shape {array.shape}: one-hot? labels.argmax(1) mends it"
        )
    if array.shape != (n,):
        raise InputError(f"labels: expected one for each of {n} images, got shape {array.shape}")
    if array.dtype.kind in "USO":
        raise InputError(
            f"labels: expected whole numbers, got {_kind(array)}: names? np.unique(labels, return_inverse=True)[1] "
            "numbers them"
        )
    if array.dtype.kind == "f" and not (np.isfinite(array).all() and (array == np.round(array)).all()):
        odd = array[~np.isfinite(array) | (array != np.round(array))][0]
        raise InputError(
            f"labels: expected whole numbers, got {array.dtype} such as {odd:g}: are these the targets of a regression?"
        )
    if array.dtype.kind not in "iubf":
        raise InputError(f"labels: expected whole numbers, got {array.dtype}")
    found = np.unique(array.astype(np.int64))
    if found[0] < 0:
        raise InputError(
            f"labels: expected 0 or more, got {found[0]}: do these images have no label? leave them out"
        )
    if found[-1] + 1 != len(found):
        missing = int(np.setdiff1d(np.arange(min(found[-1], len(found)) + 1), found)[0])
        why = (
            "do they count from 1? labels - 1 mends it"
            if found[0] == 1 and found[-1] == len(found)
            else ("np.unique(labels, return_inverse=True)[1] numbers those that there are")
        )
        raise InputError(
            f"labels: expected every number from 0 to {found[-1]}, got none that is {missing}: {why}"
        )
    return array.astype(np.int32)


def _array(images: Any) -> np.ndarray:
    try:
        array = np.asarray(images)
    except (
        ValueError,
        TypeError,
        RuntimeError,
    ) as error:  # ragged lists; tensors that cannot be read from here
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"images: expected an array [n, height, width, channels], got {type(images).__name__} ({reason[:120]}): do "
            "the images differ in size, or lie on another device?"
        ) from error
    if array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    if array.dtype.kind not in "iuf":
        mend = (
            ": images of black and white? images.astype(np.uint8) * 255 mends it"
            if array.dtype == bool
            else ""
        )
        raise InputError(f"images: expected numbers, got {_kind(array)} of shape {array.shape}{mend}")
    return array


def _kind(array: np.ndarray) -> str:
    return "text" if array.dtype.kind in "US" else str(array.dtype)


def _with_channels(array: np.ndarray) -> np.ndarray:
    shape, expected = (
        array.shape,
        "images: expected [n, height, width, channels] or [n, height, width], got shape",
    )
    if 0 in shape:
        raise InputError(f"{expected} {shape}, which is empty")
    if array.ndim == 2:
        side = round(shape[1] ** 0.5)
        flat = f": flattened? images.reshape(-1, {side}, {side}) mends it" if side**2 == shape[1] else ""
        raise InputError(f"{expected} {shape}{flat or ': one image, or points?'}")
    if array.ndim == 3:
        if shape[2] in _CHANNELS:
            raise InputError(f"{expected} {shape}: one image of {shape[2]} channels? many are needed")
        if shape[0] in _CHANNELS and shape[1] == shape[2]:
            raise InputError(f"{expected} {shape}: one image, channels first? many are needed")
        array = array[..., None]
    elif array.ndim != 4:
        raise InputError(f"{expected} {shape}")
    elif shape[3] not in _CHANNELS:
        first = (
            ": channels first? images.transpose(0, 2, 3, 1) puts them last" if shape[1] in _CHANNELS else ""
        )
        raise InputError(f"{expected} {shape}{first or ', with more than 4 channels'}")
    elif shape[1] in _CHANNELS and shape[2] > 4:
        raise InputError(f"{expected} {shape}: rows of {shape[1]}? images.transpose says how the axes lie")
    if len(array) < 2:
        raise InputError(f"images: expected at least 2, got {len(array)}")
    return array


def _whole(array: np.ndarray) -> np.ndarray:
    low, high = int(array.min()), int(array.max())
    if low == high:
        raise InputError(f"images: expected pictures, got {low} in all pixels")
    if low < 0:
        raise InputError(f"images: expected pixels from 0 to 255, got {array.dtype} from {low} to {high}")
    if high == 1:
        raise InputError(
            f"images: expected pixels from 0 to 255, got {array.dtype} with none above 1: were they cast from [0, 1]? "
            "multiply by 255 before"
        )
    if high > 65535:
        raise InputError(f"images: expected pixels of 8 or 16 bits, got {array.dtype} up to {high}")
    if array.dtype in (np.uint8, np.uint16):
        return array
    if 255 < high < 1024:  # of 65,535 that would be all but black
        raise InputError(
            f"images: expected pixels from 0 to 255, got {array.dtype} from {low} to {high}: a few beyond 255? "
            "images.clip(0, 255) mends it; 10 bits? np.uint16(images * (65535 / 1023)) brings them to 16"
        )
    return array.astype(np.uint8 if high < 256 else np.uint16)


def _rounded(array: np.ndarray) -> np.ndarray:
    finite = np.isfinite(array)
    if not finite.all():
        bad = ~finite.reshape(len(array), -1).all(1)
        what = "NaN" if np.isnan(array).any() else "infinity"
        raise InputError(
            f"images: expected finite numbers, got {what} in {bad.sum()} of {len(array)} images, the first of them "
            f"number {int(bad.argmax())}"
        )
    low, high, slack = float(array.min()), float(array.max()), 1e-3
    got = f"got {array.dtype} from {low:.4g} to {high:.4g}"
    if low == high:
        raise InputError(f"images: expected pictures, got {low:.4g} in all pixels")
    ranges = "images: expected real numbers in [0, 1], [-1, 1] or [0, 255]"
    if low < 0:
        _check_sign(array, low, high, f"{ranges}, {got}")
        if low < -1 - slack or high > 1 + slack:
            why = (
                "standardised by mean and deviation? undo that"
                if low > -10 and high < 10
                else "undo its scaling"
            )
            raise InputError(f"{ranges}, {got}: {why}")
        offset, factor = 1.0, 127.5
    elif high <= 1 + slack:
        offset, factor = 0.0, 255.0
    elif high < 2:
        raise InputError(f"{ranges}, {got}: a little beyond 1? np.clip(images, 0, 1) mends it")
    elif high <= 255.5:
        offset, factor = 0.0, 1.0
    else:
        few = high < 4096  # of 65,535 that would be all but black
        bits = 10 if high < 1024 else 12
        mend = (
            f"{bits} bits? images / {2**bits - 1} mends it"
            if few
            else "16 bits? images.astype(np.uint16) keeps them"
        )
        raise InputError(f"{ranges}, {got}: {mend}")
    pixels = np.empty(array.shape, np.uint8)
    for start in range(0, len(array), 1024):  # of many images, whole copies in float32 would not fit
        part = (array[start : start + 1024].astype(np.float32) + np.float32(offset)) * np.float32(factor)
        pixels[start : start + 1024] = np.clip(np.round(part), 0, 255)
    return pixels


def _check_sign(array: np.ndarray, low: float, high: float, expected: str) -> None:
    """Raises InputError where some of the real numbers are negative by accident, as after a change of size."""
    below = sum(int((part < 0).sum()) for part in array)  # of one mask for all, memory would not last
    if not (low > -0.2 or (low >= -1 and below < 1e-3 * array.size)):
        return
    most = 1 if high < 2 else 255
    raise InputError(
        f"{expected}, with {below:,} of {array.size:,} below 0: a little below 0? np.clip(images, 0, {most}) mends it"
        + ("; in [-1, 1]? (images + 1) / 2 says so" if high <= 1.001 else "")
    )
