"""Options of games and degradations on the command line: one that is typed leaves the preset's others as they are."""

import json

import pytest

from jaxgan.cli.train import Train
from jaxgan.cli.words.training import planned
from jaxgan.config import get_preset, to_json


def config(text):
    return planned(text.split(), Train).config


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("pix2pix", {"pixel": 100, "halved": 1}),
        ("pix2pix --game-options pixel 30", {"pixel": 30, "halved": 1}),
        ("pix2pix --game-options smooth 1", {"pixel": 100, "halved": 1, "smooth": 1}),
        (
            "super-resolution-64 --game-options pixel_steps 9",
            {"pixel": 100, "adversarial": 0.1, "pixel_steps": 9},
        ),
        ("vaegan-mnist --game vae --game-options noise 0.5", {"noise": 0.5}),  # another game has its own
        ("vaegan-mnist --game vae", {}),
    ],
)
def test_an_option_of_a_game_leaves_the_others(text, options):
    found = config(text).game_options
    assert dict(found) == options
    assert len(found) == len(options)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("restore-28 --data.degrade-options size 0.3", {"mask": "centre", "size": 0.3}),
        ("super-resolution-64 --data.degrade-options scale 4", {"scale": 4, "resample": "bicubic"}),
        ("restore-28 --data.degrade denoise --data.degrade-options level 9", {"level": 9}),
        ("denoise-32 --data.degrade denoise jpeg", {"noise": "gaussian", "level": 25}),
        ("restore-28 --data.degrade", {}),
    ],
)
def test_an_option_of_a_degradation_leaves_the_others_that_fit(text, options):
    assert dict(config(text).data.degrade_options) == options


def test_a_file_says_all_options_and_flags_go_over_them(tmp_path, monkeypatch):
    """A run whose options are fewer than its preset's comes back as it was."""
    monkeypatch.chdir(tmp_path)
    plain = to_json(get_preset("pix2pix"))
    for options in ([["pixel", 30.0]], []):
        (tmp_path / "own.json").write_text(json.dumps({**plain, "game_options": options}))
        assert dict(config("--config own.json").game_options) == dict(options)
        typed = config("--config own.json --game-options halved 1").game_options
        assert dict(typed) == {**dict(options), "halved": 1}
