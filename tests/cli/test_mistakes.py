"""Mistakes in files of the user's own are one line that names the file, before a run is made."""

import pytest
from strangers import GAME, HEAD, LOSS, MODEL, PENALTY, but

from jaxgan.__main__ import main
from jaxgan.config import get_preset, with_fields
from jaxgan.config.looked_at import unread
from jaxgan.config.own_files import own_files
from jaxgan.data.toy import TOYS

TINY = ["toy-ring", "--steps", "4", "--batch-size", "8", "--compute.devices", "1", "--dry-run"]
SMALL = ["--model.g-widths", "8", "--model.d-widths", "8"]
SPEC = TOYS["ring"]().spec


MISTAKES = {
    "an objective of many numbers": (
        "--game autoencoder",
        but(GAME, "- x).mean()", "- x)"),
        "mine.py:autoencoder: turn 'encoder': expected its objective to return one number, such as a mean, got an "
        "array of shape (8, 2)",
    ),
    "another shape in a loss": (
        "--loss loss",
        but(LOSS, "softplus(-real) + softplus(fake)", "softplus(-real) + softplus(fake)[:3]"),
        "mine.py, line 26, in <lambda>: raised TypeError: add got incompatible shapes for broadcasting: (8,), (3,)",
    ),
    "fakes of another shape": (
        "--model Tiny",
        but(MODEL, "Net(self.width, shape[0])", "Net(self.width, 5)"),
        "mine.py:Tiny: generator: expected examples of the reals' shape (8, 2), got (8, 5)",
    ),
    "logits of another shape": (
        "--model Tiny",
        but(MODEL, "Net(self.width, 1)", "Wrong()")
        + "\nclass Wrong(nn.Module):\n    @nn.compact\n    def __call__(self, x, label=None, *, train=False):\n"
        "        return nn.Dense(1)(x).mean()\n",
        "mine.py:Tiny: discriminator: expected logits [8] or [8, k] for 8 examples, got shape ()",
    ),
    "networks that cannot be built": (
        "--model Tiny",
        but(MODEL, "return Net", "1 / 0\n        return Net"),
        "model: 'mine.py:Tiny' raised ZeroDivisionError: division by zero",
    ),
    "one network": (
        "--model Tiny",
        but(MODEL, ", Net(self.width, 1)", ""),
        "model: expected build of 'mine.py:Tiny' to return (generator, discriminator), got Net",
    ),
    "a name that does not exist": (
        "--penalty.weights drift",
        but(PENALTY, "scene.critic(scene.reals)", "scene.critic(scene.real)"),
        "in value: raised AttributeError: 'Scene' object has no attribute 'real'",
    ),
    "a batch that has no such array": (
        "--game autoencoder",
        but(GAME, 'x = view.batch["image"]', 'x = view.batch["picture"]'),
        "in error: raised KeyError: 'picture'",
    ),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_one_line(what, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    flag, text, says = MISTAKES[what]
    (tmp_path / "mine.py").write_text(text)
    flag, name = flag.split()
    own = [flag, f"mine.py:{name}", *(["1"] if flag.startswith("--penalty") else [])]
    small = [] if flag in ("--model", "--game") else SMALL
    assert main(["train", *TINY, *small, *own]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert "mine.py" in error
    assert error.count("\n") == 1


def test_own_files_are_found():
    config = with_fields(get_preset("toy-ring"), loss="a.py:b", augment=("adaptive", "c.py:d"))
    assert own_files(config) == ["a.py:b", "c.py:d"]
    assert own_files(get_preset("toy-ring")) == []


def test_settings_that_a_game_does_not_read(tmp_path):
    (tmp_path / "mine.py").write_text(HEAD + GAME)
    config = with_fields(get_preset("toy-ring"), game=f"{tmp_path}/mine.py:autoencoder")
    given = {
        "--steps",
        "--lr",
        "--d-optimizer.b1",
        "--g-optimizer.b1",
        "--model.g-widths",
        "--loss",
        "--data.source",
    }
    assert unread(config, SPEC, given) == ["--d-optimizer.b1", "--loss", "--model.g-widths"]
    assert unread(config, SPEC, {"--steps", "--seeds", "--d-lr"}) == ["--d-lr"]
    late = (HEAD + GAME).replace('x = view.batch["image"]', 'x = view.batch["image"] * len(config.loss)')
    assert late.count("config.loss") == 1  # which is read in the step alone
    (tmp_path / "late.py").write_text(late)
    config = with_fields(config, game=f"{tmp_path}/late.py:autoencoder")
    assert unread(config, SPEC, given) == ["--d-optimizer.b1", "--model.g-widths"]


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize("preset", ["toy-ring", "toy-grid"])
def test_an_augmentation_of_images_is_refused_for_points_before_a_run_is_made(
    preset, dry, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    flags = ["--augment", "flip_and_shift", "diffaugment", *(["--dry-run"] if dry else [])]
    assert main(["train", preset, *flags]) == 2
    says = "error: diffaugment: expected images [n, h, w, c], got examples of shape (2,)\n"
    assert capsys.readouterr().err == says
    assert not list(tmp_path.iterdir())
