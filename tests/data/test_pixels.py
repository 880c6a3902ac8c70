"""Pixels of every depth and transparency, and arrays of every shape that people bring."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from jaxgan import InputError
from jaxgan.data import open_source
from jaxgan.data.pixels import BrokenImage, open_image, to_pixels


def encoded(image, form="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def raw_png(pixels, depth, colour, transparent=b""):
    """A PNG by its definition: rows of bytes, of any bit depth and colour type."""
    height, width = pixels.shape[:2]
    chunk = lambda kind, body: (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    )
    rows = b"".join(b"\0" + pixels[y].tobytes() for y in range(height))
    width = width * 8 // depth if depth < 8 else width
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    clear = chunk(b"tRNS", transparent) if transparent else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + clear
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def white_where_clear(data, channels=1):
    pixels = to_pixels(open_image(data), None, channels)
    alpha = to_pixels(open_image(data), None, 4)[:, :, 3]
    return pixels, alpha


# --- transparency -----------------------------------------------------------------------------------


def test_one_value_of_transparency_at_every_depth():
    """The upper row is transparent, the lower one dark; white shows through in each depth alike."""
    deep = np.full((2, 4), 513, ">u2")
    deep[0] = 300
    deep_rgb = np.repeat(deep[:, :, None], 3, 2)
    files = [
        raw_png(deep, 16, 0, struct.pack(">H", 300)),
        raw_png(deep_rgb, 16, 2, struct.pack(">HHH", 300, 300, 300)),
        raw_png(np.uint8([[9] * 4, [2] * 4]), 8, 0, struct.pack(">H", 9)),
        raw_png(np.uint8([[0x33] * 2, [0x00] * 2]), 4, 0, struct.pack(">H", 3)),
        raw_png(np.uint8([[0b10101010], [0]]), 2, 0, struct.pack(">H", 2)),
        raw_png(np.uint8([[9] * 12, [2] * 12]).reshape(2, 4, 3), 8, 2, struct.pack(">HHH", 9, 9, 9)),
    ]
    for i, data in enumerate(files):
        pixels, alpha = white_where_clear(data)
        assert (pixels[0].min(), pixels[1].max() < 10) == (255, True), i
        assert (alpha[0].max(), alpha[1].min()) == (0, 255), i


def test_grey_and_alpha_is_grey(tmp_path, cache):
    """Of 8 and of 16 bits, and with a palette of greys."""
    deep = np.zeros((3, 3, 2), ">u2")
    deep[..., 0], deep[0, :, 1] = 0x4000, 0xFFFF
    (tmp_path / "deep.png").write_bytes(raw_png(deep, 16, 4))
    Image.new("LA", (3, 3), (64, 0)).save(tmp_path / "la.png")
    Image.new("L", (3, 3), 64).save(tmp_path / "p.gif")
    source = open_source(f"folder:{tmp_path}")
    assert source.shape == (3, 3, 1)
    assert source.images[:, :, 0, 0].tolist() == [[64, 255, 255], [255] * 3, [64] * 3]
    Image.new("P", (3, 3), 1).save(tmp_path / "colour.png")
    Image.new("RGB", (3, 3), (9, 0, 0)).save(tmp_path / "colour.png")
    assert open_source(f"folder:{tmp_path}").shape == (3, 3, 3)


@pytest.mark.parametrize(("value", "form"), [(0.5, "F"), (70_000, "I"), (-1000, "I")])
def test_values_without_a_known_range_are_refused(value, form):
    with pytest.raises(BrokenImage, match="range of its values is not known"):
        open_image(encoded(Image.new(form, (2, 2), value), "TIFF"))


def test_colours_of_lab():
    grey = to_pixels(open_image(encoded(Image.new("LAB", (2, 2), (255, 128, 128)), "TIFF")), None, 3)
    assert grey.min() > 240


# --- texts ------------------------------------------------------------------------------------------


def tiff(values, photometric):
    """A TIFF file of 16-bit grey, as others than Pillow write it, on its side."""
    height, width = values.shape
    data = values.astype("<u2").tobytes()
    tags = {256: width, 257: height, 258: 16, 259: 1, 262: photometric, 273: 8, 274: 6, 277: 1, 278: height}
    tags |= {279: len(data)}
    entries = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items())
    start = struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data
    return start + struct.pack("<H", len(tags)) + entries + bytes(4)


@pytest.mark.parametrize("photometric", [0, 1])
def test_white_may_be_zero_of_16_bits(tmp_path, cache, photometric):
    values = np.arange(12).reshape(3, 4) * 5000
    written = values if photometric else 65535 - values
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "0.tif").write_bytes(tiff(written, photometric))
    upright = np.rot90(values, -1)
    np.testing.assert_array_equal(open_source(f"deep:{tmp_path / 'x'}").images[0, :, :, 0], upright)
    found = open_source(f"folder:{tmp_path / 'x'}").images[0, :, :, 0]
    np.testing.assert_array_equal(found, np.round(upright / 257))


def test_long_texts_and_profiles_break_no_image(tmp_path, cache):
    for i, kind in enumerate(("text", "zip", "international", "profile")):
        info, options = PngImagePlugin.PngInfo(), {}
        words = "x" * 3_000_000
        if kind == "profile":
            options["icc_profile"] = words.encode()
        elif kind == "international":
            info.add_itxt("workflow", words, zip=True)
        else:
            info.add_text("workflow", words, zip=kind == "zip")
        Image.new("RGB", (3, 3), (10 * i, 0, 0)).save(tmp_path / f"{i}.png", pnginfo=info, **options)
    source = open_source(f"folder:{tmp_path}")
    assert source.images[:, 0, 0].tolist() == [[10 * i, 0, 0] for i in range(4)]


def test_damaged_images_stay_broken():
    data = encoded(Image.new("RGB", (30, 30), (1, 2, 3)))
    for bad in (data[:60], b"", data[:8], data.replace(b"IDAT", b"IDAX")):
        with pytest.raises(BrokenImage):
            open_image(bad)


# --- arrays -----------------------------------------------------------------------------------------


def npz(tmp_path, **arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    return open_source(f"npz:{tmp_path / 'a.npz'}")


IMAGES = np.arange(4 * 6 * 6, dtype=np.uint8).reshape(4, 6, 6)


@pytest.mark.parametrize(
    ("labels", "names", "numbers"),
    [
        ([1, 2, 3, 4], "1 2 3 4", [0, 1, 2, 3]),
        ([0, 60_000, 0, 60_000], "0 60000", [0, 1, 0, 1]),
        ([[3], [3], [0], [1]], "0 1 3", [2, 2, 0, 1]),
        (np.eye(4, dtype=np.uint8)[[2, 0, 2, 1]], "0 1 2", [2, 0, 2, 1]),
        ([True, False, True, True], "0 1", [1, 0, 1, 1]),
        (["dog", "cat", "dog", "a10"], "a10 cat dog", [2, 1, 2, 0]),
        (np.asarray([7, 9, 7, 7], np.uint64), "7 9", [0, 1, 0, 0]),
        ([0.0, 1.0, 1.0, 3.0], "0 1 3", [0, 1, 1, 2]),
        ([[0.0], [1.0], [1.0], [3.0]], "0 1 3", [0, 1, 1, 2]),
    ],
)
def test_labels_of_every_form_are_numbered_without_gaps(tmp_path, labels, names, numbers):
    source = npz(tmp_path, images=IMAGES, labels=labels)
    assert source.class_names == tuple(names.split())
    assert source.labels.tolist() == numbers
    assert source.labels.dtype == np.int32


@pytest.mark.parametrize(
    "labels", [np.zeros((4, 2), int), np.zeros((3, 1), int), np.zeros((4, 1, 1), int), 5]
)
def test_labels_of_other_shapes_are_refused(tmp_path, labels):
    with pytest.raises(InputError, match="'labels' of .* expected 4 integers, got int64 of shape"):
        npz(tmp_path, images=IMAGES, labels=labels)


@pytest.mark.parametrize("odd", [0.5, np.nan, np.inf])
def test_labels_that_are_no_whole_numbers_are_refused(tmp_path, odd):
    with pytest.raises(InputError, match="'labels' of .* expected 4 integers, got float64"):
        npz(tmp_path, images=IMAGES, labels=[0, 1, odd, 1])


def test_one_picture_is_one_image(tmp_path):
    assert npz(tmp_path, images=np.zeros((16, 16, 3), np.uint8)).images.shape == (1, 16, 16, 3)
    assert npz(tmp_path, images=np.zeros((5, 16, 4), np.uint8)).images.shape == (1, 5, 16, 4)
    assert npz(tmp_path, images=np.zeros((7, 4, 4), np.uint8)).images.shape == (7, 4, 4, 1)
    assert npz(tmp_path, images=np.zeros((5, 6, 3), np.uint8), labels=np.arange(5)).images.shape == (
        5,
        6,
        3,
        1,
    )
    assert npz(tmp_path, images=np.zeros((16, 16, 1), np.uint8)).images.shape == (1, 16, 16, 1)
    assert npz(tmp_path, images=np.zeros((16, 16, 2), np.uint8)).images.shape == (1, 16, 16, 2)
    first = np.zeros((3, 16, 16), np.uint8)
    says = r"channels first\? images.transpose\(1, 2, 0\)\[None\] is one; 3 grey images\? images\[..., None\]"
    with pytest.raises(InputError, match=f"'images' .*{says}"):
        npz(tmp_path, images=first)
    with pytest.raises(InputError, match=f"'held_out_images' .*{says}"):
        npz(tmp_path, images=IMAGES, held_out_images=first)
    assert npz(tmp_path, images=first, labels=[0, 1, 1]).images.shape == (3, 16, 16, 1)
    with pytest.raises(InputError, match="got .*; the channels come last: images.transpose"):
        npz(tmp_path, images=np.zeros((5, 3, 16, 16), np.uint8))


@pytest.mark.parametrize("shape", [(1000, 64, 2), (1000, 64, 1), (21, 10, 2), (2049, 1500, 1), (5, 11, 2)])
def test_narrow_grey_images_are_no_picture(tmp_path, shape):
    source = npz(tmp_path, images=np.full(shape, 9, np.uint8))
    assert source.images.shape == (*shape, 1)
    assert not [note for note in source.notes if "one picture" in note]


@pytest.mark.parametrize("shape", [(64, 64, 2), (20, 10, 1), (5, 10, 2), (40, 8, 3)])
def test_an_array_that_is_taken_as_one_picture_is_told_of(tmp_path, shape):
    told = (
        f"'images': {shape} is taken as one picture; images[None] says so, and images[..., None] that it is "
        f"{shape[0]} grey images"
    )
    picture = np.full(shape, 9, np.uint8)
    source = npz(tmp_path, images=picture)
    assert (source.images.shape, told in source.notes) == ((1, *shape), True)
    for certain in (picture[None], picture[..., None]):
        assert not [note for note in npz(tmp_path, images=certain).notes if "one picture" in note]


def test_bytes_of_either_order(tmp_path):
    values = np.arange(64, dtype=np.uint16).reshape(4, 4, 4) * 1000
    source = npz(tmp_path, images=values.astype(">u2"))
    assert source.images.dtype == np.uint16
    np.testing.assert_array_equal(source.images[..., 0], values)
