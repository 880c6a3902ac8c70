"""Every preset, cut small: killed after a step it ends with the same bits, and four devices do what one does.

Presets of one program and known terms stand for each other. They take long together: all are tried with
JAXGAN_TESTS_ALL=1, and otherwise three, of three players, of files in pairs and of two phases.
"""

import contextlib

import jax
import numpy as np
import pytest
from helpers import ALL, goes_on_to_the_bit, same_arrays, shallow_eyes, some
from small_presets import LARGE, carried, cut, examples, weight_of

from jaxgan.config import with_fields
from jaxgan.config.presets import PRESETS, get_preset
from jaxgan.models import model_name
from jaxgan.runs import checksums
from jaxgan.runs.checkpoint import Checkpoints
from jaxgan.train.members import Members
from jaxgan.train.run import train

pytestmark = pytest.mark.usefixtures("quick_keys")

NEAR = 1e-5


def members_of(config, devices):
    return Members(config, [config.seed], how="loop", devices=devices, source=examples(config))


def kept(state):
    return {name: np.array(x) for name, x in checksums.arrays(state)}


def parts(state):
    """The parts of a state, each in one long array: those of a player, and what is remembered by name."""
    own = {("memory", name): tree for name, tree in state.memory.items()}
    for name, player in state.players.items():
        own |= {(name, part): getattr(player, part) for part in ("params", "stats", "opt_state", "average")}
    real = lambda tree: (x for x in jax.tree.leaves(tree) if np.issubdtype(x.dtype, np.floating))  # no counts
    flat = lambda tree: [np.ravel(x).astype(np.float64) for x in real(tree)]
    return {name: np.concatenate([*flat(tree), np.zeros(1)]) for name, tree in own.items()}


def hold_near(one, four):
    (a, of_one), (b, of_four) = one, four
    assert of_one == pytest.approx(of_four, rel=NEAR, abs=NEAR / 10)
    for name, x in a.items():
        assert np.linalg.norm(b[name] - x) <= NEAR * np.linalg.norm(x), name


def read(metrics):
    return {name: float(x[0, 0]) for name, x in jax.device_get(metrics).items()}


def hold_resumed_and_shared(config, path):
    """Two steps that end with the same bits after a kill, from what is on the disk, and on four devices."""
    one, four = members_of(config, 1), members_of(config, 4)
    states, inputs, ends = [one.init_member(0)], one.inputs(0), []
    with contextlib.closing(Checkpoints(path)) as checkpoints:
        for step in (0, 1):
            checkpoints.save(step, states[0], {})
            states, metrics = one.advance(states, inputs, step)
            ends.append((parts(states[0]), read(metrics)))
    whole = kept(states[0])
    saved = Checkpoints(path, read_only=True)
    again, metrics = one.advance([saved.restore(1, one.like())], one.inputs(1), 1)
    same_arrays(kept(again[0]), whole)
    assert read(metrics) == ends[1][1]
    for step in (0, 1):
        beside, metrics = four.advance([saved.restore(step, four.like())], four.inputs(step), step)
        hold_near(ends[step], (parts(beside[0]), read(metrics)))


@pytest.mark.parametrize("name", some(carried(), "infogan-mnist", "pix2pix", "fanogan"))
def test_a_preset_resumes_to_the_bit_and_does_the_same_on_four_devices(name, tmp_path):
    hold_resumed_and_shared(cut(name), tmp_path)


def smallest(name):
    return min((n for n in PRESETS if model_name(type(get_preset(n).model)) == name), key=weight_of)


def in_files(config, path):
    """The made-up examples as the files that `jaxgan train` reads."""
    source = examples(config)
    for name, images in (source.clean if config.data.degrade else source).arrays.items():
        np.savez(path / f"{name}.npz", images=images)
    if config.game == "cycle_gan":
        return f"domains:npz:{path}/a.npz,npz:{path}/b.npz"
    return f"npz:{path}/image.npz"


BY_COMMAND = ("translation", "fanogan", "vae_gan")
GAMES = {get_preset(name).game: name for name in reversed(carried()) if len(PRESETS[name].shape) == 3}


@pytest.mark.parametrize("game", some(GAMES, *BY_COMMAND))
def test_a_game_is_trained_killed_and_resumed_by_its_commands(game, tmp_path):
    """What a kill after the first save leaves: the checkpoint of step 1."""
    config = cut(GAMES[game])
    config = with_fields(config, **{"data.source": in_files(config, tmp_path), "out": str(tmp_path)})
    goes_on_to_the_bit(train(config), 2)


@pytest.mark.skipif(not ALL, reason="JAXGAN_TESTS_ALL=1")
@pytest.mark.parametrize("name", LARGE)
def test_the_state_of_large_networks_is_kept_whole(name, tmp_path):
    """Numbers in the place of those of training, which would take a minute to compile."""
    draw = np.random.default_rng(0)
    with shallow_eyes():
        like = members_of(cut(smallest(name), own=True), 1).like()
    number = lambda x: draw.normal(size=x.shape).astype(x.dtype)
    state = jax.tree.map(number, like.replace(key=jax.ShapeDtypeStruct((), np.float32)))
    state = state.replace(key=jax.random.key(3))
    with contextlib.closing(Checkpoints(tmp_path)) as checkpoints:
        checkpoints.save(1, state, {})
    same_arrays(kept(Checkpoints(tmp_path, read_only=True).restore(1, like)), kept(state))


@pytest.mark.skipif(not ALL, reason="JAXGAN_TESTS_ALL=1")
@pytest.mark.parametrize("name", LARGE)
def test_large_networks_resume_to_the_bit_and_do_the_same_on_four_devices(name, tmp_path):
    with shallow_eyes():
        hold_resumed_and_shared(cut(smallest(name), own=True), tmp_path)
