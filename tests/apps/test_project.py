"""Latents of real images: found by optimisation, from files of any form."""

import json
import re

import numpy as np
import pytest
from helpers import digits, small, untrained
from PIL import Image

import jaxgan
from jaxgan.__main__ import main
from jaxgan.apps.editing.eyes import eyes_for
from jaxgan.apps.editing.project import Search, project, psnr
from jaxgan.apps.editing.targets import read_attributes, read_targets
from jaxgan.apps.fitted import of_array
from jaxgan.apps.network import Network
from jaxgan.common.errors import InputError
from jaxgan.config import DataConfig
from jaxgan.data.mnist import load_mnist
from jaxgan.models import DCGANConfig, MLPConfig, StyleGAN2Config


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    tmp = tmp_path_factory.mktemp("run")
    return jaxgan.load(untrained(small(tmp, data=digits(tmp)), tmp / "run", scale=2.0).path)


def test_an_image_of_the_generator_is_found(run):
    """Two images, three starts each, in one program: what the generator can make it makes again."""
    network = Network(run)
    targets = run.sample(seed=100, n=2)
    seen = []
    found = project(
        network,
        targets,
        search=Search(steps=200, starts=4, prior=0.0),
        features="none",
        on_step=lambda step, steps, loss: seen.append(loss),
    )
    assert found.psnr.min() > 20 > 12 > found.start_psnr.max()
    assert seen[-1] < 0.05 * seen[0]
    assert found.steps[0] == 0
    assert found.steps[-1] == 200
    np.testing.assert_array_equal(found.way[:, -1], found.images)
    np.testing.assert_array_equal(network.decode(found.latents, None), found.images)
    np.testing.assert_allclose(psnr(found.images, targets, 255.0), found.psnr)


def test_psnr():
    a = np.zeros((1, 2, 2, 1), np.uint8)
    b = np.full((1, 2, 2, 1), 5, np.uint8)
    assert psnr(a, b, 255.0)[0] == pytest.approx(20 * np.log10(255 / 5))
    assert psnr(a, a, 255.0)[0] == np.inf


def test_the_rate_rises_and_falls():
    search = Search(steps=100, learning_rate=0.1)
    rates = [search.rate(i) for i in range(100)]
    assert rates[0] < rates[2] < max(rates) == pytest.approx(0.1)
    assert rates[40] == pytest.approx(0.1)
    assert rates[99] < 0.001
    assert search.noise(0) == pytest.approx(0.05)
    assert search.noise(75) == 0


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"steps": -1}, "steps: expected at least 0"),
        ({"starts": 65}, "starts: expected an integer from 1 to 64"),
    ],
)
def test_searches_out_of_range(fields, says):
    with pytest.raises(InputError, match=says):
        Search(**fields)


def test_spaces_and_targets_that_there_are_not(run):
    network = Network(run)
    targets = run.sample(n=1)
    with pytest.raises(
        InputError, match="space: expected 'z', as this family has no mapping network, got 'w'"
    ):
        project(network, targets, "w")
    with pytest.raises(InputError, match=r"images: expected uint8 of shape \[n, 8, 8, 1\], got float64"):
        project(network, targets / 255.0)
    with pytest.raises(InputError, match="class: expected none"):
        project(network, targets, label=1)
    with pytest.raises(InputError, match="unknown features 'vgg'"):
        eyes_for(run, "vgg")
    with pytest.raises(InputError, match="mnist_cnn expects images"):
        eyes_for(run, "mnist_cnn")


def test_files_of_any_form_become_images_of_the_run(run, tmp_path):
    grey = np.add.outer(np.arange(8) * 16, np.arange(8) * 15).astype(np.uint8)
    rgb = np.repeat(grey[:, :, None], 3, axis=2)
    wide = np.concatenate([np.zeros((8, 4), np.uint8), grey, np.zeros((8, 4), np.uint8)], axis=1)
    clear = np.concatenate([np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 1), np.uint8)], axis=2)
    for name, array in {
        "a grey": grey, "b rgb": rgb, "c deep": grey.astype(np.uint16) * 257, "d wide": wide, "e clear": clear,
    }.items():  # fmt: skip
        Image.fromarray(array).save(tmp_path / f"{name}.png")
    Image.fromarray(grey.repeat(8, 0).repeat(8, 1)).save(tmp_path / "f large.png")
    (tmp_path / "g broken.png").write_bytes(b"nothing")
    names, images, files, notes, broken = read_targets([tmp_path], run.spec)
    assert [file.name for file in files] == [f"{name.replace('_', ' ')}.png" for name in names]
    assert ["g broken.png" in why for why in broken] == [True]
    assert notes == [
        "16 bits are rounded to 8 of 1 image, as this run's images are",
        "transparent pixels are laid over white in 1 image, as this run's images are",
    ]
    with pytest.raises(InputError, match="cannot read .*g broken.png"):
        read_targets([tmp_path / "g broken.png"], run.spec)
    assert names == ["a_grey", "b_rgb", "c_deep", "d_wide", "e_clear", "f_large"]
    assert images.dtype == np.uint8
    for i in (0, 1, 2, 3):
        np.testing.assert_allclose(images[i, ..., 0].astype(int), grey, atol=1)
    assert (images[4] == 255).all()  # transparent is white
    assert np.abs(images[5, ..., 0].astype(int) - grey).max() < 16


def test_names_of_two_folders_stay_apart(run, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        Image.new("L", (8, 8)).save(tmp_path / folder / "x.png")
    assert read_targets([tmp_path / "a" / "x.png", tmp_path / "b"], run.spec)[0] == ["x", "x-2"]
    (tmp_path / "words.txt").write_text("no image")
    names, _, files, notes, _ = read_targets([tmp_path], run.spec)  # and all below it
    assert (names, [file.parent.name for file in files]) == (["x", "x-2"], ["a", "b"])
    assert notes == ["left out, no images that can be read: 1 file (1 .txt)"]


def test_names_are_given_once_and_nothing_is_written_over(run, tmp_path):
    folder = tmp_path / "photos"
    for name in ("x.png", "way.png", "._x.png", "more/x.png", "more/x-2.png"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"") if name.startswith(".") else Image.new("L", (8, 8)).save(path)
    names, *_ = read_targets([folder], run.spec, tmp_path / "out")
    assert names == ["x-2", "x", "way-2", "x-3"]
    for paths, out in (
        ([folder / "x.png"], folder),
        ([folder / "way.png"], folder),
        ([folder], folder / "more" / ".."),
    ):
        with pytest.raises(InputError, match="out: expected a folder in which no image is written over"):
            read_targets(paths, run.spec, out)


def test_what_is_found_for_an_image_does_not_depend_on_the_others(run, tmp_path, monkeypatch):
    config = small(
        tmp_path, data=digits(tmp_path), model=StyleGAN2Config(base=32, most=8, style=8, mapping_layers=1)
    )
    styled = jaxgan.load(untrained(config, tmp_path / "run", scale=2.0).path)
    for opened, space in ((run, "z"), (styled, "w")):
        network, targets = Network(opened), opened.sample(seed=50, n=3)
        find = lambda x, network=network, space=space: project(
            network, x, space, Search(steps=2, starts=2, stages=2), features="none"
        )
        together = find(targets)
        np.testing.assert_allclose(find(targets[[2]]).latents, together.latents[[2]], atol=1e-4)
        monkeypatch.setattr("jaxgan.apps.editing.project.AT_ONCE", 4)  # two images and one, filled up
        seen = []
        parts = project(
            network, targets, space, Search(steps=2, starts=2, stages=2), features="none",
            on_step=lambda step, steps, loss, seen=seen: seen.append((step, steps)),
        )  # fmt: skip
        assert seen == [(0, 4), (2, 4), (2, 4), (4, 4)]
        np.testing.assert_allclose(parts.latents, together.latents, atol=1e-4)
        assert parts.way.shape == (3, 2, 8, 8, 1)
        monkeypatch.undo()


def test_starts_take_the_classes_that_look_nearest(tmp_path):
    """More classes than starts: an image of the last class is found with it."""
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), np.uint8)
    np.savez(tmp_path / "ten.npz", images=images, labels=np.arange(40) % 10)
    config = small(
        tmp_path, "dcgan-mnist", data=DataConfig(f"npz:{tmp_path / 'ten.npz'}"),
        model=DCGANConfig(width=2, conditional=True),
    )  # fmt: skip
    network = Network(jaxgan.load(untrained(config, tmp_path / "run", scale=3.0).path))
    search = Search(steps=1, starts=2, stages=2)
    draw = np.random.default_rng(search.seed).integers(0, 2**31, 64).tolist()
    z = network.run.sampler.latents(draw)
    target = network.decode(z[9:10], np.asarray([9], np.int32))  # the tenth draw, which takes the tenth class
    assert project(network, target, search=search, features="none").labels.tolist() == [9]
    assert project(network, target, search=search, features="none", label=3).labels.tolist() == [3]


def test_the_first_start_is_what_the_encoder_makes(tmp_path, capsys):
    """By itself with no steps; with some it is searched from, and the better of both starts is taken."""
    tiny = small(
        tmp_path, "vae-mnist", data=digits(tmp_path), model=MLPConfig(g_widths=(16,), d_widths=(16,))
    )
    folder = untrained(tiny, tmp_path / "run", scale=2.0)
    run = jaxgan.load(folder.path)
    network, images = Network(run), load_mnist("test").images[:3, 2:26:3, 2:26:3]
    encoded = run.sampler.encode(run.players[run.game.encoding.player], images)
    found = project(network, images, search=Search(steps=0, starts=1), features="none")
    np.testing.assert_allclose(found.latents, encoded, rtol=1e-6)
    np.testing.assert_array_equal(found.psnr, found.start_psnr)
    assert found.steps == [0]
    both = project(network, images, search=Search(steps=0, starts=2), features="none")
    assert (both.psnr >= found.psnr).all()
    Image.fromarray(images[0, ..., 0]).save(tmp_path / "digit.png")
    out = tmp_path / "out"
    command = ["project", str(folder.path), str(tmp_path / "digit.png"), "--out", str(out), "--steps", "0"]
    assert main([*command, "--starts", "1", "--features", "none"]) == 0
    with np.load(out / "digit.npz") as saved:
        np.testing.assert_allclose(saved["latents"], encoded[:1], rtol=1e-5)
    said = capsys.readouterr().out
    assert re.search(r"^digit: PSNR [0-9.]+ dB \(without a search\)$", said, re.M)
    assert "of the search" not in said  # there is none
    assert "checkpoint of step 40)" in said  # and no step of it


def test_proportions_are_kept_by_cropping():
    from types import SimpleNamespace

    spec = SimpleNamespace(shape=(4, 8, 1), stored="uint16")
    image = np.zeros((16, 16, 1), np.uint8)
    image[4:12] = 200
    made = of_array(image, spec)
    assert made.shape == (4, 8, 1)
    assert made.dtype == np.uint16
    assert (made == 200 * 257).all()
    spec = SimpleNamespace(shape=(4, 4, 1), stored="uint8")
    assert (of_array(np.full((9, 4, 1), 65432, np.uint16), spec) == 255).all()  # the nearest of 8 bits


def test_attributes_of_a_file(run, tmp_path):
    for name in ("x", "y"):
        Image.new("L", (8, 8)).save(tmp_path / f"{name}.png")
    rows = {
        "x.png": {"hat": True, "hair": "long", "all": 1},
        "y.png": {"hat": False, "hair": "short", "all": 1},
    }
    (tmp_path / "true.json").write_text(json.dumps(rows))
    images, true = read_attributes(tmp_path / "true.json", run.spec)
    assert images.shape == (2, 8, 8, 1)
    assert {name: v.tolist() for name, v in true.items()} == {"hat": [True, False]}
    (tmp_path / "true.json").write_text("[1]")
    with pytest.raises(InputError, match="attributes: expected"):
        read_attributes(tmp_path / "true.json", run.spec)


def test_from_a_file_to_an_edited_image(run, tmp_path, capsys):
    """project -> directions -> edit, by their commands."""
    path = str(run.folder.path)
    photo, out = tmp_path / "photo.png", tmp_path / "out"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)).save(photo)
    (tmp_path / "cut.png").write_bytes(photo.read_bytes()[:80])
    assert main(["project", path, str(photo), "--out", str(out), "--steps", "8", "--starts", "2"]) == 0
    assert "photo: PSNR" in capsys.readouterr().out
    told = json.loads((out / "projections.json").read_text())
    assert told["images"]["photo"]["psnr"] > 0
    assert {file.name for file in out.iterdir()} == {"photo.npz", "photo.png", "way.png", "projections.json"}

    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "whole.png").write_bytes(photo.read_bytes())
    for name in ("cut.png", "also.png"):
        (tmp_path / "photos" / name).write_bytes(photo.read_bytes()[:80])
    few = ["--steps", "1", "--starts", "1", "--features", "none", "--out", str(tmp_path / "p")]
    assert main(["project", path, str(tmp_path / "photos"), *few]) == 2
    said, errors = capsys.readouterr()
    assert "whole: PSNR" in said
    assert errors.count("\n") == 1  # for both
    assert re.match(r"left out: 2 files \('.*also.png', '.*cut.png'\): cannot be read \(", errors)

    assert main(["directions", path, "--out", str(tmp_path / "d"), "--k", "100000", "--seeds", "1"]) == 0
    said = capsys.readouterr().out
    n = len(json.loads((tmp_path / "d" / "directions.json").read_text())["directions"])
    assert f"note: {n} directions and not 100,000, as latents of z have so many coordinates" in said
    assert f"directions.png shows the first 10 of {n} directions" in said
    assert main(["directions", path, "--out", str(tmp_path / "d"), "--k", "3", "--seeds", "1"]) == 0
    said = capsys.readouterr().out
    assert "note:" not in said
    assert "shows the first" not in said
    file = str(tmp_path / "d" / "directions.npz")
    for name in ("e.png", "e.gif", "e.npz"):
        way = ["--direction", "2=-2:2", "--direction", "1=0.5", "--directions", file]
        assert (
            main(["edit", path, "--latent", str(out / "photo.npz"), *way, "--out", str(tmp_path / name)]) == 0
        )
    with np.load(tmp_path / "e.npz") as arrays:
        assert arrays["images"].shape == (1, 7, 8, 8, 1)
    with Image.open(tmp_path / "e.gif") as film:
        assert film.n_frames > 8
    assert main(["edit", path, "--seed", "0-1", "--to", "2", "--out", str(tmp_path / "walk.png")]) == 0
    capsys.readouterr()
    for args, says in (
        (["project", path, str(tmp_path / "cut.png"), "--out", str(out)], "images: cannot read"),
        (["project", path, str(tmp_path / "no.png"), "--out", str(out)], "images: expected a file or a folder"),
        (["project", path], "images: expected at least one file"),
        (["edit", path], "edit: expected one of --direction, --mix, --to and --morph, got none"),
        (["edit", path, "--mix", "3"], "mix: expected a family with styles"),
        (["edit", path, "--morph", "1:2"], "morph: expected a conditional generator"),
        (["edit", path, "--direction", "9999=1"], "direction: expected a number from 0 to"),
        (["edit", path, "--to", "3", "--layers", "1"], "layers: expected none beside --to"),
        (["edit", path, "--latent", file, "--direction", "1=1", "--out", file], "out: expected another file"),
        (["edit", path, "--direction", "1=1", "--out", str(tmp_path / "x.txt")], "out: expected a"),
        (["directions", path, "--layer", "x"], "layer: expected none beside --method sefa"),
        (["directions", path, "--method", "supervised", "--out", str(out)], "classifier:"),
    ):  # fmt: skip
        assert main(args) == 2, args
        error = capsys.readouterr().err
        assert says in error
        assert error.count("\n") == 1


def test_a_run_in_python(run):
    image = run.sample(seed=5, n=1)
    found = run.project(image[0], steps=4, starts=2, features="none")
    assert found.images.shape == (1, 8, 8, 1)
    plain = run.edit([7])
    np.testing.assert_array_equal(plain, run.sample(seed=7, n=1))
    assert (run.edit(7, {0: 3.0}) != plain).any()
    assert run.edit(latents=found).shape == (1, 8, 8, 1)
    np.testing.assert_array_equal(run.edit(np.int64(7)), plain)
    assert run.network() is run.network()  # whose programs are compiled once
    large = np.kron(image[0, ..., 0], np.ones((2, 2), np.uint8))[..., None]
    assert run.project(large, steps=1, starts=1, features="none").images.shape == (1, 8, 8, 1)
    with pytest.raises(InputError, match="method: expected 'sefa' or 'ganspace', got 'x'"):
        run.directions("x")
