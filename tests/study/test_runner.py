"""Studies that are killed, crash, diverge and lose machines."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from studies import SPEC, content, fake_train, quiet

from jaxgan.common.errors import InputError
from jaxgan.study import CellResult, LaunchOptions, Spec, Store, analyse, penalty_variant, run_cell, run_study
from jaxgan.study.launchers import device_groups
from jaxgan.study.results import plain


def test_crashes_failures_and_divergence_are_results_and_nothing_is_repeated(tmp_path, monkeypatch):
    log = tmp_path / "log"
    monkeypatch.setenv("STUDY_LOG", str(log))
    monkeypatch.setenv("STUDY_CRASH", "1")
    cells, lines = SPEC.cells(), []
    results = run_study(cells, tmp_path, train=fake_train, say=lines.append)
    assert [result.status for result in results] == ["finished", "failed", "finished"]
    assert "SIGKILL" in results[1].error
    assert [o.status for o in results[2].outcomes] == ["finished", "diverged", "finished"]
    assert results[2].outcomes[1].final["modes"] is None
    assert results[0].data == {"modes": 8, "classes": 0, "modality": "point"}
    assert results[0].environment["packages"]["jax"]
    assert "left" in lines[-1]
    assert log.read_text().split()[::2] == ["hinge", "minimax", "wasserstein"]
    samples = Store(tmp_path / "cells").with_samples(results[2]).samples
    assert {seed: s.shape for seed, s in samples.items()} == {0: (50, 2), 2: (50, 2)}

    again = run_study(cells, tmp_path, train=fake_train, say=quiet)  # no worker starts
    assert [content(r) for r in again] == [content(r) for r in results]
    assert len(log.read_text().splitlines()) == 3

    monkeypatch.delenv("STUDY_CRASH")
    (tmp_path / "cells" / f"{cells[0].name}.json").write_text('{"format": 1, "key"')  # damaged
    with pytest.warns(UserWarning, match=rf"{cells[0].name}.json' is left out, as it is damaged"):
        retried = run_study(cells, tmp_path, LaunchOptions(retry_failed=True), train=fake_train, say=quiet)
    assert log.read_text().split()[6::2] == ["hinge", "minimax"]
    assert retried[1].error == "RuntimeError: no equilibrium at all"
    assert 'raise RuntimeError("no equilibrium' in retried[1].traceback
    assert content(retried[0]) == content(results[0])


SCRIPT = """
import functools, pathlib, sys
sys.path.insert(0, {tests!r})
from studies import SPEC, fake_train
from jaxgan.study import LaunchOptions, run_study
if __name__ == "__main__":
    run_study(SPEC_HERE.cells(), pathlib.Path(sys.argv[1]), LaunchOptions(workers=1), train=fake_train)
"""


def test_a_study_killed_in_the_middle_goes_on(tmp_path):
    losses = ("hinge", "wasserstein", "least_squares", "non_saturating", "relativistic_paired")
    spec = dataclasses.replace(SPEC, losses=losses)
    script, out, log = tmp_path / "study.py", tmp_path / "out", tmp_path / "log"
    text = SCRIPT.format(tests=str(pathlib.Path(__file__).parent))
    script.write_text(text.replace("SPEC_HERE", f"__import__('dataclasses').replace(SPEC, losses={losses})"))
    env = {**os.environ, "STUDY_LOG": str(log)}

    def start(**more):
        with (tmp_path / "stdout").open("w") as file:
            return subprocess.Popen([sys.executable, str(script), str(out)], env={**env, **more}, stdout=file)

    kept = lambda: {path.name for path in (out / "cells").glob("*.json")}

    first = start(STUDY_HANGS="least_squares")
    deadline = time.monotonic() + 60
    while not (log.exists() and "least_squares" in log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    while len(kept()) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    first.kill()
    first.wait()
    before = kept()
    assert len(before) == 2
    worker, deadline = int(log.read_text().split()[-1]), time.monotonic() + 10
    while pathlib.Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not pathlib.Path(f"/proc/{worker}").exists()  # it went with the study
    ages = {name: (out / "cells" / name).stat().st_mtime_ns for name in before}

    assert start().wait(timeout=60) == 0
    assert "5 cells, 2 kept, 3 to train" in (tmp_path / "stdout").read_text()
    assert {name: (out / "cells" / name).stat().st_mtime_ns for name in before} == ages
    trained = [line.split()[0] for line in log.read_text().splitlines()]
    assert trained == [*losses[:3], *losses[2:]]  # what was finished not again, what was not from its start

    for cell in spec.cells():
        kept_result = Store(out / "cells").load(cell, cell.key)
        whole = run_cell(cell, fake_train)
        assert content(kept_result) == content(CellResult.from_json(whole.to_json()))
        samples = Store(out / "cells").with_samples(kept_result).samples
        assert all(np.array_equal(samples[seed], whole.samples[seed]) for seed in whole.samples)


def test_a_result_of_something_else_is_refused(tmp_path, monkeypatch):
    cell = dataclasses.replace(SPEC, losses=("hinge",)).cells()[0]
    other = lambda cells, run, options: (
        (key, dataclasses.replace(run(c), key="other")) for key, c in cells.items()
    )
    monkeypatch.setattr("jaxgan.study.runner.LAUNCHERS", {"local": other})
    (result,) = run_study([cell], tmp_path, train=fake_train, say=quiet)
    assert result.failed
    assert "trained was other" in result.error
    with pytest.raises(InputError, match="unknown launcher 'ray'"):
        run_study([cell], tmp_path, LaunchOptions("ray"), train=fake_train, say=quiet)


def test_gpus_are_dealt_out():
    visible = lambda groups: [group.get("CUDA_VISIBLE_DEVICES") for group in groups]
    assert device_groups(None, []) == [{}]
    assert device_groups(3, []) == [{}] * 3
    assert visible(device_groups(None, ["0", "2", "5"])) == ["0", "2", "5"]
    assert visible(device_groups(2, ["0", "2", "5"])) == ["0,5", "2"]
    shared = device_groups(4, ["0", "1"])
    assert visible(shared) == ["0", "1", "0", "1"]
    assert {group["XLA_PYTHON_CLIENT_MEM_FRACTION"] for group in shared} == {"0.450"}


# --- several machines --------------------------------------------------------------------------------

RAY = """
import json, os, pathlib, signal, sys, time
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
from ray.cluster_utils import Cluster
from jaxgan.study import LaunchOptions, Spec, run_study

out = pathlib.Path(sys.argv[1])
losses = ("hinge", "wasserstein", "least_squares", "non_saturating", "minimax")
spec = Spec(losses=losses, seeds=2, fields={"steps": 40, "evaluate_every": 20})

def train(config, seeds):  # by value: it is of __main__
    import ray, studies
    node = ray.get_runtime_context().get_node_id()
    with open(out / "log", "a") as file:
        file.write(f"{config.loss} {node}\\n")
    time.sleep(600 if node == (out / "second").read_text() else 0.3)  # what runs there never ends
    first = out / ("once-" + config.loss)
    if config.loss == "least_squares" and not first.exists():
        first.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return studies.fake_train(config, seeds)

node = dict(num_cpus=1, object_store_memory=80 * 2**20)
cluster = Cluster(initialize_head=True, head_node_args=dict(**node, include_dashboard=False))
second = cluster.add_node(**node)
(out / "second").write_text(second.node_id)
said = []

def say(line):
    said.append(line)
    if len(said) == 2:  # the first cell is there; the second machine goes in the middle of another
        while second.node_id not in (out / "log").read_text():
            time.sleep(0.01)
        cluster.remove_node(second, allow_graceful=False)

results = run_study(spec.cells(), out, LaunchOptions("ray", ray_address=cluster.address), train=train, say=say)
print(json.dumps([[r.cell.loss, r.status, r.error, [o.final for o in r.outcomes]] for r in results]))
cluster.shutdown()
"""


def test_ray_survives_a_lost_worker_and_a_lost_machine(tmp_path):
    pytest.importorskip("ray")
    script = tmp_path / "cluster.py"
    script.write_text(RAY)
    paths = f"{pathlib.Path(__file__).parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    env = {**os.environ, "PYTHONPATH": paths}  # of Ray's workers too
    command = [sys.executable, str(script), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=env)
    assert done.returncode == 0, done.stderr[-3000:]
    for loss, status, error, finals in json.loads(done.stdout.splitlines()[-1]):
        if loss == "minimax":
            assert (status, error) == ("failed", "RuntimeError: no equilibrium at all")
        else:
            assert status == "finished", error
            members = fake_train(SimpleNamespace(loss=loss), (0, 1))
            assert finals == [plain(member.final) for member in members]
    begun = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    names, second = [loss for loss, _ in begun], (tmp_path / "second").read_text()
    (lost,) = (loss for loss, node in begun if node == second)
    assert names.count(lost) >= 2  # what ran on the lost machine began again
    assert names.count("least_squares") >= 2  # its worker had killed itself
    assert {names.count(loss) for loss in set(names) - {"least_squares", lost}} == {1}


# --- for real --------------------------------------------------------------------------------


def test_a_real_study(tmp_path):
    tiny = {
        "steps": 20,
        "batch_size": 16,
        "evaluate_every": 10,
        "model.g_widths": (8,),
        "model.d_widths": (8,),
    }
    spec = Spec(losses=("hinge",), penalties=(penalty_variant({"r1": 0.1}),), seeds=2, fields=tiny)
    (result,) = run_study(spec.cells(), tmp_path, say=quiet)
    assert result.error is None
    assert [outcome.seed for outcome in result.outcomes] == [0, 1]
    first, second = result.outcomes
    assert {"sliced_wasserstein", "modes", "high_quality"} <= set(first.final)
    assert first.final["sliced_wasserstein"] != second.final["sliced_wasserstein"]
    assert [record["step"] for record in first.curve] == [10, 20]
    assert first.best["step"] in (10, 20)
    assert Store(tmp_path / "cells").with_samples(result).samples[1].shape == (2500, 2)
    (found,) = analyse([result])
    assert (found.metrics[0].name, found.variants[0].collapsed is not None) == ("mode_kl", True)
