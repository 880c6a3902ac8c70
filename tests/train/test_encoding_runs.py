"""Runs of games with an encoder: pictures, stages, resume to the bit, devices, seeds."""

import re
import shutil

import numpy as np
import pytest
from helpers import arrays, digits, same_arrays, small

from jaxgan import load
from jaxgan.__main__ import main
from jaxgan.config import ComputeConfig
from jaxgan.models import MLPConfig
from jaxgan.train.resume import resume
from jaxgan.train.run import train

pytestmark = pytest.mark.usefixtures("shared_programs", "quick_keys")

TINY = {
    "model": MLPConfig(g_widths=(8,), d_widths=(8,)),
    "steps": 20,
    "log_every": 5,
    "sample_every": 20,
    "evaluate_every": 20,
    "checkpoint_every": 10,
    "quick_n": 20,
    "final_n": 20,
}


@pytest.fixture(scope="module")
def fanogan(tmp_path_factory):
    path = tmp_path_factory.mktemp("fanogan")
    config = small(path, "fanogan", data=digits(path, 60), game_options=(("gan_steps", 10),), **TINY)
    return train(config)


def test_two_phases_leave_their_records_and_pictures(fanogan):
    records = fanogan.records()
    assert ["e/pixels" in record for record in records] == [False, False, True, True]
    assert ["d/loss" in record for record in records] == [True, True, False, False]
    assert [step for step, _ in fanogan.pictures("reconstructions")][-1] == 20
    assert re.search("<h2>Encoding</h2>.*Truth", fanogan.report.read_text(), re.S)


def test_a_run_goes_on_to_the_bit_across_the_phases(fanogan, tmp_path):
    whole = arrays(fanogan, 20)
    again = type(fanogan)(shutil.copytree(fanogan.path, tmp_path / "copy"))
    shutil.rmtree(again.path / "checkpoints" / "20")
    resume(again)
    same_arrays(arrays(again, 20), whole)


def test_an_opened_run_encodes_with_its_average(fanogan):
    run = load(fanogan.path)
    z = run.sampler.encode(run.players["encoder"], np.zeros((3, 8, 8, 1), np.uint8))
    assert z.shape == (3, 64)
    assert np.ptp(z, axis=0).max() == 0


def test_traversals_are_drawn_on_four_devices(tmp_path):
    short = TINY | {"steps": 5, "sample_every": 5, "evaluate_every": 5, "checkpoint_every": 5}
    short |= {"compute": ComputeConfig(devices=4)}
    folder = train(small(tmp_path, "infogan-mnist", data=digits(tmp_path, 60), **short))
    assert len(folder.pictures("traversals")) == 2


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ("dcgan-mnist --game-options prior 1", "game_options: expected none with the game 'gan'"),
        ("vae-mnist --game-options gamma 1", "unknown option of game 'vae' 'gamma'"),
        *(
            (
                f"fanogan --game-options gan_steps {steps}",
                "game_options.gan_steps: expected a multiple of log_every = 50, above 0 and below all steps = 5000, "
                f".*got {steps}",
            )
            for steps in (9000, 75, 0)
        ),
        ("vae-mnist --penalty.weights r1 1", "'vae' does not look at --penalty.weights"),
        (
            "bigan-mnist --model stylegan2",
            "model: expected a family whose discriminator gives several numbers",
        ),
        (
            "vae-mnist --model.conditional",
            "model.conditional: expected networks without classes in the game 'vae'",
        ),
    ],
)
def test_what_a_game_cannot_be_is_one_line(args, says, capsys):
    assert main(["train", *args.split(), "--dry-run"]) == 2
    assert re.search(says, capsys.readouterr().err)


def test_a_game_of_its_own_name_is_described_before_it_is_trained(capsys):
    assert main(["train", "aae-mnist", "--dry-run", "--seeds", "2"]) == 0
    assert re.search("encoder .* parameters", capsys.readouterr().out)
