"""Files below folders that are left out: those of one reason are one line."""

import pathlib

import numpy as np
import pytest
from PIL import Image

from jaxgan.apps.anomalies.images import read_images
from jaxgan.apps.editing.targets import read_targets
from jaxgan.apps.restore.folder import done, listed
from jaxgan.data import Arrays
from jaxgan.data.modality import IMAGE

SPEC = Arrays("x", {"image": np.zeros((1, 8, 8, 1), np.uint8)}, IMAGE, example="image").spec


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Of three images, of which the system refuses two."""
    (tmp_path / "in").mkdir()
    for name in "abc":
        Image.new("L", (8, 8)).save(tmp_path / "in" / f"{name}.png")
    own = pathlib.Path.read_bytes

    def refusing(path):
        if path.stem in "ab":
            raise PermissionError(13, "Permission denied", str(path))
        return own(path)

    monkeypatch.setattr(pathlib.Path, "read_bytes", refusing)
    return tmp_path / "in"


def test_what_the_system_refuses_is_one_line(folder):
    said = (
        f"left out: 2 files ('{folder / 'a.png'}', '{folder / 'b.png'}'): cannot be read (Permission denied)"
    )
    assert read_images([str(folder)], SPEC).broken == [said]
    assert read_targets([folder], SPEC).broken == [said]
    works, _ = listed([folder], folder.parent / "out")
    why = {done(work, folder.parent / "out", lambda image, mask: image) for work in works}
    assert why == {None, "cannot be read (PermissionError: Permission denied)"}
