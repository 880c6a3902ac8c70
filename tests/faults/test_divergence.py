"""What becomes of a run whose numbers are not finite: what is kept of it, and how it goes on with other noise."""

import shutil
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import arrays, same_arrays, small

from jaxgan import InputError
from jaxgan.common import processes
from jaxgan.config import ComputeConfig, DataConfig, HealthConfig, PenaltyConfig
from jaxgan.data import make_pipeline
from jaxgan.models import MLPConfig
from jaxgan.runs.checkpoint import Checkpoints
from jaxgan.runs.folder import RunFolder
from jaxgan.runs.opened import saved_state, saved_steps
from jaxgan.train.divergence import Setbacks
from jaxgan.train.members import Members, set_up
from jaxgan.train.restoring import restored
from jaxgan.train.resume import resume
from jaxgan.train.run import train
from jaxgan.train.seeds import members_of
from jaxgan.train.stops import Diverged

pytestmark = pytest.mark.usefixtures("quick_keys")


def config(tmp_path, roll_back, **changes):
    health = HealthConfig(enabled=False, roll_back=roll_back)
    compute = ComputeConfig(devices=1, steps_per_dispatch=1)
    return small(tmp_path, health=health, compute=compute, evaluate_every=40, sample_every=40, **changes)


def ring(tmp_path, roll_back):
    model = MLPConfig(g_widths=(8,), d_widths=(8,))
    changes = {"preset": "toy-ring", "data": DataConfig("ring"), "penalty": PenaltyConfig(), "model": model}
    return config(tmp_path, roll_back, loss="non_saturating", **changes)


def poisoned(monkeypatch, first):
    """From step 26 on nothing is finite with the noise that comes first, and with the `first` - 1 that follow it."""
    real, seen = Members.advance, []

    def advance(self, states, inputs, step):
        key = jax.random.key_data(states[0].key).tolist()
        seen.append(key) if key not in seen else None
        states, metrics = real(self, states, inputs, step)
        bad = step >= 25 and seen.index(key) < first
        return states, metrics | {"d/loss": metrics["d/loss"] * np.nan} if bad else metrics

    monkeypatch.setattr(Members, "advance", advance)


@pytest.fixture(scope="module")
def back(tmp_path_factory):
    """A run that went back twice, and then came to its end, and what it said."""
    tmp_path = tmp_path_factory.mktemp("back")
    with pytest.MonkeyPatch.context() as patch:
        poisoned(patch, 2)
        return train(ring(tmp_path, 2))


def test_it_goes_back_to_the_last_good_checkpoint_with_other_noise(back):
    assert back.read("run.json")["status"] == "finished"
    assert [record["step"] for record in back.records()] == [10, 16, 20, 30, 32, 40]  # each once
    keys = [saved_state(back, step).key for step in (20, 30, 40)]
    first, second, third = (jax.random.key_data(key).tolist() for key in keys)
    assert first != second == third == jax.random.key_data(jax.random.fold_in(keys[0], 2)).tolist()


def test_the_evidence_is_kept(back):
    """The step, what was not finite, and the state before, from which the step is made again."""
    history = back.read("run.json")["history"]
    assert len(history) == 2
    for entry in history:
        del entry["date"]
        assert entry == {"at": 26, "diverged": "step 26: not finite: d/loss = nan", "rolled_back_to": 20}
    assert saved_steps(back) == [20, 30, 40]  # of which the newest two would be kept anyway


def test_a_kill_after_a_setback_changes_no_bit(back, tmp_path, monkeypatch):
    poisoned(monkeypatch, 2)
    part = RunFolder(tmp_path / "part")
    shutil.copytree(back.path, part.path)
    for step in (30, 40):
        shutil.rmtree(part.path / "checkpoints" / str(step))
    part.update(status="running")
    before = part.read("run.json")["history"]
    # the noise that came first is not seen again: what follows must not be poisoned
    monkeypatch.undo()
    resume(part)
    same_arrays(arrays(back, 40), arrays(part, 40))
    assert part.read("run.json")["history"] == before


def test_it_goes_back_so_often_and_no_more(tmp_path, monkeypatch, capsys):
    poisoned(monkeypatch, 2)
    with pytest.raises(
        Diverged, match="step 26: not finite: d/loss = nan; the last good checkpoint is step 20"
    ):
        train(ring(tmp_path, 1))
    said = "warning: step 26: not finite: d/loss = nan; going back to step 20, with other noise from there on (time 1"
    assert said in " ".join(capsys.readouterr().out.split())
    folder = RunFolder(tmp_path / "runs/00000-toy-ring")
    facts = folder.read("run.json")
    assert facts["status"] == "diverged"
    assert ["rolled_back_to" in entry for entry in facts["history"]] == [True, False]


def test_a_checkpoint_that_is_not_finite_is_passed_over(tmp_path):
    """It may be saved before a metric shows it. Of the step that showed it the examples are known, too."""
    members = set_up(config(tmp_path, 1))
    folder, checkpoints = RunFolder(tmp_path), Checkpoints(tmp_path)
    folder.write("run.json", {"status": "", "command": "", "data": {"name": "", "n": 1}, "environment": {}})
    good = members.init_member(0)
    bad = jax.tree.map(lambda x: x * jnp.nan if jnp.issubdtype(x.dtype, jnp.floating) else x, good)
    checkpoints.save(1, good, {})
    checkpoints.save(2, bad, {})
    setbacks = Setbacks(members, 0, folder, checkpoints)
    state, _, step = setbacks.after(Diverged("step 3: x", 3), print)
    checkpoints.close()
    assert step == 1
    assert setbacks.noised(state, 1).key != state.key == setbacks.noised(state, 2).key
    (entry,) = folder.read("run.json")["history"]
    assert entry["rolled_back_to"] == 1
    pipeline = make_pipeline(members.source, batch_size=members.config.batch_size)
    batch = pipeline.prepare(next(pipeline.inputs(2)), jnp.uint32(2))["image"]
    named = members.source.images[list(map(int, entry["examples"].split()))]
    np.testing.assert_allclose(batch, members.source.modality.to_model(named), atol=1e-6)


def test_a_process_that_is_late_costs_no_checkpoint(tmp_path, monkeypatch):
    """That one of several did not come says nothing of what they read."""
    members, folder, checkpoints = set_up(ring(tmp_path, 1)), RunFolder(tmp_path), Checkpoints(tmp_path)
    checkpoints.save(1, members.init_member(0), {})
    checkpoints.wait()

    def late(*_):
        raise processes.Late("process 1 did not")

    monkeypatch.setattr(Checkpoints, "read", late)
    with pytest.raises(processes.Late):
        Setbacks(members, 0, folder, checkpoints).after(Diverged("step 3: x", 3), print)
    keeper = types.SimpleNamespace(open=True, k=0, folder=folder, checkpoints=checkpoints)
    with pytest.raises(processes.Late):
        restored(members, [keeper], tmp_path)
    assert checkpoints.steps() == [1]
    checkpoints.close()


def test_members_side_by_side_do_not_go_back(tmp_path):
    with pytest.raises(InputError, match="health.roll_back: expected 0 with --seeds, .* got 3"):
        members_of(config(tmp_path, 3), 2)
    with pytest.raises(InputError, match="health.roll_back: expected .* got -1"):
        config(tmp_path, -1).check()
