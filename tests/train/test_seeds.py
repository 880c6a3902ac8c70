"""`--seeds`: every member is a run of its own, and what interrupts them all changes no bit of any."""

import os
import re
import shutil
import signal
import time
from unittest import mock

import jax
import numpy as np
import pytest
from helpers import arrays, command, contents, copied, same_arrays, small, take_over

from jaxgan import InputError, load
from jaxgan.__main__ import main
from jaxgan.config.fields import with_fields
from jaxgan.config.groups import DataConfig
from jaxgan.config.moves import PenaltyConfig
from jaxgan.data import IMAGE
from jaxgan.models import MLPConfig
from jaxgan.report.pictures import picture
from jaxgan.runs.checkpoint import Checkpoints, SaveError
from jaxgan.runs.evaluation import evaluate_run
from jaxgan.runs.folder import RunFolder
from jaxgan.runs.lock import TakenOver, locked
from jaxgan.train import keeper
from jaxgan.train.keeper import RunKeeper
from jaxgan.train.members import Members
from jaxgan.train.run import train
from jaxgan.train.seeds import resume_seeds, train_seeds
from jaxgan.train.stops import Stopped

pytestmark = pytest.mark.usefixtures("shared_programs")

STEPS = 40


def ring(tmp_path, **changes):
    """Seconds of the ring, on one device."""
    base = {
        "data": DataConfig("ring"),
        "model": MLPConfig(g_widths=(8,), d_widths=(8,)),
        "penalty": PenaltyConfig(),
        "loss": "non_saturating",
        "steps": STEPS,
    }
    return small(tmp_path, "toy-ring", **(base | changes))


FLAGS = (
    "--steps 40 --batch-size 8 --log-every 10 --sample-every 20 --checkpoint-every 10 --evaluate-every 20 "
)
FLAGS += "--quick-n 150 --final-n 150 --model.g-widths 8 --model.d-widths 8 --loss non_saturating "
FLAGS += "--penalty.weights --compute.devices 1 --health.no-enabled"


def members(folder):
    return [RunFolder(path) for path in sorted(folder.path.glob("seed-*"))]


def status(folder):
    """Of the whole, and of each member."""
    return folder.read("seeds.json")["status"], [m.read("run.json")["status"] for m in members(folder)]


def same_folders(ours, theirs, step=STEPS):
    """All that the two trained, to the bit."""
    for a, b in zip(members(ours), members(theirs), strict=True):
        same_arrays(arrays(a, step), arrays(b, step))
        assert a.read("scores.json") == b.read("scores.json")
    assert ours.read("summary.json") == theirs.read("summary.json")


def garble(member, step):
    for file in (member.path / "checkpoints" / str(step) / "state").rglob("*"):
        if file.is_file():
            file.write_bytes(b"garbage")


@pytest.fixture(scope="module")
def whole(shared_programs, tmp_path_factory):
    """Three seeds, from 1 on, without any interruption."""
    tmp_path = tmp_path_factory.mktemp("whole")
    return train_seeds(ring(tmp_path, seed=1), 3, ["jaxgan", "train", "toy-ring", "--seeds", "3"])


@pytest.fixture(autouse=True)
def _lean(whole):
    """Pictures of members cost nothing from here on; those of `whole` are drawn."""
    blank = picture(np.zeros((1, 8, 8, 1), np.uint8), IMAGE)
    with mock.patch.object(keeper, "pictures_of", return_value=[("samples", blank)]):
        yield


@pytest.fixture
def finished(whole, tmp_path):
    """A copy to be damaged."""
    return copied(whole, tmp_path)


# --- what is left --------------------------------------------------------------------------------


def test_every_member_is_a_run(whole, tmp_path):
    assert whole.path.name == "00000-toy-ring-seeds"
    assert [m.path.name for m in members(whole)] == ["seed-00001", "seed-00002", "seed-00003"]
    assert status(whole) == ("finished", ["finished"] * 3)
    single = train(ring(tmp_path, seed=2))
    member = members(whole)[1]
    assert member.config() == with_fields(single.config(), out=member.config().out)
    for name, array in arrays(single, STEPS).items():
        np.testing.assert_allclose(arrays(member, STEPS)[name], array, rtol=1e-3, atol=1e-5, err_msg=name)
    ours, theirs = member.read("scores.json"), single.read("scores.json")
    for which in ("final", "best"):
        assert ours[which]["step"] == theirs[which]["step"]
        for name, score in theirs[which]["scores"].items():
            close = {key: pytest.approx(score[key], rel=1e-3) for key in ("value", "error")}
            expected = score | close
            assert ours[which]["scores"][name] == expected, name
    assert [r["step"] for r in member.records()] == [r["step"] for r in single.records()]
    for a, b in zip(member.records(), single.records(), strict=True):
        assert a.keys() == b.keys()
        for name in a.keys() & {"d/loss", "g/loss", "d/grad_norm", "score"}:
            assert a[name] == pytest.approx(b[name], rel=1e-3)
    assert {p.name for p in member.samples.iterdir()} == {p.name for p in single.samples.iterdir()}
    assert (member.samples / "reals.png").read_bytes() == (single.samples / "reals.png").read_bytes()
    run = load(member.path)
    assert (run.step, run.sample(n=5).shape) == (STEPS, (5, 2))
    assert load(member.path, "best").step == ours["best"]["step"]
    again = evaluate_run(member.path, "last", 150)["final"]
    kept, given = (end["scores"]["sliced_wasserstein"] for end in (ours["final"], again))
    assert given == kept | {key: pytest.approx(kept[key]) for key in ("value", "error", "floor")}
    assert "seed-00002" in member.report.read_text()


def test_the_summary_is_of_the_members(whole):
    summary = whole.read("summary.json")
    assert (summary["seeds"], summary["diverged"], summary["main"]) == ([1, 2, 3], [], "mode_kl")
    scores = [m.read("scores.json") for m in members(whole)]
    assert list(summary["scores"]) == list(scores[0]["final"]["scores"])
    for name, entry in summary["scores"].items():
        for which in ("final", "best"):
            values = [s[which]["scores"][name]["value"] for s in scores]
            finite = [value for value in values if value is not None]
            assert entry[which]["values"] == finite
            assert entry[which]["mean"] == pytest.approx(np.mean(finite))
            assert entry[which]["low"] <= entry[which]["mean"] <= entry[which]["high"]
            half = 4.302653 * np.std(finite, ddof=1) / np.sqrt(3)  # Student's t of 2 degrees of freedom
            ends = (np.mean(finite) - half, np.mean(finite) + half)
            assert (entry[which]["low"], entry[which]["high"]) == pytest.approx(ends, rel=1e-5, abs=1e-9)
        assert entry["floor"] == scores[0]["final"]["scores"][name]["floor"]


def test_the_report_names_all_and_links_to_what_is_there(whole):
    text = whole.report.read_text()
    for name in (*whole.read("summary.json")["scores"], "seed-00001", "seed-00002", "seed-00003"):
        assert name in text
    assert "jaxgan train toy-ring --seeds 3" in text
    assert "<svg" in text
    links = re.findall(r'(?:href|src)="([^"#]+)"', text)
    assert len(links) == 6  # a report and a grid each
    assert all((whole.path / link).exists() for link in links)


# --- interrupted ---------------------------------------------------------------------------------


def interrupt_at(monkeypatch, step, seed=2, signum=signal.SIGINT):
    """A signal, once, while the records of `step` are made."""
    keep, sent = RunKeeper.keep, []

    def interrupting(self, state, record, due, seconds):
        kept = keep(self, state, record, due, seconds)
        if record["step"] == step and self.members.seeds[self.k] == seed and not sent:
            sent.append(step)
            os.kill(os.getpid(), signum)
            time.sleep(0.01)
        return kept

    monkeypatch.setattr(RunKeeper, "keep", interrupting)


def test_stopping_and_resuming_changes_no_bit(whole, tmp_path, monkeypatch, capsys):
    interrupt_at(monkeypatch, 20)
    with pytest.raises(Stopped) as stopped:
        train_seeds(ring(tmp_path, seed=1), 3)
    monkeypatch.undo()
    folder = stopped.value.folder
    assert stopped.value.step == 20  # the last member was not scored there any more, and is on resuming
    assert folder.path.name == "00000-toy-ring-seeds"
    assert status(folder) == ("stopped", ["stopped"] * 3)
    assert main(["resume", str(folder.path)]) == 0
    assert f"report: {folder.report}" in capsys.readouterr().out
    assert status(folder) == ("finished", ["finished"] * 3)
    same_folders(whole, folder)


def test_a_signal_while_scoring_keeps_what_is_scored(whole, tmp_path, monkeypatch):
    finish = RunKeeper.finish

    def interrupting(self, *args):
        if self.members.seeds[self.k] == 2:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
        finish(self, *args)

    monkeypatch.setattr(RunKeeper, "finish", interrupting)
    with pytest.raises(Stopped) as stopped:
        train_seeds(ring(tmp_path, seed=1), 3)
    monkeypatch.undo()
    folder = stopped.value.folder
    assert (stopped.value.signum, stopped.value.step) == (signal.SIGTERM, STEPS)
    assert status(folder) == ("stopped", ["finished", "stopped", "stopped"])
    assert not (folder.path / "summary.json").exists()
    resume_seeds(folder)
    same_folders(whole, folder)


@pytest.mark.parametrize("method", ["keep", "finish"])
def test_members_of_this_process_are_closed_where_another_was_taken_over(
    whole, tmp_path, monkeypatch, method
):
    original, before = getattr(RunKeeper, method), []

    def losing(self, *args):
        if self.members.seeds[self.k] == 2 and not before:
            take_over(self.folder.path)
            before.append(contents(self.folder.path))
        return original(self, *args)

    monkeypatch.setattr(RunKeeper, method, losing)
    with pytest.raises(TakenOver, match="the lock of '.*seed-00002' was taken over by process"):
        train_seeds(ring(tmp_path, seed=1), 3)
    monkeypatch.undo()
    folder = RunFolder(tmp_path / "runs" / "00000-toy-ring-seeds")
    assert contents(members(folder)[1].path) == before[0]
    first = {"keep": "failed", "finish": "finished"}[method]
    assert status(folder) == ("failed", [first, "running", "failed"])
    for member in (members(folder)[0], members(folder)[2]):
        assert member.report.exists()
        assert not list(member.path.rglob("*tmp*"))  # saves that have not ended
    assert "seed-00002' was taken over" in members(folder)[2].read("run.json")["error"]
    (members(folder)[1].path / "run.lock").unlink()
    resume_seeds(folder)
    same_folders(whole, folder)


def test_the_folder_of_all_is_left_alone_where_it_was_taken_over(tmp_path, monkeypatch):
    finish, before = RunKeeper.finish, []

    def losing(self, *args):
        finish(self, *args)
        if self.members.seeds[self.k] == 3:
            take_over(self.folder.path.parent)
            before.append(contents(self.folder.path.parent))

    monkeypatch.setattr(RunKeeper, "finish", losing)
    with pytest.raises(TakenOver, match="the lock of '.*-seeds' was taken over by process"):
        train_seeds(ring(tmp_path, seed=1), 3)
    folder = RunFolder(tmp_path / "runs" / "00000-toy-ring-seeds")
    locks = {str(member.path / "run.lock") for member in members(folder)}  # these were ours
    assert contents(folder.path) == {p: x for p, x in before[0].items() if p not in locks}
    assert status(folder) == ("running", ["finished"] * 3)


def test_killed_and_then_terminated_changes_no_bit(tmp_path, monkeypatch, capsys):
    """SIGKILL of a process; then SIGTERM, exit status and what to do next, while it goes on; then to the end."""
    flags = FLAGS.replace("--steps 40", "--steps 120").replace("y 20", "y 60")
    flags = flags.replace("checkpoint-every 10", "checkpoint-every 30")
    reference = tmp_path / "whole"
    assert main(["train", "toy-ring", *flags.split(), "--seeds", "2", "--out", str(reference)]) == 0
    folder = RunFolder(tmp_path / "killed" / "00000-toy-ring-seeds")
    process = command("train", "toy-ring", *flags.split(), "--seeds", 2, "--out", tmp_path / "killed")
    deadline, last = time.monotonic() + 120, lambda: RunFolder(folder.path / "seed-00001").records()
    while len(last()) < 3 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(float(np.random.default_rng().uniform(0, 0.1)))
    process.kill()
    process.communicate()
    assert status(folder)[0] == "running"

    interrupt_at(monkeypatch, 90, seed=1, signum=signal.SIGTERM)
    capsys.readouterr()
    assert main(["resume", str(folder.path)]) == 143
    monkeypatch.undo()
    assert f"go on with: jaxgan resume {folder.path}" in capsys.readouterr().out
    assert status(folder) == ("stopped", ["stopped"] * 2)
    assert main(["resume", str(folder.path)]) == 0
    assert status(folder) == ("finished", ["finished"] * 2)
    same_folders(RunFolder(reference / folder.path.name), folder, 120)


def test_members_go_on_from_the_newest_step_that_all_have(whole, finished, capsys):
    """As after a kill between the saves of one interval."""
    shutil.rmtree(members(finished)[1].path / "checkpoints" / str(STEPS))
    resume_seeds(finished)
    assert capsys.readouterr().out.count("resumed at step 30") == 3
    same_folders(whole, finished)


def test_no_member_saves_before_all_have_saved_the_time_before(tmp_path, monkeypatch):
    """However slow a disk: else a kill could leave members without a step in common."""
    save, wait, under_way = Checkpoints.save, Checkpoints.wait, {}

    def saving(self, step, *args, **kwargs):
        assert set(under_way.values()) <= {step}
        save(self, step, *args, **kwargs)
        under_way[id(self)] = step

    def waiting(self):
        wait(self)
        under_way.pop(id(self), None)

    monkeypatch.setattr(Checkpoints, "save", saving)
    monkeypatch.setattr(Checkpoints, "wait", waiting)
    train_seeds(ring(tmp_path, seed=1), 3)


def test_a_damaged_checkpoint_takes_all_back_to_one_that_is_not(whole, finished, capsys):
    garble(members(finished)[2], STEPS)
    resume_seeds(finished)
    out = capsys.readouterr().out
    told = r"seed 3: warning: checkpoint 40 in .*; it was moved to checkpoints-broken, and all go back to step 30"
    assert re.search(told, out)
    assert out.count("resumed at step 30") == 3
    assert (members(finished)[2].path / "checkpoints-broken" / "40").is_dir()
    same_folders(whole, finished)


def test_no_good_checkpoint_loses_nothing(finished):
    for step in (20, 30, 40):
        garble(members(finished)[0], step)
    with pytest.raises(
        InputError, match=r"no checkpoints to go on from .*: none of \[.*30, 40\] can be read"
    ):
        resume_seeds(finished)
    assert (members(finished)[1].path / "checkpoints" / "40").is_dir()
    assert (members(finished)[0].path / "checkpoints" / "40").is_dir()


def test_killed_before_all_have_saved_starts_again(whole, finished, capsys):
    first, *others = members(finished)
    shutil.rmtree(first.path / "checkpoints")
    with pytest.raises(InputError, match="no step that all members have saved: .*; nothing was changed"):
        resume_seeds(finished)
    for member in others:  # one save of theirs had ended
        for step in (30, 40):
            shutil.rmtree(member.path / "checkpoints" / str(step))
    for member in (first, *others):  # as killed then
        member.update(status="running")
        member.rewind(10)
    resume_seeds(finished)
    assert capsys.readouterr().out.count("no checkpoint yet; starting from the beginning") == 3
    same_folders(whole, finished)
    assert [r["step"] for r in members(finished)[2].records()] == [10, 20, 30, 40]


# --- refused -------------------------------------------------------------------------------------


def test_what_cannot_be_gone_on_with_is_one_line(finished, capsys):
    _, second, third = members(finished)

    def complaint(*args):
        assert main([*args]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        return error

    resuming = ("resume", str(finished.path))
    assert "steps: cannot change for a run of several seeds" in complaint(*resuming, "--steps", "80")
    assert "restart-schedule: expected a run of one seed" in complaint(*resuming, "--restart-schedule")
    config = second.read("config.json")
    second.write("config.json", config | {"batch_size": 16})
    assert "seed-00002' has changed: batch_size (8 -> 16); put it back" in complaint(*resuming)
    second.write("config.json", config | {"seed": 7})
    assert "seed-00002' has changed: seed (2 -> 7); put it back" in complaint(*resuming)
    second.write("config.json", config)
    run = third.read("run.json")
    third.write("run.json", run | {"data": run["data"] | {"fingerprint": "0"}})
    assert "has changed since the run began: " in complaint(*resuming)
    shutil.move(third.path, finished.path / "elsewhere")
    assert "seed-00003', which does not exist" in complaint(*resuming)
    (finished.path / "seeds.json").write_text("{}")
    assert "seeds.json' is damaged: expected status to be a string, got nothing" in complaint(*resuming)
    (finished.path / "seeds.json").write_text("{")
    assert "cannot read" in complaint(*resuming)


def test_bad_numbers_of_seeds_are_one_line(tmp_path, capsys):
    out = ["--out", str(tmp_path / "none")]
    for flags, message in (
        (["--seeds", "0"], "seeds: expected at least 1, got 0"),
        (["--seeds", "2", "--compute.how", "pmap"], "compute.how: expected 'jit' with --seeds"),
        (["--seeds", "2", "--seed", str(2**32 - 1)], "seeds: expected integers from 0 to 4294967295"),
        (
            ["--seeds", "3", "--compute.devices", "2", "--compute.members", "vmap"],
            "devices: expected a divisor of 3 members, got 2",
        ),
        (["--seeds", "2", "--steps", "0"], "steps: expected at least 1, got 0"),
    ):
        assert main(["train", "toy-ring", *out, *flags]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not (tmp_path / "none").exists()  # nothing was begun


# --- how it ends badly ---------------------------------------------------------------------------


def poison(monkeypatch, members, step):
    """The losses of some members are no numbers from a step on."""
    real = Members.advance

    def poisoned(self, states, inputs, step_now):
        before = int(jax.device_get(self.member(states, 0).step))
        states, metrics = real(self, states, inputs, step_now)
        loss = np.array(metrics["g/loss"])
        for k in members:
            loss[k, max(step - before - 1, 0) :] = np.nan
        return states, metrics | {"g/loss": loss}

    monkeypatch.setattr(Members, "advance", poisoned)


def test_a_diverging_member_is_a_result(whole, tmp_path, monkeypatch, capsys):
    poison(monkeypatch, [1], 25)
    interrupt_at(monkeypatch, 30, seed=3)
    with pytest.raises(Stopped) as stopped:
        train_seeds(ring(tmp_path, seed=1), 3)
    folder = stopped.value.folder
    assert "seed 2: diverged: step 25: not finite: g/loss = nan" in capsys.readouterr().out
    assert status(folder) == ("stopped", ["stopped", "diverged", "stopped"])
    resume_seeds(folder)  # the one that diverged stays so
    assert status(folder) == ("finished", ["finished", "diverged", "finished"])
    summary = folder.read("summary.json")
    assert summary["diverged"] == [2]
    lost = members(folder)[1]
    assert not (lost.path / "scores.json").exists()
    assert max(r["step"] for r in lost.records()) == 20
    assert "not finite" in lost.report.read_text()
    assert "<td>diverged</td>" in folder.report.read_text()
    for k in (0, 2):
        same_arrays(arrays(members(whole)[k], STEPS), arrays(members(folder)[k], STEPS))
    main_score = summary["scores"]["sliced_wasserstein"]["final"]
    expected = whole.read("summary.json")["scores"]["sliced_wasserstein"]["final"]["values"]
    assert main_score["values"] == [expected[0], expected[2]]


def test_all_diverging_is_status_1(tmp_path, capsys):
    flags = [*FLAGS.split(), "--d-optimizer.learning-rate", "1e30", "--out", str(tmp_path), "--seeds", "2"]
    assert main(["train", "toy-ring", *flags]) == 1
    error = capsys.readouterr().err
    assert error == "error: all 2 members diverged by step 10\n"
    folder = RunFolder(tmp_path / "00000-toy-ring-seeds")
    assert status(folder) == ("diverged", ["diverged", "diverged"])
    assert main(["resume", str(folder.path)]) == 1
    assert capsys.readouterr().err == ("error: all 2 members have diverged: there is nothing to go on with\n")


def test_a_full_disk_is_a_save_error_and_loses_nothing(whole, tmp_path, monkeypatch):
    from jaxgan.train.sinks import base as module

    write = module.write_atomically

    def full(path, content):
        if path.name == "step-0000020.png" and "seed-00002" in str(path):
            raise OSError(28, "No space left on device", str(path))
        write(path, content)

    monkeypatch.setattr(module, "write_atomically", full)
    with pytest.raises(SaveError, match=r"could not write in .*-seeds' .*No space left.*jaxgan resume"):
        train_seeds(ring(tmp_path, seed=1), 3)
    monkeypatch.undo()
    folder = RunFolder(tmp_path / "runs" / "00000-toy-ring-seeds")
    assert status(folder) == ("failed", ["failed"] * 3)
    assert "No space left" in folder.read("seeds.json")["error"]
    resume_seeds(folder)
    assert folder.read("seeds.json")["error"] is None
    same_folders(whole, folder)


def test_a_checkpoint_that_cannot_be_written_is_a_save_error(tmp_path, monkeypatch):
    from orbax.checkpoint import CheckpointManager

    real = CheckpointManager.save

    def failing(self, step, *args, **kwargs):
        if step == 30 and "seed-00001" in str(self.directory):
            raise OSError(28, "No space left on device")
        return real(self, step, *args, **kwargs)

    monkeypatch.setattr(CheckpointManager, "save", failing)
    with pytest.raises(SaveError, match=r"could not write checkpoint 30 .*; the last good one is step 20"):
        train_seeds(ring(tmp_path, seed=1), 3)
    folder = RunFolder(tmp_path / "runs" / "00000-toy-ring-seeds")
    assert status(folder) == ("failed", ["failed"] * 3)


def test_a_loss_of_the_users_own_is_copied_and_resumed(tmp_path):
    file = tmp_path / "my.py"
    file.write_text(
        "import jax\n"
        "from jaxgan.losses import Loss\n"
        "def mine():\n"
        "    plus = jax.nn.softplus\n"
        "    return Loss(lambda r, f: plus(-r) + plus(f), lambda r, f: plus(-f))\n"
    )
    folder = train_seeds(ring(tmp_path, seed=1, loss=f"{file}:mine"), 3)
    before = arrays(members(folder)[1], STEPS)
    file.unlink()
    shutil.rmtree(members(folder)[1].path / "checkpoints" / str(STEPS))
    resume_seeds(folder)
    same_arrays(before, arrays(members(folder)[1], STEPS))


def test_one_process_at_a_time(finished):
    """Neither the whole nor a member that another process has."""
    for path in (finished.path, members(finished)[2].path):
        with (
            locked(path),
            pytest.raises(InputError, match=f"run: '{path}' is in use by process {os.getpid()}"),
        ):
            resume_seeds(finished)
    assert not list(finished.path.rglob("run.lock*"))


def test_data_that_moved_are_named_for_all(finished, tmp_path):
    with pytest.raises(InputError, match="data.source: .* has changed since the run began"):
        resume_seeds(finished, source="grid")
    assert all("history" not in member.read("run.json") for member in members(finished))
