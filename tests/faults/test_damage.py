"""What becomes of checkpoints that are damaged: no array is ever read that is not what was saved."""

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import arrays, same_arrays, small_dcgan

from jaxgan import InputError, init, load
from jaxgan.__main__ import main
from jaxgan.common.devices import make_mesh, replicated
from jaxgan.config.data import open_data
from jaxgan.runs import checksums
from jaxgan.runs.checkpoint import Checkpoints, abstract
from jaxgan.runs.evaluation import open_run
from jaxgan.runs.folder import RunFolder
from jaxgan.runs.opened import Run, saved_state
from jaxgan.train.resume import resume
from jaxgan.train.run import train

sys.path.append(str(Path(__file__).parents[2] / "experiments"))
import chaos

DAMAGED = ".players['generator'].params['out']['kernel']"
SAID = "generator/params/out/kernel is not what was saved"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    toy = chaos.toy(tmp_path_factory.mktemp("finished"), 40)
    return train(dataclasses.replace(toy, evaluate_every=40, sample_every=40))


@pytest.fixture
def run(finished, tmp_path):
    """A copy of a run of 40 steps, with checkpoints of 30 and 40, to be damaged."""
    return RunFolder(Path(shutil.copytree(finished.path, tmp_path / "run")))


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """One with every kind of array: parameters, statistics, averages, optimisers, memory and a key."""
    config = small_dcgan(tmp_path_factory.mktemp("state"), augment=("adaptive",))
    spec = open_data(config).spec
    made = init(config.build(spec), jax.random.key(0), spec.batch())
    assert made.memory
    assert made.players["generator"].stats
    assert made.players["generator"].average
    return made


def alter(folder: RunFolder, step: int, name: str = DAMAGED) -> None:
    """Flips a bit of an array of a checkpoint, whose files are whole: Orbax cannot notice."""

    def flipped(path, x):
        if jax.tree_util.keystr(path) != name:
            return x
        plain = np.asarray(x).copy()
        plain.reshape(-1).view(np.uint8)[5] ^= 1
        return jnp.asarray(plain)

    other = Checkpoints(folder.path / "other")
    other.save(step, jax.tree_util.tree_map_with_path(flipped, saved_state(folder, step)), {})
    other.close()
    target = folder.path / "checkpoints" / str(step) / "state"
    shutil.rmtree(target)
    shutil.move(folder.path / "other" / "checkpoints" / str(step) / "state", target)


# --- checksums --------------------------------------------------------------------------------------


def test_every_array_of_a_state_has_its_checksum(state):
    before, leaves = checksums.checksums(state), jax.tree.leaves(state)
    assert len(before) == len(leaves)
    for k, (name, array) in enumerate(checksums.arrays(state)):
        changed = array.copy()
        changed.reshape(-1).view(np.uint8)[-1] ^= 128
        other = jax.tree.unflatten(jax.tree.structure(state), [*leaves[:k], changed, *leaves[k + 1 :]])
        after = checksums.checksums(other)
        assert {n for n in before if before[n] != after[n]} == {name}


def test_checksums_are_of_type_and_shape_too():
    same = [np.zeros((2, 3), np.float32), np.zeros((3, 2), np.float32), np.zeros((2, 3), np.int32)]
    same += [
        np.zeros((0, 3)),
        np.zeros((3, 0)),
        np.zeros(()),
        np.zeros(1),
        jnp.zeros(2, bool),
        jnp.zeros(1, jnp.bfloat16),
    ]
    assert len({*checksums.checksums(same).values()}) == len(same)


def test_devices_do_not_show_in_checksums():
    x, mesh = np.arange(64, dtype=np.float32).reshape(8, 8), make_mesh()
    assert mesh.size == 4
    ways = [(), ("data",), (None, "data")]
    placed = [jax.device_put(x, jax.NamedSharding(mesh, jax.P(*way))) for way in ways]
    assert {*checksums.checksums(placed).values()} == {*checksums.checksums([x, x.T.copy().T]).values()}


def test_what_is_sharded_is_verified_on_any_number_of_devices(state, tmp_path):
    """Saved in parts of four devices; read in parts of two, and on one."""

    def shares(n):
        mesh = make_mesh(jax.devices()[:n])
        split = jax.NamedSharding(mesh, jax.P("data"))
        fits = lambda x: x.ndim > 0 and x.shape[0] % n == 0
        return lambda x: (
            split if fits(x) and not jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else replicated(mesh)
        )

    saved = jax.device_put(state, jax.tree.map(shares(4), state))
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, saved, {})
    checkpoints.wait()
    halves = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=shares(2)(x)), state)
    kernels = [x for x in jax.tree.leaves(checkpoints.restore(1, halves)) if len(x.sharding.device_set) == 2]
    assert any(not x.is_fully_replicated for x in kernels)
    for like in (halves, abstract(state)):
        same_arrays(dict(checksums.arrays(checkpoints.restore(1, like))), dict(checksums.arrays(state)))
    checkpoints.close()


def test_odd_numbers_are_no_damage(tmp_path):
    """Those of which there are several for one value, or none, and those too small for some computations."""
    odd = np.array([0x7FC00001, 0x7F800001, 0xFFC12345, 0x80000000, 1, 0], np.uint32).view(np.float32)
    state = {
        "odd": jax.device_put(odd),
        "zeros": jnp.zeros((40, 40)),
        "minus": jax.device_put(-np.zeros((40, 40))),
    }
    state |= {"bfloat16": jnp.ones(3, jnp.bfloat16), "keys": jax.random.split(jax.random.key(0), 3)}
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state, {"score": float("nan"), "pair": (1, 2)})
    checkpoints.wait()
    restored, meta = checkpoints.read(1, abstract(state))
    checkpoints.close()
    same_arrays(dict(checksums.arrays(state)), dict(checksums.arrays(restored)))
    assert meta["pair"] == [1, 2]


# --- flipped bits -----------------------------------------------------------------------------------


def test_no_flipped_bit_is_read(state, tmp_path):
    """30 bits, in every file of a checkpoint; without checksums about half would be read (`experiments/chaos.py`)."""
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state, {"best": None, "train_seconds": 1.5})
    checkpoints.close()
    counts = chaos.flips(tmp_path, 1, abstract(state), 30, np.random.default_rng(13))
    assert counts["silent"] == 0
    assert counts["found by checksum"] + counts["found otherwise"] >= 10
    assert counts["found by checksum"] >= 3


# --- a checkpoint that is not what was saved --------------------------------------------------------


USES = {
    "sample": lambda path, out: main(
        ["sample", path, "--checkpoint", "40", "--out", f"{out}/a.npz", "--seeds", "0-3"]
    ),
    "export": lambda path, out: main(["export", path, "--checkpoint", "40", "--out", f"{out}/export"]),
    "evaluate": lambda path, out: main(["evaluate", path, "--checkpoint", "40", "--n", "100"]),
}


@pytest.mark.parametrize("use", USES)
def test_a_damaged_checkpoint_that_is_named_is_one_line(run, use, tmp_path, capsys):
    alter(run, 40)
    assert USES[use](str(run.path), tmp_path) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (f"error: checkpoint 40 in '{run.path}/checkpoints' cannot be read ({SAID})")


def test_of_all_checkpoints_those_that_can_be_are_scored(run, capsys):
    alter(run, 30)
    every = ["evaluate", str(run.path), "--checkpoint", "all", "--n", "100"]
    assert main(every) == 0
    said = capsys.readouterr()
    assert "step 40" in said.out
    assert "step 30" not in said.out
    place = f"checkpoint 30 in '{run.path}/checkpoints' cannot be read"
    assert f"warning: no scores: {place} ({SAID})" in said.err.splitlines()
    alter(run, 40)
    assert main(every) == 2
    assert capsys.readouterr().err.splitlines() == [f"error: {place} ({SAID})"]


def test_a_damaged_checkpoint_is_passed_over_loudly(run, tmp_path, capsys):
    alter(run, 40)
    expected = r"checkpoint 40 in .* cannot be read \(generator/.*kernel.*; that of step 30 takes its place"
    for opened in (Run.at, load, lambda path: open_run(path, "last")):
        with pytest.warns(UserWarning, match=expected):
            opened(run.path)
    assert main(["sample", str(run.path), "--out", f"{tmp_path}/a.npz", "--seeds", "0-3"]) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith("warning: checkpoint 40 in")
    assert "(checkpoint of step 30)" in printed.out
    assert sorted(path.name for path in (run.path / "checkpoints").iterdir()) == ["30", "40"]  # it only read


def test_resuming_sets_aside_what_is_not_what_was_saved(run, finished, capsys):
    """Whatever kind of array it is: here a moment of an optimiser, which no sample shows."""
    names = checksums.checksums(saved_state(run, 40))
    moment = next(name for name in names if ".opt_state" in name and ".nu" in name)
    alter(run, 40, moment)
    resume(run)
    out = capsys.readouterr().out
    named = checksums.readable(moment)
    assert re.fullmatch(r"\w+/opt_state/[\w/]+", named)
    assert f"cannot be read ({named} is not what was saved); it was moved to checkpoints-broken" in out
    assert "warning: checkpoint 40 in" in out
    assert "resumed at step 30" in out
    same_arrays(arrays(run, 40), arrays(finished, 40))


def test_a_changed_meta_is_found(run):
    meta = run.path / "checkpoints" / "40" / "meta" / "metadata"
    meta.write_text(meta.read_text().replace('"train_seconds": ', '"train_seconds": 1'))
    with pytest.raises(
        InputError, match=r"checkpoint 40 in .* cannot be read \(meta is not what was saved\)"
    ):
        Run.at(run.path, 40)


@pytest.mark.parametrize("sealed", [{}, {"meta": {}, "checksums": ["x"]}, {"meta": 3, "checksums": {}}])
def test_a_strangers_meta_may_have_a_right_checksum(tmp_path, sealed):
    checkpoints, state = Checkpoints(tmp_path), {"x": jnp.zeros(3)}
    checkpoints.save(1, state, {})
    checkpoints.wait()
    meta = tmp_path / "checkpoints" / "1" / "meta" / "metadata"
    meta.write_text(json.dumps(checksums.seal(sealed)))
    with pytest.raises(
        InputError, match=r"checkpoint 1 in .* cannot be read \(meta\): expected (meta|checksums)"
    ):
        checkpoints.restore(1, abstract(state))
    checkpoints.close()


def test_an_array_that_orbax_cannot_read_is_named(tmp_path, caplog):
    state = {"kernel": jax.random.normal(jax.random.key(0), (40, 40))}  # too large to lie beside its name
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state, {})
    checkpoints.wait()
    for file in (tmp_path / "checkpoints" / "1" / "state" / "ocdbt.process_0" / "d").iterdir():
        file.write_bytes(b"")
    told = r'^checkpoint 1 in .* cannot be read \(.*Error reading "kernel/0'
    with pytest.raises(InputError, match=told) as caught:
        checkpoints.restore(1, abstract(state))
    assert "\n" not in str(caught.value)
    for file in (tmp_path / "checkpoints" / "1" / "state").rglob("manifest.ocdbt"):
        file.write_bytes(b"")
    with pytest.raises(InputError, match=r"cannot be read \(state: .* structures do not match\)$"):
        checkpoints.restore(1, abstract({"kernel": state["kernel"], "bias": state["kernel"]}))
    with pytest.raises(InputError, match=r'cannot be read .* "/.*/state/.*manifest.ocdbt".*') as caught:
        checkpoints.restore(1, abstract(state))
    assert "tensorstore_spec" not in str(caught.value)
    (tmp_path / "checkpoints" / "1" / "state" / "_METADATA").write_text("no JSON")
    with pytest.raises(InputError, match=r"cannot be read \(state: Expecting value: .*\)$"):
        checkpoints.restore(1, abstract(state))
    checkpoints.close()
    assert not caplog.records


def test_damage_beside_the_arrays_hides_no_checkpoint(run, finished, capsys):
    """Of Orbax's own small files, and of a `metrics` that it or anyone may leave."""
    for step in ("30", "40"):
        (run.path / "checkpoints" / step / "metrics").mkdir()
        files = [
            *(run.path / "checkpoints" / step).rglob("*"),
            run.path / "checkpoints" / step / "metrics/metrics",
        ]
        beside = ("_CHECKPOINT_METADATA", "_sharding", "commit_success.txt", "metrics")
        beside = [file for file in files if file.name in beside and not file.is_dir()]
        assert len(beside) >= 5
        for file in beside:
            file.write_bytes(b'{"score": \xff')
    assert [Run.at(run.path, step).step for step in ("last", 30)] == [40, 30]
    resume(run)
    assert "resumed at step 40" in capsys.readouterr().out
    same_arrays(arrays(run, 40), arrays(finished, 40))
    checkpoints = Checkpoints(run.path)
    checkpoints.save(50, saved_state(run, 40), {})
    checkpoints.wait()
    checkpoints.forget_after(40)
    assert checkpoints.steps() == [40]
    checkpoints.set_aside(40)
    assert checkpoints.steps() == []
    checkpoints.close()


def test_what_a_kill_during_a_save_leaves_goes(run):
    left = run.path / "checkpoints" / "50.orbax-checkpoint-tmp"
    shutil.copytree(run.path / "checkpoints" / "40", left)
    Checkpoints(run.path, read_only=True).close()
    assert left.exists()
    Checkpoints(run.path).close()
    assert sorted(path.name for path in (run.path / "checkpoints").iterdir()) == ["30", "40"]


# --- kills ------------------------------------------------------------------------------------------


def test_sigkill_at_random_moments_changes_no_bit():
    """During a save and anywhere else; `experiments/chaos.py --kills 100` does it a hundred times."""
    script = [sys.executable, chaos.__file__, "--kills", "2", "--flips", "0", "--steps", "60"]
    done = subprocess.run(script, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    assert ": 2 kills in " in done.stdout
    assert "differing: no array, record or score" in done.stdout
