"""Blocks that are computed again on the way back: the same parameters and values, in less memory."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import shallow_eyes

from jaxgan import GAN, InputError, init, make_step
from jaxgan.common import keys
from jaxgan.common.keys import quick
from jaxgan.games.compile import options_of_loops
from jaxgan.games.game import with_remat
from jaxgan.losses import LOSSES
from jaxgan.models import (
    MODELS,
    BigGANConfig,
    DCGANConfig,
    FastGANConfig,
    GATConfig,
    GatedConfig,
    MLPConfig,
    Pix2PixConfig,
    ProGANConfig,
    ProjectedConfig,
    R3GANConfig,
    ResNetConfig,
    SRResNetConfig,
    StyleGAN2Config,
    StyleGAN3Config,
)
from jaxgan.models.latents import get_latent
from jaxgan.penalties import get_penalty

SMALL = {  # name -> networks, side of the images
    "resnet": (ResNetConfig(width=2), 8),
    "biggan": (BigGANConfig(width=2, conditional=False, hierarchical=False), 8),
    "biggan-deep": (BigGANConfig(width=2, conditional=False, hierarchical=False, deep=True), 8),
    "progan": (ProGANConfig(width=4, base=32), 8),
    "stylegan2": (StyleGAN2Config(base=32, most=4, style=4, mapping_layers=1), 8),
    "stylegan3": (StyleGAN3Config(base=32, most=2, style=4, layers=4, margin=2), 16),
    "fastgan": (FastGANConfig(width=2), 32),
    "projected": (ProjectedConfig(width=2, lite=True, mixing=2, input_size=128, weights="random"), 32),
    "r3gan": (R3GANConfig(width=4, cardinality=2, blocks=1), 8),
    "gat": (GATConfig(width=8, depth=4, heads=2), 8),
}
BLOCKS = {  # name -> how many there are in the generator and in the discriminator
    **{"resnet": (1, 4), "biggan": (1, 4), "biggan-deep": (2, 2), "progan": (3, 1), "stylegan2": (3, 1)},
    **{"stylegan3": (5, 2), "fastgan": (3, 2), "projected": (3, 5), "r3gan": (2, 2)},
    "gat": (8, 8),  # attention, and what follows it, four times
}
WITHOUT = {"mlp": MLPConfig(g_widths=(4,), d_widths=(4,)), "dcgan": DCGANConfig(width=2)}
TRANSLATORS = (GatedConfig, Pix2PixConfig, SRResNetConfig)  # of games of their own, without such blocks


def game(config, side, **options):
    generator, discriminator = config.build((side, side, 3), 0)
    sgd = optax.sgd(0.1)
    return GAN(generator, discriminator, LOSSES["hinge"](), sgd, sgd, get_latent("normal", 4), **options)


def batch(side, n=4):
    return {"image": np.random.default_rng(2).normal(size=(n, side, side, 3)).astype(np.float32)}


@pytest.mark.parametrize("name", SMALL)
def test_every_family_of_blocks_computes_them_again(name):
    """By what is traced: the same parameters, and in the answer of each player as many blocks as it has."""
    with shallow_eyes():
        plain = game(*SMALL[name])
        real, again = batch(SMALL[name][1]), with_remat(plain)
        states = [jax.eval_shape(lambda own=own: init(own, quick(0), real)) for own in (plain, again)]
        shapes = [jax.tree.map(lambda x: (x.shape, x.dtype), state) for state in states]
        assert shapes[0] == shapes[1]
        for own, state, some in ((plain, states[0], False), (again, states[1], True)):
            for player in own.players:
                module, example = own.players[player].module, own.inputs(real)[player]
                variables = {"params": state.players[player].params, **state.players[player].stats}
                answer = lambda v, module=module, example=example: module.apply(
                    v, *example, train=True, mutable=list(v)
                )
                again = str(jax.make_jaxpr(answer)(variables)).count("prevent_cse")
                assert again == (BLOCKS[name][player == "discriminator"] if some else 0), player


def test_the_families_without_blocks_are_named():
    known = {type(config) for config, _ in SMALL.values()} | {*map(type, WITHOUT.values()), *TRANSLATORS}
    assert known == {*MODELS.values()}
    for config in WITHOUT.values():
        with pytest.raises(
            InputError, match=r"^remat: expected networks of blocks .* jaxgan.models.(mlp|dcgan)$"
        ):
            with_remat(game(config, 8))


def test_a_step_has_the_same_values():
    """With statistics, keys, and the gradient of a gradient."""
    plain, real = game(*SMALL["stylegan2"], penalties={"r1": (0.3, get_penalty("r1"))}), batch(8)
    state, ends = init(plain, keys.quick(0), real), []
    for own in (plain, with_remat(plain)):
        step = jax.jit(make_step(own), compiler_options={"xla_backend_optimization_level": 0})
        ends.append(step(state, real))
    for a, b in zip(*map(jax.tree.leaves, ends), strict=True):
        if jnp.issubdtype(a.dtype, jnp.floating):
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


def test_a_step_takes_less_memory():
    """Of convolutions; compiled as a run does."""
    plain, real = game(R3GANConfig(width=8, cardinality=2, blocks=1), 32), batch(32, 8)
    state, sizes = jax.eval_shape(lambda: init(plain, quick(0), real)), []
    for own, remat in ((plain, False), (with_remat(plain), True)):
        options: dict = {**(options_of_loops(False, remat) or {}), "xla_backend_optimization_level": 0}
        step = jax.jit(make_step(own), compiler_options=options)
        memory = step.lower(state, real).compile().memory_analysis()
        assert memory is not None
        sizes.append(memory.temp_size_in_bytes)
    assert sizes[1] < 0.6 * sizes[0], sizes
