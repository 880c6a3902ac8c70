"""Sheets of images for people: rows with names, columns with headings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from jaxgan.common.files import printable
from jaxgan.report import pictures

_SIDE = 96  # small images are enlarged to about this
_LETTERS = 13


def sheet(rows: Sequence[np.ndarray], names: Sequence[str] = (), heads: Sequence[str] = ()) -> np.ndarray:
    """Images in rows, with a name before each row and a heading over each column.

    Args:
      rows: each uint8 or uint16 [columns, h, w, c].
      names: of the rows; none: nothing stands before them.
      heads: of the columns; none: nothing stands over them.

    Returns:
      uint8 [height, width, 3].
    """
    shown = [pictures.displayed(row) for row in rows]
    names, heads = [[printable(text) for text in texts] for texts in (names, heads)]  # each in one line
    h, w = shown[0].shape[1:3]
    factor = max(1, round(_SIDE / max(h, w)))
    h, w, columns = h * factor, w * factor, max(len(row) for row in shown)
    font = pictures.font(_LETTERS)
    left = int(max((font.getlength(name) for name in names), default=-12)) + 12
    top = 20 if heads else 0
    canvas = Image.new("RGB", (left + columns * (w + 1), top + len(shown) * (h + 1)), "white")
    draw = ImageDraw.Draw(canvas)
    for i, row in enumerate(shown):
        y = top + i * (h + 1)
        if names:
            draw.text((left - 6, y + h / 2), names[i], "black", font, anchor="rm")
        for j, image in enumerate(row):
            rgb = np.broadcast_to(image, (*image.shape[:2], 3)).repeat(factor, 0).repeat(factor, 1)
            canvas.paste(Image.fromarray(np.ascontiguousarray(rgb)), (left + j * (w + 1), y))
    for j, text in enumerate(heads):
        while len(text) > 1 and font.getlength(text) > w + 1:
            text = text[:-1]
        draw.text((left + j * (w + 1) + w / 2, 10), text, "black", font, anchor="mm")
    return np.asarray(canvas)
