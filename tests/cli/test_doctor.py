"""Hostile environments: `jaxgan doctor` works in all of them and says what is wrong; other verbs say it in one line."""

import dataclasses
import os
import pathlib

import jax
import numpy as np
import pytest
from helpers import command

from jaxgan import InputError
from jaxgan.__main__ import main
from jaxgan.config import get_preset
from jaxgan.data import cache as cache_module
from jaxgan.data import cache_dir, open_source
from jaxgan.runs.environment import settings_kept
from jaxgan.runs.folder import new_folder

ROWS = ("jaxgan", "python", "jax", "platform", "devices", "memory", "cache", "compilation cache", "TFDS data")


@pytest.fixture(autouse=True)
def no_flags(monkeypatch):
    """Flags are tried in another process, which takes its time."""
    monkeypatch.delenv("XLA_FLAGS", raising=False)


def doctor(capsys):
    """What is wrong, after all rows were there."""
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    for row in ROWS:
        assert f"\n{row}  " in f"\n{out}"
    return " ".join(out.split())


def as_process(*args, **environment):
    process = command(*args, **environment)
    out, err = process.communicate(timeout=120)
    return process.returncode, " ".join(out.split()), err


def test_nothing_is_wrong_here(capsys):
    assert "wrong nothing that was looked at" in doctor(capsys)


@pytest.fixture
def nobody(monkeypatch):
    """A user without a home folder."""

    def none():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(pathlib.Path, "home", none)
    for name in ("JAXGAN_CACHE", "XDG_CACHE_HOME", "TFDS_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)


def test_no_home(nobody, capsys):
    out = doctor(capsys)
    assert (
        "wrong there is no home folder: nothing is cached from run to run; JAXGAN_CACHE may name a folder"
        in out
    )
    assert "TFDS_DATA_DIR: expected the folder of TFDS datasets" in out
    assert cache_dir().is_dir()
    with pytest.raises(InputError, match="TFDS_DATA_DIR: expected the folder of TFDS datasets"):
        open_source("tfds:mnist")


@pytest.fixture
def unwritable(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JAXGAN_CACHE", str(tmp_path / "file" / "cache"))


def test_a_cache_that_cannot_be_written(unwritable, tmp_path, capsys):
    assert "cannot be written (Not a directory): nothing is kept from run to run" in doctor(capsys)
    from PIL import Image

    (tmp_path / "d").mkdir()
    Image.new("L", (3, 3), 7).save(tmp_path / "d" / "a.png")
    for _ in range(2):
        assert open_source(f"folder:{tmp_path / 'd'}").images.max() == 7


def test_a_damaged_entry_is_decoded_again(tmp_path, cache):
    from PIL import Image

    (tmp_path / "d").mkdir()
    Image.new("L", (3, 3), 7).save(tmp_path / "d" / "a.png")
    open_source(f"folder:{tmp_path / 'd'}")
    (entry,) = (cache / "data").iterdir()
    for damaged in ("meta.json", "images.npy"):
        (entry / damaged).write_bytes(b"{")
        assert open_source(f"folder:{tmp_path / 'd'}").images.max() == 7
    (entry / "images.npy").unlink()
    assert open_source(f"folder:{tmp_path / 'd'}").images.max() == 7


def test_the_folder_of_a_cache_may_be_below_the_home(monkeypatch):
    monkeypatch.setenv("JAXGAN_CACHE", "~/x")
    assert cache_dir() == pathlib.Path.home() / "x"
    assert cache_module.home_dir() == pathlib.Path.home()


def test_platforms_that_are_not_here(capsys, monkeypatch):
    status, out, err = as_process("doctor", JAX_PLATFORMS="cuda")
    assert (status, "Traceback" in err) == (0, False)
    assert "wrong JAX_PLATFORMS: expected platforms that are here, got 'cuda'" in out
    assert "; unset it, or set it to cpu" in out
    assert "AssertionError" not in out
    with settings_kept():
        jax.config.update("jax_default_device", "gpu")
        assert main(["losses"]) == 0
    assert capsys.readouterr().err == "note: JAX_DEFAULT_DEVICE is gpu, and there is none: cpu computes\n"
    values = jax.config.values | {"jax_platforms": "cuda,cpu"}
    monkeypatch.setattr(type(jax.config), "values", values)
    assert "wrong JAX_PLATFORMS is cuda,cpu, and there is no cuda: cpu computes" in doctor(capsys)
    monkeypatch.setitem(values, "jax_num_cpu_devices", 0)
    assert main(["losses"]) == 2
    assert capsys.readouterr().err.endswith("error: JAX_NUM_CPU_DEVICES: expected 1 or more, got 0\n")
    monkeypatch.undo()
    status, out, err = as_process("train", "toy-ring", "--dry-run", JAX_PLATFORMS="moon")
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith("error: JAX_PLATFORMS: expected platforms that are here, got 'moon'")


def test_flags_and_values_that_nothing_reads():
    status, out, _ = as_process("doctor", XLA_FLAGS="--xla_nonsense=1")
    assert status == 0
    assert "wrong XLA_FLAGS: expected flags that XLA knows, got '--xla_nonsense=1' (Unknown flag" in out
    status, out, err = as_process("doctor", JAX_ENABLE_X64="maybe")
    assert (status, err.count("\n")) == (2, 1)
    assert "environment: JAX cannot be imported (invalid truth value 'maybe'" in err


SETTINGS = {
    "JAX_DISABLE_JIT": "1",
    "JAX_ENABLE_X64": "1",
    "JAX_NUMPY_RANK_PROMOTION": "raise",
    "JAX_NUMPY_DTYPE_PROMOTION": "strict",
    "JAX_DEFAULT_PRNG_IMPL": "rbg",
    "JAX_THREEFRY_PARTITIONABLE": "0",
    "JAX_RANDOM_SEED_OFFSET": "1",
    "JAX_TRANSFER_GUARD": "disallow",
    "JAX_DEFAULT_DEVICE": "gpu",
}


def test_settings_of_jax_that_are_in_the_way_are_said(capsys, monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/dev/null/x")
    folder = jax.config.values["jax_compilation_cache_dir"]
    given = {name.lower(): {"1": True, "0": False}.get(value, value) for name, value in SETTINGS.items()}
    before = {name: jax.config.values[name] for name in given}
    numbers = jax.random.uniform(jax.random.key(0), (9,))
    try:
        for name, value in given.items():
            jax.config.update(name, value)
        out = doctor(capsys)
        for name in SETTINGS:
            assert f"wrong {name} is " in out
        after = {name: jax.config.values[name] for name in given}
        assert after == before | {"jax_transfer_guard": "allow"}
        np.testing.assert_array_equal(jax.random.uniform(jax.random.key(0), (9,)), numbers)
        assert "wrong compiled programs cannot be kept in '/dev/null/x' (Not a directory)" in out
    finally:
        jax.config.update("jax_compilation_cache_dir", folder)
        for name, value in before.items():
            jax.config.update(name, value)


def test_a_run_comes_through_them_all(tmp_path):
    small = (
        "--steps 4 --batch-size 8 --log-every 2 --sample-every 4 --checkpoint-every 4 --evaluate-every 4 --quick-n 20 "
        "--final-n 20 --model.g-widths 4 --model.d-widths 4 --compute.devices 1 --health.no-enabled "
        "--penalty.weights --loss non_saturating"
    )
    more = {"XLA_FLAGS": "--xla_backend_optimization_level=0", "PYTHONIOENCODING": "ascii"}
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/ #?%[1]*\n\xc3\xa9")
    status, _, err = as_process("train", "toy-ring", *small.split(), "--out", odd, **SETTINGS, **more)
    assert status == 0, err
    assert [line.split()[1] for line in err.splitlines()] == list(SETTINGS)
    assert os.path.exists(os.path.join(odd, "00000-toy-ring", "report.html"))


def test_names_that_the_terminal_cannot_show(tmp_path):
    from PIL import Image

    folder = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    for name in (b"a\xe9", b"b"):
        os.makedirs(os.fsencode(folder) + b"/" + name)
        Image.new("L", (3, 3), 7).save(os.path.join(folder, os.fsdecode(name), "a.png"))
    status, out, err = as_process("data", "show", f"folder:{folder}", "--out", tmp_path / "a.png")
    assert (status, err) == (0, "")
    assert "/\\xff" in out
    assert "2: a\\xe9 1, b 1" in out


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("gs://bucket/runs", "out: expected a folder of this machine, got 'gs://bucket/runs'"),
        ("s3:/bucket", "out: expected a folder of this machine"),
        ("runs\udcff", "out: expected a path in UTF-8, got '.*runs.*xff'"),
        ("a" * 300, "File name too long"),
    ],
)
def test_folders_that_cannot_be(out, message, capsys, tmp_path, monkeypatch):
    import re

    monkeypatch.chdir(tmp_path)
    assert main(["train", "toy-ring", "--out", out]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert re.search(message, err)


def test_the_home_may_be_written_as_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    config = dataclasses.replace(get_preset("toy-ring"), out="~/runs")
    assert new_folder(config, "x").path == tmp_path / "runs" / "00000-x"
