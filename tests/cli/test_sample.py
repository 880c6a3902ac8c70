"""`jaxgan sample` says of which class what is, walks through classes, and refuses what a family has not."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import small
from PIL import Image

from jaxgan.__main__ import main
from jaxgan.data import IMAGE
from jaxgan.models import DCGANConfig
from jaxgan.report import pictures
from jaxgan.train.run import train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A class-conditional run of two steps."""
    model = DCGANConfig(width=2, d_batch_norm=False, conditional=True)
    out = tmp_path_factory.mktemp("sampled")
    every = {"checkpoint_every": 2, "log_every": 2, "sample_every": 2, "evaluate_every": 9}
    return train(small(out, "cdcgan-mnist", model=model, steps=2, **every, quick_n=20, final_n=20)).path


def sample(capsys, run, out, *args):
    status = main(["sample", str(run), "--out", str(out), *map(str, args)])
    return status, capsys.readouterr().err


def test_files_are_named_by_class(run, tmp_path, capsys):
    assert sample(capsys, run, tmp_path / "each", "--seeds", "3,14")[0] == 0
    assert [p.name for p in sorted((tmp_path / "each").iterdir())] == [
        "class3-seed00003.png",
        "class4-seed00014.png",
    ]
    assert sample(capsys, run, tmp_path / "a.npz", "--seeds", "3,14")[0] == 0
    np.testing.assert_array_equal(np.load(tmp_path / "a.npz")["labels"], [3, 4])


def test_names_of_classes_are_fit_for_files(run, tmp_path, capsys, monkeypatch):
    facts = (run / "run.json").read_text()
    try:
        (run / "run.json").write_text(facts.replace('"3"', '"../a cat"'))
        assert sample(capsys, run, tmp_path / "each", "--seeds", "3")[0] == 0
    finally:
        (run / "run.json").write_text(facts)
    assert [p.name for p in (tmp_path / "each").iterdir()] == ["class3-a_cat-seed00003.png"]


def test_jpeg_and_row_names(run, tmp_path, capsys):
    for name in ("c.jpg", "c.png"):
        assert sample(capsys, run, tmp_path / name, "--classes", "3,7", "--seeds", "0-4")[0] == 0
    with Image.open(tmp_path / "c.jpg") as jpg, Image.open(tmp_path / "c.png") as png:
        assert (jpg.format, png.format) == ("JPEG", "PNG")
        assert jpg.size == png.size
        left = np.asarray(png.convert("L"))[:, :20]
    assert left.max() == 255
    assert left[: len(left) // 2].min() < 128  # a name beside each row
    assert left[len(left) // 2 :].min() < 128


def test_rows_of_several_classes_have_no_name(run, tmp_path, capsys):
    for columns in (4, 3):
        out = tmp_path / f"{columns}.png"
        assert sample(capsys, run, out, "--classes", "3,7", "--seeds", "0-3", "--columns", columns)[0] == 0
    widths = [pictures.pixels_of((tmp_path / f"{columns}.png").read_bytes()).shape[1] for columns in (4, 3)]
    plain = [pictures.picture(np.zeros((8, 28, 28, 1), np.uint8), IMAGE, columns) for columns in (4, 3)]
    wide = [pictures.pixels_of(png).shape[1] for png in plain]
    assert widths[0] > wide[0]
    assert widths[1] == wide[1]


def test_an_animation_walks_through_the_classes(run, tmp_path, capsys, monkeypatch):
    seen = []
    kept = lambda pixels, text: (seen.append(text), pixels)[1]
    monkeypatch.setattr(pictures, "captioned", kept)
    assert sample(capsys, run, tmp_path / "a.gif", "--seeds", "0-2", "--frames", 4)[0] == 0
    assert seen == list("001111222200")  # half-way to the next seed it is of that one's class
    seen.clear()
    assert sample(capsys, run, tmp_path / "b.gif", "--classes", "4,7", "--frames", 2)[0] == 0
    assert seen == ["4", "7", "7", "4"]


def test_captions_are_under_the_picture():
    frame = pictures.captioned(np.full((40, 60, 1), 7, np.uint8), "seven")
    assert frame.shape == (64, 60, 3)
    assert (frame[:40] == 7).all()
    assert frame[40:].min() < 128
    assert frame[40:].max() == 255
    png = pictures.picture(np.zeros((4, 8, 8, 1), np.uint8), IMAGE, 2)
    assert (
        pictures.pixels_of(pictures.with_row_names(png, ["a", "b"])).shape[0]
        == pictures.pixels_of(png).shape[0]
    )


def test_truncation_is_refused_where_there_is_none(run, tmp_path, capsys):
    status, err = sample(capsys, run, tmp_path / "a.png", "--truncation", 0.7)
    assert (status, err.count("\n")) == (2, 1)
    assert "truncation: expected none, as networks of the family 'dcgan' have no truncation, got 0.7" in err
    assert "truncation: expected at least 0" in sample(capsys, run, tmp_path / "a.png", "--truncation", -1)[1]


def test_truncation_is_the_family_s_own(run, tmp_path, capsys, monkeypatch):
    asked = []

    def truncated(self, variables, latents, psi):
        asked.append(psi)
        return variables, psi * latents

    monkeypatch.setattr(DCGANConfig, "truncated", truncated, raising=False)
    for psi, name in ((0.0, "none.npz"), (1.0, "whole.npz")):
        assert sample(capsys, run, tmp_path / name, "--classes", "3", "--truncation", psi)[0] == 0
    assert sample(capsys, run, tmp_path / "plain.npz", "--classes", "3")[0] == 0
    none, whole, plain = (np.load(tmp_path / f"{name}.npz")["images"] for name in ("none", "whole", "plain"))
    assert asked == [0.0, 1.0]
    assert (none == none[:1]).all()
    np.testing.assert_array_equal(whole, plain)


def test_standing_statistics_take_the_place_of_those_of_training(run, tmp_path, capsys):
    images = {}
    for passes in (None, 0, 1, 2):
        args = [] if passes is None else ["--standing", passes]
        assert sample(capsys, run, tmp_path / "a.npz", "--classes", "3", *args)[0] == 0
        images[passes] = np.load(tmp_path / "a.npz")["images"].astype(float)
    np.testing.assert_array_equal(images[0], images[None])
    assert np.abs(images[1] - images[0]).max() > 2
    assert np.abs(images[2] - images[1]).mean() < np.abs(images[1] - images[0]).mean()
    assert "standing: expected at least 0" in sample(capsys, run, tmp_path / "a.png", "--standing", -1)[1]


def test_a_video_needs_its_extra_before_any_work(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    status, err = sample(capsys, "/nowhere", tmp_path / "a.mp4")
    assert (status, err) == (
        2,
        "error: out: an .mp4 needs the package imageio_ffmpeg: pip install 'jaxgan[video]'\n",
    )


def test_a_video_has_all_frames(run, tmp_path, capsys, monkeypatch):
    sent = []

    def write_frames(path, size, **options):
        frame = yield
        while True:
            assert frame.shape == (size[1], size[0], 3)
            assert [side % 2 for side in size] == [0, 0]
            sent.append(frame)
            with open(path, "wb") as file:
                file.write(b"video")
            frame = yield

    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", SimpleNamespace(write_frames=write_frames))
    assert sample(capsys, run, tmp_path / "a.mp4", "--seeds", "0-2", "--frames", 4)[0] == 0
    assert len(sent) == 12
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
    pictures.save_animation(tmp_path / "odd.mp4", [np.zeros((3, 5, 1), np.uint8)] * 2)
    assert sent[-1].shape == (4, 6, 3)
