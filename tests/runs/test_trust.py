"""A stranger's run executes nothing unless told to, and leads nowhere out of its folder."""

import base64
import hashlib
import importlib.util
import json
import os
import pathlib
import py_compile

import numpy as np
import pytest
from helpers import small, untrained

from jaxgan import InputError, load
from jaxgan.__main__ import main
from jaxgan.common.user_files import hold_to, load_object
from jaxgan.config.groups import DataConfig
from jaxgan.config.own_files import PLACES
from jaxgan.data import open_source
from jaxgan.metrics.reference import save_reference
from jaxgan.metrics.scores.frechet import Gaussian
from jaxgan.report.run import write_report
from jaxgan.runs import trusted
from jaxgan.runs.folder import RunFolder
from jaxgan.study import Cell, CellResult, Store

LOSS = """
import pathlib
import jax
pathlib.Path({mark!r}).touch()
loss = (lambda r, f: jax.nn.softplus(-r) + jax.nn.softplus(f)), (lambda r, f: jax.nn.softplus(-f))
"""
DATA = DataConfig("ring")


@pytest.fixture
def mark(tmp_path):
    """Is there where a stranger's code has run."""
    return tmp_path / "mark"


@pytest.fixture
def theirs(tmp_path, mark, cache, monkeypatch, capsys):
    """The run of another user: code, checkpoint and scores."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAXGAN_CACHE", str(tmp_path / "their cache"))
    path = tmp_path / "evil.py"
    path.write_text(LOSS.format(mark=str(mark)))
    folder = untrained(small(tmp_path, "toy-ring", steps=10, data=DATA, loss=f"{path}:loss"))
    mark.unlink()
    monkeypatch.setenv("JAXGAN_CACHE", str(cache))
    capsys.readouterr()
    return folder.path


REFUSED = ("sample RUN", "sample RUN --truncation 0.5", "evaluate RUN --n 50", "evaluate RUN RUN --compare",
           "resume RUN", "export RUN", "train --config RUN --dry-run", "train --config RUN/config.json --dry-run",
           "evaluate RUN --checkpoint all --n 50")  # fmt: skip


@pytest.mark.parametrize("line", REFUSED)
def test_commands_refuse_code_in_one_line(theirs, mark, capsys, line):
    assert main([word.replace("RUN", str(theirs)) for word in line.split()]) == 2
    error = capsys.readouterr().err
    assert "brings code that you have not trained with: '" in error, error
    assert "(loss.py); read it, and if you trust it, run it with --trust" in error
    assert error.count("\n") == 1
    assert not mark.exists()


def test_tables_and_pages_run_nothing(theirs, mark, tmp_path):
    other = untrained(small(tmp_path, "toy-ring", steps=10, data=DATA)).path
    assert main(["runs", str(theirs.parent)]) == 0
    assert main(["compare", str(theirs), str(other)]) == 0
    write_report(RunFolder(theirs))
    with pytest.raises(InputError, match="run it with --trust .in Python: trust=True"):
        load(theirs)
    assert not mark.exists()


def test_who_trusts_says_so_and_who_has_trained_need_not(theirs, mark, monkeypatch, tmp_path, cache):
    out = str(tmp_path / "s.npz")
    assert main(["sample", str(theirs), "--trust", "--out", out]) == 0
    assert mark.exists()
    with pytest.raises(InputError, match="brings code"):  # to look is not to train
        load(theirs)
    assert load(theirs, trust=True).evaluate(50)
    monkeypatch.setenv("JAXGAN_CACHE", str(tmp_path / "their cache"))
    assert load(theirs).sample(n=2).shape == (2, 2)
    (kept,) = (tmp_path / "their cache" / "trusted").iterdir()
    assert kept.read_text().split() == [hashlib.sha256((theirs / "loss.py").read_bytes()).hexdigest(), "loss"]


@pytest.mark.parametrize("place", PLACES)
def test_every_place_that_names_code_is_asked_about(tmp_path, cache, mark, place):
    folder = untrained(small(tmp_path, "toy-ring", steps=10, data=DATA))
    plain, (group, _, name) = folder.read("config.json"), place.rpartition(".")
    values = {
        "weights": [["evil.py:x", 1.0]], "augment": ["evil.py:x"], "game_options": [["features", "evil.py:x"]]
    }  # fmt: skip
    value = values.get(name, "evil.py:x")
    (plain[group] if group else plain)[name] = value
    folder.write("config.json", plain)
    copy = PLACES[place] + ("-0" if isinstance(value, list) else "") + ".py"
    for path in (tmp_path / "evil.py", folder.path / copy):
        path.write_text(LOSS.format(mark=str(mark)))
    with pytest.raises(InputError, match=rf"'evil.py:x' \({copy}\)"):
        folder.config()
    (folder.path / copy).unlink()  # what lies at the place that it names is never taken
    with pytest.raises(InputError, match=rf"{copy}', the run's copy of 'evil.py:x', is missing"):
        RunFolder(folder.path, trust=True).config()
    assert not mark.exists()


def test_a_name_is_trusted_with_its_file_and_by_its_owner_alone(cache, monkeypatch):
    trusted.record(b"code", "loss")
    trusted.record(b"code", "other")
    assert trusted.is_recorded(b"code", "loss")
    assert trusted.is_recorded(b"code", "other")
    assert not trusted.is_recorded(b"code", "rmtree")
    assert not trusted.is_recorded(b"code ", "loss")
    (kept,) = (cache / "trusted").iterdir()  # of a cache that is shared, others may rename what lies there
    of_evil = hashlib.sha256(b"evil").hexdigest()
    kept.rename(kept.with_name(kept.name.replace(hashlib.sha256(b"code").hexdigest(), of_evil)))
    assert not trusted.is_recorded(b"evil", "loss")
    trusted.record(b"code", "loss")
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    assert not trusted.is_recorded(b"code", "loss")
    kept.rename(kept.with_name(kept.name.replace(f"-{owner}", f"-{owner + 1}")))
    assert not trusted.is_recorded(b"code", "loss")


def test_bytecode_beside_a_file_is_not_run(tmp_path):
    path = tmp_path / "loss.py"
    path.write_text("value = 'evil'")
    target = importlib.util.cache_from_source(str(path))
    py_compile.compile(str(path), target, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    path.write_text("value = 'good'")
    assert load_object("x", f"{path}:value") == "good"


def test_what_was_looked_at_is_what_is_run(tmp_path):
    path = tmp_path / "loss.py"
    path.write_text("value = 1")
    hold_to(path, b"value = 2")
    with pytest.raises(InputError, match="loss.py' has changed since it was looked at"):
        load_object("x", f"{path}:value")


# --- links ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["checkpoints", "metrics.jsonl", "run.lock", "samples/step-0000010.png"])
def test_a_link_out_of_a_run_is_refused(tmp_path, cache, capsys, name):
    path = untrained(small(tmp_path, "toy-ring", steps=10, data=DATA)).path
    outside = tmp_path / "outside"
    if (path / name).exists():
        (path / name).rename(outside)
    else:
        outside.write_text("{}")
    (path / name).symlink_to(outside)
    before = outside.stat().st_mtime_ns
    for verb in ("sample", "resume", "evaluate", "export"):
        assert main([verb, str(path)]) == 2
        error = capsys.readouterr().err
        assert (
            f"{name}' is a link that leads out of the run, to '{outside}'; if that is meant: --trust" in error
        )
        assert error.count("\n") == 1
    assert outside.stat().st_mtime_ns == before
    if name == "checkpoints":
        assert load(path, trust=True).sample(n=2).shape == (2, 2)
        (path / name).unlink()
        (path / "elsewhere").mkdir()
        outside.rename(path / "elsewhere" / "kept")
        (path / name).symlink_to(pathlib.Path("elsewhere") / "kept")  # inside
        assert load(path).sample(n=2).shape == (2, 2)


def test_links_of_a_tracker_are_its_own(tmp_path, cache):
    """wandb links its log of the run to one in its cache; its folder itself is no link."""
    path, outside = untrained(small(tmp_path, "toy-ring", steps=10, data=DATA)).path, tmp_path / "core.log"
    outside.write_text("")
    for folder in (path / "wandb", path / "seed-00000" / "wandb"):
        (folder / "run-1" / "logs").mkdir(parents=True)
        (folder / "run-1" / "logs" / "debug-core.log").symlink_to(outside)
    RunFolder(path).check_links()
    (path / "samples" / "wandb").mkdir()
    (path / "samples" / "wandb" / "x").symlink_to(outside)
    with pytest.raises(InputError, match="samples/wandb/x' is a link that leads out"):
        RunFolder(path).check_links()
    (path / "samples" / "wandb" / "x").unlink()
    (path / "wandb").rename(path / "other")
    (path / "wandb").symlink_to(tmp_path)
    with pytest.raises(InputError, match="is a link that leads out"):
        RunFolder(path).check_links()


def test_pages_show_no_file_from_elsewhere(tmp_path):
    folder = untrained(small(tmp_path, "toy-ring", steps=10, data=DATA))
    secret = tmp_path / "id_rsa"
    secret.write_bytes(b"-----BEGIN")
    for name in ("step-0000010.png", "reals.png"):
        (folder.samples / name).symlink_to(secret)
    os.mkfifo(folder.samples / "step-0000011.png")
    page = write_report(folder).read_text()
    assert base64.b64encode(secret.read_bytes()).decode() not in page
    assert (folder.pictures(), folder.reals) == ([], None)


def test_a_copy_of_code_is_no_link(theirs):
    copy = theirs / "loss.py"
    copy.rename(theirs.parent / "elsewhere.py")
    copy.symlink_to(theirs.parent / "elsewhere.py")
    with pytest.raises(InputError, match=r"loss.py', the run's copy .* is a link that leads out of the run"):
        RunFolder(theirs, trust=True).config()


# --- other files that could name code ------------------------------------------------------------------


def test_settings_that_name_code_are_refused_too(tmp_path, cache, mark, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pathlib.Path("evil.py").write_text(LOSS.format(mark=str(mark)))
    for settings in ({"loss": "evil.py:loss"}, {"penalty.weights": {"evil.py:loss": 1}},
                     {"model": {"name": "evil.py:x"}}, {"name": "--model=evil.py:x"}):  # fmt: skip
        pathlib.Path("own.json").write_text(json.dumps({"preset": "toy-ring", "steps": 2, **settings}))
        assert main(["train", "--config", "own.json", "--dry-run"]) == 2
        error = capsys.readouterr().err
        assert "evil.py:" in error, error
        assert error.count("\n") == 1
    pathlib.Path("own.json").write_text(
        json.dumps({"preset": "toy-ring", "loss": "evil.py:loss", "trust": True})
    )
    assert main(["train", "--config", "own.json", "--dry-run"]) == 2
    assert not mark.exists()
    pathlib.Path("own.json").write_text(json.dumps({"preset": "toy-ring", "loss": "evil.py:loss"}))
    assert main(["train", "--config", "own.json", "--dry-run", "--trust"]) == 0
    assert mark.exists()


def test_no_value_of_a_run_becomes_a_flag(tmp_path, cache, mark, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pathlib.Path("evil.py").write_text(LOSS.format(mark=str(mark)))
    folder = untrained(small(tmp_path, "toy-ring", steps=10, data=DATA))
    plain = folder.read("config.json")
    folder.write("config.json", {**plain, "logger": ["wandb", "--loss=evil.py:loss"]})
    capsys.readouterr()
    status, error = main(["train", "--config", str(folder.path), "--dry-run"]), capsys.readouterr().err
    assert not mark.exists(), error
    assert status == 2
    assert "expected no value that begins with --, got '--loss=evil.py:loss'" in error


@pytest.mark.parametrize("value", ["!!set {evil.py:loss}", "!!binary ZXZpbC5weTpsb3Nz"])
def test_no_type_of_yaml_hides_code(tmp_path, cache, mark, monkeypatch, capsys, value):
    """As a word these are "{'evil.py:loss'}" and "b'evil.py:loss'", which name files as well."""
    pytest.importorskip("yaml")
    monkeypatch.chdir(tmp_path)
    for name in ("{'evil.py", "b'evil.py"):
        pathlib.Path(name).write_text(LOSS.format(mark=str(mark)))
    pathlib.Path("own.yaml").write_text(f"preset: toy-ring\nloss: {value}\n")
    assert main(["train", "--config", "own.yaml", "--dry-run"]) == 2
    assert "names code that you have not trained with" in capsys.readouterr().err
    assert not mark.exists()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("train toy-ring --trust", "trust: expected --config beside --trust, got none"),
        ("evaluate --fake a --real b --trust", "trust: expected runs, which may bring code, got images"),
    ],
)
def test_trust_without_effect_is_refused(capsys, line, says):
    assert main(line.split()) == 2
    assert capsys.readouterr().err == f"error: {says}\n"


def test_statistics_that_name_code_are_refused(tmp_path, cache, mark, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pathlib.Path("evil.py").write_text(LOSS.format(mark=str(mark)))
    save_reference(pathlib.Path("r.npz"), Gaussian(np.zeros(3), np.eye(3)), {"features": "evil.py:loss@0"})
    np.savez("fakes.npz", images=np.zeros((9, 8, 8, 1), np.uint8))
    assert main(["evaluate", "--fake", "fakes.npz", "--real", "r.npz"]) == 2
    assert "features: expected --features FILE.py:FUNCTION beside 'r.npz'" in capsys.readouterr().err
    assert not mark.exists()


def test_a_cell_of_a_study_is_what_was_asked_for(tmp_path, mark):
    (tmp_path / "evil.py").write_text(LOSS.format(mark=str(mark)))
    cell = Cell("toy-ring", "hinge", "none", "default", (0,))
    store = Store(tmp_path / "cells")
    store.save(CellResult(cell, cell.key, "failed", error="x"))
    (path,) = store.path.iterdir()
    plain = json.loads(path.read_text())
    plain["cell"] |= {
        "fields": {"data.source": f"{tmp_path}/evil.py:loss"},
        "loss": f"{tmp_path}/evil.py:loss",
    }
    path.write_text(json.dumps(plain))
    found = store.load(cell, cell.key)
    assert found is not None
    assert found.cell == cell
    path.write_text(json.dumps(plain | {"outcomes": [3]}))
    with pytest.warns(UserWarning, match="is left out, as it is damaged"):
        assert store.load(cell, cell.key) is None


def test_names_of_datasets_lead_to_no_other_place(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    for name in ("evil", "tfds/mnist/evil"):
        (tmp_path / name / "1.0.0").mkdir(parents=True)
        (tmp_path / name / "1.0.0" / "dataset_info.json").write_text(
            '{"fileFormat": "array_record", "splits": []}'
        )
    for name in (str(tmp_path / "evil"), "../evil", "mnist/../../evil", "mnist/evil/."):
        with pytest.raises(InputError, match="unknown dataset of the TFDS catalogue|is not prepared in"):
            open_source(f"tfds:{name}")
