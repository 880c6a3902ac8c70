"""Pictures: grids of images, plots of points, and animations of interpolations."""

from __future__ import annotations

import functools
import io
import pathlib
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jaxgan.common.files import write_atomically
from jaxgan.common.packages import need
from jaxgan.data import Modality
from jaxgan.data.pixels import from_array
from jaxgan.report import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GRID_PIXELS = 640  # small images are enlarged to about this
_CAPTION = 24  # pixels of a line of text
_GREY = "#7a889d"  # of letters: about as far from white as from a dark page
_TILE = 4  # pixels of a square of the checkerboard
_FAST = {"compress_type": 3}  # zlib's Z_RLE: as small for enlarged pixels as level 9, ten times faster


# --- examples of any modality ----------------------------------------------------------------------


def picture(
    examples: np.ndarray,
    modality: Modality,
    columns: int | None = None,
    reference: np.ndarray | None = None,
) -> bytes | None:
    """Draws examples the way their modality is drawn.

    Args:
      examples: [n, ...] as they are stored.
      modality: of the examples.
      columns: examples in a row, where they stand in rows; None makes these about as many as the columns.
      reference: examples to compare them with, where both are drawn on top of each other.

    Returns:
      A PNG file; None if nothing draws this modality.
    """
    draw = modality.draw or DRAWERS.get(modality.name)
    return None if draw is None else draw(examples, columns, reference)


def is_drawn(modality: Modality) -> bool:
    """Whether `picture` draws examples of this modality."""
    return modality.draw is not None or modality.name in DRAWERS


def _draw_images(images: np.ndarray, columns: int | None, reference: np.ndarray | None) -> bytes:
    return png(enlarged(grid(images, columns)))


def _draw_points(points: np.ndarray, columns: int | None, reference: np.ndarray | None) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), dpi=110, layout="constrained")
    draw_points(figure.add_subplot(), points, reference)
    return png_of_figure(on_any_ground(figure))


DRAWERS: dict[str, Callable[[np.ndarray, int | None, np.ndarray | None], bytes]] = {
    "image": _draw_images,
    "point": _draw_points,
    "pair": _draw_images,
    "translated image": _draw_images,
}
"""Name of a modality -> (examples, columns, reference) -> a PNG file, as of `picture`."""


# --- images ----------------------------------------------------------------------------------------


def displayed(images: np.ndarray) -> np.ndarray:
    """Turns images [..., h, w, 1 to 4 channels] of 8 or 16 bits to what a screen shows: uint8 of 1 or 3 channels.

    Transparent pixels show a grey and white checkerboard.
    """
    if images.dtype == np.uint16:
        images = ((images.astype(np.uint32) + 128) // 257).astype(np.uint8)
    h, w, c = images.shape[-3:]
    if c in (1, 3):
        return images
    rows, columns = np.indices((h, w, 1))[:2] // _TILE
    board = 255.0 - 51 * ((rows + columns) % 2)
    opacity = images[..., -1:] / 255
    return np.round(images[..., :-1] * opacity + board * (1 - opacity)).astype(np.uint8)


def grid(images: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Tiles images row by row, with a line of one pixel between them.

    Args:
      images: uint8 or uint16 [n, h, w, 1 to 4 channels].
      columns: images in a row; None makes the grid about square.

    Returns:
      uint8 [height, width, 1 or 3], as `displayed`.
    """
    images = displayed(images)
    n, h, w, c = images.shape
    columns = columns or int(np.ceil(np.sqrt(n * h / w)))
    rows = -(-n // columns)
    canvas = np.full((rows * (h + 1) + 1, columns * (w + 1) + 1, c), 40, np.uint8)
    for i, image in enumerate(images):
        y, x = (i // columns) * (h + 1) + 1, (i % columns) * (w + 1) + 1
        canvas[y : y + h, x : x + w] = image
    return canvas


def enlarged(pixels: np.ndarray, target: int = _GRID_PIXELS) -> np.ndarray:
    """Repeats every pixel a whole number of times, so that the longer side comes near `target`."""
    factor = max(1, round(target / max(pixels.shape[:2])))
    return pixels.repeat(factor, 0).repeat(factor, 1)


def png(pixels: np.ndarray) -> bytes:
    """A PNG file of uint8 or uint16 [h, w, 1 to 4 channels], which keeps alpha and all bits."""
    if pixels.dtype == np.uint16 and pixels.shape[2] > 1:
        return _png_of_16_bits(pixels)
    buffer = io.BytesIO()
    from_array(pixels).save(buffer, "PNG", **_FAST)
    return buffer.getvalue()


def _png_of_16_bits(pixels: np.ndarray) -> bytes:
    """The same for 16 bits and several channels, which Pillow cannot write."""
    h, w, c = pixels.shape
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[c]
    rows = pixels.astype(">u2").reshape(h, -1).view(np.uint8)
    unfiltered = np.pad(rows, ((0, 0), (1, 0)))  # every row begins with the number of its filter: 0 is none

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", w, h, 16, colour_type, 0, 0, 0)
    data = zlib.compress(unfiltered.tobytes(), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def pixels_of(data: bytes) -> np.ndarray:
    """uint8 [h, w, 3] of a PNG file; what is transparent is white."""
    image = Image.open(io.BytesIO(data))
    if image.mode in ("RGBA", "LA"):
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))


def opaque(data: bytes) -> bytes:
    """A PNG file as one of 8 bits, grey or coloured, where what is transparent is white; most stay as they are."""
    return data if Image.open(io.BytesIO(data)).mode in ("L", "RGB") else png(pixels_of(data))


def jpeg(data: bytes) -> bytes:
    """A PNG file as a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels_of(data)).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def with_row_names(data: bytes, names: Sequence[str]) -> bytes:
    """A PNG file with a name to the left of each of its rows, which are equally high."""
    image = Image.fromarray(pixels_of(data))
    each = image.height / len(names)
    letters = font(int(min(max(each / 3, 9), 22)))
    width = int(max(letters.getlength(name) for name in names)) + 16
    canvas = Image.new("RGB", (image.width + width, image.height), "white")
    canvas.paste(image, (width, 0))
    draw = ImageDraw.Draw(canvas)
    for i, name in enumerate(names):
        draw.text((width - 8, (i + 0.5) * each), name, "black", letters, anchor="rm")
    buffer = io.BytesIO()
    canvas.save(buffer, "PNG", **_FAST)
    return buffer.getvalue()


def captioned(pixels: np.ndarray, text: str) -> np.ndarray:
    """uint8 [h, w, 1 or 3] with a line of text under it: uint8 [h + 24, w, 3]."""
    rgb = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    canvas = Image.new("RGB", (rgb.shape[1], rgb.shape[0] + _CAPTION), "white")
    canvas.paste(Image.fromarray(np.ascontiguousarray(rgb)), (0, 0))
    place = (rgb.shape[1] / 2, rgb.shape[0] + _CAPTION / 2)
    ImageDraw.Draw(canvas).text(place, text, "black", font(16), anchor="mm")
    return np.asarray(canvas)


@functools.cache
def font(size: int) -> Any:
    """A font whose letters have that height in pixels: matplotlib's, as Pillow's own has no letters beyond ASCII."""
    import matplotlib

    return ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf", size)


def save_animation(path: pathlib.Path, frames: Sequence[np.ndarray], milliseconds: int = 60) -> None:
    """Writes frames, uint8 [h, w, 1 or 3] each, as an endless animated WebP or GIF or an MP4, by the file's suffix.

    Raises:
      InputError: for an MP4 without the package imageio-ffmpeg.
    """
    if path.suffix.lower() == ".mp4":
        _save_video(path, frames, 1000 / milliseconds)
        return
    images = [from_array(frame) for frame in frames]
    kind = "GIF" if path.suffix.lower() == ".gif" else "WEBP"
    options = {} if kind == "GIF" else {"quality": 85}
    buffer = io.BytesIO()
    images[0].save(
        buffer, kind, save_all=True, append_images=images[1:], duration=milliseconds, loop=0, **options
    )
    write_atomically(path, buffer.getvalue())


def need_video() -> None:
    """Raises InputError, in one line, where there is no encoder of videos."""
    need(["imageio_ffmpeg"], "out: an .mp4", "pip install 'jaxgan[video]'")


def _save_video(path: pathlib.Path, frames: Sequence[np.ndarray], rate: float) -> None:
    need_video()
    import imageio_ffmpeg  # pyright: ignore[reportMissingImports]

    h, w = (-(-size // 2) * 2 for size in frames[0].shape[:2])  # the encoder takes even sizes
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    writer = imageio_ffmpeg.write_frames(str(part), (w, h), fps=rate, macro_block_size=1, quality=8)
    try:
        writer.send(None)
        for frame in frames:
            rgb = np.zeros((h, w, 3), np.uint8)
            rgb[: frame.shape[0], : frame.shape[1]] = frame
            writer.send(rgb)
    finally:
        writer.close()
    part.replace(path)


# --- plots -----------------------------------------------------------------------------------------


def draw_points(
    axes: Axes, points: np.ndarray, reference: np.ndarray | None = None, *, size: float = 4.0
) -> None:
    """Draws points on axes: a histogram in one dimension, else a scatter plot of the first two coordinates.

    Where points lie outside the frame, or are not finite, the drawing says how many.

    Args:
      axes: of matplotlib.
      points: [n, d].
      reference: points [m, d] that are drawn in grey behind, and set the frame.
      size: area of a dot in square points.
    """
    frame = (points if reference is None else reference)[:, :2]
    centre, half = (frame.max(0) + frame.min(0)) / 2, 0.62 * float(np.ptp(frame, axis=0).max()) + 1e-6
    axes.set(xlim=(centre[0] - half, centre[0] + half))
    colour = _GREY if reference is None else "#c2410c"
    inside = (np.abs(points[:, :2] - centre) <= half).all(axis=1)
    if outside := len(points) - int(inside.sum()):
        text = f"{outside:,} of {len(points):,} outside"
        axes.text(0.03, 0.97, text, color=colour, fontsize=8, va="top", transform=axes.transAxes)
    if points.shape[1] == 1:
        bins = np.linspace(centre[0] - half, centre[0] + half, 101)
        share = lambda x: {"x": x[:, 0], "bins": bins, "weights": np.full(len(x), 1 / len(x))}
        if reference is not None:
            axes.hist(**share(reference), color="#b9bec6")
        axes.hist(**share(points), color=colour, histtype="step")
        return
    if reference is not None:
        axes.scatter(*reference[:, :2].T, s=size, c="#b9bec6", linewidths=0)
    axes.scatter(*points[:, :2].T, s=size, c=colour, linewidths=0)
    axes.set(ylim=(centre[1] - half, centre[1] + half), aspect="equal")


def on_any_ground(figure: Any) -> Any:
    """A matplotlib figure with letters and lines of grey on nothing, to be read on light and dark pages."""
    from matplotlib.text import Text

    figure.patch.set_alpha(0.0)
    for axes in figure.axes:
        axes.patch.set_alpha(0.0)
        axes.tick_params(color=_GREY, labelcolor=_GREY)
        for spine in axes.spines.values():
            spine.set_edgecolor(_GREY)
    for text in figure.findobj(Text):
        if text.get_color() == "black":
            text.set_color(_GREY)
    return figure


def png_of_figure(figure: Any, dpi: int | None = None) -> bytes:
    """A matplotlib figure as a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(dpi or figure.dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # once, while `savefig` draws it twice
    return png(np.asarray(canvas.buffer_rgba()))


curves = plots.curves  # line plots of a page
