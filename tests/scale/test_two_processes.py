"""Two processes of two devices each make the run that one process of four makes, whatever becomes of one of them.

Process 1 alone is told to stop on its way. A second launch goes on; in it process 1 is killed, and the launcher begins
again.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest
from helpers import arrays, command, small

from jaxgan import InputError, make_mesh
from jaxgan.common import processes
from jaxgan.common.devices import check_batch, own_rows
from jaxgan.config import ComputeConfig, DataConfig, OptimizerConfig
from jaxgan.config.fields import to_json
from jaxgan.runs.folder import RunFolder
from jaxgan.runs.lock import owner_of
from jaxgan.train.run import train

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
BATCH, STEPS = 8, 50


def config(tmp_path):
    plain = OptimizerConfig(1e-2, b1=0.0, kind="sgd")  # Adam makes much of rounding
    return small(
        tmp_path,
        steps=STEPS,
        batch_size=BATCH,
        log_every=1,
        sample_every=STEPS,
        checkpoint_every=5,
        evaluate_every=STEPS,
        g_optimizer=plain,
        d_optimizer=plain,
        quick_n=40,
        final_n=60,
        data=DataConfig(f"{HERE / 'source_of_two.py'}:digits", hold_out=0.0, pipeline="stream"),
        compute=ComputeConfig(),
    )


def launched(tmp_path, *words, restarts=0):
    launcher = [sys.executable, ROOT / "experiments/launch/local.py", "-n", 2, "--devices", 2]
    launcher += ["--max-restarts", restarts]
    env = {**os.environ, "NOTES": str(tmp_path), "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    words = [*launcher, "--", "jaxgan", *words]
    return subprocess.run(
        list(map(str, words)), env=env, capture_output=True, text=True, timeout=300, cwd=tmp_path
    )


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The run of one process."""
    return train(config(tmp_path_factory.mktemp("alone")))


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What two processes did, the folder of their run when it had stopped, and in the end."""
    tmp_path = tmp_path_factory.mktemp("two")
    plain = to_json(config(tmp_path))
    source = plain["data"].pop("source")
    (tmp_path / "config.json").write_text(json.dumps(plain))
    first = launched(tmp_path, "train", "--config", tmp_path / "config.json", "--data.source", source)
    (path,) = (tmp_path / "runs").iterdir()
    stopped = RunFolder(path).read("run.json")
    second = launched(tmp_path, "resume", path, restarts=1)
    return tmp_path, first, stopped, second, RunFolder(path)


def test_the_same_run(two, alone):
    *_, folder = two
    assert folder.read("run.json")["status"] == "finished"
    assert folder.read("run.json")["environment"]["processes"] == 2
    found, expected = arrays(folder, STEPS), arrays(alone, STEPS)
    assert found.keys() == expected.keys()
    for name in expected:
        scale = np.abs(expected[name]).max() if expected[name].dtype.kind == "f" else 0
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-5 * scale, err_msg=name)


def test_the_same_records(two, alone):
    *_, folder = two
    found, expected = folder.records(), alone.records()
    assert [record["step"] for record in found] == list(range(1, STEPS + 1))
    for record, known in zip(found, expected, strict=True):
        assert record.keys() == known.keys()
        losses = [name for name in known if name.startswith(("g/", "d/"))]
        assert len(losses) >= 4
        for name in losses:
            assert record[name] == pytest.approx(known[name], rel=1e-4, abs=1e-6), name
    scores = [folder.read("scores.json")["final"]["scores"], alone.read("scores.json")["final"]["scores"]]
    assert scores[0].keys() == scores[1].keys() != set()
    for name, score in scores[1].items():  # of pixels of 8 bits, which rounding turns now and then
        assert scores[0][name]["value"] == pytest.approx(score["value"], rel=1e-2, abs=1e-3), name


def test_each_process_reads_its_own_share(two):
    notes, *_ = two
    read = [(notes / f"read-{i}").read_text().splitlines() for i in range(2)]
    rows = [[set(map(int, line.split())) for line in lines] for lines in read]
    assert {len(part) for parts in rows for part in parts} == {BATCH // 2}
    assert not set.union(*rows[0]) & set.union(*rows[1])  # within an epoch, as is known of one process


def test_a_signal_to_one_stops_all_at_the_same_step(two):
    notes, first, stopped, second, folder = two
    assert (notes / "stopped").exists()
    assert first.returncode == 143, first.stderr
    assert stopped["status"] == "stopped"
    assert owner_of(folder.path) is None
    (said,) = [line for line in first.stdout.splitlines() if line.startswith("stopped at step")]
    step = said.split()[3].rstrip(",")
    assert f"resumed at step {step}" in second.stdout


def test_a_killed_process_is_named_and_the_run_begun_again(two):
    notes, *_, second, folder = two
    assert (notes / "killed").exists()
    assert second.returncode == 0, second.stderr
    assert second.stderr.splitlines() == [
        "launcher: process 1 of 2 died of SIGKILL; ending the others",
        f"launcher: restart 1 of 1: jaxgan resume {folder.path}",
    ]
    first, again = (line for line in second.stdout.splitlines() if line.startswith("resumed at step"))
    assert first != again


def test_one_process_speaks(two):
    *_, second, folder = two
    assert not [line for line in second.stdout.splitlines() if line.startswith("[1]")]
    assert second.stdout.count("report: ") == 1
    assert len(list(folder.path.parent.iterdir())) == 1


def test_rows_of_one_process_are_all():
    assert own_rows(8, make_mesh()) == slice(0, 8) == own_rows(8, None)


@pytest.mark.parametrize(
    ("examples", "d_steps", "near"),
    [(6, 1, "4 or 8"), (3, 1, "4"), (2 * 9, 2, "8 or 12"), (1022, 1, "1020 or 1024")],
)
def test_a_batch_that_does_not_divide(examples, d_steps, near):
    with pytest.raises(InputError, match=rf"^batch: .*; the nearest batch sizes? \w+ {near}$"):
        check_batch(examples, make_mesh(), d_steps)


@pytest.mark.parametrize("index", [0, 1])
def test_processes_that_do_not_find_each_other(index):
    """JAX by itself waits five minutes, and then aborts with a page of C++."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{free.getsockname()[1]}"
    code = f"from jaxgan.common.processes import start; start({where!r}, 2, {index}, timeout=1)"
    tried = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert tried.returncode == 2
    said = "distributed: the processes cannot find each other at"
    assert tried.stderr == f"error: {said} {where}: after 1 s they were not all there\n"


def test_arguments_that_cannot_be():
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        for given, said in (
            (("nowhere", 2, 0), "coordinator: expected HOST:PORT of process 0, got 'nowhere'"),
            (("h:66666", 2, 0), "coordinator: expected HOST:PORT of process 0, got 'h:66666'"),
            (("h:1", 2, 2), "process-index: expected 0 to 1, got 2"),
            (("h:1", 0, 0), "processes: expected at least 1, got 0"),
            ((f"127.0.0.1:{taken.getsockname()[1]}", 2, 0), "coordinator: expected a port that is free"),
        ):
            with pytest.raises(InputError, match=said):
                processes.start(*given)


def test_nobody_to_find_is_an_error_in_one_line():
    process = command("train", "toy-ring", "--distributed", "--dry-run")
    out, err = process.communicate(timeout=100)
    assert process.returncode == 2
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith(
        "error: distributed: expected --coordinator HOST:PORT, --processes N, --process-index I beside it, as "
    )
