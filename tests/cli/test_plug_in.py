"""Something of each kind from a file of a stranger: trained, resumed from the run's copy, sampled."""

import json
import shutil

import numpy as np
import pytest
from helpers import arrays, same_arrays, some
from strangers import AUGMENTATION, GAME, HEAD, LOSS, MODEL, PENALTY, RIGHT, SOURCE

from jaxgan import load
from jaxgan.__main__ import main
from jaxgan.runs.evaluation import evaluate_run
from jaxgan.runs.folder import RunFolder

TINY = """--batch-size 8 --steps 4 --log-every 2 --checkpoint-every 2 --sample-every 4 --evaluate-every 4
    --quick-n 100 --final-n 100 --health.no-enabled --compute.devices 1""".split()  # noqa: SIM905
SMALL = ["--model.g-widths", "8", "--model.d-widths", "8"]
ALL = HEAD + LOSS + PENALTY + MODEL + SOURCE + AUGMENTATION + GAME
FLAGS = {
    "loss": ["--loss", "stranger.py:loss", *SMALL],
    "penalty": [
        "--penalty.weights",
        "stranger.py:drift",
        "0.1",
        "r1",
        "0.1",
        "--penalty.options",
        "power",
        "3",
        *SMALL,
    ],
    "model": ["--model", "stranger.py:Tiny", "--model.width", "5"],
    "source": ["--data.source", "stranger.py:cloud", *SMALL],
    "augmentation": ["--augment", "flip_and_shift", "stranger.py:shake", *SMALL],
    "game": ["--game", "stranger.py:autoencoder"],
}
COPIES = {"penalty": "penalty-0.py", "augmentation": "augmentation-1.py"}


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "stranger.py"
    path.write_text(ALL)
    return path


@pytest.mark.parametrize("kind", some(FLAGS, "penalty", "game"))
def test_a_run_keeps_a_copy_and_goes_on_with_it(stranger, kind):
    assert {name for name, _ in RIGHT.values()} == set(FLAGS)
    lean = [] if kind in ("penalty", "game") else ["--penalty.weights"]  # without any it compiles quickly
    assert main(["train", "toy-ring", *FLAGS[kind], *lean, *TINY]) == 0
    folder = RunFolder(stranger.parent / "runs" / "00000-toy-ring")
    copy = folder.path / COPIES.get(kind, f"{kind}.py")
    assert copy.read_text() == ALL
    assert {path.name for path in folder.path.glob("*.py")} == {copy.name}
    stored = folder.read("config.json")
    assert "stranger.py:" in json.dumps(stored)  # as it was given
    record = folder.records()[-1]
    if kind == "penalty":
        assert record["d/drift"] > 0
        assert "['d/drift']" in "".join(arrays(folder, 4))
    if kind == "model":
        assert stored["model"] == {"name": "stranger.py:Tiny", "width": 5}
        assert arrays(folder, 4)[".players['generator'].params['Dense_1']['bias']"].shape == (5,)
    if kind == "source":
        assert folder.read("run.json")["data"]["name"] == "cloud"
    if kind == "augmentation":
        seen = [name for name in folder.config().build((2,)).memory if name.startswith("augment/")]
        assert seen[-2:] == ["augment/flip_and_shift", "augment/shake"]  # after the preset's noise
    whole = arrays(folder, 4)
    shutil.rmtree(folder.path / "checkpoints" / "4")
    stranger.write_text("raise RuntimeError('the run has its own copy')")
    assert main(["resume", str(folder.path)]) == 0
    same_arrays(arrays(folder, 4), whole)
    if kind == "game":
        assert set(record) >= {"encoder/loss", "decoder/loss"}
        unread = folder.read("run.json")["unread"]  # of which no advice speaks
        assert {"augment", "penalty"} <= {*unread}
        assert "g_optimizer" not in unread
        return
    samples = load(folder.path).sample(seed=0, n=3)
    assert samples.shape == (3, 2)
    assert np.isfinite(samples).all()
    assert evaluate_run(folder.path, "last", 100)


def test_all_at_once_with_several_seeds(stranger):
    flags = [flag for kind, flags in FLAGS.items() if kind != "game" for flag in flags if flag not in SMALL]
    assert main(["train", "toy-ring", *flags, *TINY, "--seeds", "3"]) == 0
    member = RunFolder(stranger.parent / "runs" / "00000-toy-ring-seeds" / "seed-00002")
    assert len(list(member.path.glob("*.py"))) == 5
    stranger.unlink()
    assert load(member.path).sample(n=2).shape == (2, 2)
    assert main(["resume", str(member.path.parent)]) == 0


def test_a_game_with_several_seeds(stranger):
    assert main(["train", "toy-ring", *FLAGS["game"], *TINY, "--seeds", "3"]) == 0
    folder = stranger.parent / "runs" / "00000-toy-ring-seeds"
    assert (folder / "report.html").exists()
    assert json.loads((folder / "seeds.json").read_text())["status"] == "finished"


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ("--game gam", "unknown game 'gam'; did you mean 'gan'?"),
        (
            "--game stranger.py:autoencodr",
            "unknown game in 'stranger.py' 'autoencodr'; did you mean 'autoencoder'?",
        ),
        ("--game stranger.py:POINT", "game: expected 'stranger.py:POINT' to be a function (batch, config)"),
        (
            "--penalty.weights stranger.py:cloud 1",
            "penalty: expected 'stranger.py:cloud' to return a jaxgan.Penalty or",
        ),
        (
            "--penalty.weights stranger.py:drift 1 stranger.py:drift 2",
            "penalty.weights: expected each name once",
        ),
        ("--penalty.weights stranger.py:drift 1 --penalty.options powr 2", "did you mean 'power'?"),
        ("--model stranger.py:Net", "model: expected 'stranger.py:Net' to be a frozen dataclass"),
        ("--model stranger.py:Tiny --model.g-widths 2", "--model.g-widths"),
        (
            "--data.source stranger.py:shake",
            "data.source: 'stranger.py:shake' cannot be called with no options",
        ),
        ("--data.source stranger.py:cloud --data.channels 3", "takes no split, resolution or channels"),
        ("--augment stranger.py:cloud", "augmentation: expected 'stranger.py:cloud' to return a"),
        ("--augment flip_and_shft", "unknown augmentation 'flip_and_shft'; did you mean 'flip_and_shift'?"),
        (
            "--augment adaptive adaptive",
            "augment: expected ",
        ),
        (
            "--game stranger.py:autoencoder --loss hinge --penalty.every 2 --g-lr 1e-3",
            "game: 'stranger.py:autoencoder' does not look at --loss, --penalty.every; leave them out",
        ),
        ("--loss nothing.py:loss", "loss: expected a Python file in 'nothing.py:loss', got no file"),
    ],
)
def test_what_cannot_be_is_one_line(stranger, capsys, flags, says):
    assert main(["train", "toy-ring", *flags.split(), *TINY]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not (stranger.parent / "runs").exists()
