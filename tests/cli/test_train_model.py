"""`jaxgan train --model NAME`: networks of another family than the preset's."""

import json

import pytest

from jaxgan.__main__ import main
from jaxgan.cli.words.training import with_model
from jaxgan.config import get_preset
from jaxgan.models import DCGANConfig, MLPConfig
from jaxgan.runs.folder import RunFolder

TINY = (
    "--steps 2 --batch-size 8 --log-every 1 --quick-n 150 --final-n 150 --health.no-enabled --data.split test"
)
TINY += " --compute.devices 1"


def printed(capsys, *args):
    """The configuration that a dry run prints."""
    assert main(["train", *args, "--dry-run"]) == 0
    out = capsys.readouterr().out
    return json.JSONDecoder().raw_decode(out[out.index("{") :])[0]


@pytest.mark.parametrize("flag", [["--model", "mlp"], ["--model=mlp"]])
def test_another_family_brings_its_defaults_and_its_flags(capsys, flag):
    config = printed(capsys, "dcgan-mnist", *flag, "--model.g-widths", "5", "6")
    assert config["model"]["name"] == "mlp"
    assert config["model"]["g_widths"] == [5, 6]
    assert tuple(config["model"]["d_widths"]) == MLPConfig().d_widths
    assert config["penalty"]["weights"] == [["r1", 1.0]]  # the rest is the preset's


def test_the_family_of_the_preset_stays_as_the_preset_has_it():
    config = get_preset("toy-ring")
    assert with_model(config, ["--model", "mlp"]) == config
    assert with_model(config, ["--steps", "5"]) == config
    assert (
        with_model(config, ["--model", "mlp", "--model=dcgan"]).model == DCGANConfig()
    )  # the last one counts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("train dcgan-mnist --model mpl", "unknown model 'mpl'; did you mean 'mlp'"),
        ("train dcgan-mnist --model", "model: expected a value, got nothing"),
        ("train dcgan-mnist --model mlp --model.width 2", "unknown flag '--model.width'"),
        ("train vae-mnist --model.g-base 4", "'--model.g-base'; there are --model.width, d-width, "),
        ("train vae-mnist --model.widht 4", "did you mean --model.width? "),
        ("train vae-mnist --model stylegan2 --model.g-base 4", "did you mean --model.base? "),
        ("train toy-ring --model dcgan --dry-run", "a dcgan needs images"),
    ],
)
def test_what_does_not_fit_is_one_line(arguments, message, capsys):
    assert main(arguments.split()) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_run_remembers_its_family(tmp_path):
    small = ["--model", "mlp", "--model.g-widths", "8", "--model.d-widths", "8", "--out", str(tmp_path)]
    assert main(["train", "dcgan-mnist", *small, *TINY.split()]) == 0
    run = RunFolder(tmp_path / "00000-dcgan-mnist")
    assert run.config().model == MLPConfig(g_widths=(8,), d_widths=(8,))
    assert "train dcgan-mnist --model mlp " in run.read("run.json")["command"]
