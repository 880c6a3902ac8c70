"""The step: its algorithm, its randomness, and that it learns."""

import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import some, stream_keys

import jaxgan
from jaxgan import GAN, InputError, ema_schedule, init, make_step
from jaxgan.common.keys import quick
from jaxgan.games.compile import options_of_loops
from jaxgan.losses import LOSSES
from jaxgan.models import DCGANConfig, MLPConfig
from jaxgan.models.latents import get_latent
from jaxgan.penalties import get_penalty, lazy

SGD = optax.sgd(0.1)


class Scale(nn.Module):
    """G(z) = a z, and D(x) = a x summed: players whose updates can be written down."""

    @nn.compact
    def __call__(self, x, label=None, *, train=False):
        out = self.param("a", nn.initializers.constant(2.0), ()) * x
        return out if x.shape[1] == 1 and self.name != "critic" else out.sum(1)


class Critic(nn.Module):
    @nn.compact
    def __call__(self, x, label=None, *, train=False):
        return self.param("b", nn.initializers.constant(0.5), ()) * x.sum(1)


def tiny(**changes):
    plain = {"loss": LOSSES["wasserstein"](), "g_optimizer": SGD, "d_optimizer": SGD}
    return GAN(Scale(), Critic(), latent=get_latent("normal", 1), **(plain | changes))


def batch(n=4, seed=0):
    return {"image": jnp.asarray(np.random.default_rng(seed).normal(size=(n, 1)), jnp.float32)}


def mlp(shape=(2,), **changes):
    generator, discriminator = MLPConfig(g_widths=(8,), d_widths=(8,)).build(shape, 0)
    plain = {"loss": LOSSES["non_saturating"](), "g_optimizer": SGD, "d_optimizer": SGD}
    return GAN(generator, discriminator, latent=get_latent("normal", 3), **(plain | changes))


def latents(state, draw, n, dim=1):
    return get_latent("normal", dim).sample(stream_keys(state, draw, "latents", n), n)


def test_one_step_by_hand():
    """D ascends b (E x - a E z), then G ascends b' a E z' with fresh z', by plain gradient descent."""
    gan, real = tiny(), batch()
    state = init(gan, quick(0), real)
    new, metrics = jax.jit(make_step(gan))(state, real)
    z, fresh = latents(state, 0, 4).mean(), latents(state, 1, 4).mean()
    x = real["image"].mean()
    b = 0.5 + 0.1 * (x - 2.0 * z)
    a = 2.0 + 0.1 * b * fresh
    np.testing.assert_allclose(new.players["discriminator"].params["b"], b, rtol=1e-5)
    np.testing.assert_allclose(new.players["generator"].params["a"], a, rtol=1e-5)
    np.testing.assert_allclose(metrics["d/loss"], 0.5 * (2.0 * z - x), rtol=1e-5)
    np.testing.assert_allclose(metrics["d/real_logits"], 0.5 * x, rtol=1e-5)
    np.testing.assert_allclose(metrics["d/fake_logits"], z, rtol=1e-5)
    np.testing.assert_allclose(metrics["d/grad_norm"], abs(2.0 * z - x), rtol=1e-5)
    np.testing.assert_allclose(metrics["g/loss"], -b * 2.0 * fresh, rtol=1e-5)
    np.testing.assert_allclose(metrics["g/grad_norm"], abs(b * fresh), rtol=1e-5)
    np.testing.assert_allclose(
        new.players["generator"].average["params"]["a"], 0.1 * 2.0 + 0.9 * a, rtol=1e-5
    )  # decay 1/10 at step 0
    assert int(new.step) == 1
    assert "d/accuracy" not in metrics  # the sign of a Wasserstein logit says nothing


def test_reused_fakes_are_those_of_the_last_discriminator_update():
    gan, real = tiny(reuse_fakes=True), batch()
    state = init(gan, quick(0), real)
    new, _ = jax.jit(make_step(gan))(state, real)
    b = float(new.players["discriminator"].params["b"])
    np.testing.assert_allclose(
        new.players["generator"].params["a"], 2.0 + 0.1 * b * latents(state, 0, 4).mean(), rtol=1e-5
    )


def test_every_discriminator_update_takes_its_own_examples():
    gan, real = tiny(d_steps=3), batch(12)
    state = init(gan, quick(0), real)
    new, metrics = jax.jit(make_step(gan))(state, real)
    b = 0.5
    for j in range(3):
        b += 0.1 * (real["image"][j::3].mean() - 2.0 * latents(state, j, 4).mean())
    np.testing.assert_allclose(new.players["discriminator"].params["b"], b, rtol=1e-5)
    np.testing.assert_allclose(
        new.players["generator"].params["a"], 2.0 + 0.1 * b * latents(state, 3, 4).mean(), rtol=1e-5
    )
    assert all(np.shape(value) == () for value in metrics.values())


def test_penalties_are_weighted_added_and_reported():
    """r1 of D(x) = b x is b^2 / 2: its gradient pulls b towards 0."""
    real = batch()
    plain, _ = jax.jit(make_step(tiny()))(init(tiny(), quick(0), real), real)
    gan = tiny(penalties={"r1": (3.0, get_penalty("r1"))})
    new, metrics = jax.jit(make_step(gan))(init(gan, quick(0), real), real)
    np.testing.assert_allclose(metrics["d/r1"], 0.125, rtol=1e-5)
    np.testing.assert_allclose(metrics["d/loss"], metrics["d/adversarial"] + 3 * 0.125, rtol=1e-5)
    difference = new.players["discriminator"].params["b"] - plain.players["discriminator"].params["b"]
    np.testing.assert_allclose(difference, -0.1 * 3.0 * 0.5, rtol=1e-4)


def test_lazy_penalties_keep_their_count_in_the_state():
    gan = tiny(penalties={"r1": (1.0, lazy(get_penalty("r1"), 2))})
    state, seen = init(gan, quick(0), batch()), []
    step = jax.jit(make_step(gan))
    for _ in range(4):
        state, metrics = step(state, batch())
        seen.append(float(metrics["d/r1"]) > 0)
    assert seen == [True, False, True, False]
    assert int(state.memory["d/r1"]["count"]) == 4


def test_the_generator_of_a_relativistic_game_sees_the_reals():
    real = {"image": jax.random.normal(quick(5), (6, 2))}
    gan = mlp(loss=LOSSES["relativistic_paired"](), d_optimizer=optax.sgd(0.0))
    state = init(gan, quick(0), real)
    _, metrics = jax.jit(make_step(gan))(state, real)
    variables = {"params": state.players["discriminator"].params}
    fake = gan.players["generator"].module.apply(
        {"params": state.players["generator"].params}, latents(state, 1, 6, 3)
    )
    gap = gan.players["discriminator"].module.apply(variables, real["image"]) - gan.players[
        "discriminator"
    ].module.apply(variables, fake)
    np.testing.assert_allclose(metrics["g/loss"], jax.nn.softplus(gap).mean(), rtol=1e-5)


def test_average_follows_its_schedule_and_holds_the_statistics():
    generator, discriminator = DCGANConfig(width=2).build((8, 8, 1), 0)
    gan = GAN(
        generator,
        discriminator,
        LOSSES["hinge"](),
        SGD,
        SGD,
        get_latent("normal", 3),
        ema_decay=ema_schedule(0.75),
    )
    real = {"image": jnp.zeros((4, 8, 8, 1))}
    state = init(gan, quick(0), real)
    new, _ = jax.jit(make_step(gan))(state, real)
    before, after = jax.device_get((state.players["generator"], new.players["generator"]))
    kept = after.average["params"], {"batch_stats": after.average["batch_stats"]}
    blend = lambda old, now, average: np.testing.assert_allclose(
        average, 0.1 * old + 0.9 * now, rtol=1e-4, atol=1e-6
    )
    jax.tree.map(blend, (before.params, before.stats), (after.params, after.stats), kept)
    assert [round(float(ema_schedule(0.75)(s)), 3) for s in (0, 2, 98, 10**6)] == [0.1, 0.25, 0.75, 0.75]
    assert float(ema_schedule(0.75, ramp_up=False)(0)) == 0.75
    late = ema_schedule(0.75, start=10)
    assert [round(float(late(s)), 3) for s in (0, 9, 10, 12, 10**6)] == [0, 0, 0.1, 0.25, 0.75]
    assert [float(ema_schedule(0.75, ramp_up=False, start=2)(s)) for s in (1, 2)] == [0, 0.75]


def test_batch_statistics_are_updated_by_reals_then_fakes_once_a_step():
    generator, discriminator = DCGANConfig(width=2).build((16, 16, 1), 0)
    gan = GAN(generator, discriminator, LOSSES["hinge"](), SGD, SGD, get_latent("normal", 3))
    real = {"image": jax.random.normal(quick(3), (4, 16, 16, 1))}
    state = init(gan, quick(0), real)
    new, _ = jax.jit(make_step(gan))(state, real)

    @jax.jit
    def expected(state, image):
        g, d = (state.players[name] for name in ("generator", "discriminator"))
        how, z = {"train": True, "mutable": ["batch_stats"]}, latents(state, 0, 4, 3)
        _, stats = discriminator.apply({"params": d.params, **d.stats}, image, **how)
        fake, _ = generator.apply({"params": g.params, **g.stats}, z, **how)
        return discriminator.apply({"params": d.params, **stats}, fake, **how)[1]

    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
        new.players["discriminator"].stats,
        expected(state, real["image"]),
    )


@functools.cache
def started():
    """Where the games of all losses start, which are alike but for them."""
    gan = mlp((4, 4, 1), penalties={"gp": (10.0, get_penalty("gradient_penalty"))})
    return init(gan, quick(0), {"image": jnp.zeros((6, 4, 4, 1))})


KINDS = ("minimax", "hinge", "wasserstein", "f_kl", "relativistic_average", "mmd_rbf", "sinkhorn")
"""Losses of one logit and of features, which compare examples or do not, and need a constraint or do not."""


@pytest.mark.parametrize("name", some(LOSSES, *KINDS))
def test_every_loss_trains_with_one_trace(name):
    gan = mlp((4, 4, 1), loss=LOSSES[name](), penalties={"gp": (10.0, get_penalty("gradient_penalty"))})
    chex.clear_trace_counter()  # which knows functions by their names
    step = jaxgan.compile_step(chex.assert_max_traces(make_step(gan), n=1))
    state = started()
    for i in range(3):
        before = jax.tree.map(
            np.asarray, (state.players["generator"].params, state.players["discriminator"].params)
        )
        state, metrics = step(state, {"image": jax.random.normal(quick(i), (6, 4, 4, 1))})
        after = (state.players["generator"].params, state.players["discriminator"].params)
        assert all(np.isfinite(value) for value in metrics.values())
        for old, new in zip(before, after, strict=True):
            assert not all(map(np.array_equal, jax.tree.leaves(old), jax.tree.leaves(new)))


def test_a_step_moves_nothing_between_host_and_device():
    gan = mlp()
    state = init(gan, quick(0), {"image": jnp.zeros((4, 2))})
    step, real = jaxgan.compile_step(make_step(gan)), jnp.ones((4, 2))
    state, _ = step(state, {"image": real})
    with jax.transfer_guard("disallow"):
        state, metrics = step(state, {"image": real})
    assert np.isfinite(metrics["d/loss"])


@pytest.mark.parametrize(
    "config", [MLPConfig(g_widths=(64,), d_widths=(64,)), DCGANConfig(width=4)], ids=["mlp", "dcgan"]
)
def test_what_two_turns_compute_alike_is_computed_once(config):
    """By counted operations: fakes that are used again spare one pass of the generator; nothing is shared by hand."""
    generator, discriminator = config.build((16, 16, 1), 0)
    real, count = {"image": jnp.zeros((8, 16, 16, 1))}, {}
    for reuse in (False, True):
        gan = GAN(
            generator,
            discriminator,
            LOSSES["non_saturating"](),
            SGD,
            SGD,
            get_latent("normal", 16),
            reuse_fakes=reuse,
        )
        state = init(gan, quick(0), real)
        count[reuse] = operations(make_step(gan), state, real)
    player = state.players["generator"]
    forward = lambda params, z: generator.apply(
        {"params": params, **player.stats}, z, train=True, mutable=list(player.stats)
    )[0]
    spared = operations(forward, player.params, jnp.zeros((8, 16)))
    assert count[True] <= count[False] - 0.9 * spared, (count, spared)


def test_steps_in_a_loop_compute_alike_things_once_too():
    """By products of matrices in the compiled program: those of one step, in a loop as by itself."""
    gan, real = mlp(reuse_fakes=True), {"image": jnp.zeros((8, 2))}
    state, step = init(gan, quick(0), real), make_step(gan)

    def looped(state, batch):
        return jax.lax.scan(lambda state, _: step(state, batch), state, length=4)

    products = lambda f, options: jax.jit(f, compiler_options=options).lower(state, real).compile().as_text()
    assert products(looped, options_of_loops()).count(" dot(") == products(step, None).count(" dot(") > 8


def operations(function, *args):
    return jax.jit(function).lower(*args).compile().cost_analysis()["flops"]


def test_golden_step():
    """Values of one step of a small DCGAN, as committed. If this fails and you meant to change the
    algorithm, its random streams or its initialisation, say so in CHANGELOG.md and replace the numbers."""
    generator, discriminator = DCGANConfig(width=4).build((12, 12, 1), 0)
    adam = optax.adam(2e-3, 0.5)
    gan = GAN(
        generator,
        discriminator,
        LOSSES["non_saturating"](),
        adam,
        adam,
        get_latent("normal", 6),
        penalties={"gp": (1.0, get_penalty("gradient_penalty"))},
        d_steps=2,
    )
    real = {"image": jnp.cos(jnp.arange(8 * 144, dtype=jnp.float32)).reshape(8, 12, 12, 1)}
    state = init(gan, jax.random.key(1), real)
    step = jaxgan.compile_step(make_step(gan))
    for _ in range(2):
        state, metrics = step(state, real)
    got = {name: float(value) for name, value in metrics.items()}
    got["g_sum"] = float(
        sum(jnp.abs(leaf).sum() for leaf in jax.tree.leaves(state.players["generator"].params))
    )
    got["ema_sum"] = float(
        sum(jnp.abs(leaf).sum() for leaf in jax.tree.leaves(state.players["generator"].average))
    )
    expected = {
        "d/accuracy": 0.625,
        "d/adversarial": 1.310596,
        "d/fake_logits": -0.0001818766,
        "d/gp": 0.2014293,
        "d/grad_norm": 6.42367,
        "d/loss": 1.512026,
        "d/real_logits": 0.1644125,
        "g/grad_norm": 1.470599,
        "g/loss": 0.698437,
        "g_sum": 27.82228,
        "ema_sum": 37.73949,
    }
    assert got.keys() == expected.keys(), got
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=2e-3, atol=2e-5, err_msg=f"{name}: {got}")


def test_the_state_is_arrays():
    gan = tiny(penalties={"r1": (1.0, get_penalty("r1"))})
    state = init(gan, quick(0), batch())
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(state))


def test_bad_input_is_named():
    gan = tiny(d_steps=3)
    state = init(gan, quick(0), batch())
    with pytest.raises(
        InputError, match="batch: expected a multiple of 3 examples, as turn 'd' takes one of every 3, got 4"
    ):
        make_step(gan)(state, batch(4))
    with pytest.raises(InputError, match="batch: expected float32 examples .*, got 'image' of uint8"):
        make_step(gan)(state, {"image": jnp.zeros((6, 1), jnp.uint8)})
    with pytest.raises(InputError, match="d_steps: expected at least 1"):
        tiny(d_steps=0)
    with pytest.raises(InputError, match="decay: expected 0 <= decay < 1, got 1"):
        ema_schedule(1)
    with pytest.raises(InputError, match="start: expected at least 0, got -1"):
        ema_schedule(0.5, start=-1)
