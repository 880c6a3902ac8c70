"""Files that commands write: what would be refused at the end is refused at the start."""

import json
import os
import pathlib

import pytest
from helpers import small, untrained

from jaxgan import InputError
from jaxgan.__main__ import main
from jaxgan.cli.arguments import check_out
from jaxgan.config.groups import DataConfig
from jaxgan.runs.folder import RunFolder

REFUSED = [  # there is no run at all: what can be said without one is said first
    ("sample none --out s.bmp", "out: expected a .npz, .png, .jpg"),
    ("sample none --out folder.png", "out: expected a file, got the folder 'folder.png'"),
    ("sample none --out file/s.png", "out: cannot write 'file/s.png', as "),
    ("sample none --frames 0", "frames: expected an integer >= 1, got 0|frames: expected at least 1"),
    ("sample none --checkpoint newest", "checkpoint: expected 'last', 'best' or a step, got 'newest'"),
    ("evaluate none --copies c.png", "copies: expected 'memorisation' among the metrics"),
    ("evaluate none --copies c.png --metrics fd,prdc", "copies: expected 'memorisation' among the metrics"),
    ("evaluate none --copies c.jpg --metrics memorisation", "copies: expected a .png file, got 'c.jpg'"),
    ("evaluate a b --compare --copies c.png --metrics memorisation", "copies: expected one run"),
    ("evaluate none --json folder.png", "json: expected a file, got the folder 'folder.png'"),
    ("evaluate none --metrics memorisation --json file/x/y.json", "json: cannot write 'file/x/y.json', as "),
    ("evaluate --real none --save-reference s.npy", "save-reference: expected a .npz file, got 's.npy'"),
    ("evaluate a b --compare --checkpoint all", "checkpoint: expected 'last', 'best' or a step, got 'all'"),
    (
        "evaluate --fake a --real b --data.source npz:x.npz",
        "data.source: expected runs, whose data these are",
    ),
    ("sample none --out photos", "out: expected a folder that is new, or holds samples alone, got 'photos'"),
    ("sample none --out samples", "run: expected the folder"),
    ("data show none --out d.jpg", "out: expected a .png file, got 'd.jpg'"),
    ("losses plot none --out p.svg", "out: expected a .png file, got 'p.svg'"),
    ("compare a b --out page.pdf", "out: expected a .html file, got 'page.pdf'"),
    ("compare a --out page.html", "runs: expected at least two runs, got 1"),
    ("export none --out file", "run: expected the folder of a run, got 'none', which does not exist"),
    (
        "resume none --restart-schedule",
        "restart-schedule: expected --steps N beside it|run: expected the folder",
    ),
]


@pytest.mark.parametrize(("arguments", "says"), REFUSED)
def test_what_cannot_be_written_is_said_first(tmp_path, monkeypatch, capsys, arguments, says):
    monkeypatch.chdir(tmp_path)
    pathlib.Path("folder.png").mkdir()
    pathlib.Path("folder.png/x").write_text("")
    pathlib.Path("file").write_text("")
    for name in ("photos/cat.png", "samples/seed00001.png", "samples/class0-cat-seed00001.png"):
        pathlib.Path(name).parent.mkdir(exist_ok=True)
        pathlib.Path(name).write_text("")
    assert main(arguments.split()) == 2
    error = capsys.readouterr().err
    assert any(part in error for part in says.split("|")), error
    assert error.count("\n") == 1


def test_an_export_goes_to_a_folder_that_is_new_or_empty(tmp_path, monkeypatch, capsys):
    """Whatever lies there is left as it is; a run folder is no exception."""
    monkeypatch.chdir(tmp_path)
    run = untrained(small(tmp_path, "toy-ring", steps=10, data=DataConfig("ring"))).path
    for name in ("full/mine.txt", "hidden/.git/HEAD", "file"):
        pathlib.Path(name).parent.mkdir(parents=True, exist_ok=True)
        pathlib.Path(name).write_text("mine")
    pathlib.Path("empty").mkdir()
    content = lambda: {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    before = content()
    capsys.readouterr()
    for out in ("full", "hidden", "file", str(run)):
        assert main(["export", str(run), "--out", out]) == 2
        assert capsys.readouterr().err == f"error: out: expected a folder that is new or empty, got {out!r}\n"
        assert content() == before
    assert main(["export", str(run), "--out", "empty"]) == 0
    assert pathlib.Path("empty/sample.py").exists()


def test_places_where_files_can_be_written(tmp_path, monkeypatch):
    for name, suffixes in (("a.PNG", (".png",)), ("new/er/a.json", ()), ("folder", (".png", ""))):
        check_out("out", tmp_path / name, suffixes)
    check_out("out", tmp_path, (".png", ""))
    check_out("out", tmp_path / "v1.0", ("",))
    (tmp_path / "v2.0").mkdir()
    check_out("out", tmp_path / "v2.0", ("",))
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="out: expected a folder, got the file '.*file'"):
        check_out("out", tmp_path / "file", ("",))
    monkeypatch.setattr("tempfile.TemporaryFile", lambda dir: os.open(tmp_path / "no/such", 0))
    with pytest.raises(InputError, match="out: cannot write '.*a.png', as nothing may be written in '.*'"):
        check_out("out", tmp_path / "a.png")


def test_a_run_that_cannot_be_written_is_evaluated(tmp_path, monkeypatch, capsys):
    config = small(tmp_path, "toy-ring", steps=10, data=DataConfig("ring"))
    folder, out, order = untrained(config), tmp_path / "s.json", []

    def refused(self, name, value):
        order.append((name, out.exists()))
        raise PermissionError(30, "Read-only file system", str(self.path / name))

    monkeypatch.setattr(RunFolder, "write", refused)
    capsys.readouterr()
    for flags, hint in (([], "; --json FILE keeps the scores"), (["--json", str(out)], "")):
        assert main(["evaluate", str(folder.path), *flags]) == 0
        captured = capsys.readouterr()
        assert "sliced_wasserstein" in captured.out
        said = [line for line in captured.err.splitlines() if line.startswith("note: ")]
        assert said == [f"note: nothing was written in the run (Read-only file system){hint}"]
    assert order == [("evaluations.json", False), ("evaluations.json", True)]
    assert json.loads(out.read_text())["final"]["step"] == 10
