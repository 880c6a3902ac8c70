"""A run's small files: names, copies that are held to their hashes, and damage that is one line."""

import dataclasses
import json
import os
import pathlib
import re

import jax.numpy as jnp
import numpy as np
import pytest
from helpers import small

from jaxgan import InputError
from jaxgan.__main__ import main
from jaxgan.config import get_preset
from jaxgan.config.data import located
from jaxgan.config.fields import to_json
from jaxgan.config.groups import DataConfig
from jaxgan.data import describe, open_source
from jaxgan.runs.folder import RunFolder, check_name, create, near_run
from jaxgan.runs.opened import Run, changed_data, spec_of

ENVIRONMENT = {"devices": ["cpu"], "packages": {}}
LOSS = """
import jax
loss = (lambda r, f: jax.nn.softplus(-r) + jax.nn.softplus(f)), (lambda r, f: jax.nn.softplus(-f))
"""
SOUND = """
import jax.numpy as jnp
import numpy as np
from jaxgan.data import Arrays, Modality

waveform = Modality(
    "waveform",
    to_model=lambda x: x.astype(jnp.float32) / 32768,
    from_model=lambda x, dtype: jnp.round(x * 32768).astype(dtype),
)
waves = Arrays("waves", {"image": np.zeros((4, 3), np.int16)}, waveform)
image = Modality("image", from_model=lambda x, dtype: (x * 100).astype(dtype))
maps = Arrays("maps", {"image": np.zeros((4, 3, 3, 1), np.int16)}, image)
"""


def made(tmp_path, **changes):
    """The folder of a run that has not begun."""
    config = small(tmp_path, **changes)
    data = describe(
        open_source("ring")
        if config.data.source == "ring"
        else open_source(config.data.source, config.data.split)
    )
    return create(config, data, ENVIRONMENT, "jaxgan train")


# --- names -------------------------------------------------------------------------------------------


def test_a_name_ends_the_folder(tmp_path):
    config, data = small(tmp_path), describe(open_source("ring"))
    names = [
        create(config, data, ENVIRONMENT, "c", name=name).path.name for name in (None, "wide.v2", "wide.v2")
    ]
    assert names == ["00000-mlp-mnist", "00001-wide.v2", "00002-wide.v2"]


@pytest.mark.parametrize("name", ["", "a/b", "..", ".x", "a b", "-x", "é", "x" * 101, "a\n"])
def test_a_name_that_is_no_folder_is_refused_before_all_else(tmp_path, name, capsys):
    with pytest.raises(InputError, match="name: expected at most 100 letters, digits and"):
        check_name(name)
    if name == "a/b":
        assert main(["train", "mlp-mnist", "--out", str(tmp_path / "runs"), "--name", name]) == 2
        assert capsys.readouterr().err.count("\n") == 1
        assert not list(tmp_path.iterdir())


def test_paths_of_data_are_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert located("folder:a/../b") == f"folder:{tmp_path / 'b'}"
    assert located("npz:x.npz") == f"npz:{tmp_path / 'x.npz'}"
    assert located("folder:/x") == "folder:/x"
    (tmp_path / "photos").mkdir()
    assert located("photos/") == f"folder:{tmp_path / 'photos'}"  # as `resume --data.source` takes it
    assert "~" not in located("folder:~/photos")
    for name in ("mnist", "tfds:cifar10", "ring", "my.py:cloud", "folder:"):
        assert located(name) == name


# --- copies of the user's files ------------------------------------------------------------------------


def test_copies_are_held_to_their_hashes(tmp_path):
    original = tmp_path / "my.py"
    original.write_text(LOSS)
    folder = made(tmp_path, loss=f"{original}:loss")
    copy = folder.path / "loss.py"
    assert folder.config().loss == f"{copy}:loss"
    original.write_text("loss = 3")  # what becomes of the original does not matter
    assert folder.config().loss == f"{copy}:loss"
    copy.write_text(LOSS + "\n")
    with pytest.raises(
        InputError, match=r"loss.py', the run's copy of '.*my.py:loss', has changed since .*SHA-256"
    ):
        folder.config()
    copy.unlink()
    with pytest.raises(
        InputError, match=r"loss.py', the run's copy of '.*my.py:loss', is missing; put it back"
    ):
        folder.config()
    copy.write_text(LOSS)
    folder.config()
    facts = folder.read("run.json")
    del facts["files"]  # of a run that was made before there were hashes
    folder.write("run.json", facts)
    folder.config()


@pytest.mark.parametrize(("name", "made_of"), [("waves", 16384), ("maps", 50)])
def test_a_modality_of_ones_own_is_that_of_the_copy(tmp_path, name, made_of):
    """Also where it is called as one of the package's."""
    original = tmp_path / "sound.py"
    original.write_text(SOUND)
    source = open_source(f"{original}:{name}")
    config = small(tmp_path, data=DataConfig(f"{original}:{name}"))
    folder = create(config, describe(source), ENVIRONMENT, "c", own_modality=True)
    original.unlink()
    spec = spec_of(folder.facts(), folder.config())
    shape = (1, *source.spec.shape)
    np.testing.assert_array_equal(spec.from_model(jnp.full(shape, 0.5)), np.full(shape, made_of, np.int16))
    assert not spec.modality.bounded
    older = {name: x for name, x in folder.facts()["data"].items() if name != "bounded"}
    assert spec_of({**folder.facts(), "data": older}, folder.config()).modality.bounded == (name == "maps")
    (folder.path / "source.py").write_text("")
    with pytest.raises(InputError, match=r"source.py', the run's copy .* has changed"):
        Run.at(folder.path)


# --- damage --------------------------------------------------------------------------------------------

DAMAGE = [
    ("run.json", [], "run.json' is damaged: expected it to be an object, got"),
    ("run.json", 3, "expected it to be an object"),
    ("run.json", {"data": None}, "expected data to be an object, got 'None'"),
    ("run.json", {"data": {"n": "many"}}, "expected data.n to be a whole number, got 'many'"),
    ("run.json", {"data": {"n_classes": True}}, "expected data.n_classes to be a whole number, got 'True'"),
    ("run.json", {"data": {"spec": [1]}}, "expected data.spec to be an object"),
    (
        "run.json",
        {"data": {"spec": {"image": 3}}},
        "expected data.spec.image to be an object, got '3'",
    ),
    ("run.json", {"data": {"spec": {"image": {"shape": "x", "dtype": "float32"}}}}, "data.spec.image"),
    ("run.json", {"data": {"spec": {"image": {"shape": [2], "dtype": "pixels"}}}}, "data.spec.image"),
    ("run.json", {"data": {"example": "sound"}}, "data.example"),
    ("run.json", {"data": {"stored": "pixels"}}, "data.stored"),
    ("run.json", {"data": {"bounded": "yes"}}, "expected data.bounded to be"),
    ("run.json", {"layout": "two"}, "expected layout to be a whole number"),
    ("run.json", {"files": 1}, "expected files to be an object"),
    ("run.json", {"status": 1}, "expected status to be a string"),
    ("config.json", [], "config.json' is damaged: expected it to be an object"),
    ("config.json", {"steps": None}, "steps: expected int, got None"),
    ("config.json", {"model": "mlp"}, "model: expected an object with the name of a family, got 'mlp'"),
    ("config.json", {"model": {"name": 3}}, "model: expected an object with the name"),
    (
        "config.json",
        {"model": {"name": "mlp", "g_widths": 8}},
        "model.g_widths: expected a list of ints, got 8",
    ),
    ("config.json", {"penalty": 3}, "penalty: expected an object, got 3"),
    ("config.json", {"penalty": {"weights": {"r1": 1}}}, "penalty.weights: expected a list of pairs"),
    ("config.json", {"penalty": {"weights": [["r1"]]}}, "penalty.weights: expected a list of pairs"),
    ("config.json", {"data": {"resolution": "big"}}, "data.resolution: expected int or null, got 'big'"),
    ("config.json", {"data": {"source": 7}}, "data.source: expected str, got 7"),
    ("config.json", {"augment": "adaptive"}, "augment: expected a list of strs, got 'adaptive'"),
    ("config.json", {"loss": ["hinge"]}, "loss: expected str, got"),
]


def merged(old, new):
    if isinstance(old, dict) and isinstance(new, dict) and "shape" not in new:
        return old | {name: merged(old.get(name), value) for name, value in new.items()}
    return new


@pytest.mark.parametrize(("file", "value", "says"), DAMAGE)
def test_damage_is_one_line(tmp_path, capsys, file, value, says):
    folder = made(tmp_path, data=DataConfig("ring"))
    plain = json.loads((folder.path / file).read_text())
    (folder.path / file).write_text(json.dumps(merged(plain, value)))
    for verb in ("resume", "sample", "evaluate"):
        assert main([verb, str(folder.path)]) == 2
        error = capsys.readouterr().err
        assert says in error, error
        assert error.count("\n") == 1


def test_configurations_that_fit_are_read(tmp_path):
    folder = made(
        tmp_path, augment=("flip_and_shift",), loss_options=(), data=DataConfig("mnist", resolution=32)
    )
    config = folder.config()
    assert (config.augment, config.data.resolution) == (("flip_and_shift",), 32)
    whole = dataclasses.replace(config.g_optimizer, learning_rate=1)
    plain = json.loads((folder.path / "config.json").read_text())
    folder.write("config.json", plain | {"g_optimizer": dataclasses.asdict(whole)})
    assert folder.config().g_optimizer.learning_rate == 1


def test_a_place_where_no_run_can_be_made_is_named(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"")
    for out in (tmp_path / "photo.jpg", tmp_path / "photo.jpg" / "runs"):
        with pytest.raises(InputError, match=r"^out: expected a folder, .*photo.jpg"):
            made(tmp_path, out=str(out))


def test_history_is_kept_with_its_date(tmp_path):
    folder = made(tmp_path)
    folder.add_history(at=10, steps=20)
    folder.add_history(at=20, steps=30)
    history = folder.read("run.json")["history"]
    assert [(entry["at"], entry["steps"]) for entry in history] == [(10, 20), (20, 30)]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", entry["date"]) for entry in history)


def test_a_folder_of_several_seeds_is_told_from_a_run(tmp_path):
    (tmp_path / "seed-00002").mkdir()
    (tmp_path / "seed-00002" / "run.json").write_text("{}")
    with pytest.raises(InputError, match="which holds several seeds, such as .*seed-00002$"):
        RunFolder(tmp_path).facts()


def test_runs_of_before_held_nothing_out(tmp_path):
    plain = to_json(get_preset("dcgan-mnist"))
    assert plain["data"]["hold_out"] == 0.1
    facts = {"status": "finished", "command": "", "data": {"name": "x", "n": 0}, "environment": {}}
    (tmp_path / "run.json").write_text(json.dumps(facts))
    for stored in (plain, {**plain, "data": {"source": "folder:x"}}):
        (tmp_path / "config.json").write_text(json.dumps(stored))
        assert RunFolder(tmp_path).config().data.hold_out == stored["data"].get("hold_out", 0.0)


@pytest.mark.parametrize(("before", "now"), [("auto", "auto"), ("device", "resident"), ("host", "stream")])
def test_where_data_lay_in_runs_of_before_is_what_it_is_called_now(tmp_path, before, now):
    facts = {"status": "finished", "command": "", "data": {"name": "x", "n": 0}, "environment": {}}
    plain = to_json(get_preset("toy-ring"))
    del plain["data"]["pipeline"]
    plain["data"]["placement"] = before
    (tmp_path / "run.json").write_text(json.dumps(facts))
    (tmp_path / "config.json").write_text(json.dumps(plain))
    assert RunFolder(tmp_path).config().data.pipeline == now


# --- a path that is nearly one of a run ----------------------------------------------------------------


def test_the_nearest_run_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    config, data = small(tmp_path), describe(open_source("ring"))
    config = dataclasses.replace(config, out="runs")
    runs = [create(config, data, ENVIRONMENT, "c", name=name).path for name in ("first", "second", "first")]
    for age, path in enumerate(reversed(runs)):
        os.utime(path / "run.json", (1e9 - age,) * 2)
    (runs[0] / "report.html").touch()
    for typed, meant in (
        ("runs", runs[2]),
        ("first", runs[2]),
        ("runs/second", runs[1]),
        ("runs/00001", runs[1]),
        ("1", runs[1]),
        ("runs/00001-secnd", runs[1]),
        ("runs/00000-first/report.html", runs[0]),
        ("runs/00000-first/checkpoints", runs[0]),
    ):
        assert str(near_run(pathlib.Path(typed))) == str(meant), typed
    assert near_run(pathlib.Path("nothing-like-it/x")) is None
    assert main(["sample", "runs/00000-first/report.html"]) == 2
    err = capsys.readouterr().err
    assert (
        "run: expected the folder of a run, got 'runs/00000-first/report.html', which is a file; did you"
        in err
    )
    assert err.endswith("mean 'runs/00000-first'?\n")
    (tmp_path / "export").mkdir()
    (tmp_path / "export/x").touch()
    assert main(["export", "nosuch"]) == 2
    assert "run: expected the folder of a run, got 'nosuch', which does not exist" in capsys.readouterr().err


def test_changed_data_are_counted_and_mended(tmp_path):
    recorded = describe(open_source("ring")) | {"n": 40}
    error = str(changed_data(recorded, recorded | {"n": 1041, "fingerprint": "0" * 64}, other="; a"))
    assert "has changed since the run began: 40 examples then, 1,041 now (fingerprint " in error
    assert "; a; start a new run, or say where the old data are with --data.source" in error
    same = str(changed_data(recorded, recorded | {"fingerprint": "0" * 64}))
    assert "40 examples then and now (" in same
    endless = recorded | {"n": 0, "fingerprint": "1" * 64}
    assert "began: endless then and now (fingerprint" in str(changed_data(endless, endless))
    assert "began: 40 examples then, endless now (fingerprint" in str(changed_data(recorded, endless))
    assert "began: endless then, 40 now (fingerprint" in str(changed_data(endless, recorded))
