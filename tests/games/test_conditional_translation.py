"""Translation that is told classes: it learns what no other can, and both networks are told whenever they are asked."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import LOSSES, InputError, Player, ema_schedule, init, make_step
from jaxgan.common.keys import quick
from jaxgan.config import Config, DataConfig
from jaxgan.config.games import spec_for
from jaxgan.games import translation
from jaxgan.models import GatedConfig, Pix2PixConfig, SRResNetConfig
from jaxgan.penalties import get_penalty

FAR = 0.8


def batch(rng, n=32):
    """Class 1 keeps the image, class 0 turns it round: an answer for both is wrong by FAR a pixel on average."""
    x = rng.choice([-FAR, FAR], (n, 8, 8, 1)).astype(np.float32)
    label = np.arange(n, dtype=np.int32) % 2
    return {"input": x, "image": np.where(label[:, None, None, None] == 0, -x, x), "label": label}


def game(conditional, rng):
    config = Pix2PixConfig(width=8, halvings=2, conditional=conditional)
    made, judged = config.build((8, 8, 1), 2, judged=2)
    makes = Player(made, optax.adam(1e-2, b1=0.5), ema_schedule(0.9))
    own = translation(
        makes, Player(judged, optax.adam(1e-3, b1=0.5)), LOSSES["non_saturating"](), conditional=conditional
    )
    return own, init(own, quick(0), batch(rng))


@pytest.mark.parametrize("conditional", [True, False])
def test_what_depends_on_the_class_alone_is_learned_with_it_alone(conditional):
    rng = np.random.default_rng(0)
    own, state = game(conditional, rng)
    step = jax.jit(make_step(own))
    for _ in range(80):
        state, metrics = step(state, batch(rng))
    assert (float(metrics["g/pixel"]) < FAR / 2) == conditional
    if conditional:  # and the other class of the same images is the other answer
        module, (x, label) = own.players["translator"].module, (batch(rng)[k] for k in ("input", "label"))
        ask = jax.jit(lambda label: module.apply(own.averaged(state)["translator"], x, label))
        wrong = [float(jnp.abs(ask(0 * label + c) - sign * x).mean()) for c, sign in ((0, -1), (1, 1))]
        assert sum(wrong) < 1.5 * FAR  # 2 FAR at least, of one answer to both


HEARD: dict[bool, list] = {}


class Told(nn.Module):
    """Keeps what it is told."""

    judges: bool = False

    @nn.compact
    def __call__(self, x, label=None, *, train=False):
        HEARD.setdefault(self.judges, []).append(label is not None)
        y = nn.Conv(1, (1, 1))(x)
        return y.reshape(len(x), -1) if self.judges else y


@pytest.mark.parametrize("conditional", [True, False])
def test_both_are_told_the_classes_whenever_they_are_asked(conditional):
    own = translation(
        Player(Told(), optax.sgd(0.1), ema_schedule()),
        Player(Told(judges=True), optax.sgd(0.1)),
        LOSSES["hinge"](),
        penalties={"gradient": (1.0, get_penalty("gradient_penalty"))},
        conditional=conditional,
    )
    x = batch(np.random.default_rng(0), 4)
    state = jax.eval_shape(lambda: init(own, quick(0), x))
    HEARD.clear()
    jax.eval_shape(make_step(own), state, x)
    for told in (HEARD[False], HEARD[True]):
        assert len(told) >= 2
        assert {*told} == {conditional}
    assert own.translations["forward"].conditional == conditional


@pytest.mark.parametrize("family", [Pix2PixConfig, GatedConfig, SRResNetConfig])
def test_conditional_networks_ask_for_classes(family):
    config = Config(game="translation", model=family(conditional=True), data=DataConfig(""))
    with pytest.raises(
        InputError, match=r"model\.conditional: expected data with class labels, got data without"
    ):
        config.build(spec_for(config, (32, 32, 3)))
    cycle = Config(game="cycle_gan", model=family(conditional=True), data=DataConfig(""))
    with pytest.raises(InputError, match="without classes in the game 'cycle_gan'"):
        cycle.build(spec_for(cycle, (32, 32, 3)))
    built = config.build(spec_for(config, (32, 32, 3), 5))
    assert [built.players[name].module.n_classes for name in ("translator", "critic")] == [5, 5]
    plain = Config(game="translation", model=family(), data=DataConfig(""))
    built = plain.build(spec_for(plain, (32, 32, 3), 5))
    assert [built.players[name].module.n_classes for name in ("translator", "critic")] == [0, 0]
