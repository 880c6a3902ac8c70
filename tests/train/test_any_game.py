"""Games that are no GAN of two players: what cannot be sampled or judged is trained, saved and resumed all the same."""

import dataclasses
import re
import shutil

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import arrays, same_arrays, small

from jaxgan import Game, InputError, Player, Turn, load
from jaxgan.config.config import Config
from jaxgan.config.groups import ComputeConfig, DataConfig, HealthConfig
from jaxgan.runs.evaluation import evaluate_run
from jaxgan.train.recorder import run_members
from jaxgan.train.resume import resume
from jaxgan.train.run import train
from jaxgan.train.seeds import resume_seeds, train_seeds

pytestmark = pytest.mark.usefixtures("quick_keys")


class Linear(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        return nn.Dense(2)(x)


def autoencoder(config, spec):
    """Two players and nothing that would be sampled or judged."""

    def error(view):
        x = view.batch["image"]
        return jnp.square(view("decoder", view("encoder", x)) - x).mean()

    names = ("encoder", "decoder")
    return Game(
        players={name: Player(Linear(), optax.adam(3e-2)) for name in names},
        turns=(Turn("encode", ("encoder",), error), Turn("decode", ("decoder",), error)),
        inputs=lambda batch: {name: (jnp.zeros((2, 2)),) for name in names},
    )


def ring(tmp_path, **changes):
    return small(tmp_path, "toy-ring", **({"data": DataConfig("ring"), "health": HealthConfig()} | changes))


def test_a_game_without_an_output_is_trained_and_resumed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Config, "build", autoencoder)
    folder = train(ring(tmp_path))
    assert re.search(r"images/s  Decode \d\.\d{3}  Encode \d\.\d{3}", capsys.readouterr().out)
    records = folder.records()
    assert [record["step"] for record in records] == [10, 20, 30, 40]
    assert records[-1]["decode/loss"] < 0.5 * records[0]["decode/loss"]
    assert not any("score" in record for record in records)
    run = folder.read("run.json")
    assert (run["status"], run["judged"]) == ("finished", False)
    assert not (folder.path / "scores.json").exists()
    assert [path.name for path in folder.samples.iterdir()] == ["reals.png"]
    assert re.search("Losses.*encode", folder.report.read_text(), re.S)
    whole = arrays(folder, 40)
    shutil.rmtree(folder.path / "checkpoints" / "40")
    resume(folder)
    same_arrays(arrays(folder, 40), whole)
    with pytest.raises(InputError, match="game: expected one with an output to be sampled"):
        load(folder.path)


def test_a_game_without_an_output_on_four_devices_and_over_seeds(tmp_path, monkeypatch):
    monkeypatch.setattr(Config, "build", autoencoder)
    losses = lambda folder: [record["encode/loss"] for record in folder.records()]
    one, four = (losses(train(ring(tmp_path / str(n), compute=ComputeConfig(n)))) for n in (1, 4))
    assert four == pytest.approx(one, rel=1e-4)
    folder = train_seeds(ring(tmp_path / "seeds"), 2)
    summary = folder.read("summary.json")
    assert (summary["scores"], summary["diverged"]) == ({}, [])
    assert folder.report.exists()
    assert resume_seeds(folder).read("seeds.json")["status"] == "finished"
    members = run_members(ring(tmp_path), [0, 1])
    assert [(m.status, m.final, m.best, m.samples) for m in members] == [("finished", {}, None, None)] * 2
    assert members[0].curve[-1]["encode/loss"] == pytest.approx(np.mean(one[-2:]), rel=1e-3)


def test_a_game_without_a_critic_has_no_monitors_of_one(tmp_path, monkeypatch):
    build = Config.build
    uncritical = lambda *args: dataclasses.replace(build(*args), critic=None)
    monkeypatch.setattr(Config, "build", uncritical)
    folder = train(small(tmp_path, health=HealthConfig(), steps=20))
    record = folder.records()[-1]
    assert folder.read("run.json")["judged"] is False  # though a turn is called "d"
    seen = {name for name in record if name.startswith("health/")}
    assert "health/diversity" in seen
    assert not seen & {"health/real_sign", "health/overfitting"}


def test_a_run_of_an_older_version_is_one_line(tmp_path):
    folder = train(ring(tmp_path, steps=10, evaluate_every=10))
    folder.update(layout=1)
    for use in (resume, lambda f: load(f.path), lambda f: evaluate_run(f.path, "last", 100)):
        with pytest.raises(InputError, match="was made by an older version of jaxgan, and cannot be"):
            use(folder)
    facts = folder.read("run.json")
    del facts["layout"]  # as it was before there were numbers
    folder.write("run.json", facts)
    with pytest.raises(InputError, match="was made by an older version of jaxgan, and cannot be"):
        resume(folder)
    folder.update(layout=99)
    with pytest.raises(InputError, match="was made by a newer version of jaxgan, and cannot be"):
        load(folder.path)
