"""Arguments of a game that are of another kind: one clear line each."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toys import Gain, Line

from jaxgan import GAN, LATENTS, LOSSES, Game, InputError, Player, Turn, ema_schedule, init, make_step
from jaxgan.common.keys import quick
from jaxgan.games import many_critics
from jaxgan.models import MLPConfig, ProGANConfig
from jaxgan.penalties import r1

BATCH = {"image": jnp.ones((6, 3))}


def gan(**changes):
    adam = optax.adam(1e-3)
    whole = {
        "generator": Gain(),
        "discriminator": Line(),
        "loss": LOSSES["hinge"](),
        "latent": LATENTS["normal"](3),
    }
    return GAN(**whole | {"g_optimizer": adam, "d_optimizer": adam} | changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"generator": Gain},
            "generator: expected a Linen module such as Gain(...), got the class Gain itself",
        ),
        (
            {"discriminator": 3},
            "discriminator: expected a Linen module (an instance of flax.linen.Module), got 3",
        ),
        ({"loss": "hinge"}, "loss: expected a Loss such as LOSSES[\"hinge\"](), got 'hinge'"),
        (
            {"loss": LOSSES["hinge"]},
            'loss: expected a Loss such as LOSSES["hinge"](), got the function hinge, which is '
            "to be called first",
        ),
        (
            {"g_optimizer": 2e-4},
            "g_optimizer: expected an optax transformation such as optax.adam(2e-4, 0.5), got 0.0002",
        ),
        (
            {"d_optimizer": optax.adam},
            "d_optimizer: expected an optax transformation such as optax.adam(2e-4, 0.5), got "
            "the function adam, which is to be called first",
        ),
        ({"latent": 64}, 'latent: expected a Latent such as LATENTS["normal"](64), got 64'),
        ({"top_k": 0.5}, "top_k: expected a function of the step such as lambda step: 0.5, got 0.5"),
        (
            {"ema_decay": 0.99},
            "ema_decay: expected a function of the step such as ema_schedule(0.999), got 0.99",
        ),
        ({"penalties": ["r1"]}, "penalties: expected a mapping of names to (weight, Penalty) such as "),
        ({"penalties": {"r1": r1()}}, "penalties['r1']: expected a pair (weight, Penalty) such as "),
        ({"penalties": {"r1": (1.0, r1)}}, "penalties['r1']: expected a Penalty such as "),
        ({"augment": {"shake": lambda x: x}}, "augment['shake']: expected an Augmentation such as"),
        ({"moves": "extragradient"}, "moves: expected a Moves such as"),
        ({"d_steps": np.float32(2)}, "d_steps: expected a whole number, got np.float32(2.0)"),
        ({"d_steps": 2.0}, "d_steps: expected a whole number, got 2.0"),
        ({"pack": "2"}, "pack: expected a whole number, got '2'"),
    ],
)
def test_another_kind_is_one_line(changes, says):
    with pytest.raises(InputError) as caught:
        gan(**changes)
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)


class Wide(nn.Module):
    outputs: int = 5

    @nn.compact
    def __call__(self, x, label=None, *, train=False):
        return nn.Dense(self.outputs)(x)


class Mean(nn.Module):
    @nn.compact
    def __call__(self, x, label=None, *, train=False):
        return nn.Dense(1)(x).mean()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"generator": Wide()}, "generator: expected examples of the reals' shape (6, 3), got (6, 5)"),
        (
            {"discriminator": Mean()},
            "discriminator: expected logits [6] or [6, k] for 6 examples, got shape ()",
        ),
    ],
)
def test_networks_of_another_shape(changes, says):
    game = gan(**changes)
    with pytest.raises(InputError) as caught:
        jax.eval_shape(lambda: make_step(game)(init(game, quick(0), BATCH), BATCH))
    assert str(caught.value) == says


def play(player, objective):
    turn = Turn("t", ("one",), objective)
    game = Game(players={"one": player}, turns=(turn,), inputs=lambda batch: {"one": (batch["image"],)})
    return jax.eval_shape(lambda: make_step(game)(init(game, quick(0), BATCH), BATCH))


def test_objectives_are_one_number():
    player = Player(Line(), optax.sgd(0.1))
    play(player, lambda view: view("one", view.batch["image"]).mean())
    with pytest.raises(
        InputError, match=r"turn 't': expected its objective to return one number, such as a mean, got "
    ):
        play(player, lambda view: view("one", view.batch["image"]))


@pytest.mark.parametrize(
    ("player", "says"),
    [
        (Player(Line, optax.sgd(0.1)), "module of player 'one': expected a Linen module such as Line"),
        (Player(Line(), 0.1), "optimizer of player 'one': expected an optax transformation"),
        (Player(Line(), optax.sgd(0.1), 0.9), "average of player 'one': expected a function of the step"),
        ((Line(), optax.sgd(0.1)), "players\\['one'\\]: expected a Player such as"),
    ],
)
def test_players_of_another_kind(player, says):
    with pytest.raises(InputError, match=says):
        play(player, lambda view: 0.0)


def test_whole_numbers_of_numpy_are_whole_numbers():
    assert len(gan(d_steps=np.int64(3), pack=np.int32(1)).turns) == len(gan(d_steps=3).turns)


# --- what a game would leave out ---


def test_a_pack_is_told_no_labels_and_has_no_class():
    """A discriminator that looks at labels was given those of every second example."""
    given = []

    class Told(nn.Module):
        @nn.compact
        def __call__(self, x, label=None, *, train=False):
            given.append(label)
            return nn.Dense(1)(x)[:, 0]

    batch = {"image": jnp.zeros((4, 3)), "label": jnp.arange(4)}
    packs = gan(discriminator=Told(), pack=2)
    jax.eval_shape(lambda: make_step(packs)(init(packs, quick(0), batch), batch))
    assert given
    assert all(label is None for label in given)
    with pytest.raises(InputError, match="pack: expected 1 with a conditional game, .* got 2"):
        gan(pack=2, conditional=True)


def test_many_critics_refuse_networks_that_would_be_half_used():
    adam, net = optax.adam(1e-3), MLPConfig(g_widths=(4,), d_widths=(4,)).build((2,), 0)

    class Decodes(nn.Module):
        def terms(self, x, label, keys, train):
            return {}

    grown = ProGANConfig(width=8).build((8, 8, 3), 0)[0]
    play = lambda generator, *critics: many_critics(
        Player(generator, adam, ema_schedule()),
        [Player(own, adam) for own in critics],
        LOSSES["hinge"](),
        LATENTS["normal"](2),
    )
    assert play(*net)
    with pytest.raises(InputError, match="critic_1: expected a network without 'terms', .* got one"):
        play(*net, Decodes())
    with pytest.raises(InputError, match="generator: expected a network without 'detail'"):
        play(grown, net[1])
    with pytest.raises(InputError, match="critics: expected at least one player, got none"):
        play(net[0])
