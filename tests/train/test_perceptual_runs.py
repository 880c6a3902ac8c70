"""Restoration by feature maps beside pixels: a term of the records, and a run that resumes to the bit."""

import re

import numpy as np
import pytest
from helpers import arrays, goes_on_to_the_bit, same_arrays, some
from small_presets import cut

from jaxgan import load
from jaxgan.__main__ import main
from jaxgan.config import with_fields
from jaxgan.train.run import train

SMALL = ["--model.halvings", "2", "--batch-size", "8"]
OWN = """
import jax.numpy as jnp

def look(images):
    return [images[:, 1:] - images[:, :-1], jnp.tanh(3 * images.mean((1, 2)))]
"""


def restoring(path, *options):
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 1)).astype(np.uint8)
    np.savez(path / "images.npz", images=images)
    (path / "eyes.py").write_text(OWN)
    config = cut("restore-28")
    fields = {
        "data.source": f"npz:{path}/images.npz",
        "out": str(path),
        "game_options": (*config.game_options, *options),
    }
    return with_fields(config, **fields)


@pytest.mark.parametrize("own", some([False, True], True))
def test_a_run_with_a_perceptual_loss_goes_on_to_the_bit(own, tmp_path, cache):
    features = f"{tmp_path}/eyes.py:look" if own else "random_cnn"
    folder = train(restoring(tmp_path, ("perceptual", 3.0), ("features", features)))
    record = folder.records()[-1]
    assert record["g/perceptual"] > 0
    terms = 100 * record["g/pixel"] + 3 * record["g/perceptual"] + record["g/adversarial"]
    assert record["g/loss"] == pytest.approx(terms, rel=1e-4)
    whole = arrays(folder, 2)
    frozen = [name for name in whole if "frozen" in name]
    assert len(frozen) == (0 if own else 3)
    same_arrays({name: arrays(folder, 1)[name] for name in frozen}, {name: whole[name] for name in frozen})
    if own:  # the run has its copy
        (tmp_path / "eyes.py").unlink()
    goes_on_to_the_bit(folder, 2)
    clear = np.zeros((8, 8, 2), np.uint8)  # all of it is to be filled
    assert load(folder.path).apply([clear])[0].shape[:2] == (8, 8)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            "perceptual 1 weights nothing.pth",
            "--game-options weights: expected a file of weights, there is none at",
        ),
        ("features random_cnn", "features: expected the option perceptual above 0 beside it"),
        ("perceptual x", "game_options.perceptual: expected a number, got 'x'"),
        ("perceptual -1", "game_options.perceptual: expected .*, got -1"),
        ("perceptual 1 features 3", "game_options.features: expected a name, got 3"),
        ("perceptual 1 features vgg", "unknown features 'vgg'"),
    ],
)
def test_what_cannot_be_is_one_line_before_a_run_is_made(options, says, tmp_path, capsys):
    restoring(tmp_path)
    args = ["restore-28", f"npz:{tmp_path}/images.npz", "--out", str(tmp_path / "runs")]
    assert main(["train", *args, *SMALL, "--game-options", *options.split()]) == 2
    error = capsys.readouterr().err
    assert re.search(says, error)
    assert error.count("\n") == 1
    assert not (tmp_path / "runs").exists()
