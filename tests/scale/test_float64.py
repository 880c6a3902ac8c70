"""In float64 the number of devices does not show in 20 steps of Adam, penalties and averages, in whatever parts."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import init, make_mesh, make_step
from jaxgan.common.devices import batch_sharded, in_parts, replicated
from jaxgan.config import get_preset
from jaxgan.games.sharding import placements
from jaxgan.models import MLPConfig

STEPS = 20
WAYS = {"4 devices": (4, 1), "4 devices, halves": (4, 2)}


def in_float64(tree):
    return jax.tree.map(lambda x: x.astype(jnp.float64) if jnp.issubdtype(x.dtype, jnp.floating) else x, tree)


def trajectory(devices, fsdp):
    """All real numbers of the state after 20 steps of a narrow toy-ring."""
    wide = (32, 32)  # enough for parts
    preset = get_preset("toy-ring")
    game = dataclasses.replace(preset, model=MLPConfig(g_widths=wide, d_widths=wide), batch_size=8).build(
        (2,)
    )
    players = {n: p._replace(module=p.module.clone(dtype=jnp.float64)) for n, p in game.players.items()}
    game, rng = dataclasses.replace(game, players=players), np.random.default_rng(0)
    batches = [{"image": rng.normal(size=(8 * preset.d_steps, 2))} for _ in range(STEPS)]
    mesh = make_mesh(jax.devices()[:devices], fsdp)
    with jax.enable_x64(True):
        state = in_float64(init(game, jax.random.key(0), batches[0]))
        where, split = replicated(mesh), batch_sharded(mesh)
        where = placements(state, mesh) if in_parts(mesh) else jax.tree.map(lambda _: where, state)
        step = jax.jit(make_step(game), in_shardings=(where, split), out_shardings=(where, None))
        before, state = state, jax.device_put(state, where)
        for batch in batches:
            state, _ = step(state, jax.device_put(batch, split))
        assert any(not x.is_fully_replicated for x in jax.tree.leaves(state)) == (fsdp > 1)
        real = [jnp.issubdtype(x.dtype, jnp.floating) for x in jax.tree.leaves(before)]
        pairs = zip(jax.tree.leaves(before), jax.tree.leaves(state), real, strict=True)
        return [(np.asarray(x), np.asarray(y)) for x, y, is_real in pairs if is_real]


@pytest.fixture(scope="module")
def one():
    return trajectory(1, 1)


@pytest.mark.parametrize(("devices", "fsdp"), WAYS.values(), ids=WAYS)
def test_devices_do_not_show(one, devices, fsdp):
    other = trajectory(devices, fsdp)
    assert sum((start != end).sum() for start, end in one) > 8_000
    for (_, expected), (_, found) in zip(one, other, strict=True):
        assert found.dtype == np.float64
        assert np.linalg.norm(found - expected) <= 1e-9 * np.linalg.norm(expected)
