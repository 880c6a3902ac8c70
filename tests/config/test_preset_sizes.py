"""The table of the presets' sizes is that of their networks."""

import jax
import jax.numpy as jnp
import pytest

from jaxgan import init
from jaxgan.config import PRESETS
from jaxgan.config.presets import sizes


def test_every_preset_is_counted():
    assert list(sizes()) == list(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_the_table_holds_what_networks_have(name):
    preset = PRESETS[name]
    gan = preset.build().build(preset.shape, preset.n_classes)
    labels = {"label": jnp.zeros(8, jnp.int32)} if preset.n_classes else {}
    batch = {"image": jax.ShapeDtypeStruct((8, *preset.shape), jnp.float32), **labels}
    state = jax.eval_shape(lambda: init(gan, jax.random.key(0), batch))
    counts = {
        name: sum(leaf.size for leaf in jax.tree.leaves(player.params))
        for name, player in state.players.items()
    }
    assert counts == {name: size["parameters"] for name, size in sizes()[name].items()}
    assert all(size["flops"] > 0 for size in sizes()[name].values())
