"""Pictures: grids of images, scatter plots of points, animations of interpolations, and curves."""

from __future__ import annotations

import io
import itertools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from jaxgan.common.files import write_atomically
from jaxgan.data.pixels import from_array

_GRID_PIXELS = 640  # small images are enlarged to about this


def grid(images: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Tiles uint8 images [n, h, w, c] row by row, with a line of one pixel between them.

    Args:
      images: to tile.
      columns: images in a row; None makes the grid about square.

    Returns:
      uint8 [height, width, c].
    """
    n, h, w, c = images.shape
    columns = columns or int(np.ceil(np.sqrt(n * h / w)))
    rows = -(-n // columns)
    canvas = np.full((rows * (h + 1) + 1, columns * (w + 1) + 1, c), 40, np.uint8)
    for i, image in enumerate(images):
        y, x = (i // columns) * (h + 1) + 1, (i % columns) * (w + 1) + 1
        canvas[y : y + h, x : x + w] = image
    return canvas


def enlarged(pixels: np.ndarray, target: int = _GRID_PIXELS) -> np.ndarray:
    """Every pixel repeated a whole number of times, so that the longer side comes near `target`."""
    factor = max(1, round(target / max(pixels.shape[:2])))
    return pixels.repeat(factor, 0).repeat(factor, 1)


def png(pixels: np.ndarray) -> bytes:
    """A PNG file of uint8 [h, w, 1 or 3]."""
    buffer = io.BytesIO()
    from_array(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def pixels_of(data: bytes) -> np.ndarray:
    """uint8 [h, w, 3] of a PNG file."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def picture(examples: np.ndarray, columns: int | None = None, reference: np.ndarray | None = None) -> bytes:
    """A PNG of examples: a grid of images, or a scatter plot of points over those of `reference`."""
    if examples.ndim == 4:
        return png(enlarged(grid(examples, columns)))
    return scatter(examples, reference)


def scatter(points: np.ndarray, reference: np.ndarray | None = None) -> bytes:
    """A PNG of points [n, 2], with those of `reference` in grey behind, which also set the frame."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    frame = points if reference is None else reference
    if reference is not None:
        axes.scatter(*reference.T, s=4, c="#b9bec6", linewidths=0)
    axes.scatter(*points.T, s=4, c="#c2410c" if reference is not None else "#475569", linewidths=0)
    centre, half = (frame.max(0) + frame.min(0)) / 2, 0.62 * float(np.ptp(frame, axis=0).max()) + 1e-6
    axes.set(
        xlim=(centre[0] - half, centre[0] + half), ylim=(centre[1] - half, centre[1] + half), aspect="equal"
    )
    return png_of_figure(figure)


def png_of_figure(figure: Any, dpi: int | None = None) -> bytes:
    """A matplotlib figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi or "figure")
    return buffer.getvalue()


def save_animation(path: pathlib.Path, frames: Sequence[np.ndarray], milliseconds: int = 60) -> None:
    """Writes frames, uint8 [h, w, 1 or 3] each, as an endless animated WebP or GIF, by the file's suffix."""
    images = [from_array(frame) for frame in frames]
    kind = "GIF" if path.suffix.lower() == ".gif" else "WEBP"
    options = {} if kind == "GIF" else {"quality": 85}
    buffer = io.BytesIO()
    images[0].save(
        buffer, kind, save_all=True, append_images=images[1:], duration=milliseconds, loop=0, **options
    )
    write_atomically(path, buffer.getvalue())


def curves(panels: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]], x_label: str) -> str:
    """Line plots side by side as one SVG element: panel title -> line name -> (x, y)."""
    from matplotlib.figure import Figure

    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4.1 * columns, 2.7 * rows), layout="constrained")
    colours = ("#2563eb", "#c2410c", "#059669", "#7c3aed", "#64748b")
    for i, (title, lines) in enumerate(panels.items()):
        axes = figure.add_subplot(rows, columns, i + 1)
        for (name, (x, y)), colour in zip(lines.items(), itertools.cycle(colours), strict=False):
            axes.plot(x, y, label=name, color=colour, linewidth=1.1, marker="." if len(x) < 3 else None)
        axes.set_title(title, fontsize=10, loc="left")
        axes.set_xlabel(x_label, fontsize=8)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        if len(lines) > 1 or next(iter(lines)) != title:
            axes.legend(fontsize=8, frameon=False)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True)
    svg = buffer.getvalue()
    return svg[svg.index("<svg") :]
