"""Images of a person's own through a run: any size, type and form; and a run of restoration from end to end."""

import json
import pathlib
import shutil
import types

import jax.numpy as jnp
import numpy as np
import pytest
from helpers import digits, goes_on_to_the_bit, near_on_four_devices, small
from PIL import Image, ImageCms

from jaxgan import InputError, load
from jaxgan.__main__ import main
from jaxgan.apps.restore import files
from jaxgan.apps.restore.folder import done, listed
from jaxgan.config import DataConfig, with_fields
from jaxgan.data import Spec
from jaxgan.data.modality import PAIR
from jaxgan.data.pixels import open_image
from jaxgan.games.pairs.translation import direction_of
from jaxgan.models import Pix2PixConfig
from jaxgan.report.pictures import png
from jaxgan.runs.evaluation import evaluate_run
from jaxgan.runs.images.applying import Applied
from jaxgan.runs.images.tiles import by_tiles
from jaxgan.train.run import train

pytestmark = pytest.mark.usefixtures("shared_programs", "quick_keys")

rng = np.random.default_rng(0)
deep = lambda *shape: rng.integers(0, 65536, shape).astype(np.uint16)
flat = lambda *shape: rng.integers(0, 256, shape).astype(np.uint8)


def test_tiles_that_change_nothing_give_the_image_back():
    for h, w in ((8, 8), (5, 30), (31, 17), (9, 8)):
        x = rng.uniform(-1, 1, (2, h, w, 3)).astype(np.float32)
        seen = []
        same = lambda tiles, seen=seen: seen.append(tiles["x"].shape) or tiles["x"]
        np.testing.assert_allclose(by_tiles({"x": x}, same, tile=(8, 8), overlap=3), x, atol=1e-6)
        assert seen[0][1:3] == (8, 8)
        twice = lambda tiles: tiles["x"].repeat(2, 1).repeat(2, 2)
        larger = by_tiles({"x": x}, twice, tile=(8, 8), overlap=3, scale=2)
        np.testing.assert_allclose(larger, x.repeat(2, 1).repeat(2, 2), atol=1e-6)


def test_seams_are_blended():
    """Tiles that disagree meet in a ramp: no step from pixel to pixel is near the difference of the tiles."""
    x = np.zeros((1, 16, 40, 1), np.float32)
    apart = lambda tiles: tiles["x"] + (np.arange(len(tiles["x"])) % 2)[:, None, None, None]
    blended = by_tiles({"x": x}, apart, tile=(16, 16), overlap=8)
    assert np.ptp(blended) == 1
    assert np.abs(np.diff(blended, axis=2)).max() < 0.25


def stub(given, made, *, masked=False, degrade=("denoise",), make=lambda x: x):
    """A run whose network is a function of what it sees."""
    shapes = {"input": (8, 8, given), "image": (8, 8, made)} | ({"mask": (8, 8, 1)} if masked else {})
    spec = Spec(
        {name: types.SimpleNamespace(shape=shape) for name, shape in shapes.items()},
        "image",
        0,
        "uint8",
        PAIR,
    )
    own = direction_of("input", "image")
    seen = []

    class Translator:
        direction = staticmethod(lambda name: "forward")

        def apply(self, variables, batch, direction, poll):
            seen.append(batch)
            return np.asarray(own.make(lambda x: make(np.asarray(x)), batch))

    game = types.SimpleNamespace(
        translations={"forward": own}, players={"translator": types.SimpleNamespace(module=None)}
    )
    config = types.SimpleNamespace(game="translation", data=DataConfig(degrade=degrade))
    run = types.SimpleNamespace(game=game, spec=spec, config=config, sampler=Translator(), variables=None)
    return Applied(run), seen


def test_types_channels_and_sizes_of_images_are_kept():
    one, _ = stub(1, 1)
    three, _ = stub(3, 3)
    for applied in (one, three):
        for image in (deep(9, 21, 1), deep(8, 8, 3), flat(30, 5, 3), flat(8, 9, 2), flat(11, 8, 4)):
            made = applied(image)
            assert made.dtype == image.dtype
            np.testing.assert_array_equal(made, image)  # to the last of 16 bits
    assert one(flat(7, 6)).shape == (7, 6, 1)
    colours, seen = stub(1, 3, make=lambda x: x.repeat(3, -1))
    assert colours(flat(8, 8, 3)).shape == (8, 8, 3)
    assert seen[0]["input"].shape == (1, 8, 8, 1)  # their luma
    alpha, seen = stub(2, 2)
    blue = np.zeros((8, 8, 3), np.uint8)
    blue[..., 2] = 255
    assert (alpha(blue) == 29).all()  # its luma
    assert seen[0]["input"].shape == (1, 8, 8, 2)
    for wrong in (flat(8, 8, 5), np.zeros((8, 8, 1)), flat(0, 8, 1)):
        with pytest.raises(InputError, match="images: expected uint8 or uint16"):
            one(wrong)


def test_other_bits_than_those_of_the_training_are_told_of():
    applied, _ = stub(1, 1)
    applied(flat(8, 8, 1))
    assert applied.notes == []
    for _ in range(2):
        applied(deep(8, 8, 1))
    (note,) = applied.notes
    assert note.startswith(
        "2 images of 16 bits through a run that was trained on 8: what is made has 16, as precise as 8"
    )


def test_holes_are_those_of_the_mask_or_of_what_is_transparent():
    white = lambda x: np.ones((*x.shape[:-1], 1), np.float32)
    applied, seen = stub(1, 1, masked=True, make=white)
    image, mask = flat(12, 10, 1) // 2, np.zeros((12, 10), bool)
    mask[3:6, 2:9] = True
    made = applied(image, mask)
    assert (made[mask] == 255).all()
    np.testing.assert_array_equal(made[~mask], image[~mask])
    assert all(
        (tile["input"][tile["mask"] == 1] == 0).all() for tile in seen
    )  # the network sees nothing there
    alpha = np.where(mask, 0, 200).astype(np.uint8)[..., None]
    both = applied(np.concatenate([image, alpha], 2))
    np.testing.assert_array_equal(both[..., :1], made)
    np.testing.assert_array_equal(both[..., 1], np.where(mask, 255, 200))  # what is filled is opaque
    with pytest.raises(InputError, match="masks: expected a mask, or transparent pixels"):
        applied(image)
    with pytest.raises(InputError, match="masks: expected one of the image's size 12x10"):
        applied(image, mask.T)


def test_what_cannot_be_done_is_said_of_what_it_is(tmp_path):
    """An image, its mask, what is made of them, and where it is written to."""
    Image.fromarray(flat(8, 8, 1)[..., 0]).save(tmp_path / "a.png")
    (tmp_path / "mask.png").write_bytes(b"none")
    (tmp_path / "full").write_text("")  # no folder

    def fails(image, mask):
        raise RuntimeError("no room")

    same = lambda image, mask: image
    (work,), _ = listed([tmp_path / "a.png"], tmp_path / "out")
    (masked,), _ = listed([tmp_path / "a.png"], tmp_path / "out", tmp_path / "mask.png")
    assert done(work, tmp_path / "out", same) is None
    assert done(masked, tmp_path / "out", same).startswith(
        f"its mask '{tmp_path / 'mask.png'}' cannot be read ("
    )
    assert done(work, tmp_path / "out", fails) == "nothing can be made of it (RuntimeError: no room)"
    assert done(work, tmp_path / "full", same).startswith("what is made of it cannot be written (")


def test_files_come_out_in_the_form_that_they_had(tmp_path):
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    Image.fromarray(deep(9, 7)).save(folder / "deep.png")
    Image.fromarray(deep(9, 7)).save(folder / "deep.tif")
    Image.fromarray(flat(9, 7, 4)).save(folder / "alpha.png")
    Image.fromarray(flat(16, 16, 3)).save(folder / "sub" / "photo.jpg")
    Image.fromarray(flat(9, 7, 3)).convert("P").save(folder / "palette.gif")
    np.savez(folder / "stack.npz", images=deep(3, 9, 7), patient=np.asarray("x"))
    units = np.float32(rng.normal(size=(2, 5, 6)) * 1000 - 300)
    np.savez(folder / "units.npz", images=units)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nxx")
    (folder / "notes.txt").write_text("")
    out = tmp_path / "out"
    works, notes = listed([folder], out)
    assert notes == ["left out, no images that can be read: 1 file (1 .txt)"]
    failed = [why for work in works if (why := done(work, out, lambda image, mask: image)) is not None]
    assert len(failed) == 1
    assert failed[0].startswith("cannot be read (cannot identify image file")
    assert "\n" not in failed[0]
    same = {str(path.relative_to(out)) for path in out.rglob("*.*")}
    assert same == {str(path.relative_to(folder)) for path in folder.rglob("*.*")} - {
        "broken.png",
        "notes.txt",
    }
    for name in ("deep.png", "deep.tif", "alpha.png"):
        np.testing.assert_array_equal(files.read(out / name).images[0], files.read(folder / name).images[0])
    assert files.read(out / "deep.png").images[0].dtype == np.uint16
    with np.load(folder / "stack.npz") as before, np.load(out / "stack.npz") as after:
        np.testing.assert_array_equal(after["images"], before["images"])
        assert after["patient"] == "x"
    with np.load(out / "units.npz") as after:
        assert np.abs(after["images"] - units).max() < 2 * np.ptp(units) / 65535
    with pytest.raises(InputError, match="out: expected another folder"):
        listed([folder], folder)
    with pytest.raises(InputError, match="does not exist"):
        listed([tmp_path / "no"], out)


def test_nothing_that_is_read_is_written_over_and_nothing_written_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photos, others, masks = tmp_path / "photos", tmp_path / "others", tmp_path / "masks"
    for path in (photos, others):
        (path / "sub").mkdir(parents=True)
        Image.fromarray(flat(8, 8)).save(path / "sub" / "x[1].png")
    (photos / "out").mkdir()
    Image.fromarray(flat(8, 8)).save(photos / "out" / "old.png")
    (photos / "sub" / "._x.png").write_bytes(b"of a file system")
    names = lambda *args: [str(work.name) for work in listed(*args)[0]]
    assert names([photos], pathlib.Path("photos/out")) == ["sub/x[1].png"]
    assert names([photos / "sub"], photos) == ["x[1].png"]
    with pytest.raises(InputError, match="out: expected another folder than that of the images"):
        listed([photos, others / "sub"], others)  # sub/x[1].png of the first is an image of the second
    masks.mkdir()
    for name in ("x[1].png", "x[1].b.png", "x1.png"):
        Image.fromarray(flat(8, 8)).save(masks / name)
    (masks / "x[1].json").write_text("{}")
    (one,), _ = listed([photos / "sub"], tmp_path / "new", masks)
    assert one.mask == masks / "x[1].png"
    with pytest.raises(InputError, match="out: expected another folder than that of the masks"):
        listed([photos / "sub"], masks, masks)
    with pytest.raises(InputError, match="masks: expected one called 'y'"):
        listed([photos / "sub" / "x[1].png", _saved(photos / "y.png")], tmp_path / "new", masks)


def _saved(path):
    Image.fromarray(flat(8, 8)).save(path)
    return path


def test_colour_profiles_stay_and_forms_that_are_not_written_are_said(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    same = lambda image, mask: image
    info = lambda path: open_image(path.read_bytes()).info
    for name in ("a.png", "a.jpg", "a.tif", "a.webp"):
        Image.fromarray(flat(9, 9, 3)).save(tmp_path / name, icc_profile=profile)
        (work,), _ = listed([tmp_path / name], tmp_path / "out")
        assert done(work, tmp_path / "out", same) is None
        assert info(tmp_path / "out" / name)["icc_profile"] == profile
        assert done(work, tmp_path / "grey", lambda image, mask: image[..., :1]) is None
        assert "icc_profile" not in info(tmp_path / "grey" / name)
    with pytest.raises(InputError, match="out: expected a suffix of images that Pillow writes, got '.psd'"):
        files.write_image(tmp_path / "a.psd", flat(8, 8, 3))


def test_pages_that_are_left_out_are_told(tmp_path):
    pages, notes = [Image.fromarray(flat(9, 9)) for _ in range(3)], []
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "b.tif")
    for work in listed([tmp_path], tmp_path / "out")[0]:
        assert done(work, tmp_path / "out", lambda image, mask: image, notes.append) is None
    assert len(notes) == 1
    assert notes[0].endswith("a.tif: the first page alone, 2 left out")


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_bits_that_are_not_read_are_told(channels, tmp_path):
    (tmp_path / "a.png").write_bytes(png(deep(9, 7, channels)))
    (work,), notes = listed([tmp_path], tmp_path / "out")[0], []
    assert done(work, tmp_path / "out", lambda image, mask: image, notes.append) is None
    assert len(notes) == (channels > 1)
    assert all("a.png: 16 bits are read as 8" in note for note in notes)
    assert files.read(tmp_path / "out" / "a.png").images[0].dtype == (np.uint8 if notes else np.uint16)


def test_dicom_files_keep_their_tags_and_units(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    path = pydicom.data.get_testdata_file("CT_small.dcm")
    work = tmp_path / "CT_small.dcm"
    shutil.copy(path, work)
    (one,), _ = listed([work], tmp_path / "out")
    assert done(one, tmp_path / "out", lambda image, mask: image) is None
    before, after = pydicom.dcmread(work), pydicom.dcmread(tmp_path / "out" / "CT_small.dcm")
    np.testing.assert_array_equal(after.pixel_array, before.pixel_array)
    assert len(np.unique(files.read(work).images[0])) > 256
    assert after.RescaleIntercept == before.RescaleIntercept


# --- a run -----------------------------------------------------------------------------------------


def restoring(tmp_path, **changes):
    config = small(
        tmp_path,
        "restore-28",
        **({
            "steps": 4, "log_every": 1, "sample_every": 4, "checkpoint_every": 2, "evaluate_every": 4, "quick_n": 8,
            "final_n": 8, "data": digits(tmp_path), "model": Pix2PixConfig(width=2, halvings=2, dropout=False),
        } | changes)
    )  # fmt: skip
    return with_fields(config, **{"data.degrade": ("inpaint",), "data.degrade_options": (("mask", "box"),)})


def test_a_run_of_restoration_from_end_to_end(tmp_path, capsys):
    (tmp_path / "few").mkdir()
    data = digits(tmp_path / "few", 40)  # of which 4 are held out
    folder = train(restoring(tmp_path, data=data))
    assert "scoring 4 fakes\n" in capsys.readouterr().out  # and not the 8 that are asked for
    assert [record["score_name"] for record in folder.records() if "score" in record] == ["rmse"]
    scores = folder.read("scores.json")["final"]["scores"]
    assert {"rmse", "psnr", "psnr_given"} <= scores.keys()
    assert folder.report.exists()
    assert len(list(folder.samples.glob("*.png"))) >= 2
    again = evaluate_run(folder.path, "last", 8)["final"]["scores"]
    assert again["psnr"]["value"] == pytest.approx(scores["psnr"]["value"], rel=1e-5)
    goes_on_to_the_bit(folder, 4)
    near_on_four_devices(restoring(tmp_path, data=data), folder, ["g/pixel"])
    # and it is applied
    image, mask = flat(13, 21, 3), np.zeros((13, 21), np.uint8)
    mask[4:9, 5:12] = 1
    made = load(folder.path).apply(image, masks=mask)
    np.testing.assert_array_equal(made[mask == 0], image[mask == 0])
    assert not np.array_equal(made[mask == 1], image[mask == 1])
    with pytest.raises(InputError, match="jaxgan apply RUN IMAGES"):
        load(folder.path).sample()
    Image.fromarray(image).save(tmp_path / "a.png")
    Image.fromarray(255 * mask).save(tmp_path / "mask.png")
    (tmp_path / "b.png").write_bytes(b"no image")
    capsys.readouterr()
    words = ["apply", str(folder.path), str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    assert main([*words, "--masks", str(tmp_path / "mask.png"), "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr()
    assert "wrote 1 file" in told.out
    assert told.err.splitlines()[-1].startswith(f"left out: '{tmp_path / 'b.png'}': cannot be read (")
    shutil.copy(tmp_path / "a.png", tmp_path / "c.png")
    Image.fromarray(deep(9, 9)).save(tmp_path / "d.png")
    assert (
        main(
            [
                "apply",
                str(folder.path),
                *(str(tmp_path / f"{x}.png") for x in "acd"),
                "--out",
                str(tmp_path / "p"),
            ]
        )
        == 2
    )
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "left out" in line]
    assert "left out: 3 files (" in line
    assert "--masks FILE or FOLDER" in line
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / "a.png")), made)
    assert main([*words[:3], "--direction", "b-to-a", "--out", str(tmp_path / "o")]) == 2
    assert "unknown direction 'b-to-a'" in capsys.readouterr().err
    assert jnp.ndim(made) == 3
    assert json.loads((folder.path / "run.json").read_text())["data"]["modality"] == "pair"
