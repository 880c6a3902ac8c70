"""Every recipe for a game obeys every law."""

import pytest
from helpers import some
from toys import recipes

from jaxgan.games import laws


@pytest.mark.parametrize("name", some(recipes(), "cycle_gan", "path length", "adaptive"))
def test_every_recipe_obeys_every_law(name):
    game, batches = recipes()[name]
    assert [v for v in laws.check(game, [batches(i, 16) for i in range(3)]) if v.outcome == "broken"] == []
