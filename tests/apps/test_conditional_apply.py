"""A run that translates and is told classes, from end to end: data, resume, devices, scores, a person's own images."""

import pathlib
import shutil

import jax.numpy as jnp
import numpy as np
import pytest
from helpers import arrays, goes_on_to_the_bit, near_on_four_devices, same_arrays, small
from PIL import Image

from jaxgan import InputError, load
from jaxgan.__main__ import main
from jaxgan.apps.restore.folder import listed, with_classes
from jaxgan.config import DataConfig, with_fields
from jaxgan.data.mnist import load_mnist
from jaxgan.models import Pix2PixConfig
from jaxgan.runs.evaluation import evaluate_run
from jaxgan.runs.seeds import member_folder
from jaxgan.train.resume import resume
from jaxgan.train.run import train
from jaxgan.train.seeds import resume_seeds, train_seeds

pytestmark = pytest.mark.usefixtures("shared_programs", "quick_keys")

NAMES = ("five", "one", "three")


def told(tmp_path, **changes):
    """Noisy digits of classes that have names, of which one is left out."""
    digits = load_mnist("test")
    rows = np.flatnonzero(np.isin(digits.labels, [1, 3, 4, 5]))[:60]
    names = np.array(["zero", "one", "two", "three", "four", "five"])[digits.labels[rows]]
    np.savez(tmp_path / "digits.npz", images=digits.images[rows, 2:26:3, 2:26:3], labels=names)
    model = {"width": 2, "halvings": 2, "dropout": False, "conditional": True} | changes.pop("model", {})
    config = small(
        tmp_path,
        "restore-28",
        **({
            "steps": 4, "log_every": 1, "sample_every": 4, "checkpoint_every": 2, "evaluate_every": 4, "quick_n": 8,
            "final_n": 8, "data": DataConfig(f"npz:{tmp_path}/digits.npz"), "model": Pix2PixConfig(**model),
        } | changes)
    )  # fmt: skip
    return with_fields(config, **{
        "data.degrade": ("denoise",), "data.degrade_options": (), "data.keep_classes": "one,three,five",
    })  # fmt: skip


def test_a_conditional_run_of_restoration_from_end_to_end(tmp_path, capsys):
    folder = train(told(tmp_path))
    assert "are not used" not in capsys.readouterr().out
    facts = folder.facts()["data"]
    assert (facts["n_classes"], tuple(facts["class_names"])) == (3, NAMES)
    assert ">three<" not in folder.report.read_text()  # no row of the pictures is one of a class
    scores = folder.read("scores.json")["final"]["scores"]
    again = evaluate_run(folder.path, "last", 8)["final"]["scores"]
    assert again["psnr"]["value"] == pytest.approx(scores["psnr"]["value"], rel=1e-5)
    goes_on_to_the_bit(folder, 4)
    near_on_four_devices(told(tmp_path), folder, ["g/pixel", "d/loss"])
    # what is made depends on the class, however it is named
    run = load(folder.path)
    image = np.random.default_rng(0).integers(0, 256, (13, 9), dtype=np.uint8)
    each = [run.apply(image, classes=number) for number in range(3)]
    assert not np.array_equal(each[0], each[1])
    for made in (
        run.apply([image] * 3, classes=NAMES),
        run.apply(np.stack([image] * 3)[..., None], classes=(0, 1, 2)),
    ):
        np.testing.assert_array_equal(np.stack(made), np.stack(each))
    for two in ("three", np.array("three"), np.array(2), jnp.array([2]), [np.int64(2)]):
        np.testing.assert_array_equal(run.apply([image], classes=two)[0], each[2])
    for wrong, why in (
        (None, r"is conditional: one of five, one, three"),
        (3, "classes: expected names, or integers from 0 to 2, got 3"),
        (np.array(3), "classes: expected names, or integers from 0 to 2, got 3"),
        (np.eye(3)[:1], "classes: expected names, or integers from 0 to 2, got .1.0, 0.0, 0.0."),
        (float("nan"), "classes: expected names, or integers from 0 to 2, got nan"),
        (True, "classes: expected names, or integers from 0 to 2, got True"),
        ([0.5], "classes: expected names, or integers from 0 to 2, got 0.5"),
        (b"one", "classes: expected names, or integers from 0 to 2, got b'one'"),
        ("four", "unknown class 'four'"),
        ([0, 1], "classes: expected one for each of 1 images, got 2"),
    ):
        with pytest.raises(InputError, match=why):
            run.apply(image, classes=wrong)
    assert run.apply([]) == []
    with pytest.raises(
        InputError, match=r"images: expected at least one, got an array of shape .0, 13, 9, 1."
    ):
        run.apply(np.stack([image] * 3)[:0, ..., None])
    capsys.readouterr()
    assert main(["sample", str(folder.path), "--classes", "one", "--out", str(tmp_path / "a.png")]) == 2
    assert "jaxgan apply RUN IMAGES" in capsys.readouterr().err
    # and files have the class that is named, or that their folder is called
    for name in NAMES:
        (tmp_path / "in" / name / "more").mkdir(parents=True)
        Image.fromarray(image).save(tmp_path / "in" / name / "more" / "a.png")
    apply = ["apply", str(folder.path), str(tmp_path / "in"), "--out"]
    read = lambda out, name: np.asarray(Image.open(tmp_path / out / name / "more" / "a.png"))[..., None]
    assert main([*apply, str(tmp_path / "out")]) == 0
    assert main([*apply, str(tmp_path / "one"), "--classes", "one"]) == 0
    for number, name in enumerate(NAMES):
        np.testing.assert_array_equal(read("out", name), each[number])
        np.testing.assert_array_equal(read("one", name), each[1])
    Image.fromarray(image).save(tmp_path / "a.png")
    capsys.readouterr()
    apply[2] = str(tmp_path / "a.png")
    for more, why in (
        ([], "for all with --classes, or by the folders that they lie in; one of five, one, three, got "),
        (
            ["--classes", "one,three"],
            "error: classes: expected one class, that of all images, got 'one,three'",
        ),
        (["--classes", "four"], "error: unknown class 'four'"),
    ):
        assert main([*apply, str(tmp_path / "none"), *more]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert why in line
    assert not (tmp_path / "none").exists()


def test_the_folders_of_a_file_say_its_class_from_the_one_that_was_named_down(tmp_path, monkeypatch):
    for name in ("cat/more/a.png", "cat/dog/b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / name)
    monkeypatch.chdir(tmp_path / "cat" / "more")
    for path in (tmp_path / "cat", pathlib.Path("..")):
        works = with_classes(listed([path], tmp_path / "out")[0], ("cat", "dog"))
        assert {work.path.name: work.label for work in works} == {"a.png": 0, "b.png": 1}
    with pytest.raises(InputError, match="classes: expected the class of each image"):
        with_classes(listed([pathlib.Path("a.png")], tmp_path / "out")[0], ("cat", "dog"))


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_run_of_pairs_goes_on_though_their_folders_are_classes_now(tmp_path, seeds):
    """Of runs that were begun before folders of pairs were classes."""
    for i in range(12):
        path = tmp_path / "pairs" / f"{i:02}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((8, 16, 1), 20 * i, np.uint8)[..., 0]).save(path)
    model = Pix2PixConfig(width=2, halvings=2, dropout=False)
    config = small(
        tmp_path,
        "restore-28",
        **{
            "steps": 4, "log_every": 1, "sample_every": 4, "checkpoint_every": 2, "evaluate_every": 4,
            "batch_size": 4, "data": DataConfig(f"pairs:{tmp_path}/pairs", hold_out=0.2), "model": model,
        }
    )  # fmt: skip
    config = with_fields(config, **{"data.degrade": (), "data.degrade_options": ()})
    whole = train(config) if seeds == 1 else train_seeds(config, 2)
    own = [whole] if seeds == 1 else [member_folder(whole, seed) for seed in (0, 1)]
    ended = [arrays(folder, 4) for folder in own]
    for i in range(12):
        path = tmp_path / "pairs" / "ab"[i // 6] / f"{i:02}.png"
        path.parent.mkdir(exist_ok=True)
        (tmp_path / "pairs" / path.name).rename(path)
    for folder in own:
        shutil.rmtree(folder.path / "checkpoints" / "4")
    (resume if seeds == 1 else resume_seeds)(whole)
    for folder, end in zip(own, ended, strict=True):
        same_arrays(arrays(folder, 4), end)
    assert evaluate_run(own[0].path, "last", 2)["final"]["scores"]["psnr"]


def test_a_run_that_is_not_conditional_takes_no_classes(tmp_path, capsys):
    plain = train(told(tmp_path, steps=2, evaluate_every=2, model={"conditional": False}))
    assert "its 3 classes are not used (--model.conditional uses them)" in capsys.readouterr().out
    with pytest.raises(InputError, match="classes: expected none, as this run is not conditional, got 1"):
        load(plain.path).apply(np.zeros((8, 8), np.uint8), classes=1)
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.png")
    capsys.readouterr()
    apply = ["apply", str(plain.path), str(tmp_path / "a.png"), "--out", str(tmp_path / "out")]
    assert main([*apply, "--classes", "one"]) == 2
    assert "classes: expected none, as this run is not conditional" in capsys.readouterr().err
    assert main(apply) == 0


@pytest.mark.parametrize("conditional", [False, True])
def test_held_out_images_without_labels_are_compared_with(conditional, tmp_path, capsys, monkeypatch):
    """Those of test/, of which no folder says a class; a network that is told classes cannot make them.

    What was begun so before it was refused goes on, and is scored on what it was scored on.
    """
    digits = load_mnist("test").images[:12, 2:26:3, 2:26:3, 0]
    for i, image in enumerate(digits):
        path = tmp_path / "ds" / (f"train/{'ab'[i % 2]}" if i < 8 else "test") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    data = DataConfig(f"folder:{tmp_path}/ds", channels=1)
    config = told(tmp_path, steps=2, evaluate_every=2, data=data, model={"conditional": conditional})
    config = with_fields(config, **{"data.keep_classes": ""})
    if conditional:
        with pytest.raises(
            InputError, match="class labels of the held-out images, too, got the other split of folder:"
        ):
            train(config)
        monkeypatch.setattr("jaxgan.train.run.tried", lambda members: None)
        begun = train(with_fields(config, checkpoint_every=1))
        score = begun.read("scores.json")["final"]["scores"]["psnr"]
        assert (score["n_fake"], score["split"].split(";")[0]) == (8, f"folder:{tmp_path}/ds")
        goes_on_to_the_bit(begun, 2)
        again = evaluate_run(begun.path, "last", 8)["final"]["scores"]
        assert again["psnr"]["value"] == pytest.approx(score["value"], rel=1e-5)
    else:
        train(config)
        assert "scoring 4 fakes\n" in capsys.readouterr().out
