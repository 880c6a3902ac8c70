"""Games with an encoder or with codes: their laws, their bounds, and the two phases of f-AnoGAN."""

import dataclasses
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import same_arrays, some
from toys import RATE, Net, averaged, compiled, player, rings

from jaxgan import GAN, InputError, init, make_step
from jaxgan.common.checking.laws import by_path
from jaxgan.common.keys import quick
from jaxgan.games import laws
from jaxgan.games.encoding.autoencoders import adversarial_autoencoder, vae
from jaxgan.games.encoding.base import divergence
from jaxgan.games.encoding.f_anogan import f_anogan, stage_of
from jaxgan.games.encoding.infogan import coded, infogan, traversals
from jaxgan.losses import LOSSES
from jaxgan.models.encoding.networks import PairCritic, encoder_of, trunk_of
from jaxgan.models.latents import get_latent
from jaxgan.models.mlp import MLPConfig

NORMAL = get_latent("normal", 2)


class Critic(nn.Module):
    """A critic that shows its features if it is asked to."""

    @nn.compact
    def __call__(self, x, label=None, *, train=False, features=False):
        h = nn.tanh(nn.Dense(8)(x))
        logits = nn.Dense(1)(h)[:, 0]
        return (logits, h) if features else logits


class Reader(nn.Module):
    @nn.compact
    def __call__(self, h, *, train=False):
        return nn.Dense(3)(h), nn.Dense(1)(h)


def phases(stage=None, gan_steps=2):
    loss, adam = LOSSES["non_saturating"](), optax.adam(RATE)
    gan = GAN(Net(2, width=8), Critic(), loss, adam, adam, NORMAL, reuse_fakes=True)
    return f_anogan(gan, player(Net(2, width=8)), gan_steps, stage=stage)


def games():
    loss = LOSSES["non_saturating"]()
    small = lambda outputs: player(Net(outputs, width=8))
    decoder, critic = averaged(2), player(Net(1, "logits", width=8))
    return {
        "vae": vae(small(4), decoder, NORMAL, noise=0.5),
        "aae": adversarial_autoencoder(small(2), decoder, critic, loss, NORMAL),
        "infogan": infogan(
            decoder, player(Critic()), player(Reader()), loss, NORMAL, categories=3, continuous=1
        ),
        "f_anogan": phases(),
    }


@pytest.mark.parametrize("name", some(games(), "aae", "infogan", "f_anogan"))
def test_every_game_obeys_every_law(name):
    found = laws.check(games()[name], [rings(i, 16) for i in range(3)])
    assert [verdict for verdict in found if verdict.outcome == "broken"] == []


def test_divergence_of_a_normal_distribution_from_the_standard_one():
    mean, log_variance = jnp.asarray([[0.5, -1.0], [0.0, 2.0]]), jnp.asarray([[0.0, 0.2], [-1.0, 0.3]])
    np.testing.assert_allclose(divergence(mean, log_variance), [0.635701, 2.208869], atol=1e-6)


def test_the_bound_is_the_likelihood_less_the_divergence():
    """Of networks that answer constants: log N(x; m, s^2) of every coordinate, and the divergence of N(a, b)."""

    class Constant(nn.Module):
        values: tuple

        @nn.compact
        def __call__(self, x, label=None, *, train=False):
            shift = self.param("shift", nn.initializers.zeros, ())
            return jnp.broadcast_to(jnp.asarray(self.values), (len(x), len(self.values))) + shift

    game = vae(
        player(Constant((0.3, -0.2, 0.1, 0.5))), averaged_constant(Constant((0.7, -0.4))), NORMAL, noise=0.5
    )
    batch = rings(0, 8)
    _, metrics = jax.jit(make_step(game))(init(game, quick(0), batch), batch)
    errors = np.square(np.asarray(batch["image"]) - [0.7, -0.4]).sum(1)
    nats = (errors / (2 * 0.25) + 2 * math.log(0.5 * math.sqrt(2 * math.pi))).mean()
    kl = 0.5 * (math.exp(0.1) + 0.09 - 1 - 0.1 + math.exp(0.5) + 0.04 - 1 - 0.5)
    np.testing.assert_allclose(metrics["vae/elbo"], -nats - kl, rtol=1e-5)
    np.testing.assert_allclose(metrics["vae/kl"], kl, rtol=1e-5)


def averaged_constant(module):
    return player(module, average=lambda step: jnp.zeros(()))


def test_f_anogans_encoder_waits_for_the_gan_which_then_stands_still():
    """By one program of all steps, and by one a stage, to the bit."""
    step = {stage: compiled(make_step(phases(stage))) for stage in (None, 0, 1)}
    states = {way: init(phases(), quick(0), rings(0, 16)) for way in ("whole", "staged")}
    start = states["whole"]
    for i in range(4):
        before = states["whole"]
        states["whole"], metrics = step[None](before, rings(i, 16))
        states["staged"], own = step[stage_of(2, i, 1)](states["staged"], rings(i, 16))
        moved = {
            name
            for name in before.players
            if any(
                (a != b).any()
                for a, b in zip(
                    jax.tree.leaves(before.players[name].params),
                    jax.tree.leaves(states["whole"].players[name].params),
                    strict=True,
                )
            )
        }
        assert moved == ({"encoder"} if i >= 2 else {"generator", "discriminator"})
        assert set(own) <= set(metrics)
        assert ("e/pixels" in own) == (i >= 2)
        if i == 1:
            still = states["whole"].players["generator"].average
    plain = lambda state: {name: np.asarray(x) for name, x in by_path(state.players).items()}
    for name, x in plain(states["whole"]).items():
        np.testing.assert_allclose(x, plain(states["staged"])[name], rtol=1e-5, atol=1e-6, err_msg=name)
    end = states["whole"].players["generator"].average
    same_arrays(*({name: np.asarray(x) for name, x in by_path(tree).items()} for tree in (still, end)))
    assert start.players["encoder"].average is None


@pytest.mark.parametrize(
    ("first", "steps", "stage"), [(0, 2, 0), (1, 1, 0), (1, 2, None), (2, 1, 1), (5, 3, 1), (0, 5, None)]
)
def test_stages_of_f_anogan(first, steps, stage):
    assert stage_of(2, first, steps) == stage


def test_codes_are_one_category_and_numbers_within_bounds():
    z = np.asarray(coded(NORMAL, 3, 2).sample(quick(0), 300))
    assert z.shape == (300, 7)
    assert set(np.unique(z[:, :3])) == {0.0, 1.0}
    assert (z[:, :3].sum(1) == 1).all()
    assert np.bincount(z[:, :3].argmax(1)).min() > 60
    assert np.abs(z[:, 3:5]).max() <= 1
    assert np.abs(z[:, 3:5]).max() > 0.95


def test_a_row_of_a_traversal_changes_one_code_alone():
    z, columns = traversals(coded(NORMAL, 3, 2), 3, 2)
    rows = z.reshape(-1, columns, z.shape[1])
    changed = [{int(i) for i in np.flatnonzero(np.ptp(row, axis=0))} for row in rows]
    assert changed == [{0, 1, 2}] * 3 + [{3}] * 3 + [{4}] * 3


def test_encoders_are_discriminators_of_the_family_with_more_numbers():
    model = MLPConfig(d_widths=(8,))
    x, z = jnp.zeros((2, 4, 4, 1)), jnp.zeros((2, 3))
    encoder = encoder_of(model, (4, 4, 1), 6)
    assert jax.eval_shape(lambda: encoder.init_with_output(quick(0), x)[0]).shape == (2, 6)
    critic = PairCritic(trunk=trunk_of(model, (4, 4, 1), 8), width=8)
    logits, features = jax.eval_shape(lambda: critic.init_with_output(quick(0), x, z, features=True)[0])
    assert (logits.shape, features.shape) == ((2,), (2, 8))
    with pytest.raises(InputError, match="latent: expected at least 2 coordinates to encode, got 1"):
        encoder_of(model, (4, 4, 1), 1)


def test_pairs_of_a_critic_share_the_mapped_axis():
    trunk = trunk_of(MLPConfig(d_batch_norm=True, d_widths=(8, 8)), (4, 4, 1), 8)
    assert dataclasses.replace(PairCritic(trunk=trunk)).clone(axis_name="data").trunk.axis_name == "data"
