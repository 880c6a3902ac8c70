"""What ADA and APA make of a game: both sides and both turns are changed alike, fakes pass for reals."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toys import Net, rings

from jaxgan import GAN, init, make_step
from jaxgan.augment import Augmentation, ada, apa
from jaxgan.common.keys import quick
from jaxgan.games import Deal, View
from jaxgan.losses import LOSSES, Loss
from jaxgan.models import DCGANConfig
from jaxgan.models.latents import get_latent
from jaxgan.penalties import get_penalty

ALWAYS = {"start": 1.0, "interval": 10**6}
NEVER = {"start": 0.0, "interval": 10**6}


def first_step(augment, loss="hinge"):
    sgd = optax.sgd(1e-2)
    game = GAN(Net(2), Net(1, "logits"), LOSSES[loss](), sgd, sgd, get_latent("normal", 2), augment=augment)
    state = init(game, quick(0), rings(0))
    return jax.jit(make_step(game))(state, rings(0)), game, state


def test_with_probability_1_only_fakes_are_shown_as_real_and_others_than_those_beside_them():
    (_, metrics), game, state = first_step({"apa": apa(**ALWAYS)})
    view = View(game, game.turns[0], state, {}, Deal(rings(0), jax.random.fold_in(state.key, 0)))
    z = get_latent("normal", 2).sample(view.keys("latents/apa"), view.n)
    others = view.ask("discriminator", view.ask("generator", z, None), None)
    np.testing.assert_allclose(metrics["d/real_logits"], others.mean(), rtol=1e-5)
    assert metrics["d/real_logits"] != metrics["d/fake_logits"]


def test_with_probability_0_nothing_is_changed():
    (state, metrics), *_ = first_step({"apa": apa(**NEVER)})
    (plain, expected), *_ = first_step({})
    assert metrics == expected
    jax.tree.map(np.testing.assert_array_equal, state.players, plain.players)


def test_no_gradient_flows_through_fakes_that_pass_for_reals():
    """A loss of the generator that looks at reals alone: with fakes in their place it has nothing to learn."""
    loss = Loss(lambda real, fake: real, lambda real, fake: real + 0 * fake, threshold=0.0)
    sgd = optax.sgd(1.0)
    game = GAN(
        Net(2), Net(1, "logits"), loss, sgd, sgd, get_latent("normal", 2), augment={"apa": apa(**ALWAYS)}
    )
    state = init(game, quick(0), rings(0))
    after, _ = jax.jit(make_step(game))(state, rings(0))
    moved = lambda name: max(
        float(jnp.abs(a - b).max())
        for a, b in zip(
            jax.tree.leaves(after.players[name].params),
            jax.tree.leaves(state.players[name].params),
            strict=True,
        )
    )
    assert moved("generator") == 0
    assert moved("discriminator") > 0


def test_fakes_pass_for_reals_as_often_as_p_says():
    keys = jax.random.split(quick(0), 4000)
    shown = apa(start=0.3)
    mixed = shown.mix(shown.init(), jnp.zeros((4000, 2)), jnp.ones((4000, 2)), keys, jnp.asarray(0))
    assert set(np.unique(mixed)) == {0, 1}
    np.testing.assert_array_equal(mixed[:, 0], mixed[:, 1])
    assert abs(float(mixed.mean()) - 0.3) < 0.03


@pytest.mark.parametrize("reuse_fakes", [True, False])
def test_ada_changes_both_sides_in_both_turns(reuse_fakes):
    changes = []

    def see(memory, x, keys, step):
        seen = own.see(memory, x, keys, step)
        jax.debug.callback(
            lambda change: changes.append(np.asarray(change)), jnp.abs(seen - x).max((1, 2, 3))
        )
        return seen

    own = ada(start=4.0, geometric=0.0, blit=0.0)
    generator, discriminator = DCGANConfig(width=2).build((8, 8, 3), 0)
    sgd = optax.sgd(1e-2)
    game = GAN(
        generator, discriminator, LOSSES["hinge"](), sgd, sgd, get_latent("normal", 3),
        augment={"ada": own._replace(see=see)}, reuse_fakes=reuse_fakes,
    )  # fmt: skip
    batch = {"image": jax.random.uniform(quick(1), (6, 8, 8, 3), minval=-1)}
    state = init(game, quick(0), batch)
    changes.clear()
    after, _ = jax.jit(make_step(game))(state, batch)
    jax.block_until_ready(after)
    jax.effects_barrier()
    assert len(changes) >= 4  # reals and fakes of two turns
    assert all(change.shape == (6,) and change.min() > 1e-3 for change in changes)


@pytest.mark.parametrize("pack", [1, 2])
def test_r1_is_taken_in_the_reals_as_the_data_have_them(pack):
    """Through an augmentation that doubles everything: twice the gradient, four times the penalty."""
    double = Augmentation(lambda memory, x, keys, step: 2 * x)

    def penalties(augment):
        sgd = optax.sgd(1e-2)
        game = GAN(
            Net(2), Net(1, "logits"), LOSSES["hinge"](), sgd, sgd, get_latent("normal", 2), augment=augment, pack=pack,
            penalties={name: (1.0, get_penalty(name)) for name in ("r1", "r2", "r1_approximate")},
        )  # fmt: skip
        batch = rings(0) if augment else {"image": 2 * rings(0)["image"]}
        return jax.jit(make_step(game))(init(game, quick(0), batch), batch)[1]

    doubled, plain = penalties({"double": double}), penalties({})
    np.testing.assert_allclose(doubled["d/r1"], 4 * plain["d/r1"], rtol=1e-5)
    np.testing.assert_allclose(doubled["d/r1_approximate"], 4 * plain["d/r1_approximate"], rtol=0.05)
    assert doubled["d/r2"] > 0


def test_terms_see_the_strength_that_the_critic_saw_and_not_what_it_learns():
    """A strength that doubles in every update."""

    def learn(memory, real_logits, fake_logits):
        return 2 * memory

    own = Augmentation(lambda memory, x, keys, step: memory * x, lambda: jnp.ones(()), learn)
    seen = get_penalty("r1")
    sgd = optax.sgd(1e-2)
    game = lambda augment: GAN(
        Net(2), Net(1, "logits"), LOSSES["hinge"](), sgd, sgd, get_latent("normal", 2), augment=augment,
        penalties={"r1": (1.0, seen), "zcr": (1.0, get_penalty("latent_consistency", radius=0.0))},
    )  # fmt: skip
    step = lambda game: jax.jit(make_step(game))(init(game, quick(0), rings(0)), rings(0))
    (_, plain), (after, steered) = step(game({})), step(game({"own": own}))
    np.testing.assert_allclose(steered["d/r1"], plain["d/r1"], rtol=1e-5)
    np.testing.assert_allclose(steered["d/zcr"], 0, atol=1e-9)  # a step of 0 in latents, seen alike
    assert float(after.memory["augment/own"]) == 2


def test_terms_that_ask_for_logits_at_hand_make_no_pass_of_their_own():
    """Products of matrices in the whole step, both ways."""

    def products(names):
        sgd = optax.sgd(1e-2)
        game = GAN(
            Net(2), Net(1, "logits"), LOSSES["hinge"](), sgd, sgd, get_latent("normal", 2),
            penalties={name: (1.0, get_penalty(name)) for name in names},
        )  # fmt: skip
        state = jax.eval_shape(lambda: init(game, quick(0), rings(0)))
        return str(jax.make_jaxpr(make_step(game))(state, rings(0))).count("dot_general")

    assert products(["lecam"]) == products([])
    assert products(["consistency"]) > products([])
