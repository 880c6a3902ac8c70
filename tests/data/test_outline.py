"""What is told of data before they are decoded is what decoding finds; and it is told first."""

import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from jaxgan import InputError
from jaxgan.config import data, get_preset, with_fields
from jaxgan.config.data import outlined
from jaxgan.data import open_source
from jaxgan.data.files import outline
from jaxgan.models.pretrained import efficientnet
from jaxgan.train import members, trial


@pytest.fixture
def folder(tmp_path):
    for i in range(40):
        path = tmp_path / "photos" / ("cats", "dogs")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (9, 7, 3), np.uint8)).save(path)
    return tmp_path / "photos"


@pytest.fixture
def npz(tmp_path):
    images, labels = np.random.default_rng(0).integers(0, 256, (30, 9, 7, 3), np.uint8), np.arange(30) % 3
    np.savez(tmp_path / "a.npz", images=images, labels=labels)
    np.savez(tmp_path / "b.npz", images=images[..., 0], held_out_images=images[:5, ..., 0])
    return tmp_path


def facts(source):
    held_out = None if source.held_out is None else source.held_out.n
    complete = None if source.complete is None else source.complete.n
    return source.name, source.n, source.shape, source.class_names, held_out, complete


@pytest.mark.parametrize("fields", [{}, {"hold_out": 0.1}, {"hold_out": 0.2, "share": 0.5}])
def test_an_outline_says_what_opening_finds(folder, npz, fields, tmp_path):
    (tmp_path / "split" / "train").mkdir(parents=True)
    (folder / "cats").rename(tmp_path / "split" / "train" / "cats")
    (folder / "dogs").rename(tmp_path / "split" / "test")
    fields = {"resolution": 4, "channels": 1, **fields}
    for spec in (f"folder:{tmp_path / 'split'}", f"npz:{npz / 'a.npz'}", f"npz:{npz / 'b.npz'}"):
        told, found = outline(spec, **fields), open_source(spec, **fields)
        assert facts(told) == facts(found), spec
        assert told.images.strides == (0, 0, 0, 0)  # no memory


def test_an_outline_of_classes(folder):
    spec = f"folder:{folder}"
    found = open_source(spec, resolution=4, channels=3, hold_out=0.25)
    assert facts(outline(spec, resolution=4, channels=3, hold_out=0.25)) == facts(found)
    assert outline("mnist", "test", resolution=64, channels=3).shape == (64, 64, 3)


def test_an_outline_of_a_prepared_dataset(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    place = tmp_path / "tiny" / "1.0.0"
    place.mkdir(parents=True)
    splits = [{"name": "train", "shardLengths": ["70", "30"]}, {"name": "test", "shardLengths": ["9"]}]
    image = {"image": {"shape": {"dimensions": ["6", "8", "3"]}}}
    features = {"image": image, "label": {"classLabel": {"numClasses": "5"}}}
    (place / "dataset_info.json").write_text(json.dumps({"splits": splits}))
    (place / "features.json").write_text(json.dumps({"featuresDict": {"features": features}}))
    told = outline("tfds:tiny", hold_out=0.1)
    assert (told.n, told.shape, told.n_classes, told.held_out) == (100, (6, 8, 3), 5, None)
    assert outline("tfds:tiny", "test", resolution=4, channels=1).shape == (4, 4, 1)
    assert outline("tfds:tiny", "train[:5]") is None
    image["image"]["shape"]["dimensions"] = ["-1", "-1", "3"]
    (place / "features.json").write_text(json.dumps({"featuresDict": {"features": features}}))
    assert outline("tfds:tiny") is None
    assert outline("tfds:tiny", resolution=32).shape == (32, 32, 3)


@pytest.mark.parametrize(
    "spec", ["mnist", "ring", "folder:nowhere", "npz:nowhere.npz", "tfds:nothing", "mine.py:data", "tfds:"]
)
def test_what_opens_at_once_or_not_at_all_has_no_outline(spec):
    resolution = None if spec in ("mnist", "ring") else 8
    assert outline(spec, resolution=resolution, channels=3) is None


def test_a_split_that_opening_refuses_has_no_outline(npz, folder):
    with tarfile.open(npz / "a.tar", "w") as archive:
        archive.add(folder, arcname="photos")
    for spec in (f"npz:{npz / 'a.npz'}", f"tar:{npz / 'a.tar'}"):
        assert outline(spec, resolution=8, channels=3) is not None
        assert outline(spec, "test", resolution=8, channels=3) is None


@pytest.mark.parametrize(
    ("preset", "fields", "message"),
    [
        ("fastgan-256", {"data.resolution": 100}, "data.resolution: expected a shorter side of 32, 64"),
        ("fastgan-256", {"batch_size": 60_001}, "batch_size: expected at most the 60000 examples"),
        ("sagan-128", {"model.attention": 5}, "model.attention: expected 0 or one of the sides"),
    ],
)
def test_what_does_not_go_with_the_data_is_refused_before_they_are_decoded(
    preset, fields, message, monkeypatch
):
    monkeypatch.setattr(data, "open_data", lambda config: pytest.fail("the data were opened"))
    with pytest.raises(InputError, match=message):
        members.set_up(with_fields(get_preset(preset), **{"data.source": "mnist", **fields}))


def test_a_dry_run_needs_no_images_and_no_weights(monkeypatch):
    monkeypatch.setattr(data, "open_data", lambda config: pytest.fail("the data were opened"))
    monkeypatch.setattr(efficientnet, "pretrained", lambda file: pytest.fail("the weights were got"))
    config = with_fields(
        get_preset("projected-gan-lite-256"), **{"data.source": "mnist", "batch_size": 8, "model.width": 2}
    )
    found = members.set_up(config, source=outlined(config))
    trial.tried(found, weights=False)
    assert found.data["n"] == 60_000
    assert found.nbytes == 8 * (256 * 256 * 3 + 4)


def test_latents_that_do_not_divide_are_named_as_they_are_set():
    config = with_fields(
        get_preset("biggan-32"),
        **{"data.source": "ring", "model.width": 2, "model.attention": 0, "latent.dim": 81},
    )
    source = outline("mnist", resolution=32, channels=3)
    with pytest.raises(InputError, match=r"^latent\.dim: expected a multiple of 4 coordinates"):
        members.set_up(config, source=source).like()
