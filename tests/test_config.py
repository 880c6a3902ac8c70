"""Configurations survive JSON, and their differences have names."""

import dataclasses
import json

import pytest

from jaxgan import InputError
from jaxgan.config import PRESETS, AdamConfig, PenaltyConfig, differences, from_json, get_preset, to_json
from jaxgan.losses import LOSSES
from jaxgan.penalties import PENALTIES


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name):
    config = get_preset(name)
    assert from_json(json.loads(json.dumps(to_json(config)))) == config
    assert config.preset == name
    assert PRESETS[name].__doc__


def test_differences_are_named():
    config = get_preset("toy-ring")
    other = dataclasses.replace(
        config, steps=1, g_optimizer=AdamConfig(0.5), penalty=PenaltyConfig((("r1", 2.0),))
    )
    stored = json.loads(json.dumps(to_json(config)))
    assert differences(stored, to_json(config)) == []
    names = [text.split(" ")[0] for text in differences(stored, to_json(other))]
    assert names == [
        "g_optimizer.b1",
        "g_optimizer.b2",
        "g_optimizer.learning_rate",
        "g_optimizer.schedule",
        "penalty.weights",
        "steps",
    ]


def test_unknown_fields_are_named():
    plain = to_json(get_preset("mlp-mnist"))
    with pytest.raises(InputError, match="unknown field of config.json 'stepps'; did you mean 'steps'"):
        from_json({**plain, "stepps": 1})
    with pytest.raises(InputError, match=r"'model.widht'"):
        from_json({**plain, "model": {"name": "dcgan", "widht": 1}})
    with pytest.raises(InputError, match="unknown model 'mpl'; did you mean 'mlp'"):
        from_json({**plain, "model": {"name": "mpl"}})


def test_every_loss_and_penalty_can_be_configured():
    config = get_preset("dcgan-mnist")
    for loss in LOSSES:
        assert dataclasses.replace(config, loss=loss).build((8, 8, 1), 0).loss.discriminator
    weights = tuple((name, 2.0) for name in PENALTIES)
    gan = dataclasses.replace(config, penalty=PenaltyConfig(weights, every=4)).build((8, 8, 1), 0)
    assert {name: weight for name, (weight, _) in gan.penalties.items()} == dict(weights)


def test_schedules_end_at_zero():
    for schedule in ("linear", "cosine"):
        import jax.numpy as jnp

        adam = AdamConfig(0.1, 0.0, 0.9, schedule=schedule).build(10)
        params = jnp.ones(())
        state, sizes = adam.init(params), []
        for _ in range(11):
            update, state = adam.update(jnp.ones(()), state, params)
            sizes.append(abs(float(update)))
        assert sizes[0] == pytest.approx(0.1, rel=1e-3)
        assert sizes[-1] == pytest.approx(0, abs=1e-6)
