"""What devices send each other in a step is what theory asks for, here and, where their compilers are, elsewhere.

A small DCGAN with batch normalisation in its generator and R1 now and then; each device has its share of the batch.
"""

import collections
import importlib.util

import jax
import pytest
from helpers import small

from jaxgan.config import PenaltyConfig, with_fields
from jaxgan.data.files import black
from jaxgan.models import DCGANConfig
from jaxgan.train.ahead import hlo
from jaxgan.train.ahead.account import compiled
from jaxgan.train.ahead.machines import machine
from jaxgan.train.members import Members

MACHINES = {"cpu": "", "v5e:2x2": "libtpu", "h100:8": "jax_cuda13_plugin"}


def devices_of(name):
    if name == "cpu":
        return jax.devices()
    if importlib.util.find_spec(MACHINES[name]) is None:
        pytest.skip(f"{MACHINES[name]} is not installed")
    return machine(name).devices


def config_of(tmp_path, **compute):
    config = small(
        tmp_path,
        "dcgan-mnist",
        batch_size=16,
        model=DCGANConfig(width=4, d_batch_norm=False),
        penalty=PenaltyConfig((("r1", 0.1),), every=4),
    )
    return with_fields(config, **{f"compute.{name}": value for name, value in compute.items()})


def of(config, name):
    """The members, and the collectives of their step on a machine."""
    devices = devices_of(name)
    source = black("", 64, (16, 16, 1), ())
    members = Members(config, [0], how="loop", devices=devices, source=source)
    return members, hlo.read(compiled(members).as_text(), len(devices)).collectives


def kernels(tree):
    """How many arrays of two sides or more there are of each shape."""
    return collections.Counter(x.shape for x in jax.tree.leaves(tree) if x.ndim > 1)


@pytest.mark.parametrize("name", MACHINES)
def test_a_gradient_is_reduced_once(tmp_path, name):
    """Every kernel of a player once in a step, in float32, though D sees reals, fakes and, now and then, a penalty."""
    members, found = of(config_of(tmp_path), name)
    state = members.like()
    reduced = [one for one in found if one.kind == "all-reduce"]
    numbers = sum(x.size for p in state.players.values() for x in jax.tree.leaves(p.params))
    statistics = sum(x.size for p in state.players.values() for x in jax.tree.leaves(p.stats))
    reports, norms = 128, 4 * statistics  # forward and back, what is remembered, and rounding up
    assert 4 * numbers <= sum(one.times * one.nbytes for one in reduced) <= 4 * (numbers + norms + reports)
    assert {name for one in reduced for name in one.types if one.nbytes > 256} == {"f32"}
    assert {one.within for one in reduced} == {()}  # in no loop, and under no condition
    if name != "h100:8":  # where they are joined, flat
        given = collections.Counter(shape for one in reduced for shape in one.shapes if len(shape) > 1)
        wanted = sum((kernels(p.params) for p in state.players.values()), collections.Counter())
        assert {shape: given[shape] for shape in wanted} == wanted
    # of activations and parameters nothing is gathered; logits, one an example, are compared with each other
    others = [one for one in found if one.kind != "all-reduce"]
    assert all(one.nbytes <= 2 * 4 * 16 and one.kind in ("all-gather", "reduce-scatter") for one in others), (
        others
    )


@pytest.mark.parametrize("name", ["cpu", "v5e:2x2"])
def test_of_what_lies_in_parts_the_parameters_alone_are_gathered(tmp_path, name):
    """Each player's at most once a turn; no activations are, nor is what optimisers and averages remember."""
    config = with_fields(config_of(tmp_path, fsdp=2), **{"model.width": 8})
    members, found = of(config, name)
    params = jax.tree.leaves([player.params for player in members.like().players.values()])
    split = [x for x in params if not x.sharding.is_fully_replicated]
    once = collections.Counter(x.sharding.shard_shape(x.shape) for x in split)
    gathered = collections.Counter(s for one in found if one.kind == "all-gather" for s in one.shapes)
    assert once.total() == 3
    assert once <= gathered <= once + once
    assert len(members.game.turns) == 2
    assert {one.kind for one in found} <= {"all-gather", "all-reduce", "reduce-scatter"}
