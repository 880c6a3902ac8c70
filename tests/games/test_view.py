"""Networks that are random in training: whose keys they get, and that devices do not show."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import stream_keys

from jaxgan import GAN, InputError, Player, Turn, compile_step, init, make_mesh, make_step
from jaxgan.augment import instance_noise
from jaxgan.common.keys import quick
from jaxgan.games import Deal, View
from jaxgan.games.game import Game
from jaxgan.losses import LOSSES
from jaxgan.models.latents import get_latent
from jaxgan.penalties import Penalty, get_penalty, stateless

N, SHAPE = 8, (4, 3)


class Noisy(nn.Module):
    """z A + noise, by way of styles; without keys no noise."""

    @nn.compact
    def __call__(self, z, label=None, *, train=False, keys=None):
        return self._made(z @ self.param("A", nn.initializers.normal(1.0), (2, 12)), keys)

    def mapping(self, z, label=None, *, train=False, keys=None):
        a = self.get_variable("params", "A")
        return z[:, None] + (0 if keys is None else _normal(keys, (1, 2))) + 0 * a.sum()

    def synthesis(self, ws, *, train=False, keys=None):
        return self._made(ws.sum(1) @ self.get_variable("params", "A"), keys)

    def _made(self, x, keys):
        x = x.reshape(-1, *SHAPE)
        return x if keys is None else x + _normal(keys, SHAPE)


class Judge(nn.Module):
    """A linear map of an example, which itself is noisy in training."""

    @nn.compact
    def __call__(self, x, label=None, *, train=False, keys=None):
        noise = 0 if keys is None else _normal(keys, ())
        return nn.Dense(1)(x.reshape(len(x), -1))[:, 0] + noise


def _normal(keys, shape):
    return jax.vmap(lambda key: jax.random.normal(key, shape))(keys)


def told(what):
    """A penalty that reports a number of each example, for both players."""
    term = stateless(lambda scene, keys: what(scene), needs_latents=True)
    return {"told": (0.0, Penalty(term, term))}


def gan(penalties, **options):
    adam = optax.sgd(0.1)
    latent = get_latent("normal", 2)
    return GAN(
        Noisy(), Judge(), LOSSES["non_saturating"](), adam, adam, latent, penalties=penalties, **options
    )


def batches(n=N):
    return {"image": jnp.asarray(np.random.default_rng(0).normal(size=(n, *SHAPE)), jnp.float32)}


def played(game, batch=None):
    batch = batch or batches()
    state = init(game, quick(3), batch)
    return state, *jax.jit(make_step(game))(state, batch)


FINGERPRINT = lambda scene: (scene.fakes * jnp.arange(12.0).reshape(SHAPE)).sum((1, 2))


def test_turns_of_one_draw_see_the_same_fakes():
    _, _, same = played(gan(told(FINGERPRINT), reuse_fakes=True))
    _, _, other = played(gan(told(FINGERPRINT), reuse_fakes=False))
    assert same["d/told"] == same["g/told"]
    assert abs(other["d/told"] - other["g/told"]) > 0.1


def test_noise_is_a_function_of_seed_step_draw_network_and_example():
    game = gan(told(FINGERPRINT), reuse_fakes=True)
    state, _, metrics = played(game)
    z = get_latent("normal", 2).sample(stream_keys(state, 0, "latents", N), N)
    params = {"params": state.players["generator"].params}
    fakes = Noisy().apply(params, z, keys=stream_keys(state, 0, "network/generator", N))
    expected = (fakes * jnp.arange(12.0).reshape(SHAPE)).sum((1, 2)).mean()
    np.testing.assert_allclose(metrics["d/told"], expected, rtol=1e-5)


@pytest.mark.parametrize(("devices", "how"), [(2, "jit"), (2, "pmap")])
def test_devices_do_not_show_in_the_noise(devices, how):
    penalties = {"path_length": (0.5, get_penalty("path_length", shrink=2))}
    game, batch = gan(penalties, own_turns={"path_length": 1}), batches()
    _, expected, told = played(game, batch)
    mesh = make_mesh(jax.devices()[:devices])
    step = compile_step(make_step(game), mesh, how=how)
    after, metrics = step(init(game, quick(3), batch, mesh), batch)
    for name, player in expected.players.items():
        for a, b in zip(
            jax.tree.leaves(player.params), jax.tree.leaves(after.players[name].params), strict=True
        ):
            np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6)
    assert {k: float(v) for k, v in metrics.items()} == pytest.approx(
        {k: float(v) for k, v in told.items()}, rel=1e-4, abs=1e-6
    )


def test_penalties_ask_for_the_same_noise_again():
    """By generate, and by styles of every second example: the same noise of the same examples."""
    again = lambda scene: jnp.square(scene.generate(scene.latents) - scene.fakes).sum((1, 2))
    half = lambda scene: jnp.square(scene.generate(scene.latents[::2]) - scene.fakes[::2]).sum((1, 2))
    assert played(gan(told(again)))[2]["g/told"] == 0
    assert played(gan(told(half)))[2]["g/told"] == 0
    noise = {"noise": instance_noise(lambda step: 1.0)}  # of the augmentation too
    assert played(gan(told(half), augment=noise))[2]["g/told"] == 0


def test_styles_and_what_is_made_of_them_have_the_examples_keys():
    def through_styles(scene):
        ws, make = scene.styles(scene.latents[::2])
        return jnp.stack([ws.sum((1, 2)), make(ws).mean((1, 2))], 1)[:, 1]

    game = gan(told(through_styles), reuse_fakes=True)
    state, _, metrics = played(game)
    z = get_latent("normal", 2).sample(stream_keys(state, 0, "latents", N), N)[::2]
    own = stream_keys(state, 0, "network/generator", N)[::2]
    params = {"params": state.players["generator"].params}
    ws = Noisy().apply(params, z, keys=own, method="mapping")
    made = Noisy().apply(params, ws, keys=own, method="synthesis")
    np.testing.assert_allclose(metrics["d/told"], made.mean(), rtol=1e-5)


def test_a_caller_may_give_keys_and_a_network_without_them_gets_none():
    class Plain(nn.Module):
        @nn.compact
        def __call__(self, z, *, train=False):
            return z + 0 * self.param("a", nn.initializers.ones, ())

    players = {"noisy": Player(Noisy(), optax.sgd(0.1)), "plain": Player(Plain(), optax.sgd(0.1))}
    z = jnp.ones((N, 2))
    turn = Turn("t", ("noisy", "plain"), lambda view: jnp.zeros(()))
    game = Game(players=players, turns=(turn,), inputs=lambda _: {"noisy": (z[:2],), "plain": (z[:2],)})
    state = init(game, quick(0), {"z": z})
    view = View(game, turn, state, {}, Deal({"z": z}, quick(1)))
    np.testing.assert_array_equal(view("plain", z), z)
    np.testing.assert_array_equal(view("noisy", z), view("noisy", z))
    given = jax.random.split(quick(2), N)
    own = Noisy().apply({"params": state.players["noisy"].params}, z, keys=given)
    np.testing.assert_array_equal(view.ask("noisy", z, keys=given), own)
    assert (view.ask("noisy", z) != own).any()


class Labelled(nn.Module):
    """Examples that are their label, by way of a style that is."""

    @nn.compact
    def __call__(self, z, label=None, *, train=False):
        return self.synthesis(self.mapping(z, label)) + 0 * self.param("a", nn.initializers.ones, ())

    def mapping(self, z, label=None, *, train=False):
        return jnp.broadcast_to(label[:, None, None].astype(z.dtype), (len(z), 1, 1))

    def synthesis(self, ws, *, train=False):
        return jnp.broadcast_to(ws, (len(ws), *SHAPE))


def test_fewer_latents_have_the_labels_of_their_examples():
    def apart(scene):
        z, mine = scene.latents[::4], scene.fakes[::4]
        ws, make = scene.styles(z)
        return jnp.abs(scene.generate(z) - mine).sum((1, 2)) + jnp.abs(make(ws) - mine).sum((1, 2))

    sgd = optax.sgd(0.1)
    own = GAN(
        Labelled(), Judge(), LOSSES["hinge"](), sgd, sgd, get_latent("normal", 2), penalties=told(apart)
    )
    _, _, metrics = played(own, {**batches(), "label": jnp.arange(N, dtype=jnp.int32)})
    assert metrics["g/told"] == 0


def test_keys_are_asked_for_where_inputs_are_more_than_examples():
    both = told(lambda scene: scene.critic(jnp.concatenate([scene.reals, scene.fakes]))[:N])
    game = gan(both)
    batch = {"image": jnp.zeros((N, *SHAPE))}
    with pytest.raises(InputError, match="discriminator: expected inputs that divide 8 examples, or keys"):
        make_step(game)(init(game, quick(0), batch), batch)
