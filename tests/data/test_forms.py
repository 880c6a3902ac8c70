"""What reading images takes away from them is said, with the flag that keeps it, by every kind of source."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from jaxgan.cli.data import data
from jaxgan.config import DataConfig, get_preset, with_fields
from jaxgan.config.data import open_data
from jaxgan.data import open_source
from jaxgan.data.decoding import forms
from jaxgan.data.decoding.forms import CLEAR, form_of, without_flags
from jaxgan.data.degrade import chain_of
from jaxgan.data.degrade.source import degraded
from jaxgan.data.pixels import open_image

DEEP = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000


@pytest.fixture
def folders(tmp_path, cache):
    """Name -> folder of two images."""
    made = {
        "deep": DEEP,
        "grey": np.uint8(DEEP >> 8),
        "rgb": np.stack([np.uint8(DEEP >> 8), *np.zeros((2, 8, 8), np.uint8)], -1),
        "clear": np.stack([np.uint8(DEEP >> 8)] * 4, -1),
        "opaque": np.stack([*[np.uint8(DEEP >> 8)] * 3, np.full((8, 8), 255, np.uint8)], -1),
    }
    for name, image in made.items():
        (tmp_path / name).mkdir()
        for i in range(2):
            Image.fromarray(np.roll(image, i, 0)).save(tmp_path / name / f"{i}.png")
    return tmp_path


KEPT_DEEP = "grey images of 16 bits are read as RGB of 8 bits (the source deep:PATH and --data.channels 1: as they are)"
ROUNDED = "16 bits are rounded to 8 of 2 images (the source deep:PATH: kept of grey images)"
GREY = "grey images are read as RGB (--data.channels 1: as they are)"


@pytest.mark.parametrize(
    ("name", "channels", "notes"),
    [
        ("deep", 3, [KEPT_DEEP]),
        ("deep", None, [ROUNDED]),
        ("grey", 3, [GREY]),
        ("grey", None, []),
        ("rgb", None, []),
        (
            "clear",
            None,
            ["transparent pixels are laid over white in 2 images (--data.channels 4: they are kept)"],
        ),
        ("clear", 4, []),
        ("opaque", None, []),
    ],
)
def test_folders_say_what_they_change(folders, name, channels, notes):
    for pipeline in ("resident", "stream"):
        for _ in range(2):  # decoded, and from the cache
            source = open_source(f"folder:{folders}/{name}", channels=channels, pipeline=pipeline)
            assert list(source.notes) == notes
    side = [
        note
        for note in open_source(f"domains:{folders}/{name},{folders}/rgb", channels=channels).notes
        if notes
    ]
    assert side[:1] == [f"the first domain: {note}" for note in notes]
    chain = chain_of(("denoise",), ())
    assert chain is not None
    images = open_source(f"folder:{folders}/{name}", channels=channels)
    assert [*degraded(images, chain).notes[:-1]] == notes


def test_colours_of_16_bits_are_told_of_too(tmp_path, cache):
    """Pillow reads them as 8 bits and writes none: a PNG file by hand."""
    part = lambda kind, data: (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    )
    rows = b"".join(b"\0" + bytes(range(6 * 4)) for _ in range(4))
    parts = part(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)) + part(b"IDAT", zlib.compress(rows))
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + parts + part(b"IEND", b""))
    (note,) = open_source(f"folder:{tmp_path}/a").notes
    assert note == "16 bits are rounded to 8 of 1 image (kept of grey images alone)"  # no flag keeps them
    assert open_source(f"pairs:{tmp_path}/a", channels=1).notes == (
        note,
    )  # nor does the one that is there already
    assert without_flags(note) == "16 bits are rounded to 8 of 1 image"


@pytest.mark.parametrize(
    ("content", "deep"),
    [
        (b"P6\n1 1\n65535\n" + bytes(6), True),
        (b"P6\n1 1\n1023\n" + bytes(6), True),
        (b"P3\n1 1\n65535\n1 2 3", True),
        (b"P6\n1 1\n255\n" + bytes(3), False),
        (b"P3\n1 1\n100\n1 2 3", False),
        (b"P1\n1 1\n1", False),
    ],
)
def test_pixel_maps_of_more_than_8_bits_are_told_of_too(tmp_path, cache, content, deep):
    (tmp_path / "0.ppm").write_bytes(content)
    told = [note for note in open_source(f"folder:{tmp_path}").notes if "rounded to 8 of 1 image" in note]
    assert len(told) == deep


def test_grey_images_with_opacity_are_kept_by_two_channels(tmp_path, cache):
    (tmp_path / "a").mkdir()
    image = np.full((8, 8, 2), 9, np.uint8)
    Image.fromarray(image, "LA").save(tmp_path / "a" / "x.png")
    grey = "grey images are read as {} (--data.channels 2: as they are)"
    clear = "transparent pixels are laid over white in 1 image (--data.channels 2: they are kept)"
    notes = {n: [*open_source(f"folder:{tmp_path}/a", channels=n).notes] for n in (1, 2, 3, 4)}
    assert notes == {1: [clear], 2: [], 3: [grey.format("RGB"), clear], 4: [grey.format("RGBA")]}
    np.savez(tmp_path / "x.npz", images=image[None])
    assert open_source(f"npz:{tmp_path}/x.npz", channels=3).notes == (grey.format("RGB"),)
    assert open_source(f"npz:{tmp_path}/x.npz", channels=1).notes == ()


@pytest.mark.parametrize(("value", "clear"), [(3000, CLEAR), (3, 0)])
def test_one_value_of_16_bits_may_be_clear(tmp_path, value, clear):
    Image.fromarray(DEEP).save(tmp_path / "x.png", transparency=value)
    content = (tmp_path / "x.png").read_bytes()
    assert form_of(content, open_image(content)) == forms.GREY + forms.DEEP + forms.ALONE + clear


def test_the_form_of_an_image_is_told_by_one_look_at_its_header(monkeypatch, tmp_path):
    """There may be a hundred thousand of them."""
    Image.fromarray(DEEP).save(tmp_path / "x.png")
    content, looks, own = (tmp_path / "x.png").read_bytes(), [], Image.open
    image = open_image(content)
    monkeypatch.setattr(Image, "open", lambda *args, **kwargs: looks.append(1) or own(*args, **kwargs))
    form_of(content, image)
    assert len(looks) == 1


def test_pairs_of_a_preset_say_that_16_bits_become_8_and_how_to_keep_them(folders):
    config = with_fields(
        get_preset("pix2pix"), data=DataConfig(f"pairs:{folders}/deep,{folders}/deep", channels=3)
    )
    source = open_data(config)
    assert source.spec.stored == "uint8"
    assert source.notes[0] == (
        "grey images of 16 bits are read as RGB of 8 bits (--data.channels 1: as they are)"
    )
    source = open_data(with_fields(config, **{"data.channels": 1}))  # what the line says is so
    assert source.spec.stored == "uint16"
    assert not any("bits" in note for note in source.notes)
    (mixed,) = open_source(f"pairs:{folders}/deep,{folders}/rgb").notes
    assert mixed == "16 bits are rounded to 8 of 2 images (--data.channels 1: kept of grey images)"


def test_arrays_say_that_grey_ones_are_read_in_colour(folders, capsys):
    np.savez(folders / "x.npz", images=np.zeros((2, 8, 8), np.uint8))
    assert open_source(f"npz:{folders}/x.npz", channels=3).notes == (GREY,)
    assert open_source(f"npz:{folders}/x.npz").notes == ()
    assert open_source("mnist", resolution=4, channels=3).notes == (GREY,)
    data(["show", str(folders / "x.npz"), "--channels", "3", "--out", str(folders / "x.png")])
    assert "read as RGB (--channels 1: as they are)" in capsys.readouterr().out  # as the command has it


@pytest.mark.parametrize(("most", "bits"), [(4095, 12), (1023, 10), (4096, None)])
def test_few_of_16_bits_are_told_of(tmp_path, cache, most, bits):
    dark = np.minimum(DEEP, most)[None].repeat(2, 0)
    np.savez(tmp_path / "dark.npz", images=dark)
    (tmp_path / "dark").mkdir()
    Image.fromarray(dark[0]).save(tmp_path / "dark" / "0.png")
    for kind in ("npz", "deep"):
        notes = open_source(f"{kind}:{tmp_path / 'dark'}{'.npz' * (kind == 'npz')}").notes
        said = [note for note in notes if "nearly black" in note]
        assert len(said) == (bits is not None)
        assert all(
            f"no value is above {most:,} of 65,535" in note and f"of {bits} bits" in note for note in said
        )
    said = "no value of 1 image of 16 bits is above 4,095 of 65,535, so all is nearly black"
    assert any(said in note for note in open_source(f"folder:{tmp_path / 'dark'}").notes) == (
        bits is not None
    )
    Image.fromarray(DEEP).save(tmp_path / "dark" / "1.png")  # one of them is as dark as it is
    assert not [note for note in open_source(f"folder:{tmp_path / 'dark'}").notes if "black" in note]


def test_files_that_a_source_of_ones_own_leaves_out_are_told_of(tmp_path):
    """Once, whether it says so itself or counts them alone."""
    told = "left out, cannot be read: 3 files"
    (tmp_path / "own.py").write_text(
        "import numpy as np\nfrom jaxgan.data import Images\n"
        "def mine(*notes):\n"
        "    x, own = np.zeros((2, 4, 4, 1), np.uint8), dict(class_names=(), fingerprint='f')\n"
        "    return Images('m', x, None, **own, skipped=3, notes=notes)\n"
        f"def told():\n    return mine({told!r})\n"
    )
    for name in ("mine", "told"):
        assert open_source(f"{tmp_path}/own.py:{name}").notes == (told,)
