"""The table of the presets' sizes is that of their networks."""

from functools import cache

import jax
import pytest
from helpers import some

from jaxgan import init
from jaxgan.config import PRESETS
from jaxgan.config.games import spec_for
from jaxgan.config.presets import sizes
from jaxgan.models import model_name


def test_every_preset_is_counted():
    assert list(sizes()) == list(PRESETS)


@cache
def parameters(networks, shape, n_classes):
    """How many each player has; the presets of one family have the same networks, or some of them."""
    config = PRESETS[networks].build()
    game, batch = config.build(shape, n_classes), spec_for(config, shape, n_classes).batch(8)
    players = jax.eval_shape(lambda: init(game, jax.random.key(0), batch)).players
    return {name: sum(x.size for x in jax.tree.leaves(player.params)) for name, player in players.items()}


FIRST = {}
"""Networks, as they are printed with all their fields -> the first preset that has them."""


BY_FAMILY = {
    (model_name(type(preset.build().model)), preset.build().game): name for name, preset in PRESETS.items()
}
"""Family and game -> the last preset of it."""


@pytest.mark.parametrize("name", some(PRESETS, *BY_FAMILY.values()))
def test_the_table_holds_what_networks_have(name):
    preset = PRESETS[name]
    config = preset.build()
    game = config.build(preset.shape, preset.n_classes)
    networks = f"{ {name: player.module for name, player in game.players.items()} } {config.latent}"
    counts = parameters(FIRST.setdefault(networks, name), preset.shape, preset.n_classes)
    assert counts == {name: size["parameters"] for name, size in sizes()[name].items()}
    assert all(size["flops"] > 0 for size in sizes()[name].values())
