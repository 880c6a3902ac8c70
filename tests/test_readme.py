"""README.md: its Python runs, its commands exist, its table knows every preset."""

import pathlib
import re

import jax
import numpy as np
import pytest

import jaxgan
from jaxgan import GAN, __main__, compile_step, init, losses, make_step
from jaxgan.config.presets import PRESETS
from jaxgan.losses import laws
from jaxgan.models import MLPConfig

README = (pathlib.Path(__file__).parent.parent / "README.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.S | re.M)


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """What is defined after the Python blocks have run, from the first to the last; all that trains is cut short."""
    defined, fit = {}, jaxgan.fit
    small = {
        "model": MLPConfig(g_widths=(8,), d_widths=(8,)),
        "final_n": 20,
        "quick_n": 20,
        "batch_size": 8,
        "log_every": 1,
        "verbose": False,
    }
    small |= {"compute__devices": 1, "health__enabled": False, "out": tmp_path_factory.mktemp("runs")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jaxgan, "fit", lambda images, steps, **own: fit(images[:40], 2, **own, **small))
        for block in blocks("python"):
            exec(block.replace("width=32", "width=4"), defined)
    return defined


def test_fit_returns_a_run(names):
    assert names["run"].step == 2
    assert names["run"].config.loss == "hinge"
    assert names["images"].shape == (1000, 28, 28, 1)


def test_the_ten_lines_train_a_step(names):
    assert int(names["state"].step) == 1
    assert all(np.isfinite(value) for value in names["metrics"].values())


def test_a_loss_of_ones_own_trains_as_the_shipped_one_does(names):
    r, f = jax.random.normal(jax.random.key(3), (2, 7))
    for ours, theirs in zip(losses.non_saturating()[:2], names["bce"][:2], strict=True):
        np.testing.assert_allclose(ours(r, f), theirs(r, f), rtol=1e-6)
    assert not [v for v in laws.check(names["bce"]) if v.outcome == "broken"]
    batch = {"image": jax.random.normal(jax.random.key(4), (8, 28, 28, 1))}
    networks = MLPConfig(g_widths=(8,), d_widths=(8,)).build((28, 28, 1), n_classes=0)
    gan = GAN(*networks, names["bce"], names["adam"], names["adam"], names["latent"])
    state, metrics = compile_step(make_step(gan))(init(gan, jax.random.key(0), batch), batch)
    assert int(state.step) == 1
    assert np.isfinite(metrics["g/loss"])


PLUG_INS = ["small_logits", "shake", "line", "Tiny", "autoencoder"]


@pytest.mark.parametrize("name", PLUG_INS)
def test_what_is_plugged_in_obeys_its_laws_and_trains(name, tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text(next(block for block in blocks("python") if block.startswith("# mine.py")))
    assert __main__.main(["check", f"{file}:{name}"]) == 0
    line = next(
        line for line in README.splitlines() if line.startswith("jaxgan train") and f"mine.py:{name}" in line
    )
    words = line.split("   ")[0].replace("mine.py", str(file)).split()[1:]
    short = "--steps 2 --batch-size 8 --log-every 1 --evaluate-every 2 --sample-every 2 --checkpoint-every 2"
    sizes = "--quick-n 40 --final-n 40 --health.n 0 --compute.devices 1"
    assert __main__.main([*words, "--out", str(tmp_path), *short.split(), *sizes.split()]) == 0
    assert "report: " in capsys.readouterr().out


def test_the_quickstart_is_two_commands():
    section = re.search(r"^## Quickstart\b(.*?)(?=^## )", README, re.S | re.M).group(1)
    commands = re.findall(r"^```\w*\n(.*?)^```", section, re.S | re.M)
    assert [command.strip().count("\n") for command in commands] == [0, 0]
    assert commands[0].strip().endswith("jaxgan train")
    assert "pytest" in commands[1]


def test_every_verb_and_preset_is_named():
    assert all(f"jaxgan {verb}" in README for verb in __main__.VERBS)
    assert all(f"`{preset}`" in README for preset in PRESETS)
