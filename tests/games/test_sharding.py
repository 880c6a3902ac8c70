"""The same trajectory on one device, on four, and by shard_map or pmap on four."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import GAN, InputError, compile_step, init, make_mesh, make_step
from jaxgan.augment import ada, apa
from jaxgan.common.keys import quick
from jaxgan.losses import LOSSES
from jaxgan.models import DCGANConfig, MLPConfig
from jaxgan.models.latents import get_latent
from jaxgan.penalties import get_penalty, lazy

SHAPE = (12, 12, 1)
WAYS = {"1 by jit": (1, "jit"), "4 by jit": (4, "jit"), "4 by shard_map": (4, "shard_map")}
GAMES = {
    "conditional, batch norm": {"conditional": True, "options": {}},
    "wgan-gp, 2 critic steps": {
        "batch_norm": False,
        "ways": [(4, "shard_map")],
        "options": {
            "loss": LOSSES["wasserstein"](),
            "penalties": {"gp": (10.0, lazy(get_penalty("gradient_penalty"), 2))},
            "d_steps": 2,
            "reuse_fakes": True,
        },
    },
    "ada and apa": {
        "ways": [(4, "pmap")],
        "networks": MLPConfig(g_widths=(8,), d_widths=(8,)),
        "options": {
            "loss": LOSSES["non_saturating"](),
            "augment": {
                "ada": ada(
                    blit=0, geometric=0, color=0, noise=1, cutout=1, start=0.6, interval=1, images=400
                ),
                "apa": apa(start=0.4, interval=2, images=400),
            },
        },
    },
}


def trajectory(game, devices, how, steps=3):
    """Parameters, statistics and metrics after some steps; plain descent, as Adam amplifies rounding."""
    config = DCGANConfig(
        width=4, d_batch_norm=game.get("batch_norm", True), conditional=game.get("conditional", False)
    )
    generator, discriminator = game.get("networks", config).build(SHAPE, 10)
    options = {"loss": LOSSES["relativistic_paired"](), **game["options"]}
    sgd = optax.sgd(0.05)
    gan = GAN(
        generator, discriminator, g_optimizer=sgd, d_optimizer=sgd, latent=get_latent("normal", 5), **options
    )
    n = 8 * options.get("d_steps", 1)
    rng = np.random.default_rng(0)
    batches = [
        {
            "image": rng.normal(size=(n, *SHAPE)).astype(np.float32),
            "label": rng.integers(0, 10, n).astype(np.int32),
        }
        for _ in range(steps)
    ]
    mesh = make_mesh(jax.devices()[:devices]) if devices > 1 else None
    state = init(gan, quick(0), batches[0], mesh)
    step = compile_step(make_step(gan), mesh, how=how)
    history = []
    for batch in batches:
        state, metrics = step(state, batch)
        history.append({name: float(value) for name, value in metrics.items()})
    return jax.tree.map(
        np.asarray,
        (
            state.players["generator"],
            state.players["discriminator"],
            state.players["generator"].average,
            state.memory,
        ),
    ), history


@pytest.mark.parametrize("game", GAMES.values(), ids=GAMES)
def test_devices_do_not_change_the_trajectory(game):
    expected, metrics = trajectory(game, 1, "jit")
    for devices, how in game.get("ways", list(WAYS.values())[1:]):
        got, got_metrics = trajectory(game, devices, how)
        for e, g in zip(jax.tree.leaves(expected), jax.tree.leaves(got), strict=True):
            np.testing.assert_allclose(g, e, rtol=2e-4, atol=2e-6)
        flat = [np.concatenate([np.ravel(x) for x in jax.tree.leaves(tree[:3])]) for tree in (expected, got)]
        assert np.linalg.norm(flat[1] - flat[0]) < 2e-6 * np.linalg.norm(flat[0])  # rounding, and no more
        for e, g in zip(metrics, got_metrics, strict=True):
            assert g == pytest.approx(e, rel=2e-4, abs=2e-6)
    for before, after in itertools.pairwise(metrics):
        assert before != after  # it moves at all


def test_state_is_built_where_it_lives():
    generator, discriminator = DCGANConfig(width=2).build(SHAPE, 0)
    gan = GAN(
        generator, discriminator, LOSSES["hinge"](), optax.sgd(0.1), optax.sgd(0.1), get_latent("normal", 3)
    )
    mesh = make_mesh()
    state = init(gan, quick(0), {"image": jax.ShapeDtypeStruct((8, *SHAPE), jnp.float32)}, mesh)
    assert all(len(leaf.sharding.device_set) == 4 for leaf in jax.tree.leaves(state))
    assert mesh.size == 4


def test_the_batch_is_split_and_not_copied():
    """A step over four devices compiles to a quarter of the examples on each."""
    mesh = make_mesh()
    shapes = []

    def step(state, batch):
        jax.debug.inspect_array_sharding(
            batch["image"], callback=lambda s: shapes.append(s.shard_shape((8, 2)))
        )
        return state, batch["image"].sum()

    compile_step(step, mesh)(jnp.zeros(3), {"image": np.ones((8, 2), np.float32)})
    assert shapes == [(2, 2)]


def test_bad_input_is_named():
    step = compile_step(lambda state, batch: (state, {}), make_mesh())
    with pytest.raises(InputError, match="batch: expected a multiple of 4 devices, got 6 examples"):
        step(jnp.zeros(1), {"image": np.ones((6, 2), np.float32)})
    with pytest.raises(InputError, match="unknown how 'pamp'; did you mean 'pmap'"):
        compile_step(lambda state, batch: (state, {}), how="pamp")
