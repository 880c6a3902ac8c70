"""What a study ends in: tables, plots, the report, and its command line."""

import csv
import dataclasses
import io
import json
import re

import numpy as np
from studies import SPEC, content, fake_train, made

from jaxgan.study import CellResult, Store, StudyArgs, run_cell, run_command, write_outputs


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
    assert "ordered by sliced_wasserstein, a score of the whole distribution" in markdown
    table = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert len({line.count("|") for line in table}) == 1
    assert "Failed: minimax: RuntimeError: no equilibrium at all" in markdown

    page = (tmp_path / "report.html").read_text()
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert page.count("data:image/png;base64,") == 3  # scores, curves, samples; two variants make one pair
    for text in ("A &lt;study&gt;", "python x.py --seeds 3", "no equilibrium", "Holm", "1/3", "Welch"):
        assert text in page, text
    assert page.count('class="wide plot"') == 3  # they keep their size on narrow screens
    assert "cannot win" in page  # by what it is ordered
    assert not re.search(r"\*\*|`|\| ---|^#", re.sub(r"data:[^\"]*", "", page), re.M)  # no raw Markdown
    assert "<pre></pre>" not in page
    pairs = list(csv.DictReader(io.StringIO((tmp_path / "comparisons.csv").read_text())))
    assert [(row["a"], row["b"]) for row in pairs] == [
        (table[2].split(" | ")[0][2:], table[3].split(" | ")[0][2:])
    ]


def test_images_are_reported_too(tmp_path):
    kind = {"name": "fd_x", "modality": "image"}
    results = [made("hinge", [2.0, 2.1], **kind), made("minimax", [1.0, 1.2], diverged=(0, 1), **kind)]
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
    assert "toy-ring, by sliced_wasserstein (lower is better)" in out
    assert re.search(r"^hinge +0\.\d+ \[", out, re.M)  # a table, and no Markdown
    assert "|" not in out
    assert run(report_only=True) == 0
    assert "1 cells failed" in capsys.readouterr().out
