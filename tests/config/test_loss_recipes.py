"""Recipes of losses: what belongs together is set, whatever the preset had, and nothing else."""

import dataclasses

import pytest

from jaxgan.config import RECIPES, PenaltyConfig, from_json, get_preset, to_json, with_fields
from jaxgan.config.recipes import inherited
from jaxgan.losses import LOSSES
from jaxgan.penalties import PENALTIES

SET = {"loss", "loss_options", "label_smoothing", "penalty", "d_steps", "g_optimizer", "d_optimizer", "model"}


@pytest.mark.parametrize("preset", ["dcgan-mnist", "toy-ring", "mlp-mnist"])
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_fits_every_preset(name, preset):
    recipe, before = RECIPES[name], get_preset(preset)
    after = recipe.applied(before)
    changed = {f.name for f in dataclasses.fields(after) if getattr(after, f.name) != getattr(before, f.name)}
    assert changed <= SET
    assert after.loss in LOSSES
    assert set(dict(after.penalty.weights)) <= set(PENALTIES)
    assert dataclasses.replace(after.penalty, weights=()) == PenaltyConfig()
    assert after.g_optimizer.schedule == before.g_optimizer.schedule
    assert after.build((2,) if preset == "toy-ring" else (28, 28, 1), 0).turns
    assert from_json(to_json(after)) == after
    assert recipe.said(before).startswith(f"{after.loss}; ")
    assert recipe.applied(after) == after


def test_what_the_papers_say():
    config = get_preset("dcgan-mnist")
    wgan, lsgan, hinge, r3gan, dragan = (
        RECIPES[name].applied(config) for name in ("wgan", "lsgan", "hinge-sn", "r3gan", "dragan")
    )
    assert (wgan.d_optimizer.kind, wgan.d_optimizer.clip_weights, wgan.d_steps) == ("rmsprop", 0.01, 5)
    assert wgan.g_optimizer.clip_weights == 0
    assert (lsgan.loss, lsgan.penalty.weights, lsgan.g_optimizer.b1) == ("least_squares", (), 0.5)
    assert (hinge.model.d_spectral_norm, hinge.model.d_batch_norm, hinge.d_steps) == (True, False, 1)
    assert (r3gan.loss, r3gan.penalty.weights) == ("relativistic_paired", (("r1", 1.0), ("r2", 1.0)))
    assert dragan.penalty.weights == (("dragan", 10.0),)


def test_networks_without_such_fields_are_left_alone():
    @dataclasses.dataclass(frozen=True)
    class Family:
        width: int = 3

    config = with_fields(get_preset("toy-ring"), model=Family())
    recipe = RECIPES["hinge-sn"]
    assert recipe.applied(config).model == Family()
    assert recipe.said(config).endswith("; these networks have no d_batch_norm, d_spectral_norm")


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ({"every": 4}, {"every": 4}, {"every": 4}),
        ({"every": 4}, {"every": 2}, {}),
        ({"every": 1}, {"every": 1}, {}),
        ({"end": 0.5, "schedule": "cosine"}, {"end": 0.5, "schedule": "linear"}, {"end": 0.5}),
    ],
)
def test_what_other_penalties_inherit(before, after, kept):
    old, new = (("r1", 1.0),), (("lecam", 1.0),)
    assert inherited(PenaltyConfig(old, **before), PenaltyConfig(new, **after)) == kept
    assert inherited(PenaltyConfig(old, **before), PenaltyConfig(old, **after)) == {}
