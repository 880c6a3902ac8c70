"""The page of runs side by side says what differs, and draws all on one axis."""

import dataclasses
import json
import re

import pytest
from helpers import small, untrained

from jaxgan import InputError
from jaxgan.__main__ import main
from jaxgan.config.groups import DataConfig
from jaxgan.report.compare import write_comparison
from jaxgan.runs.folder import RunFolder

PNG = [b"\x89PNG one", b"\x89PNG two"]


def score(value, n_fake=150, error=0.1):
    return {
        "value": value, "error": error, "floor": 0.05, "n_real": 150, "n_fake": n_fake, "features": "none",
        "split": "ring", "protocol": "p", "better": "lower", "meaning": "distance", "worst": None,
    }  # fmt: skip


@pytest.fixture
def runs(tmp_path):
    config = small(tmp_path, "toy-ring", data=DataConfig("ring"))
    folders = []
    for k, changed in enumerate((config, dataclasses.replace(config, batch_size=16, loss="hinge"))):
        records = [{"step": s, "score": 1.0 / s, "d/loss": 0.5, "g/loss": k} for s in (10, 20, 30)]
        folder = untrained(changed, records=records)
        (folder.samples / "step-0000010.png").write_bytes(b"early")
        (folder.samples / "step-0000030.png").write_bytes(PNG[k])
        (folder.samples / "reals.png").write_bytes(b"the same reals")
        scores = {
            "sliced_wasserstein": score(1 + k),
            "modes": score(8, 100 + k),
            f"own_{k}": score(2),
            "recall": score(0, error=0),
        }
        final = {"step": 30, "scores": scores}
        folder.write("scores.json", {"main": "sliced_wasserstein", "class_names": [], "final": final})
        folders.append(folder)
    return folders


def test_where_real_data_have_no_value_the_page_says_why(runs, tmp_path):
    for folder in runs:
        scores = folder.read("scores.json")
        scores["final"]["scores"]["recall"] |= {
            "floor": None,
            "split": "ring; floor: none (nothing held out)",
        }
        folder.write("scores.json", scores)
    write_comparison(runs, out := tmp_path / "page.html")
    assert "–: recall: no value of real data: nothing held out" in out.read_text()


def test_what_the_page_shows(runs, tmp_path, capsys):
    out = tmp_path / "new" / "page.html"
    assert main(["compare", *(str(run.path) for run in runs), "--out", str(out)]) == 0
    assert f"wrote {out}" in capsys.readouterr().out
    page = out.read_text()
    for name in ("00000-toy-ring", "00001-toy-ring"):
        assert page.count(name) > 4
    cells = [re.sub(r"<[^>]+>", "|", row).strip("|").split("|") for row in page.split("<tr>")]
    rows = {row[0]: [cell for cell in row[1:] if cell] for row in cells if row[0]}
    assert rows["batch_size"][:2] == ["8", "16"]
    assert rows["loss"][:2] == ["relativistic_paired", "hinge"]
    assert "steps" not in rows
    assert rows["sliced_wasserstein"][:3] == ["1 [0.804, 1.196]", "2 [1.804, 2.196]", "0.05"]
    assert rows["recall"][:2] == ["0", "0"]  # an interval of no width says nothing
    assert rows["score"][2] == "real data"
    assert rows["own_0"][:2] == ["2 [1.804, 2.196]", "–"]
    assert "Of different protocols, and so not to be compared: modes." in page
    assert len(re.findall("<img", page)) == 3  # two grids, and the reals once
    assert page.count('role="img"') == 3  # the score and the losses
    links = re.findall(r"""(?:src|href)=["']([^"']*)""", page)
    assert all(link.startswith(("data:", "#")) for link in links)


def test_scores_of_a_step_from_which_a_run_went_on_are_not_its_last(runs, tmp_path):
    with runs[0].metrics.open("a") as file:
        file.write(json.dumps({"step": 40}) + "\n")
    write_comparison(runs, tmp_path / "p.html")
    page = (tmp_path / "p.html").read_text()
    assert "2 [1.804, 2.196]" in page  # of the second
    assert "1 [0.804, 1.196]" not in page


def test_runs_of_one_name_and_of_several_seeds(runs, tmp_path):
    parent = tmp_path / "other" / runs[0].path.name
    config = small(tmp_path, "toy-ring", data=DataConfig("ring"))
    for seed in (3, 4):
        untrained(dataclasses.replace(config, seed=seed), parent / f"seed-{seed:05d}")
    record = {"status": "finished", "command": "c", "seeds": [3, 4], "how": "vmap", "config": {}}
    (parent / "seeds.json").write_text(json.dumps(record))
    entry = score(0) | {"final": {"mean": 0.75, "low": 0.5, "high": 1.0}}
    summary = {"main": "sliced_wasserstein", "scores": {"sliced_wasserstein": entry}}
    (parent / "summary.json").write_text(json.dumps(summary))
    write_comparison([runs[0], RunFolder(parent)], tmp_path / "p.html")
    page = (tmp_path / "p.html").read_text()
    assert "runs/00000-toy-ring" in page
    assert "other/00000-toy-ring (2 seeds)" in page
    assert "0.75 [0.5, 1]" in page
    with pytest.raises(InputError, match="runs: expected different runs"):
        write_comparison([runs[0], runs[0]], tmp_path / "p.html")
    (runs[1].path / "config.json").write_text("[]")
    with pytest.raises(InputError, match="config.json' is damaged"):
        write_comparison(runs, tmp_path / "p.html")


def test_settings_that_are_the_same(runs, tmp_path):
    write_comparison([runs[0], untrained(runs[0].config())], tmp_path / "p.html")
    assert "All settings are the same." in (tmp_path / "p.html").read_text()


def test_scores_of_different_names_are_not_drawn_on_one_axis(runs, tmp_path):
    for run, name in zip(runs, ("mode_kl", "fd_x@2000"), strict=True):
        lines = [{**record, "score_name": name} for record in run.records()]
        run.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    write_comparison(runs, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "mode_kl on the way" in page
    assert "fd_x@2000 on the way" in page
