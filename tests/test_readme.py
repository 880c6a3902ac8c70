"""README.md: its Python runs, its commands exist, its table knows every preset."""

import pathlib
import re

import jax
import numpy as np
import pytest

from jaxgan import __main__, compile_step, init, losses, make_step
from jaxgan.config.presets import PRESETS
from jaxgan.losses import laws

README = (pathlib.Path(__file__).parent.parent / "README.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.S | re.M)


@pytest.fixture(scope="module")
def names():
    """What is defined after the Python blocks have run, from the first to the last."""
    defined = {}
    for block in blocks("python"):
        exec(block, defined)
    return defined


def test_the_ten_lines_train_a_step(names):
    assert int(names["state"].step) == 1
    assert all(np.isfinite(value) for value in names["metrics"].values())


def test_a_loss_of_ones_own_trains_as_the_shipped_one_does(names):
    import dataclasses

    r, f = jax.random.normal(jax.random.key(3), (2, 7))
    for ours, theirs in zip(losses.non_saturating()[:2], names["bce"][:2], strict=True):
        np.testing.assert_allclose(ours(r, f), theirs(r, f), rtol=1e-6)
    assert not [v for v in laws.check(names["bce"]) if v.outcome == "broken"]
    batch = {"image": jax.random.normal(jax.random.key(4), (8, 28, 28, 1))}
    gan = dataclasses.replace(names["gan"], loss=names["bce"])
    state, metrics = compile_step(make_step(gan))(init(gan, jax.random.key(0), batch), batch)
    assert int(state.step) == 1
    assert np.isfinite(metrics["g/loss"])


PLUGS = {  # the first line of a block names its file
    "my_loss": ("bce", "--loss"),
    "my_penalty": ("drift", "--penalty.weights"),
    "my_model": ("Tiny", "--model"),
    "my_data": ("cross", "--data.source"),
    "my_augmentation": ("shake", "--augment"),
    "my_game": ("autoencoder", "--game"),
}


@pytest.mark.parametrize("file", PLUGS)
def test_what_is_plugged_in_obeys_its_laws_and_trains(file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (block,) = (block for block in blocks("python") if block.startswith(f"# {file}.py\n"))
    (tmp_path / f"{file}.py").write_text(block)
    name, flag = PLUGS[file]
    assert f"{flag} {file}.py:{name}" in README.replace("\n", " ")
    assert __main__.main(["check", f"{file}.py:{name}"]) == 0, capsys.readouterr().out
    flags = [flag, f"{file}.py:{name}", *(["0.001"] if flag == "--penalty.weights" else [])]
    flags += [] if flag == "--model" else ["--model.g-widths", "8", "--model.d-widths", "8"]
    tiny = "--steps 2 --batch-size 8 --log-every 1 --quick-n 100 --final-n 100 --health.no-enabled --compute.devices 1"
    assert __main__.main(["train", "toy-ring", *flags, *tiny.split()]) == 0


def test_the_quickstart_is_two_commands():
    section = re.search(r"^## Quickstart\b(.*?)(?=^## )", README, re.S | re.M).group(1)
    commands = re.findall(r"^```\w*\n(.*?)^```", section, re.S | re.M)
    assert [command.strip().count("\n") for command in commands] == [0, 0]
    assert commands[0].strip().endswith("jaxgan train")
    assert "pytest" in commands[1]


def test_every_verb_and_preset_is_named():
    assert all(f"jaxgan {verb}" in README for verb in __main__.VERBS)
    assert all(f"| `{preset}` |" in README for preset in PRESETS)
