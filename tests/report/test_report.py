"""The report stands alone and says what the run's files say; pictures are what they should be."""

import io
import re

import numpy as np
import pytest
from helpers import small
from PIL import Image

from jaxgan.data import IMAGE, POINT, describe, open_source
from jaxgan.report import pictures
from jaxgan.report.run import write_report
from jaxgan.report.scores import format_number, meaning
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
        "floor",
    ):
        assert words in page
    assert "jaxgan train mlp-mnist --steps &#x27;&lt;40&gt;&#x27;" in page
    scores = folder.read("scores.json")
    for name, score in scores["final"]["scores"].items():
        assert name in page
        assert format_number(score["value"]) in page
    assert page.count("<svg") == 1
    assert "mnist:test" in page


def test_every_score_has_a_meaning(folder):
    names = set(folder.read("scores.json")["final"]["scores"]) | {"modes", "high_quality", "reverse_kl"}
    names |= {"fid", "kid", "sfid", "fid_infinity", "intra_fd_x_cnn", "mmd_x_cnn", "swd_32", "authenticity"}
    assert [name for name in sorted(names) if not meaning(name)] == []
    assert meaning("no such score") == ""


def test_a_report_of_nothing_yet(tmp_path):
    folder = RunFolder(tmp_path)
    (tmp_path / "samples").mkdir()
    folder.write("config.json", {})
    data = describe(open_source("ring"))
    folder.write(
        "run.json", {"status": "running", "command": "c", "data": data, "environment": {"devices": ["cpu"]}}
    )
    assert "(running)" in write_report(folder).read_text()


def test_numbers_are_short():
    assert [format_number(x) for x in (None, float("nan"), 0.0, 10.0, 12345.0, 0.123456, 1.5e-7, 3.14159)] == [
        "–", "–", "0", "10", "12,345", "0.1235", "1.5e-07", "3.142",
    ]  # fmt: skip


def test_grids_tile_row_by_row():
    images = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 3, 1), np.uint8) * 40
    canvas = pictures.grid(images, 3)
    assert canvas.shape == (2 * 3 + 1, 3 * 4 + 1, 1)
    for i in range(6):
        assert canvas[1 + 3 * (i // 3), 1 + 4 * (i % 3), 0] == 40 * i
    assert pictures.grid(images[:5], 3).shape == canvas.shape
    assert pictures.enlarged(np.zeros((10, 20, 1), np.uint8), 100).shape == (50, 100, 1)


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
