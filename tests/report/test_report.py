"""The report stands alone and says what the run's files say; pictures are what they should be."""

import html
import io
import json
import re
import shutil

import numpy as np
import pytest
from helpers import small
from PIL import Image

from jaxgan.data import IMAGE, POINT, describe, open_source
from jaxgan.metrics.catalogue import SCORES
from jaxgan.report import pictures
from jaxgan.report.run import write_report
from jaxgan.report.scores import score_rows, with_error
from jaxgan.runs.folder import RunFolder
from jaxgan.train.run import train


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> RunFolder:
    return train(
        small(tmp_path_factory.mktemp("report")), ["jaxgan", "train", "mlp-mnist", "--steps", "<40>"]
    )


def test_the_report_needs_nothing_from_elsewhere(folder):
    page = folder.report.read_text()
    links = re.findall(r"""(?:src|href)=["']([^"']*)""", page) + re.findall(r"url\(([^)]*)\)", page)
    assert all(link.startswith(("data:", "#")) for link in links)
    assert "<script src" not in page
    assert page.startswith("<!doctype html>")


def test_the_report_shows_the_run(folder):
    page = folder.report.read_text()
    for words in (
        "Samples over time",
        "Scores",
        "Curves",
        "Reproduce",
        "configuration",
        "environment",
        "real data",
    ):
        assert words in page
    assert "jaxgan train mlp-mnist --steps &#x27;&lt;40&gt;&#x27;" in page
    scores = folder.read("scores.json")
    for name, score in scores["final"]["scores"].items():
        assert f"<b>{name}</b></td><td class=n>{with_error(score)}</td>" in page
    assert "floor" not in page
    assert "mnist:test" in page


def test_every_score_has_a_meaning(folder):
    page, scores = folder.report.read_text(), folder.read("scores.json")
    assert {"fd_mnist_cnn", "kd_mnist_cnn", "precision", "class_kl"} <= scores["final"]["scores"].keys()
    for name, score in scores["final"]["scores"].items():
        assert score["meaning"], name
        assert html.escape(score["meaning"]) in page
    for kind in SCORES.values():
        entry = {
            "value": 0.5,
            "floor": None,
            "n_fake": 9,
            "n_real": 0,
            "features": "x_cnn@0",
            **kind.to_json(),
        }
        name = kind.name("x_cnn", 32)
        (row,) = score_rows({"final": {"scores": {name: entry}}})
        assert (row.final, row.better, row.meaning) == ("0.5", kind.better, kind.meaning)
        assert row.meaning


def test_scores_of_older_runs_and_of_strangers_are_shown(folder, tmp_path):
    """Files once said no more than which way is better; names that nobody knows are no error."""
    shutil.copytree(folder.path, tmp_path / "old")
    old = RunFolder(tmp_path / "old")
    scores = old.read("scores.json")
    for which in ("final", "best"):
        entries = scores[which]["scores"]
        for entry in entries.values():
            for key in ("key", "meaning", "scale"):
                del entry[key]
        entries["no such score"] = {**entries["precision"], "value": 0.123}
    old.write("scores.json", scores)
    page = write_report(old).read_text()
    assert "<b>no such score</b></td><td class=n>0.123" in page
    assert html.escape(SCORES["precision"].meaning) in page
    rows = {row.name: row for row in score_rows(scores)}
    assert rows["precision"].better == rows["no such score"].better == "higher"
    assert rows["fd_mnist_cnn"].better == "lower"
    assert rows["no such score"].meaning == rows["fd_mnist_cnn"].meaning == ""


def test_scores_of_a_run_that_went_on_are_not_what_it_has_reached(folder, tmp_path):
    for name in ("config.json", "run.json", "scores.json", "metrics.jsonl"):
        shutil.copy(folder.path / name, tmp_path)
    whole, later = RunFolder(tmp_path), {**folder.records()[-1], "step": 50}
    write_report(whole)
    main = whole.read("scores.json")["main"]
    said, since = f"<p>{main}, the ", "Of step 40, from which the run has gone on since."
    assert said in whole.report.read_text()
    assert since not in whole.report.read_text()
    with whole.metrics.open("a") as file:
        file.write(json.dumps(later) + "\n")
    page = write_report(whole).read_text()
    assert said not in page
    assert "(at the end)" not in page
    assert since in page


def test_a_report_of_nothing_yet(tmp_path):
    folder = RunFolder(tmp_path)
    (tmp_path / "samples").mkdir()
    folder.write("config.json", {})
    data = describe(open_source("ring"))
    folder.write(
        "run.json", {"status": "running", "command": "c", "data": data, "environment": {"devices": ["cpu"]}}
    )
    page = write_report(folder).read_text()
    assert "(running)" in page
    assert "Still training: step 0." in page


EVIL = "<img src=x>"


def test_everything_that_comes_from_a_run_is_escaped(tmp_path):
    folder = RunFolder(tmp_path / EVIL)
    folder.samples.mkdir(parents=True)
    for step in (1, 2):
        (folder.samples / f"step-{step:07d}.png").write_bytes(b"png")
    (folder.samples / "reals.png").write_bytes(b"png")
    data = {"name": EVIL, "n": 9, "modality": "image", "example": "image", "stored": "uint8", "n_classes": 2}
    data |= {
        "spec": {"image": {"shape": [2, 2, 1], "dtype": "float32"}},
        "class_names": [EVIL, EVIL],
        EVIL: EVIL,
    }
    run = {"status": EVIL, "error": EVIL, "command": EVIL, "data": data, "train_seconds": 9}
    folder.write("run.json", run | {"environment": {"devices": [EVIL], EVIL: EVIL}})
    config = {
        "loss": EVIL,
        "model": {"name": EVIL, "conditional": True},
        "health": {"enabled": True},
        EVIL: [EVIL],
    }
    folder.write("config.json", config)
    texts = dict.fromkeys(("split", "features", "protocol", "key", "meaning"), EVIL) | {"better": "lower"}
    score = {
        "value": 1.0,
        "floor": None,
        "n_fake": 9,
        "n_real": 9,
        "error": 0.1,
        "scale": [None, 0.0],
        **texts,
    }
    end = {"step": 2, "scores": {EVIL: score}, "class_histogram": [3, 4]}
    scores = {
        "main": EVIL,
        "class_names": [EVIL, EVIL],
        "final": end,
        "best": {**end, "step": 1},
        "untrained": end,
    }
    folder.write("scores.json", scores)
    folder.write("evaluations.json", [{"date": EVIL, "final": end}])
    record = {
        "images": 9,
        "score": 1.0,
        "score_name": EVIL,
        f"d/{EVIL}": 1.0,
        "verdicts": [EVIL],
        "health/recall": 0.5,
    }
    lines = [json.dumps({"step": step, **record}) for step in (1, 2)]
    folder.metrics.write_text("\n".join(lines) + "\n")
    page = write_report(folder).read_text()
    assert EVIL not in page
    assert page.count("&lt;img src=x&gt;") > 30


def test_grids_have_their_classes_beside_them_and_the_best_is_not_said_twice(folder, tmp_path):
    shutil.copytree(folder.path, tmp_path / "copy")
    copy = RunFolder(tmp_path / "copy")
    config, scores = copy.read("config.json"), copy.read("scores.json")
    scores["best"] = scores["final"]
    copy.write("scores.json", scores)
    page = write_report(copy).read_text()
    assert 'class="rows"' not in page
    assert "best (step" not in page
    copy.write("config.json", config | {"model": config["model"] | {"conditional": True}})
    scores["best"] = {**scores["final"], "step": 20}
    both = {"precision": {"held_out": 0.25, "train": 0.75}}
    scores["final"]["held_out"] = {"n": 9, "name": "the rest", "scores": both}
    copy.write("scores.json", scores)
    page = write_report(copy).read_text()
    assert page.count('class="rows"') == 3  # the last grid, the reals and the film
    assert page.count('<li title="7">7</li>') == 3
    assert "best (step 20)" in page
    assert (
        "Against 9 of the rest (in brackets: against as many of the training data): precision 0.25 (0.75)."
        in page
    )
    assert 'class="bar"' in page


def test_pages_are_read_in_light_and_dark_and_on_narrow_screens(folder):
    page = folder.report.read_text()
    assert "prefers-color-scheme:dark" in page
    assert page.count("<table") == page.count('<div class="wide"><table')  # each scrolls by itself
    assert "initial-scale=1" in page
    png = pictures.picture(np.zeros((9, 2), np.float32), POINT)
    assert Image.open(io.BytesIO(png)).getpixel((0, 0))[3] == 0  # plots of points stand on the page's ground
    assert (pictures.pixels_of(png)[0, 0] == 255).all()  # and on white where that is lost


def test_grids_tile_row_by_row():
    images = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 3, 1), np.uint8) * 40
    canvas = pictures.grid(images, 3)
    assert canvas.shape == (2 * 3 + 1, 3 * 4 + 1, 1)
    for i in range(6):
        assert canvas[1 + 3 * (i // 3), 1 + 4 * (i % 3), 0] == 40 * i
    assert pictures.grid(images[:5], 3).shape == canvas.shape
    assert pictures.enlarged(np.zeros((10, 20, 1), np.uint8), 100).shape == (50, 100, 1)


def test_advice_is_what_the_game_looks_at(folder, tmp_path):
    """As run.json says; runs of other games that are too old to say it are told nothing of their games."""
    copy = RunFolder(shutil.copytree(folder.path, tmp_path / "run"))
    overfits = [
        {"step": 100 * i, "images": 100 * i, "seconds": i, "health/overfitting": 0.9} for i in range(30)
    ]
    (copy.path / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in overfits))
    run, config = copy.read("run.json"), copy.read("config.json")
    config["health"]["enabled"] = True
    for game, unread, told in (
        ("gan", None, {"data.flip", "augment", "penalty.weights"}),
        ("bigan", None, {"data.flip"}),
        ("bigan", ["augment"], {"data.flip", "penalty.weights"}),
    ):
        known = {key: value for key, value in run.items() if key != "unread"}
        known |= {} if unread is None else {"unread": unread}
        (copy.path / "run.json").write_text(json.dumps(known))
        (copy.path / "config.json").write_text(json.dumps(config | {"game": game}))
        page = write_report(copy).read_text()
        assert "discriminator overfits" in page
        assert {*re.findall(r"--(data\.flip|augment|penalty\.weights)", page)} == told


def test_pictures_are_png(folder):
    rng = np.random.default_rng(0)
    for examples, kind in (
        (rng.integers(0, 256, (5, 4, 4, 3), np.uint8), IMAGE),
        (rng.normal(size=(50, 2)), POINT),
    ):
        image = Image.open(io.BytesIO(pictures.picture(examples, kind)))
        assert image.format == "PNG"
        assert min(image.size) > 200


def test_half_a_line_of_a_killed_run_is_ignored(tmp_path):
    folder = RunFolder(tmp_path)
    folder.metrics.write_text('{"step": 1}\n{"step": 2}\n{"st')
    assert [r["step"] for r in folder.records()] == [1, 2]
    folder.samples.mkdir()
    (folder.samples / "step-0000002.png").write_bytes(b"")
    folder.rewind(1)
    assert folder.metrics.read_text() == '{"step": 1}\n'
    assert not list(folder.samples.iterdir())


def test_an_earlier_end_is_not_judged_once_the_run_goes_on(folder, tmp_path):
    shutil.copytree(folder.path, tmp_path / "copy")
    copy = RunFolder(tmp_path / "copy")
    config, scores = copy.read("config.json"), copy.read("scores.json")
    copy.write("config.json", {**config, "health": {**config["health"], "enabled": True}})
    precision = {**next(iter(scores["final"]["scores"].values())), "value": 0.0, "floor": 0.9}
    scores["final"]["scores"]["precision"] = {**precision, **SCORES["precision"].to_json()}
    copy.write("scores.json", scores)
    assert "Not trained yet" in write_report(copy).read_text()
    with copy.metrics.open("a") as file:
        file.write(json.dumps({"step": scores["final"]["step"] + 10, "images": 9}) + "\n")
    assert "Not trained yet" not in write_report(copy).read_text()
