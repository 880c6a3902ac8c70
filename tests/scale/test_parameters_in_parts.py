"""Parameters, optimiser state and averages in parts on four devices: the same run as where each device has all."""

import jax
import numpy as np
import pytest
from helpers import small

from jaxgan import InputError
from jaxgan.config import ComputeConfig, OptimizerConfig
from jaxgan.games.sharding import check_fsdp
from jaxgan.models import MLPConfig
from jaxgan.runs.checkpoint import Checkpoints
from jaxgan.train.members import Members, set_up

WIDTH = 32


def members_of(tmp_path, fsdp):
    adam = OptimizerConfig(1e-3)
    model = MLPConfig(g_widths=(WIDTH,), d_widths=(WIDTH,))
    compute = ComputeConfig(fsdp=fsdp, steps_per_dispatch=1)
    return set_up(small(tmp_path, model=model, g_optimizer=adam, d_optimizer=adam, compute=compute))


def step(members, state):
    (state,), metrics = members.advance([state], members.inputs(0), 0)
    return state, metrics


def plain(tree):
    known = lambda x: jax.random.key_data(x) if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key) else x
    return {
        jax.tree_util.keystr(path): np.asarray(known(x))
        for path, x in jax.tree_util.tree_leaves_with_path(tree)
    }


def test_a_step_in_parts_is_the_step(tmp_path):
    """One step each from the same state, made in parts, and restored in other parts."""
    whole, parts = members_of(tmp_path, 1), members_of(tmp_path, 2)
    state = parts.init_member(0)
    kernels = [x for x in jax.tree.leaves(state) if x.size >= WIDTH * 784]
    assert len(kernels) == 4 + 3  # weights and two moments of each player, and an average
    for x in kernels:
        assert x.addressable_shards[0].data.size == x.size // 2
    same_start = plain(state)
    for name, x in plain(whole.init_member(0)).items():
        np.testing.assert_array_equal(same_start[name], x, err_msg=name)

    state, metrics = step(parts, state)
    expected, known = step(whole, whole.init_member(0))
    for found, wanted in ((plain(state), plain(expected)), (plain(metrics), plain(known))):
        for name, x in wanted.items():
            scale = np.abs(x).max() if x.dtype.kind == "f" else 0
            np.testing.assert_allclose(found[name], x, rtol=1e-5, atol=1e-5 * scale, err_msg=name)

    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state, {})
    checkpoints.wait()
    for members in (whole, parts, members_of(tmp_path, 4)):
        restored = checkpoints.restore(1, members.like())
        assert [x.sharding for x in jax.tree.leaves(restored)] == [
            x.sharding for x in jax.tree.leaves(members.like())
        ]
        for name, x in plain(restored).items():
            np.testing.assert_array_equal(x, plain(state)[name], err_msg=name)
    checkpoints.close()


def test_what_is_looked_at_is_whole(tmp_path):
    members = members_of(tmp_path, 4)
    state = members.whole(members.init_member(0))
    assert all(x.is_fully_replicated for x in jax.tree.leaves(state))
    assert all(player.opt_state is None for player in state.players.values())


def test_parts_that_cannot_be():
    for given, said in (
        ({"fsdp": 3, "devices": 4}, "expected a divisor of the 4 devices, got 3"),
        ({"fsdp": 2, "devices": 4, "members": 3}, "expected 1 with 3 members, got 2"),
        ({"fsdp": 2, "devices": 4, "how": "pmap"}, "expected 1 with compute.how pmap, got 2"),
    ):
        with pytest.raises(InputError, match=f"compute.fsdp: {said}"):
            check_fsdp(**given)


def test_mapped_members_have_no_parts(tmp_path):
    with pytest.raises(InputError, match="compute.fsdp: expected 1 with 2 members, got 2"):
        Members(small(tmp_path, compute=ComputeConfig(fsdp=2)), [0, 1], how="vmap")
