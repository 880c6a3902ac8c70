"""Writers that fail and folders that vanish under a run: it goes on with a warning, or ends in one true line."""

import os
import shutil

import pytest
from helpers import small

from jaxgan.__main__ import main
from jaxgan.cli.status import exit_status
from jaxgan.config import DataConfig, PenaltyConfig
from jaxgan.models import MLPConfig
from jaxgan.runs.folder import RunFolder
from jaxgan.train.resume import resume
from jaxgan.train.run import train
from jaxgan.train.sinks.progress import Progress

pytestmark = pytest.mark.usefixtures("shared_programs", "quick_keys")


def ring(tmp_path):
    model = MLPConfig(g_widths=(8,), d_widths=(8,))
    changes = {
        "data": DataConfig("ring"),
        "penalty": PenaltyConfig(),
        "loss": "non_saturating",
        "model": model,
    }
    return small(tmp_path, "toy-ring", steps=40, evaluate_every=40, sample_every=40, **changes)


@pytest.fixture
def ends(tmp_path, monkeypatch, capsys):
    """A function that trains, does `act` to the folder after the record of step 20, and gives status and output."""
    folder, show = RunFolder(tmp_path / "runs/00000-toy-ring"), Progress.record

    def ended(act):
        def acting(self, record):
            show(self, record)
            if record["step"] == 20:
                act(folder)

        monkeypatch.setattr(Progress, "record", acting)
        status = exit_status(lambda: train(ring(tmp_path)) and 0)
        monkeypatch.undo()
        said = capsys.readouterr()
        return status, folder, " ".join(said.out.split()), said.err

    return ended


def test_a_full_disk_under_the_records_is_a_clean_stop(ends, capsys):
    def full(folder):
        folder.metrics.unlink()
        folder.metrics.symlink_to("/dev/full")

    status, folder, _, err = ends(full)
    assert status == 2
    (line,) = err.splitlines()
    assert "No space left on device" in line
    assert line.endswith("; the last good checkpoint is step 20")
    assert folder.read("run.json")["status"] == "failed"
    folder.metrics.unlink()
    resume(folder)
    assert folder.read("run.json")["status"] == "finished"
    assert [record["step"] for record in folder.records()] == [30, 40]


def test_tensorboard_alone_is_no_reason_to_stop(ends, monkeypatch):
    from tensorboardX.event_file_writer import EventsWriter

    def fails(folder):
        def refused(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(EventsWriter, "write_event", refused)

    status, folder, out, err = ends(fails)
    assert (status, err) == (0, "")
    said = "warning: tensorboard failed, and is left alone from here on: OSError: [Errno 28] No space left on device"
    assert out.count(said) == 1
    assert folder.read("run.json")["status"] == "finished"


def gone(folder):
    folder.path.rename(folder.path.parent / "elsewhere")


def gone_and_made_again(folder):
    """As a save under way does, of all but the folder's records."""
    gone(folder)
    folder.path.mkdir(exist_ok=True)


def checkpoints_gone(folder):
    path = folder.path / "checkpoints"
    for name in range(100):  # a save under way may make it again in between
        try:
            path.rename(folder.path / f"elsewhere-{name}")
            path.write_text("")
        except IsADirectoryError:
            continue
        return


@pytest.mark.parametrize("act", [gone, gone_and_made_again, checkpoints_gone])
def test_no_checkpoint_that_is_gone_is_named(ends, act):
    status, folder, _, err = ends(act)
    assert status == 2
    (line,) = err.splitlines()
    assert line.startswith("error: could not write ")
    assert "there is no" in line
    assert "last good" not in line
    assert not (folder.path / "run.json").exists() or folder.read("run.json")["status"] == "failed"


def test_samples_that_vanish_are_made_again(ends):
    status, folder, _, err = ends(lambda folder: shutil.rmtree(folder.samples))
    assert (status, err) == (0, "")
    assert [path.name for path in folder.samples.iterdir()] == ["step-0000040.png"]
    assert main(["runs", str(folder.path)]) == 0
    assert os.path.getsize(folder.report)
