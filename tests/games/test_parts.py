"""A batch in parts: the step of the whole, on any devices, and what is said where it cannot be."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toys import Smooth, compiled, floats, game, in_float64, penalised, points, smooth

from jaxgan import GAN, InputError, compile_step, init, make_mesh, make_step
from jaxgan.augment import adaptive
from jaxgan.common.keys import quick
from jaxgan.games.parts import inexact, parts_of
from jaxgan.losses import LOSSES, Loss
from jaxgan.models import BigGANConfig, DCGANConfig, StyleGAN2Config
from jaxgan.models.latents import get_latent
from jaxgan.models.layers import minibatch_stddev
from jaxgan.penalties import get_penalty, lazy


class Spread(nn.Module):
    """A critic that is told how much the examples of a group differ."""

    group: int = 4
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x, label=None, *, train=False):
        axis_name = None if self.is_initializing() else self.axis_name
        x = minibatch_stddev(nn.tanh(nn.Dense(4)(x)), self.group, axis_name=axis_name)
        return nn.Dense(1)(x)[:, 0]


def shifted(keys, x):
    return x + 0.3 * jax.vmap(lambda key: jax.random.normal(key, x.shape[1:]))(keys)


GAMES = {  # loss, critic, options: together all moves, and all that looks at several examples
    "averages, ahead": ("relativistic_average", Smooth(1), {"unroll": 1}),
    "the best, and the length of the field": (
        "least_squares",
        Smooth(1),
        {"consensus": 0.1, "lookahead": (2, 0.5), "label_flip": 0.3, "top_k": lambda step: 0.7},
    ),
    "sums, packs, a trial step": (
        "dual_contrastive",
        Smooth(1),
        {"updates": "extragradient", "pack": 2, "penalties": {"r1": (0.3, lazy(get_penalty("r1"), 2))}},
    ),
    "groups, two critic steps, own turns, memory": (
        "hinge",
        Spread(),
        {
            **{"d_steps": 2, "own_turns": {"r1": 2}, "reuse_fakes": True},
            "augment": {"ada": adaptive(shifted, images=100, interval=1)},
            "penalties": {"r1": (0.3, get_penalty("r1")), "lecam": (0.3, get_penalty("lecam"))},
        },
    ),
}


@pytest.mark.parametrize("name", GAMES)
def test_a_step_in_parts_is_that_of_the_whole_batch(name):
    """In float64, where rounding is below what is compared: parameters, averages, memory and metrics."""
    loss, critic, options = GAMES[name]
    with jax.enable_x64(True):
        gan = game(loss, (Smooth(2), critic), 0.1, 0.1, 3, **options)
        batch, ends = in_float64(points(24)), []
        for parts in (1, 3):
            state, step = in_float64(init(gan, quick(0), batch)), compiled(make_step(gan, parts))
            for _ in range(2):
                state, metrics = step(state, batch)
            ends.append((state.players, state.memory, metrics))
        for a, b in zip(*map(floats, ends), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
        assert {x.dtype for x in floats(ends[0][0])} == {np.dtype("float64")}


def test_parts_of_what_each_device_has_change_nothing():
    options = {**penalised("r1", 0.3), "augment": {"ada": adaptive(shifted, images=100, interval=1)}}
    gan = game("hinge", (Smooth(2), Spread()), 0.1, 0.1, 3, **options)
    batch, mesh = jax.tree.map(np.asarray, points(32)), make_mesh()
    expected, *found = (
        compile_step(make_step(gan, parts), on, how=how)(init(gan, quick(0), batch, on), batch)
        for parts, on, how in ((1, None, "jit"), (2, mesh, "jit"), (2, mesh, "pmap"))
    )
    for other in found:
        for a, b in zip(floats(other), floats(expected), strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


def test_a_step_takes_the_space_of_a_part():
    gan, batch, sizes = smooth(), points(8192), []
    state = jax.eval_shape(lambda: init(gan, quick(0), batch))
    for parts in (1, 8):
        memory = compiled(make_step(gan, parts)).lower(state, batch).compile().memory_analysis()
        assert memory is not None
        sizes.append(memory.temp_size_in_bytes)
    assert sizes[1] < 0.3 * sizes[0], sizes


def test_a_batch_is_looked_at_twice_only_where_examples_are_compared():
    """By the passes of the generator, which are traced once each."""
    passes = {}

    class Counted(Smooth):
        def __call__(self, x, label=None, *, train=False):
            passes[loss] = passes.get(loss, 0) + 1
            return super().__call__(x, label, train=train)

    for loss in ("relativistic_paired", "relativistic_average"):
        gan = game(loss, (Counted(2), Smooth(1)), dim=3)
        state = init(gan, quick(0), points(4))
        passes[loss] = 0
        jax.eval_shape(make_step(gan, 2), state, points(4))
    assert 0 < passes["relativistic_paired"] < passes["relativistic_average"]


def test_losses_are_seen_to_compare_examples():
    alone = ("non_saturating", "hinge", "relativistic_paired")
    together = ("relativistic_average", "dual_contrastive", "mmd_rbf")
    assert {name for name in (*alone, *together) if LOSSES[name]().alone} == {*alone}
    traced = jax.jit(lambda margin: jnp.asarray(LOSSES["relativistic_paired_hinge"](margin=margin).alone))
    assert not traced(1.0)  # it cannot be seen


@pytest.mark.parametrize(
    "half",
    [
        lambda real, fake: jax.nn.relu(real - fake.mean() - 5),
        lambda real, fake: jax.nn.softplus(fake) + real.mean() - jax.lax.stop_gradient(real.mean()),
        lambda real, fake: jax.nn.softplus(fake[:, 1]) + real[:, 0],
    ],
    ids=["large logits alone", "slopes alone", "two logits an example"],
)
def test_a_loss_that_hides_that_it_compares_is_not_taken_for_one_that_does_not(half):
    assert not Loss(half, LOSSES["hinge"]().generator).alone
    assert not Loss(LOSSES["hinge"]().discriminator, half).alone


@pytest.mark.parametrize(
    ("players", "options", "parts", "message"),
    [
        ((Smooth(2), Smooth(1)), {}, 5, "expected a divisor of the 16 examples of turn 'd', got 5"),
        (
            (Smooth(2), Smooth(1)),
            {"pack": 4},
            8,
            "of the 16 examples of turn 'd', 4 of which stay together, got 8",
        ),
        (
            (Smooth(2), Spread()),
            {},
            8,
            "parts that groups of 4 examples divide, as the discriminator compares those",
        ),
    ],
)
def test_parts_that_cannot_be_are_named(players, options, parts, message):
    gan = game("hinge", players, dim=3, **options)
    with pytest.raises(InputError, match=f"^microbatches: .*{message}"):
        parts_of(gan, 16, parts)


@pytest.mark.parametrize(
    ("config", "shape", "penalties", "said"),
    [
        (DCGANConfig(width=2), (16, 16, 1), (), ["the generator normalises", "the discriminator normalises"]),
        (
            BigGANConfig(width=2, conditional=False, hierarchical=False),
            (8, 8, 1),
            (),
            ["the generator normalises"],
        ),
        (
            StyleGAN2Config(base=32, most=4, style=4),
            (8, 8, 1),
            ("path_length", "dragan", "r1"),
            ["the penalty path_length", "the penalty dragan"],
        ),
    ],
    ids=["dcgan", "biggan", "stylegan2"],
)
def test_what_is_not_the_same_in_parts_is_told(config, shape, penalties, said):
    generator, discriminator = config.build(shape, 0)
    own = {name: (1.0, get_penalty(name)) for name in penalties}
    plain = game("hinge").players["generator"].optimizer
    gan = GAN(
        generator, discriminator, LOSSES["hinge"](), plain, plain, get_latent("normal", 8), penalties=own
    )
    batch = {"image": jax.ShapeDtypeStruct((4, *shape), jnp.float32)}
    state = jax.eval_shape(lambda: init(gan, quick(0), batch))
    told = inexact(gan, state)
    assert [any(text.startswith(start) for text in told) for start in said] == [True] * len(said)
    assert len(told) == len(said)
