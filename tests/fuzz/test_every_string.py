"""Every string that a run can bring is escaped wherever a page shows it."""

import json
import pathlib
import types

import pytest
from fuzzing import fuzz_kinds

from jaxgan import InputError
from jaxgan.config import get_preset
from jaxgan.data import open_source
from jaxgan.report.compare import write_comparison
from jaxgan.report.notebook import TrainedRun
from jaxgan.report.run import write_report
from jaxgan.report.seeds import write_summary
from jaxgan.runs import export
from jaxgan.runs.folder import RunFolder
from jaxgan.runs.seeds import summarise
from jaxgan.study import Cell, CellResult, Outcome, write_outputs

EVIL = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folders of runs, all of whose pages can be written."""
    root = tmp_path_factory.mktemp("strings")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAXGAN_CACHE", str(root / "cache"))
        fuzz_kinds.kinds(root)
        yield root / "runs"


def texts(value):
    """Every text in a value, and every name of an entry."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for pair in value.items() for part in pair for text in texts(part))
    elif isinstance(value, list):
        yield from (text for item in value for text in texts(item))


def pages(runs):
    """All that is drawn of a run, and of several seeds."""
    run, several = RunFolder(runs / "run"), RunFolder(runs / "several")
    write_comparison([run, several], runs / "page.html")
    write_report(run)
    write_summary(several, summarise(several))
    return "".join(path.read_text() for path in (runs / "page.html", run.report, several.report))


@pytest.mark.parametrize("name", fuzz_kinds.RUN_FILES)
def test_every_text_of_a_run_is_escaped(runs, name):
    paths = [path for path in runs.rglob(name) if "other" not in path.parts]
    right, seen = paths[0].read_text(), 0
    lines = right.splitlines()[:2]
    if name != "metrics.jsonl":
        value = json.loads(right)
        lines = [json.dumps(value | {"config": {}} if name == "seeds.json" else value)]
    found = dict.fromkeys(text for line in lines for text in texts(json.loads(line)))
    assert len(found) > 5
    try:
        for text in found:  # wherever it stands, so that what belongs together still does
            evil = [line.replace(json.dumps(text), json.dumps(text + EVIL)) for line in lines]
            for path in paths:
                path.write_text("\n".join(evil) + "\n")
            summary = None if name == "summary.json" else (runs / "several" / "summary.json").read_text()
            try:
                page = pages(runs)
            except InputError:
                continue
            finally:
                if summary is not None:
                    (runs / "several" / "summary.json").write_text(summary)
            assert "<script>alert" not in page, text
            seen += "&lt;script&gt;alert" in page
    finally:
        for path in paths:
            path.write_text(right)
    assert seen > 1


def test_every_text_of_a_study_is_escaped(tmp_path):
    curve = [{"step": 20, EVIL: 1.0, "score": 0.5}]
    outcomes = tuple(
        Outcome(seed, "finished", None, curve, {EVIL: 1.0}, {EVIL: 1.0, "step": 20}) for seed in (0, 1)
    )
    kind = {"key": EVIL, "meaning": EVIL, "better": "higher", "scale": [None, None]}
    facts = {"modes": 8, "classes": 0, "modality": EVIL}
    results = []
    for loss in ("hinge", f"{EVIL}.py:x{EVIL}"):
        cell = Cell("toy-ring", loss, EVIL, EVIL, (0, 1), {EVIL: EVIL})
        results += [
            CellResult(
                cell,
                EVIL,
                "finished",
                outcomes=outcomes,
                data=facts,
                kinds={EVIL: kind},
                seconds=1.0,
                environment={"date": EVIL, EVIL: EVIL},
            ),
            CellResult(cell, EVIL, "failed", error=EVIL, traceback=EVIL),
        ]
    write_outputs(results, tmp_path, title=EVIL, command=EVIL)
    page = (tmp_path / "report.html").read_text()
    assert "<script>" not in page
    assert page.count("&lt;script&gt;") > 20


def test_every_text_in_a_notebook_is_escaped():
    scores = json.loads(json.dumps(fuzz_kinds.scores()).replace("fd_cnn", EVIL))
    run = types.SimpleNamespace(
        _repr_png_=lambda: b"png",
        _stored=lambda: scores,
        data={"name": EVIL},
        step=3,
        folder=RunFolder(pathlib.Path(EVIL)),
        config=types.SimpleNamespace(loss=EVIL, preset=EVIL),
    )
    page = TrainedRun._repr_html_(run)
    assert "<script>" not in page
    assert page.count("&lt;script&gt;") == 4


def test_texts_of_a_model_card_stay_in_their_line(tmp_path):
    evil = f"{EVIL}\n---\n`|"
    data = {"name": evil, "n": 3, "fingerprint": evil, "class_names": [evil, "b"]}
    scores = json.loads(json.dumps(fuzz_kinds.scores()).replace("fd_cnn", evil.replace("\n", "\\n")))
    (tmp_path / "scores.json").write_text(json.dumps(scores))
    run = types.SimpleNamespace(
        config=get_preset("mlp-mnist"),
        data=data,
        spec=open_source("ring").spec,
        step=40,
        folder=RunFolder(tmp_path),
        sampler=types.SimpleNamespace(n_classes=2),
    )
    card = export.model_card(run, "name", "mit")
    body = card.split("\n---\n", 1)[1]
    assert "<script>" not in body
    assert "\n---\n" not in body
    assert body.count("&lt;script>") > 4
