"""A discriminator that classifies: what the term of its classes teaches both players."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import GAN, InputError, init, make_step
from jaxgan.common.keys import quick
from jaxgan.losses import LOSSES
from jaxgan.models import ResNetConfig
from jaxgan.models.latents import get_latent
from jaxgan.penalties import get_penalty

RATE = 1e-3
BATCH = {
    "image": jax.random.uniform(quick(0), (4, 8, 8, 1), minval=-1.0),
    "label": jnp.asarray([0, 1, 2, 1]),
}


def stepped(head="ac", batch=BATCH, **weights):
    """The state before and after one step of gradient descent, and its metrics."""
    config = ResNetConfig(width=2, d_spectral_norm=False, conditional=True, head=head)
    networks, sgd = config.build((8, 8, 1), 3), optax.sgd(RATE)
    penalties = {"classes": (2.0, get_penalty("auxiliary_classifier", **weights))} if weights else {}
    game = GAN(*networks, LOSSES["hinge"](), sgd, sgd, get_latent("normal", 3), penalties=penalties)
    state = init(game, quick(1), batch)
    new, metrics = jax.jit(make_step(game))(state, batch)
    return state, new, metrics


def moved(before, after):
    return jax.tree.map(
        lambda a, b: (np.asarray(a) - b) / RATE, *jax.device_get((before.params, after.params))
    )


def test_the_discriminator_learns_to_classify():
    """Its class layer has the gradient of the cross-entropy, weighted; without the term, none."""
    before, after, metrics = stepped(fake_weight=0.0, generator_weight=1.0)
    d = before.players["discriminator"]
    module = ResNetConfig(width=2, d_spectral_norm=False, conditional=True, head="ac").build((8, 8, 1), 3)[1]

    def entropy(params):
        classes = module.apply({"params": params}, BATCH["image"], train=True, classify=True)
        return -jax.nn.log_softmax(classes)[jnp.arange(4), BATCH["label"]].mean()

    value, slope = jax.device_get(jax.jit(jax.value_and_grad(entropy))(d.params))
    np.testing.assert_allclose(metrics["d/classes"], value, rtol=1e-5)
    got = moved(d, after.players["discriminator"])["ClassHead_0"]["classes"]
    expected = jax.tree.map(lambda leaf: 2 * leaf, slope["ClassHead_0"]["classes"])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), got, expected)
    before, after, _ = stepped()
    plain = moved(before.players["discriminator"], after.players["discriminator"])
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(plain["ClassHead_0"]["classes"]))


def test_the_generator_learns_from_the_classes():
    """Its move is linear in the weight of its term, and is another one than without."""
    moves = []
    for weight in (0.0, 1.0, 2.0):
        before, after, metrics = stepped(fake_weight=1.0, generator_weight=weight)
        moves.append(moved(before.players["generator"], after.players["generator"]))
        assert "g/classes" in metrics
    none, once, twice = moves
    gains = jax.tree.map(lambda a, b: a - b, once, none)
    assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(gains)) > 1e-4
    double = jax.tree.map(lambda a, b: a - b, twice, none)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, 2 * b, rtol=2e-2, atol=2e-5), double, gains)


def test_it_needs_labels_and_a_discriminator_that_classifies():
    with pytest.raises(InputError, match=r"^classes: expected a discriminator that classifies"):
        stepped(head="projection", fake_weight=1.0)
