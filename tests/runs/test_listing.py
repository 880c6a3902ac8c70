"""The table of runs: what is said of each, whatever became of it."""

import json
import shutil

import pytest
from helpers import small, untrained

from jaxgan import InputError
from jaxgan.__main__ import main
from jaxgan.config.groups import DataConfig
from jaxgan.config.moves import PenaltyConfig
from jaxgan.runs.listing import runs_in, summary_of
from jaxgan.runs.lock import locked


def scored(value):
    """A score as scores.json keeps it."""
    return {"value": value, "floor": None, "n_fake": 9, "n_real": 9, "features": "none"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder of a finished run, a scored one that is stopped, one that was killed, and a damaged one."""
    tmp_path = tmp_path_factory.mktemp("runs")
    final = {"step": 40, "scores": {"fd_mnist_cnn": scored(1.5)}}
    done = untrained(small(tmp_path), records=[{"step": 40, "score": 1.7, "score_name": "fd_mnist_cnn"}])
    done.write("scores.json", {"main": "fd_mnist_cnn", "class_names": [], "final": final})
    ring = small(tmp_path, "toy-ring", data=DataConfig("ring"), penalty=PenaltyConfig((("r1", 0.1),)))
    records = [{"step": 10}, {"step": 20, "score": 0.25, "score_name": "sliced_wasserstein"}, {"step": 30}]
    stopped = untrained(ring, records=records, status="stopped")
    shutil.rmtree(stopped.path / "checkpoints")
    killed = untrained(ring, status="running")  # before its first record, and after it had saved
    (killed.path / "checkpoints" / "40").rename(killed.path / "checkpoints" / "10")
    untrained(ring).write("config.json", {"steps": "many"})
    (tmp_path / "runs" / "notes").mkdir()
    return tmp_path / "runs"


def test_what_is_said_of_each(runs):
    done, stopped, killed, damaged = runs_in(runs)
    assert (done.data, done.network, done.loss) == ("mnist:test", "mlp", "non_saturating")
    assert (done.step, done.steps, done.score_name, done.score) == (40, 40, "fd_mnist_cnn", 1.5)
    assert (done.state, done.seconds) == ("finished", 65.0)
    assert (stopped.data, stopped.loss, stopped.state) == ("ring", "relativistic_paired + r1", "stopped")
    assert (stopped.step, stopped.score_name, stopped.score) == (30, "sliced_wasserstein", 0.25)
    assert (killed.step, killed.score_name, killed.score, killed.state) == (10, "", None, "killed")
    assert damaged.state.startswith("damaged: ")
    with locked(runs / killed.name):
        assert summary_of(runs / killed.name).state == "running"
    assert runs_in(runs / done.name) == [done]
    with pytest.raises(InputError, match="folder: expected the folder of runs, got .*which does not exist"):
        runs_in(runs / "none")
    (runs.parent / "a.txt").touch()
    with pytest.raises(InputError, match="folder: expected the folder of runs, got .*a.txt.*which is a file"):
        runs_in(runs.parent / "a.txt")


def test_scores_of_a_run_that_went_on_are_not_its_last(runs, tmp_path):
    records = [{"step": 40, "score": 1.7, "score_name": "fd"}, {"step": 50, "score": 1.2, "score_name": "fd"}]
    folder = untrained(small(tmp_path), records=records)
    final = {"step": 40, "scores": {"fd": scored(1.5)}}
    folder.write("scores.json", {"main": "fd", "class_names": [], "final": final})
    assert summary_of(folder.path).score == 1.2


def test_runs_of_before_there_were_other_games_are_listed(tmp_path):
    folder = untrained(small(tmp_path))
    config = folder.read("config.json")
    del config["game"]
    folder.write("config.json", config)
    assert summary_of(folder.path).loss == "non_saturating"


def test_seeds_are_one_line(tmp_path):
    parent = tmp_path / "runs" / "00000-toy-ring-seeds"
    config = small(tmp_path, "toy-ring", data=DataConfig("ring"))
    for seed, step in ((0, 30), (1, 20)):
        member = untrained(config, parent / f"seed-{seed:05d}", records=[{"step": step}])
        shutil.rmtree(member.path / "checkpoints")
    record = {"status": "finished", "command": "c", "seeds": [0, 1], "how": "vmap", "config": {}}
    (parent / "seeds.json").write_text(json.dumps(record))
    (run,) = runs_in(tmp_path / "runs")
    assert (run.name, run.seeds, run.step, run.state, run.score) == (parent.name, 2, 20, "finished", None)
    summary = {
        "main": "modes",
        "scores": {"modes": {**scored(7.5), "final": {"mean": 7.5, "low": None, "high": None}}},
    }
    (parent / "summary.json").write_text(json.dumps(summary))
    (run,) = runs_in(tmp_path / "runs")
    assert (run.score_name, run.score) == ("modes", 7.5)
    (parent / "seeds.json").write_text("{}")
    says = "seeds.json' is damaged: expected status to be a string, got nothing"
    assert runs_in(tmp_path / "runs")[0].state.endswith(says)


def test_the_command_prints_a_table_or_json(runs, capsys, tmp_path):
    assert main(["runs", str(runs)]) == 0
    head, done, *others = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "data", "network", "loss", "step", "score", "state", "time"]
    assert done.split()[:2] == ["00000-mlp-mnist", "mnist:test"]
    assert done.split()[4:] == ["40/40", "fd_mnist_cnn", "1.5", "finished", "1:05"]
    assert len(others) >= 3
    assert main(["runs", str(runs), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [run["state"].split(":")[0] for run in listed] == ["finished", "stopped", "killed", "damaged"]
    assert main(["runs", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"no runs in {tmp_path}\n"
