"""Statistics against independent references; studies that are killed, crash, diverge and lose machines."""

import csv
import dataclasses
import functools
import io
import itertools
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from jaxgan.common import statistics as st
from jaxgan.common.errors import InputError
from jaxgan.study import (
    Cell,
    CellResult,
    LaunchOptions,
    Outcome,
    Spec,
    Store,
    StudyArgs,
    analyse,
    run_cell,
    run_command,
    run_study,
    write_outputs,
)
from jaxgan.study.analysis import collapsed, final_values, metric
from jaxgan.study.launchers import device_groups
from jaxgan.study.plots import band
from jaxgan.study.results import plain

SPEC = Spec(losses=("hinge", "minimax", "wasserstein"), seeds=3, fields={"steps": 40, "evaluate_every": 20})


def quiet(line):
    """Takes lines of progress."""


# --- statistics ------------------------------------------------------------------------------------


@pytest.mark.parametrize("tail", [0.05, 0.125])  # the latter is 32 of 256 resamples, exactly
def test_bootstrap_enumerates_all_resamples(tail):
    values = np.array([0.3, 1.7, 0.31, 5.0])
    means = np.sort([np.mean(r) for r in itertools.product(values, repeat=4)])
    interval = st.bootstrap_mean(values, confidence=1 - 2 * tail)
    assert interval.mean == pytest.approx(values.mean())
    # the smallest value that at least this share of the 256 resamples does not exceed
    assert interval.low == pytest.approx(means[int(np.ceil(tail * 256)) - 1])
    assert interval.high == pytest.approx(means[int(np.ceil((1 - tail) * 256)) - 1])


@pytest.mark.parametrize("n", [8, 30])
def test_bootstrap_agrees_with_scipy(n):
    values = np.random.default_rng(n).gamma(2.0, size=n)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=1)
    ours = st.bootstrap_mean(values)
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.03 * width)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.03 * width)
    assert ours == st.bootstrap_mean(values)  # drawn from a fixed seed


def test_bootstrap_of_few_and_of_identical_values():
    assert st.bootstrap_mean([0.7]) == (0.7, None, None, 1)
    assert st.bootstrap_mean([0.1] * 3) == (0.1, 0.1, 0.1, 3)
    for bad in ([], [1.0, np.inf], [np.nan]):
        with pytest.raises(InputError, match="values"):
            st.bootstrap_mean(bad)


@pytest.mark.parametrize("sizes", [(5, 5), (2, 9), (30, 4)])
def test_tests_agree_with_scipy(sizes):
    rng = np.random.default_rng(sum(sizes))
    x, y = rng.normal(0, 1, sizes[0]), rng.normal(0.8, 3, sizes[1])
    assert st.welch(x, y) == pytest.approx(stats.ttest_ind(x, y, equal_var=False).pvalue, rel=1e-9)
    assert st.mann_whitney(x, y) == pytest.approx(stats.mannwhitneyu(x, y, method="exact").pvalue, abs=0.01)
    if sum(sizes) < 12:
        assert st.mann_whitney(x, y) == pytest.approx(stats.mannwhitneyu(x, y, method="exact").pvalue)
    u = stats.mannwhitneyu(x, y).statistic
    assert st.cliffs_delta(x, y) == pytest.approx(2 * u / (len(x) * len(y)) - 1)


def test_mann_whitney_is_exact_with_ties_and_ranks_infinity_last():
    x, y = np.array([1, 1, 2, 3, 3.0]), np.array([1, 3, 3, 4, 4, 4.0])

    def distance(a, b):
        ranks = stats.rankdata(np.concatenate([a, b]))
        return abs(ranks[: len(a)].sum() - len(a) * (len(ranks) + 1) / 2)

    reference = stats.permutation_test((x, y), distance, n_resamples=np.inf, alternative="greater")
    assert st.mann_whitney(x, y) == pytest.approx(reference.pvalue)
    assert st.mann_whitney([1, 2, np.inf], [4, 5, 6]) == st.mann_whitney([1, 2, 100], [4, 5, 6])
    assert st.mann_whitney([np.inf] * 3, [np.inf] * 4) == 1.0
    assert st.mann_whitney(range(5), range(10, 15)) == pytest.approx(st.smallest_p(5, 5))


def test_welch_without_variance_or_values():
    assert st.welch([1, 1, 1], [1, 1]) == 1.0
    assert st.welch([0] * 5, [1] * 5) == pytest.approx(st.smallest_p(5, 5))  # not 0
    assert st.welch([0] * 5, [1, 1, 1, 1, 1.1]) < 1e-4
    assert st.welch([1], [1, 2]) is None
    assert st.welch([1, np.inf], [1, 2]) is None


def test_holm_is_the_closed_test_by_bonferroni():
    p = np.array([0.04, 0.001, 0.02, 0.3, 0.02])

    def closed(i):  # the largest Bonferroni p of all intersections that contain i
        others = [j for j in range(len(p)) if j != i]
        families = (s for k in range(len(p)) for s in itertools.combinations(others, k))
        return max(min(1.0, (len(s) + 1) * min(p[[i, *s]])) for s in families)

    assert st.holm(p) == pytest.approx([closed(i) for i in range(len(p))])
    assert st.holm([]) == []


# --- spec ------------------------------------------------------------------------------------------


def test_cells_are_the_product_and_know_what_determines_them(tmp_path):
    spec = dataclasses.replace(
        SPEC,
        penalties=("none", "r1=0.1+r2=0.2+every=4"),
        dynamics=("default", "d_steps=2"),
        dynamics_for=("hinge",),
    )
    cells = spec.cells()
    assert len(cells) == 3 * 2 + 2
    assert len({cell.name for cell in cells}) == len(cells)
    assert all(re.fullmatch(r"[\w.=-]+", cell.name) for cell in cells)
    last = cells[3]
    config = last.config()
    assert config.penalty.weights == (("r1", 0.1), ("r2", 0.2))
    assert (config.penalty.every, config.d_steps, config.loss, config.steps) == (4, 2, "hinge", 40)
    assert Cell.from_json(json.loads(json.dumps(last.to_json()))) == last
    change = lambda **x: dataclasses.replace(SPEC, **x).cells()[0].key
    assert change() == SPEC.cells()[0].key
    assert (
        len({change(), change(seeds=4), change(set=("steps=41",)), change(set=("model.d_widths=[8]",))}) == 4
    )
    assert change(set=("compute.devices=1",)) == change(set=("log_every=7",)) == change()


def test_a_loss_of_ones_own_is_known_by_its_content(tmp_path):
    file, text = (
        tmp_path / "mine.py",
        "from jaxgan.losses import get_loss\ndef mine(): return get_loss('hinge')\n",
    )
    file.write_text(text)
    cell = dataclasses.replace(SPEC, losses=(f"{file}:mine",)).cells()[0]
    key = cell.key
    file.write_text(text + "# changed\n")
    assert cell.key != key
    moved = tmp_path / "elsewhere.py"
    moved.write_text(text)
    assert dataclasses.replace(cell, loss=f"{moved}:mine").key == key


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"losses": ("hing",)}, "did you mean 'hinge'"),
        ({"losses": ("nowhere.py:f",)}, "no file 'nowhere.py'"),
        ({"datasets": ("toy-rin",)}, "did you mean 'toy-ring'"),
        ({"penalties": ("r3=1",)}, "unknown penalty 'r3'"),
        ({"penalties": ("r1",)}, "expected NAME=VALUE, got 'r1'"),
        ({"penalties": ("r1=x",)}, "a number, got 'x'"),
        ({"set": ("stepps=3",)}, "unknown field 'stepps'"),
        ({"set": ("steps=many",)}, "steps: expected int, got 'many'"),
        ({"set": ("steps=0",)}, "at least 1"),
        ({"seeds": 0}, "seeds: expected at least 1"),
        ({"losses": ()}, "losses: expected at least one"),
        ({"dynamics_for": ("hing",)}, "did you mean 'hinge'"),
    ],
)
def test_a_bad_spec_is_one_line(change, message):
    with pytest.raises(InputError, match=re.escape(message)) as error:
        dataclasses.replace(SPEC, **change).cells()
    assert "\n" not in str(error.value)


# --- analysis --------------------------------------------------------------------------------------


def made(loss, values, name="high_quality", modes=None, diverged=(), **data):
    """A result whose seeds have these final scores."""
    outcomes = tuple(
        Outcome(
            seed,
            "diverged" if seed in diverged else "finished",
            5 if seed in diverged else None,
            [{"step": t, name: value * t / 10} for t in (5, 10) if t < 6 or seed not in diverged],
            {name: value, **({"modes": modes[seed]} if modes else {})},  # of a diverged seed: not to be used
            {name: value, "step": 5},
        )
        for seed, value in enumerate(values)
    )
    cell = Cell("toy-ring", loss, "none", "default", tuple(range(len(values))))
    return CellResult(cell, cell.key, "finished", outcomes, data={"modes": 8, "classes": 0, **data})


def test_a_diverged_seed_counts_as_the_worst():
    good, bad = made("hinge", [0.5, 0.6, 0.7]), made("minimax", [0.9, 0.9, 0.9], diverged=(0, 2))
    (found,) = analyse([bad, good])
    assert [v.result.cell.loss for v in found.variants] == ["hinge", "minimax"]
    second = found.variants[1]
    assert second.final["high_quality"].mean == pytest.approx(0.3)  # (0 + 0.9 + 0) / 3
    assert second.best["high_quality"].mean == pytest.approx(0.9)
    assert (second.diverged, second.n, found.test) == (2, 3, "welch")
    (pair,) = found.comparisons
    assert pair.p == pair.adjusted == st.welch([0.5, 0.6, 0.7], [0, 0.9, 0])
    steps, means, _, _ = band(bad, metric("high_quality"))
    assert dict(zip(steps, means, strict=True)) == {5: pytest.approx(0.45), 10: pytest.approx(0.3)}


def test_where_the_scale_has_no_end_ranks_decide():
    results = [
        made("hinge", [2.0, 2.1, 2.2], "fd_mnist_cnn"),
        made("minimax", [1.0, 1.1, 1.2], "fd_mnist_cnn", diverged=(1, 2)),
        made("wasserstein", [1.9, 1.8, 1.7], "fd_mnist_cnn"),
    ]
    (found,) = analyse(results)
    assert (found.metrics[0].higher, found.test, found.ordered_by) == (False, "mann_whitney", "mean rank")
    assert [v.result.cell.loss for v in found.variants] == ["wasserstein", "hinge", "minimax"]
    lost = found.variants[2]
    assert final_values(lost.result, found.metrics[0]).tolist() == [1.0, np.inf, np.inf]
    assert lost.final["fd_mnist_cnn"] == (1.0, None, None, 1)
    by_name = {(c.a, c.b): c for c in found.comparisons}
    assert by_name[0, 1].delta == 1.0  # lower is better
    assert by_name[0, 2].difference is None
    assert by_name[0, 2].p == st.mann_whitney([1.9, 1.8, 1.7], [1.0, np.inf, np.inf])
    adjusted = st.holm([c.p for c in found.comparisons])
    assert [c.adjusted for c in found.comparisons] == pytest.approx(adjusted)
    with pytest.raises(InputError, match="expected one of auto"):
        analyse(results, "t")


def test_collapse_is_fewer_than_half_of_the_modes():
    result = made("hinge", [0.1] * 4, modes=[8, 4, 3, 0], diverged=(3,))
    assert [collapsed(result, outcome) for outcome in result.outcomes] == [False, False, True, None]
    assert analyse([result])[0].variants[0].collapsed == 1
    images = made("hinge", [4.0, 5.0], "classes_present", modes=None)
    images = dataclasses.replace(images, data={"modes": 0, "classes": 10})
    assert [collapsed(images, outcome) for outcome in images.outcomes] == [True, False]
    assert collapsed(made("hinge", [0.1]), made("hinge", [0.1]).outcomes[0]) is None  # nothing was counted


def test_one_seed_and_failed_cells_alone():
    one = analyse([made("hinge", [0.5]), made("minimax", [0.2])])[0]
    assert one.variants[0].final["high_quality"].low is None
    assert (one.comparisons[0].p, one.comparisons[0].adjusted) == (None, None)
    cell = SPEC.cells()[0]
    (none,) = analyse([CellResult.failure(cell, cell.key, "gone")])
    assert not none.variants
    assert none.failed


# --- running ---------------------------------------------------------------------------------------


def fake_train(config, seeds):
    """Members as jaxgan.ensemble makes them, at once; what a loss does is in its name's place."""
    log = os.environ.get("STUDY_LOG")
    if log:
        with open(log, "a") as file:
            file.write(f"{config.loss} {os.getpid()}\n")
    if config.loss == os.environ.get("STUDY_HANGS"):
        time.sleep(100)
    if config.loss == "minimax":
        if "STUDY_CRASH" in os.environ:
            os.kill(os.getpid(), signal.SIGKILL)
        raise RuntimeError("no equilibrium\nat all")
    found = []
    for seed in seeds:
        rng = np.random.default_rng(seed + zlib.crc32(config.loss.encode()))
        gone = config.loss == "wasserstein" and seed == 1
        quality = float(rng.uniform(0.2, 0.9))
        curve = [
            {"step": t, "images": 8 * t, "score": 1.0 / t, "high_quality": quality * t / 40, "modes": 6.0}
            for t in (20, 40)
            if t == 20 or not gone
        ]
        final = {"sliced_wasserstein": 1 - quality, "modes": 6.0, "high_quality": quality}
        found.append(
            SimpleNamespace(
                seed=seed,
                status="diverged" if gone else "finished",
                diverged_at=33 if gone else None,
                curve=curve,
                final=dict.fromkeys(final, float("nan")) if gone else final,
                best={**final, "step": 20},
                samples=None if gone else rng.normal(size=(50, 2)).astype(np.float32),
            )
        )
    return found


def content(result):
    """What must be equal, however a study was run."""
    plain = result.to_json()
    return {name: plain[name] for name in plain if name not in ("seconds", "environment", "traceback")}


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
    retried = run_study(cells, tmp_path, LaunchOptions(retry_failed=True), train=fake_train, say=quiet)
    assert log.read_text().split()[6::2] == ["hinge", "minimax"]
    assert retried[1].error == "RuntimeError: no equilibrium at all"
    assert 'raise RuntimeError("no equilibrium' in retried[1].traceback
    assert content(retried[0]) == content(results[0])


SCRIPT = """
import functools, pathlib, sys
sys.path.insert(0, {tests!r})
from test_study import SPEC, fake_train
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


# --- outputs ---------------------------------------------------------------------------------------


def test_outputs_are_complete_and_self_contained(tmp_path):
    results = [run_cell(cell, fake_train) for cell in SPEC.cells()]
    store = Store(tmp_path / "cells")
    for result in results:
        store.save(result)
    written = write_outputs(results, tmp_path, title="A <study>", command="python x.py --seeds 3")
    assert all(path.exists() for path in written)

    rows = list(csv.DictReader(io.StringIO((tmp_path / "results.csv").read_text())))
    assert len(rows) == 9  # one a seed
    assert [row["status"] for row in rows] == ["finished"] * 3 + ["failed"] * 3 + [
        "finished",
        "diverged",
        "finished",
    ]
    assert float(rows[0]["final_high_quality"]) == results[0].outcomes[0].final["high_quality"]
    assert (rows[7]["diverged_at"], rows[7]["final_modes"], rows[7]["collapsed"]) == ("33", "", "")

    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [content(CellResult.from_json(line)) for line in lines] == [
        content(CellResult.from_json(r.to_json())) for r in results
    ]

    markdown = (tmp_path / "summary.md").read_text()
    table = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert len({line.count("|") for line in table}) == 1
    assert "Failed: minimax: RuntimeError: no equilibrium at all" in markdown

    page = (tmp_path / "report.html").read_text()
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert page.count("data:image/png;base64,") == 4  # scores, curves, samples, pairs
    for text in ("A &lt;study&gt;", "python x.py --seeds 3", "no equilibrium", "Holm", "1/3", "Welch"):
        assert text in page, text
    pairs = list(csv.DictReader(io.StringIO((tmp_path / "comparisons.csv").read_text())))
    assert [(row["a"], row["b"]) for row in pairs] == [
        (table[2].split(" | ")[0][2:], table[3].split(" | ")[0][2:])
    ]


def test_images_are_reported_too(tmp_path):
    image = functools.partial(made, name="fd_x", modality="image")
    results = [image("hinge", [2.0, 2.1]), image("minimax", [1.0, 1.2], diverged=(0, 1))]
    store = Store(tmp_path / "cells")
    for result in results:
        samples = {0: np.random.default_rng(0).integers(0, 255, (9, 8, 8, 1), np.uint8)}
        store.save(dataclasses.replace(result, samples=samples))
    write_outputs(results, tmp_path, title="images", command="")
    assert "Mann-Whitney test (exact up to 9 against 9)" in (tmp_path / "report.html").read_text()
    assert "| – |" in (tmp_path / "summary.md").read_text()  # no seed of it has a value


def test_the_command_line(tmp_path, capsys):
    args = StudyArgs(dataclasses.replace(SPEC, losses=("hinge", "minimax")), out=tmp_path / "out")
    run = lambda **changes: run_command(dataclasses.replace(args, **changes), title="t", train=fake_train)
    assert run(list=True) == 0
    assert "2 cells, 6 runs" in capsys.readouterr().out
    assert run(only="nothing") == 2
    assert run(report_only=True) == 2
    assert capsys.readouterr().err.count("\n") == 2
    for cell in args.spec.cells():
        Store(tmp_path / "out" / "cells").save(run_cell(cell, fake_train))
    assert run(only="hinge") == 0  # all there: nothing is trained
    out = capsys.readouterr().out
    assert "1 cells, 1 kept, 0 to train" in out
    assert "<h1>t (1 of 2 cells)</h1>" in (tmp_path / "out" / "report.html").read_text()
    assert "| hinge |" in out
    assert run(report_only=True) == 0
    assert "1 cells failed" in capsys.readouterr().out


# --- several machines ------------------------------------------------------------------------------

RAY = """
import json, os, pathlib, signal, sys, time
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
from ray.cluster_utils import Cluster
from jaxgan.study import LaunchOptions, Spec, run_study

out = pathlib.Path(sys.argv[1])
losses = ("hinge", "wasserstein", "least_squares", "non_saturating", "minimax")
spec = Spec(losses=losses, seeds=2, fields={"steps": 40, "evaluate_every": 20})

def train(config, seeds):  # by value: it is of __main__
    import ray, test_study
    node = ray.get_runtime_context().get_node_id()
    with open(out / "log", "a") as file:
        file.write(f"{config.loss} {node}\\n")
    time.sleep(600 if node == (out / "second").read_text() else 0.3)  # what runs there never ends
    first = out / ("once-" + config.loss)
    if config.loss == "least_squares" and not first.exists():
        first.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return test_study.fake_train(config, seeds)

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


# --- for real --------------------------------------------------------------------------------------


def test_a_real_study(tmp_path):
    tiny = {
        "steps": 20,
        "batch_size": 16,
        "evaluate_every": 10,
        "model.g_widths": (8,),
        "model.d_widths": (8,),
    }
    spec = Spec(losses=("hinge",), penalties=("r1=0.1",), seeds=2, fields=tiny)
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
    assert (found.metrics[0].name, found.variants[0].collapsed is not None) == ("high_quality", True)
