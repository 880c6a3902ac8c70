"""Sources of every kind, good and bad, and the pipelines that feed the step."""

import io
import os
import shutil
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from tiny_tfds import write_array_record_dataset

from jaxgan import InputError, make_mesh
from jaxgan.data import (
    Images,
    Points,
    catalogue,
    fingerprint,
    from_float,
    make_pipeline,
    open_source,
    to_float,
)
from jaxgan.data import mnist as mnist_module
from jaxgan.data import pixels as pixels_module
from jaxgan.data.cache import cached
from jaxgan.data.source import Source


def picture(width=12, height=10, mode="RGB", seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    if mode in ("RGBA", "CMYK"):
        return Image.fromarray(noise, mode)
    return Image.fromarray(noise[:, :, :3]).convert(mode)


def save(image, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


def images_of(source: Source) -> Images:
    assert isinstance(source, Images)
    return source


# --- embedded, toys ---------------------------------------------------------------------------


@pytest.mark.parametrize(("split", "n"), [("train", 60000), ("test", 10000)])
def test_mnist_is_whole(split, n):
    source = images_of(open_source("mnist", split))
    assert source.images.shape == (n, 28, 28, 1)
    assert source.images.dtype == np.uint8
    assert source.labels.dtype == np.int32
    assert np.bincount(source.labels).min() > 0.08 * n
    assert source.n_classes == 10
    assert fingerprint(source.images, source.labels) == source.fingerprint


def test_mnist_can_be_resized_and_coloured():
    mnist_module.arrays.cache_clear()
    source = images_of(open_source("mnist", "test", resolution=16, channels=3))
    assert source.images.shape == (10000, 16, 16, 3)
    assert source.fingerprint == fingerprint(source.images, source.labels)


@pytest.mark.parametrize("resolution", [None, 16])
def test_digits_that_are_shared_cannot_be_changed(resolution):
    for array in open_source("mnist", "test", resolution=resolution).arrays.values():
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_toys_follow_their_protocols():
    for name, modes, std in (("ring", 8, 0.01), ("grid", 25, 0.05)):
        source = open_source(name)
        assert isinstance(source, Points)
        assert source.modes.shape == (modes, 2)
        points, labels = source.sample(jax.random.key(0), 20000)
        offsets = np.asarray(points) - source.modes[np.asarray(labels)]
        np.testing.assert_allclose(offsets.std(0), std, rtol=0.03)
        assert np.bincount(labels, minlength=modes).min() > 0.8 * 20000 / modes
    np.testing.assert_allclose(np.linalg.norm(open_source("ring").modes, axis=1), 1, rtol=1e-6)
    assert set(open_source("grid").modes.ravel()) == {-4, -2, 0, 2, 4}
    roll = np.asarray(open_source("swissroll").sample(jax.random.key(0), 5000)[0])
    assert 1.8 < np.linalg.norm(roll, axis=1).max() < 2.1  # 4.5 pi / 7.5 = 1.88


def test_toy_points_belong_to_their_key():
    source = open_source("grid")
    a, _ = source.sample(jax.random.key(1), 10)
    b, _ = source.sample(jax.random.key(1), 6)
    np.testing.assert_array_equal(a[:6], b)


# --- folders and archives ---------------------------------------------------------------------


@pytest.mark.parametrize("container", ["folder", "zip"])
def test_a_folder_of_every_kind_of_image(tmp_path, cache, container):
    root = tmp_path / "images"
    save(picture(12, 10), root / "b" / "rgb.png")
    save(picture(30, 9, "RGBA"), root / "b" / "alpha.png")
    save(picture(9, 40, "P"), root / "b" / "palette.png")
    save(picture(20, 20, "L"), root / "a" / "grey.jpg")
    save(picture(20, 20, "CMYK"), root / "a" / "cmyk.jpeg")
    save(picture(11, 8), root / "a" / "web.WEBP")
    save(picture(8, 8, "1"), root / "a" / "bits.png")
    Image.fromarray(np.full((8, 8), 40000, np.uint16)).save(root / "a" / "deep.png")
    (root / "notes.txt").write_text("not an image")
    (root / ".hidden.png").write_text("nor this")
    path = root
    if container == "zip":
        path = tmp_path / "images.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(root.rglob("*")):
                if file.is_file():
                    archive.write(file, f"top/{file.relative_to(root)}")
    source = images_of(open_source(f"folder:{path}", resolution=8, channels=3))
    assert source.images.shape == (8, 8, 8, 3)
    assert source.class_names == ("a", "b")
    np.testing.assert_array_equal(source.labels, [0] * 5 + [1] * 3)
    assert abs(int(source.images[2].mean()) - 156) <= 1  # deep.png: 40000 / 65535 of 255
    assert source.fingerprint == fingerprint(source.images, source.labels)


def test_scaling_keeps_the_aspect_and_the_centre(tmp_path, cache):
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255  # the centre square is white
    save(Image.fromarray(wide), tmp_path / "wide.png")
    source = images_of(open_source(f"folder:{tmp_path}", resolution=10))
    assert source.images.min() == 255


def test_exif_rotation_is_respected(tmp_path, cache):
    upright = np.zeros((8, 8, 3), np.uint8)
    upright[:4] = 255  # white above, black below
    exif = Image.Exif()
    exif[274] = 6  # the camera was turned: rotate by 90 degrees to see it upright
    save(Image.fromarray(np.rot90(upright)), tmp_path / "turned.jpg", exif=exif, quality=100)
    pixels = images_of(open_source(f"folder:{tmp_path}")).images[0]
    assert pixels[:3].mean() > 240
    assert pixels[5:].mean() < 15


def test_transparency_is_laid_over_white(tmp_path, cache):
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[:2, :, 3] = 255  # opaque black above, nothing below
    save(Image.fromarray(rgba), tmp_path / "half.png")
    pixels = images_of(open_source(f"folder:{tmp_path}")).images[0]
    assert pixels[:2].max() == 0
    assert pixels[2:].min() == 255


def test_grey_folders_stay_grey(tmp_path, cache):
    save(picture(6, 6, "L"), tmp_path / "a.png")
    save(picture(6, 6, "L", 1), tmp_path / "b.png")
    assert images_of(open_source(f"folder:{tmp_path}")).shape == (6, 6, 1)
    assert images_of(open_source(f"folder:{tmp_path}")).labels is None


def test_decoding_happens_once_and_again_when_a_file_changes(tmp_path, cache, monkeypatch):
    from jaxgan.data.files import folder as files

    folder = tmp_path / "images"
    save(picture(), folder / "a.png")
    first = images_of(open_source(f"folder:{folder}"))
    assert isinstance(first.images, np.memmap)
    entries = lambda: {p.name for p in (cache / "data").iterdir()}
    assert len(entries()) == 1
    monkeypatch.setattr(files, "to_pixels", None)  # decoding now would fail
    np.testing.assert_array_equal(images_of(open_source(f"folder:{folder}")).images, first.images)
    monkeypatch.undo()
    monkeypatch.setenv("JAXGAN_CACHE", str(cache))
    save(picture(seed=5), folder / "a.png")
    assert images_of(open_source(f"folder:{folder}")).fingerprint != first.fingerprint
    assert len(entries()) == 2


def test_a_killed_decoding_leaves_nothing(tmp_path, cache):
    def dies(folder):
        (folder / "images.npy").write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached({"a": 1}, dies)
    assert list((cache / "data").iterdir()) == []


@pytest.fixture
def broken_folder(tmp_path, cache):
    folder = tmp_path / "images"
    for i in range(3):
        save(picture(seed=i), folder / f"good{i}.png")
    data = (folder / "good0.png").read_bytes()
    (folder / "cut.png").write_bytes(data[: len(data) // 2])
    (folder / "text.jpg").write_text("this is no picture")
    return folder


def test_a_broken_image_is_named(broken_folder):
    with pytest.raises(InputError, match=r"broken image '.*cut.png' .*--data.skip-broken"):
        open_source(f"folder:{broken_folder}")


def test_broken_images_are_skipped_and_counted(broken_folder):
    source = images_of(open_source(f"folder:{broken_folder}", skip_broken=True))
    assert len(source) == 3
    assert source.skipped == 2
    assert images_of(open_source(f"folder:{broken_folder}", skip_broken=True)).skipped == 2  # from the cache
    good = [np.asarray(picture(seed=i)) for i in range(3)]
    np.testing.assert_array_equal(source.images, good)


def test_a_damaged_archive_entry_is_a_broken_image(tmp_path, cache):
    """A deflate stream that does not inflate raises an error of zlib, not of zipfile."""
    path, data = tmp_path / "images.zip", b"\x89PNG" + bytes(5000)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bad.png", data)
        archive.writestr("good.png", (lambda b: (picture().save(b, "PNG"), b.getvalue())[1])(io.BytesIO()))
    raw = bytearray(path.read_bytes())
    start = raw.index(b"bad.png") + len("bad.png")
    raw[start : start + 8] = b"\xff" * 8
    path.write_bytes(raw)
    with pytest.raises(InputError, match=r"broken image '.*bad.png'"):
        open_source(f"folder:{path}")
    source = images_of(open_source(f"folder:{path}", skip_broken=True))
    assert (len(source), source.skipped) == (1, 1)


def test_one_colour_image_makes_a_folder_coloured(tmp_path, cache):
    save(picture().convert("L"), tmp_path / "a.png")
    save(picture(), tmp_path / "b.png")
    assert images_of(open_source(f"folder:{tmp_path}")).shape[2] == 3


def test_long_images_are_cut_before_they_are_scaled():
    """Scaled first, this one would have 64 x 6,400,000 pixels."""
    line = Image.fromarray(np.arange(100_000, dtype=np.uint32).astype(np.uint8)[None])
    assert pixels_module.to_pixels(line, 64, 1).shape == (64, 64, 1)


def test_dark_16_bit_images_stay_dark():
    dark = Image.fromarray(np.full((4, 4), 200, np.uint16))
    np.testing.assert_array_equal(pixels_module.to_pixels(dark, None, 1), np.full((4, 4, 1), 1))


def test_room_on_the_disk_is_taken_before_pixels_are_mapped(tmp_path, cache, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    save(picture(), tmp_path / "a.png")
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        open_source(f"folder:{tmp_path}")
    assert not list((cache / "data").glob("*"))
    assert not list((cache / "data").glob(".*"))


def test_decompression_bombs_are_refused(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(pixels_module, "MAX_PIXELS", 100)
    save(picture(20, 20), tmp_path / "bomb.png")
    with pytest.raises(InputError, match=r"bomb.png' \(20x20 pixels are more than 100\)"):
        open_source(f"folder:{tmp_path}")


def test_bad_folders_are_named(tmp_path, cache):
    with pytest.raises(InputError, match="does not exist"):
        open_source(f"folder:{tmp_path / 'nowhere'}")
    with pytest.raises(InputError, match="expected PNG, JPEG or WebP images .* found none"):
        open_source(f"folder:{tmp_path}")
    (tmp_path / "file.zip").write_text("no archive")
    with pytest.raises(InputError, match="expected a folder or a zip archive"):
        open_source(f"folder:{tmp_path / 'file.zip'}")
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "bad.png").write_text("x")
    with pytest.raises(InputError, match="all 1 images .* are broken"):
        open_source(f"folder:{tmp_path / 'only'}", skip_broken=True)
    save(picture(5, 5), tmp_path / "mixed" / "a.png")
    save(picture(6, 5), tmp_path / "mixed" / "b.png")
    with pytest.raises(
        InputError, match="data.resolution: expected a size, as images differ: '.*a.png' has 5x5"
    ):
        open_source(f"folder:{tmp_path / 'mixed'}")


# --- arrays -----------------------------------------------------------------------------------


def test_npz(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (6, 5, 7), np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(6) % 3)
    source = images_of(open_source(f"npz:{tmp_path / 'a.npz'}"))
    np.testing.assert_array_equal(source.images[..., 0], images)
    assert source.class_names == ("0", "1", "2")
    assert source.labels.dtype == np.int32
    small = images_of(open_source(f"npz:{tmp_path / 'a.npz'}", resolution=4, channels=3))
    assert small.images.shape == (6, 4, 4, 3)


def test_bad_npz_files_are_named(tmp_path):
    path = tmp_path / "a.npz"
    good = np.zeros((4, 5, 5, 3), np.uint8)
    cases = [
        ({"pictures": good}, "expected an array 'images'.*found \\['pictures'\\]"),
        ({"images": good.astype(np.float32)}, "expected uint8 images .*, got float32"),
        (
            {"images": good[0, 0]},
            r"expected images of shape \[n, height, width, 1 to 4 channels\], got \(5, 3\)",
        ),
        ({"images": good[..., [0] * 5]}, r"got \(4, 5, 5, 5\)"),
        ({"images": good[:0]}, "expected at least one image"),
        ({"images": good, "labels": np.zeros(3, int)}, r"'labels'.*expected 4 integers, got int64 of shape"),
        ({"images": good, "labels": np.full(4, 0.5)}, "got float64"),
        ({"images": good, "labels": np.full(4, -1)}, "expected integers from 0 to 65535, got -1 to -1"),
        ({"images": good, "labels": np.full(4, 2_000_000_000)}, "expected integers from 0 to 65535"),
        ({"images": np.array([None])}, "plain arrays"),
    ]
    for arrays, message in cases:
        np.savez(path, **arrays)
        with pytest.raises(InputError, match=message):
            open_source(f"npz:{path}")
    path.write_bytes(b"")
    with pytest.raises(InputError, match="expected an npz file of plain arrays"):
        open_source(f"npz:{path}")
    path.write_text("no npz")
    with pytest.raises(InputError, match="expected an npz file of plain arrays"):
        open_source(f"npz:{path}")
    with pytest.raises(InputError, match="does not exist"):
        open_source(f"npz:{tmp_path / 'b.npz'}")


# --- TFDS -------------------------------------------------------------------------------------


@pytest.fixture
def prepared(tmp_path, cache, monkeypatch):
    """A dataset in array_record form, written without TensorFlow: what TFDS leaves on disk."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    return write_array_record_dataset(tmp_path / "tfds")


def test_tfds_is_read_without_tensorflow_and_decoded_once(prepared, monkeypatch):
    import sys

    source = images_of(open_source("tfds:tiny"))
    assert "tensorflow" not in sys.modules
    np.testing.assert_array_equal(source.images, prepared)
    np.testing.assert_array_equal(source.labels, [0, 1, 0, 1, 0])
    assert source.class_names == ("cat", "dog")
    assert source.name == "tfds:tiny:train"
    monkeypatch.setattr(catalogue, "to_pixels", None)  # from now on the cache serves it
    np.testing.assert_array_equal(images_of(open_source("tfds:tiny")).images, prepared)
    monkeypatch.undo()


def test_tfds_prepared_anew_is_decoded_anew(prepared):
    """Under the same name, version and number of images."""
    first = images_of(open_source("tfds:tiny"))
    shutil.rmtree(catalogue.data_dir() / "tiny")
    images = write_array_record_dataset(catalogue.data_dir(), seed=1)
    second = images_of(open_source("tfds:tiny"))
    np.testing.assert_array_equal(second.images, images)
    assert first.fingerprint != second.fingerprint


def test_tfds_splits_and_preprocessing_have_entries_of_their_own(prepared):
    part = images_of(open_source("tfds:tiny:train[:2]"))
    np.testing.assert_array_equal(part.images, prepared[:2])
    square = images_of(open_source("tfds:tiny", resolution=4, channels=1))
    assert square.images.shape == (5, 4, 4, 1)
    with pytest.raises(InputError, match="data.split: cannot read split 'nope' of 'tiny'"):
        open_source("tfds:tiny:nope")


def test_tfds_says_what_to_run(prepared):
    with pytest.raises(InputError, match="'mnist' is not prepared in .*; run: jaxgan data prepare mnist"):
        open_source("tfds:mnist")
    with pytest.raises(
        InputError, match="unknown dataset of the TFDS catalogue 'cifar11'; did you mean 'cifar10"
    ):
        open_source("tfds:cifar11")


def test_tfds_configurations_are_found(prepared, tmp_path):
    root = catalogue.data_dir()
    os.rename(root / "tiny", root / "red")
    (root / "tiny").mkdir()
    os.rename(root / "red", root / "tiny" / "red")
    assert catalogue.prepared("tiny") == ("tiny/red", "1.2.0")
    shutil.copytree(root / "tiny" / "red", root / "tiny" / "blue")
    with pytest.raises(InputError, match="expected one of tfds:tiny/blue, tfds:tiny/red, got 'tfds:tiny'"):
        open_source("tfds:tiny")


def test_tfds_in_another_form_says_what_to_move_away(prepared):
    info = catalogue.data_dir() / "tiny" / "1.2.0" / "dataset_info.json"
    info.write_text(info.read_text().replace("array_record", "tfrecord"))
    with pytest.raises(
        InputError, match=r"needs TensorFlow to read; move '.*1.2.0' away and run: jaxgan data"
    ):
        open_source("tfds:tiny")


def test_preparing_without_tensorflow_names_the_extra(prepared, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(InputError, match=r"run: pip install 'jaxgan\[prepare\]'"):
        catalogue.prepare("mnist")


# --- names and numbers ------------------------------------------------------------------------


def test_bad_names_and_numbers_are_named():
    with pytest.raises(InputError, match="unknown data source 'minst'; did you mean 'mnist'"):
        open_source("minst")
    with pytest.raises(InputError, match="unknown split of mnist 'tset'; did you mean 'test'"):
        open_source("mnist", "tset")
    with pytest.raises(InputError, match="data.resolution: expected at least 1 pixel, got 0"):
        open_source("mnist", resolution=0)
    with pytest.raises(InputError, match="data.channels: expected 1 .* got 5"):
        open_source("mnist", channels=5)
    with pytest.raises(InputError, match="source 'ring' has no split but 'train', got 'test'"):
        open_source("ring", "test")
    with pytest.raises(
        InputError,
        match="data.source: expected images, as there is data.resolution .*'ring', which is made of points",
    ):
        open_source("ring", resolution=8)


def test_pixels_survive_the_round_trip():
    every = jnp.arange(256, dtype=jnp.uint8)
    np.testing.assert_array_equal(from_float(to_float(every)), every)
    assert float(to_float(every).min()) == -1
    assert float(to_float(every).max()) == 1
    np.testing.assert_array_equal(from_float(jnp.asarray([-7.0, 7.0])), [0, 255])


# --- pipelines --------------------------------------------------------------------------------


def numbered(n=10):
    """Image i is filled with i; its label is i too."""
    images = np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, 2, 3, 1)).copy()
    images[:, :, 0] += 100  # the left column differs, so that a flip shows
    labels = np.arange(n, dtype=np.int32)
    return Images("numbered", images, labels, class_names=tuple(map(str, range(n))), fingerprint="")


def batches(pipeline, steps, first=0):
    inputs = pipeline.inputs(first)
    prepare = jax.jit(pipeline.prepare)
    return [jax.tree.map(np.asarray, prepare(next(inputs), jnp.int32(first + i))) for i in range(steps)]


@pytest.mark.parametrize("kind", ["resident", "stream"])
def test_epochs_are_complete_and_images_keep_their_labels(kind):
    pipeline = make_pipeline(numbered(), batch_size=4, d_steps=1, seed=1, pipeline=kind)
    seen = batches(pipeline, 5)  # two epochs of 10
    labels = np.concatenate([b["label"] for b in seen])
    np.testing.assert_array_equal(np.sort(labels[:10]), np.arange(10))
    np.testing.assert_array_equal(np.sort(labels[10:]), np.arange(10))
    assert (labels[:10] != labels[10:]).any()
    for batch in seen:
        assert batch["image"].dtype == np.float32
        np.testing.assert_allclose(batch["image"][:, 0, 1, 0], batch["label"] / 127.5 - 1, atol=1e-6)


def test_pipelines_agree_from_any_step_and_on_any_devices():
    options = {"batch_size": 4, "d_steps": 2, "seed": 3, "flip": True}
    reference = batches(make_pipeline(numbered(), pipeline="resident", **options), 6)
    for kind in ("resident", "stream"):
        for mesh in (None, make_mesh()):
            pipeline = make_pipeline(numbered(), pipeline=kind, mesh=mesh, **options)
            for got, expected in zip(batches(pipeline, 4, first=2), reference[2:], strict=True):
                jax.tree.map(np.testing.assert_array_equal, got, expected)


def test_flips_are_fair_and_change_with_the_step():
    pipeline = make_pipeline(numbered(100), batch_size=100, seed=0, flip=True)
    flipped = np.stack([b["image"][:, 0, 2, 0] > b["image"][:, 0, 1, 0] + 0.5 for b in batches(pipeline, 4)])
    assert 140 < flipped.sum() < 260
    assert (flipped[0] != flipped[1]).any()
    none = batches(make_pipeline(numbered(100), batch_size=100, seed=0), 1)[0]["image"]
    assert (none[:, 0, 0] > none[:, 0, 2]).all()


def test_points_are_drawn_anew_in_every_step():
    pipeline = make_pipeline(open_source("ring"), batch_size=8, seed=5)
    a, b = batches(pipeline, 2)
    assert a["image"].shape == (8, 2)
    assert "label" not in a
    assert (a["image"] != b["image"]).all()
    jax.tree.map(np.testing.assert_array_equal, batches(pipeline, 1, first=1)[0], b)


def test_bad_batches_are_named():
    source = numbered()
    with pytest.raises(
        InputError, match="batch_size: expected at most the 10 examples of 'numbered', got 11"
    ):
        make_pipeline(source, batch_size=11)
    with pytest.raises(InputError, match="batch_size: expected at least 1"):
        make_pipeline(source, batch_size=0)
    with pytest.raises(InputError, match="expected a multiple of 4 devices x 2 d_steps, got 6 examples"):
        make_pipeline(source, batch_size=3, d_steps=2, mesh=make_mesh())
    with pytest.raises(InputError, match="data.flip: expected images to flip"):
        make_pipeline(open_source("ring"), batch_size=4, flip=True)
    with pytest.raises(InputError, match="data.pipeline: expected"):
        make_pipeline(source, batch_size=4, pipeline="moon")
