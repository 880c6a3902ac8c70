"""Configurations survive JSON, and their differences have names."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import optax
import pytest

from jaxgan import InputError, init, make_step
from jaxgan.config import (
    PRESETS,
    DynamicsConfig,
    OptimizerConfig,
    PenaltyConfig,
    differences,
    from_json,
    get_preset,
    to_json,
    with_fields,
)
from jaxgan.losses import LOSSES
from jaxgan.penalties import PENALTIES


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name):
    config = get_preset(name)
    assert from_json(json.loads(json.dumps(to_json(config)))) == config
    assert config.preset == name
    assert PRESETS[name].summary


def test_differences_are_named():
    config = get_preset("toy-ring")
    other = dataclasses.replace(
        config, steps=1, g_optimizer=OptimizerConfig(0.5), penalty=PenaltyConfig((("r1", 2.0),))
    )
    stored = json.loads(json.dumps(to_json(config)))
    assert differences(stored, to_json(config)) == []
    names = [text.split(" ")[0] for text in differences(stored, to_json(other))]
    assert names == [
        "g_optimizer.b1",
        "g_optimizer.b2",
        "g_optimizer.learning_rate",
        "g_optimizer.schedule",
        "penalty.end",
        "penalty.schedule",
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
        assert dataclasses.replace(config, loss=loss).build((8, 8, 1), 0).critic.loss.discriminator
    weights = tuple((name, 2.0) for name in PENALTIES)
    gan = dataclasses.replace(config, penalty=PenaltyConfig(weights, every=4)).build((8, 8, 1), 0)
    assert {slot.split("/")[1] for slot in gan.memory} == set(PENALTIES)


def test_schedules_end_at_zero():
    for schedule in ("linear", "cosine"):
        adam = OptimizerConfig(0.1, 0.0, 0.9, schedule=schedule).build(10)
        params = jnp.ones(())
        state, sizes = adam.init(params), []
        for _ in range(11):
            update, state = adam.update(jnp.ones(()), state, params)
            sizes.append(abs(float(update)))
        assert sizes[0] == pytest.approx(0.1, rel=1e-3)
        assert sizes[-1] == pytest.approx(0, abs=1e-6)


def test_fields_are_changed_by_dotted_names():
    config = with_fields(
        get_preset("toy-ring"), **{"steps": 5, "penalty.weights.r1": 0.5, "g_optimizer.learning_rate": 3e-4}
    )
    assert (config.steps, dict(config.penalty.weights)["r1"], config.g_optimizer.learning_rate) == (
        5,
        0.5,
        3e-4,
    )
    for name, message in [
        ("penalty.evry", "did you mean 'penalty.every'"),
        ("penalty.weights.r3", "unknown field 'penalty.weights.r3'; did you mean 'penalty.weights.r"),
        ("penalty.weights.r1.more", "unknown field"),
        ("steps.more", "unknown field 'steps.more'"),
    ]:
        with pytest.raises(InputError, match=message):
            with_fields(config, **{name: 1})


def test_extragradient_calls_its_optimisers_twice_a_step():
    """A rate that falls to 0 over the run must not be 0 halfway."""
    changes = {"steps": 8, "model.g_widths": (4,), "model.d_widths": (4,), "batch_size": 4}
    config = with_fields(get_preset("toy-ring"), **changes, **{"dynamics.updates": "extragradient"})
    gan = config.build((2,), 0)
    batch = {"image": jnp.ones((4, 2))}
    state, step = init(gan, jax.random.key(0), batch), jax.jit(make_step(gan))
    for _ in range(6):
        before = state.players["generator"].params
        state, _ = step(state, batch)
    moved = optax.tree.norm(optax.tree.sub(state.players["generator"].params, before))
    assert float(moved) > 1e-4
    for _ in range(2):
        state, _ = step(state, batch)
    last = step(state, batch)[0].players["generator"].params
    assert float(optax.tree.norm(optax.tree.sub(last, state.players["generator"].params))) < 1e-6


def test_schedules_of_dynamics():
    dynamics = DynamicsConfig(top_k=0.5, top_k_start=0.5, instance_noise=2.0, instance_noise_end=0.25).build(
        100
    )
    assert [float(dynamics["top_k"](s)) for s in (0, 50, 75, 100)] == pytest.approx([1, 1, 0.75, 0.5])
    see = lambda s: dynamics["augment"]["instance_noise"].see((), jnp.zeros((4000, 1)), each, s).std()
    each = jax.random.split(jax.random.key(0), 4000)
    assert [float(see(s)) for s in (0, 12.5, 25, 80)] == pytest.approx([2, 1, 0, 0], rel=0.05)
    plain = DynamicsConfig().build(100)
    assert plain["top_k"] is None
    assert not plain["augment"]
    assert DynamicsConfig(lookahead=5, lookahead_alpha=0.3).build(9)["moves"].lookahead == (5, 0.3)


def test_options_take_the_type_of_their_default():
    build = lambda **fields: with_fields(get_preset("toy-ring"), **fields).build((2,), 0)
    assert build(loss="mmd_rbf", loss_options=(("sigmas", 2.0),)).critic.loss
    assert build(loss="sinkhorn", loss_options=(("iterations", 3.0),)).critic.loss
    assert build(loss="f_kl", loss_options=(("non_saturating", 1.0),)).critic.loss
    assert build(**{"penalty.weights": (("gradient_penalty", 1.0),), "penalty.options": (("order", 1.0),)})


WRONG = [
    (
        {"loss": "sinkhorn", "loss_options": (("iterations", 2.5),)},
        "iterations: expected a whole number, got 2.5",
    ),
    (
        {"loss": "f_kl", "loss_options": (("non_saturating", 0.5),)},
        "non_saturating: expected 0 or 1, got 0.5",
    ),
    ({"loss": "hinge", "loss_options": (("margn", 1.0),)}, "unknown option of loss 'hinge' 'margn'"),
    ({"loss": "hinge", "label_smoothing": 0.1}, "label_smoothing: loss 'hinge' has none, got 0.1"),
    ({"penalty.options": (("order", 1.0),)}, "unknown option of the penalties 'order'"),
    ({"penalty.weights": (("r1", 1.0), ("r1", 2.0))}, "penalty.weights: expected each name once, got r1, r1"),
    ({"penalty.weights": (("r1", -1.0),)}, "penalty.weights.r1: expected 0 <= r1 < inf, got -1.0"),
    ({"penalty.weights": (("r1", float("nan")),)}, "penalty.weights.r1: expected 0 <= r1 < inf, got nan"),
    ({"penalty.target": 2.0}, "penalty.target: none of the penalties .r1, r2. takes it"),
    ({"penalty.end": -1.0}, "penalty.end: expected at least 0, got -1.0"),
    ({"penalty.end": 0.0}, "end: expected positive ends of an exponential schedule"),
    ({"dynamics.top_k": 0.0}, "dynamics.top_k: expected 0 < top_k <= 1, got 0.0"),
    ({"dynamics.pack": 3}, "dynamics.pack: expected a divisor of batch_size = 256, got 3"),
    (
        {"dynamics.updates": "extragradient", "d_steps": 2},
        "d_steps: expected 1 with extragradient updates, got 2",
    ),
    ({"loss": "energy", "dynamics.top_k": 0.5}, "top_k ranks fakes by their logit"),
    ({"g_optimizer.schedule": "cosin"}, "unknown schedule 'cosin'; did you mean 'cosine'"),
    ({"g_optimizer.kind": "adm"}, "unknown optimizer kind 'adm'; did you mean 'adam'"),
    ({"latent.scale": 0.0}, "scale: expected a positive number, got 0.0"),
    ({"model.data_scale": 0.0}, "data_scale: expected a positive number, got 0.0"),
    ({"model.d_fourier": -1}, "d_fourier: expected at least 0, got -1"),
]


@pytest.mark.parametrize(("fields", "message"), WRONG)
def test_what_cannot_be_is_named(fields, message):
    with pytest.raises(InputError, match=message):
        with_fields(get_preset("toy-ring"), **fields).build((2,), 0)


def test_choices_are_checked_when_read():
    plain = to_json(get_preset("toy-ring"))
    plain["compute"]["how"] = "pmapp"
    with pytest.raises(InputError, match="unknown compute.how 'pmapp'; did you mean 'pmap'"):
        from_json(plain)
