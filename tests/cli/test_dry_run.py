"""`jaxgan train PRESET --dry-run` of presets whose data are not there: their networks are counted all the same."""

import pytest

from jaxgan.__main__ import main
from jaxgan.config.presets import sizes


@pytest.mark.parametrize(
    ("preset", "data"),
    [
        ("stylegan2-auto-64", "none named yet (--data.source); counted for those of (64, 64, 3)"),
        (
            "csngan-cifar10",
            "tfds:cifar10, not prepared yet (jaxgan data prepare cifar10); counted for those of",
        ),
    ],
)
def test_networks_are_counted_without_data(preset, data, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert main(["train", preset, "--dry-run"]) == 0
    out = capsys.readouterr().out
    rows = dict(line.split(maxsplit=1) for line in out.partition("{")[0].splitlines())
    assert rows["data"].startswith(data)
    for player, size in sizes()[preset].items():
        assert rows[player] == f"{size['parameters']:,} parameters"
    assert "epochs" not in rows["length"]
    assert "inputs" not in rows


def test_data_of_ones_own_choice_are_to_be_there(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert main(["train", "csngan-cifar10", "folder:nowhere", "--dry-run"]) == 2
    assert "got 'nowhere', which does not exist" in capsys.readouterr().err
    assert main(["train", "stylegan2-auto-64"]) == 2
    assert "data.source: preset 'stylegan2-auto-64' needs one" in capsys.readouterr().err
