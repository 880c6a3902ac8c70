"""What image files have that reading them takes away: that they are grey, their bits beyond 8, and what is clear."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from jaxgan.common.progress import counted
from jaxgan.data.pixels import is_deep, is_grey, is_rounded, opened_header

if TYPE_CHECKING:
    from PIL import Image

GREY, DEEP, CLEAR, ALONE, DARK = 1, 2, 4, 8, 16
"""Parts of the form of an image.

It has no colour, more than 8 bits a channel, pixels that are not opaque, one channel of more than 8 bits, and in this
no value of more than 12.
"""
_NAMES = {GREY: "grey", DEEP: "deep", CLEAR: "clear", ALONE: "alone", DARK: "dark"}
_MOST_OF_12_BITS = 4095
_CALLED = {3: "RGB", 4: "RGBA"}
_DEEP = "the source deep:PATH"


def form_of(data: bytes, image: Image.Image) -> int:
    """The form of an image, a sum of the parts that it has.

    Args:
      data: of its file.
      image: the same, decoded.
    """
    header = opened_header(data)
    form = GREY * is_grey(header, image) + DEEP * is_rounded(header) + ALONE * is_deep(header)
    if image.mode.startswith("I") and np.max(image.getextrema()) <= _MOST_OF_12_BITS:
        form += DARK
    if image.mode in ("LA", "RGBA") or "transparency" in image.info:
        if image.mode.startswith("I"):  # which Pillow does not convert; one of its values is clear
            clear = bool((np.asarray(image) == image.info["transparency"]).any())
        else:
            opacity = image if image.mode in ("LA", "RGBA") else image.convert("RGBA")
            clear = opacity.getchannel("A").getextrema()[0] < 255  # pyright: ignore[reportOperatorIssue]
        form += CLEAR * clear
    return form


def counts_of(forms: Iterable[int]) -> dict[str, int]:
    """How many images have each part of a form, by name, and how many there are, "all"."""
    forms = list(forms)
    return {"all": len(forms)} | {
        name: sum(bool(own & part) for own in forms) for part, name in _NAMES.items()
    }


def changes(
    counts: Mapping[str, int], channels: int, *, deep: str = _DEEP, bits: int = 8, run: bool = False
) -> tuple[str, ...]:
    """What reading changed in images, in words, with the flags that change it; nothing where all is kept.

    Args:
      counts: of their forms, as of `counts_of`.
      channels: that they are read with.
      deep: what has grey images keep more than 8 bits.
      bits: that they are read with.
      run: they are read as those of a run, which no flag changes.
    """
    if run:
        return tuple(
            f"{without_flags(note)}, as this run's images are"
            for note in changes(counts, channels, bits=bits)
        )
    n, notes = counts.get("all", 0), []
    clear = counts.get("clear", 0)
    grey = 0 < n == counts.get("grey") and channels in _CALLED
    rounded = counts.get("deep", 0) if bits == 8 else 0
    both = rounded == n == counts.get("alone")
    if grey:
        flags = f"--data.channels {2 if clear and not both else 1}"
        flags = f"{deep} and {flags}" if both and deep == _DEEP else flags
        as_ = f"{_CALLED[channels]}{' of 8 bits' * both}"
        notes.append(f"grey images{' of 16 bits' * both} are read as {as_} ({flags}: as they are)")
    if rounded and not (grey and both):
        how = f"{deep}: kept of grey images" if counts.get("alone") else "kept of grey images alone"
        notes.append(f"16 bits are rounded to 8 of {counted(rounded, 'image')} ({how})")
    if 0 < counts.get("dark", 0) == counts.get("alone", 0):
        notes.append(
            f"no value of {counted(counts['dark'], 'image')} of 16 bits is above 4,095 of 65,535, so all is nearly "
            "black: values of 12 bits? scale them to 16"
        )
    if clear and channels in (1, 3):
        kept = 2 if channels == 1 or grey else 4
        notes.append(
            f"transparent pixels are laid over white in {counted(clear, 'image')} (--data.channels {kept}: they are "
            "kept)"
        )
    return tuple(notes)


def all_but_black(images: np.ndarray) -> tuple[str, ...]:
    """A note on images of 16 bits with values of 12 or fewer, which are all but black; none otherwise."""
    if images.dtype != np.uint16 or not images.size or (most := int(images.max())) > _MOST_OF_12_BITS:
        return ()
    bits = max(most.bit_length(), 1)
    return (
        f"no value is above {most:,} of 65,535, so all is nearly black: values of {bits} bits? scale them to 16",
    )


def without_flags(note: str) -> str:
    """A note without the flags of `jaxgan train` that stand in its brackets."""
    return re.sub(r" \((--data\.|the source |kept of )[^)]*\)", "", note)


def grey_in_colour(depth: int, channels: int | None) -> tuple[str, ...]:
    """A note where images of one channel, or of grey and alpha, are read in colour; none otherwise."""
    if depth > 2 or (channels or depth) < 3:
        return ()
    return changes({"all": 1, "grey": 1, "clear": depth - 1}, channels or depth)[:1]
