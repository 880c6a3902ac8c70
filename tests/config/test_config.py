"""Configurations survive JSON, and their differences have names."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import some

from jaxgan import InputError, init, make_step
from jaxgan.config import (
    PRESETS,
    DynamicsConfig,
    EMAConfig,
    OptimizerConfig,
    PenaltyConfig,
    differences,
    from_json,
    get_preset,
    to_json,
    with_fields,
)
from jaxgan.losses import LOSSES
from jaxgan.models import ResNetConfig
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
    classifies = ResNetConfig(width=2, conditional=True, head="ac")
    config = dataclasses.replace(config, model=classifies, penalty=PenaltyConfig(weights, every=4))
    gan = config.build((8, 8, 1), 3)
    assert {slot.split("/")[1] for slot in gan.memory} == set(PENALTIES)


def test_schedules_end_at_zero():
    for schedule in ("linear", "cosine"):
        adam = OptimizerConfig(0.1, b1=0.0, b2=0.9, schedule=schedule).build(10)
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
    blur = DynamicsConfig(blur=4.0, blur_end=0.25).build(100)["augment"]["blur"]
    dot = jnp.zeros((1, 33, 33, 1)).at[0, 16, 16, 0].set(1.0)
    row = lambda s: blur.see((), dot, None, s)[0, :, 16, 0]
    assert [float(row(s)[16 + round(4 * (1 - s / 25))] / row(s)[16]) for s in (0, 12.5)] == pytest.approx(
        [0.5, 0.5]
    )
    np.testing.assert_array_equal(blur.see((), dot, None, 25), dot)
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


def reported(config, steps=6):
    """The metrics of the first steps of a small run on points."""
    small = with_fields(config, **{"model.g_widths": (4,), "model.d_widths": (4,), "batch_size": 4})
    gan = small.build((2,), 0)
    batch = {"image": jnp.asarray(np.random.default_rng(0).normal(size=(4 * small.d_steps, 2)), jnp.float32)}
    state, step, found = init(gan, jax.random.key(0), batch), jax.jit(make_step(gan)), []
    for _ in range(steps):
        state, metrics = step(state, batch)
        found.append({name: float(value) for name, value in metrics.items()})
    return found


@pytest.mark.parametrize("own", [False, True])
def test_penalties_have_intervals_of_their_own(own):
    weights = (("r1", 0.1), ("r2", 0.1))
    penalty = PenaltyConfig(weights, every=2, every_of=(("r1", 3), ("lecam", 5)), own_updates=own)
    assert penalty.own_turns() == ({"r1": 3, "r2": 2} if own else {})
    found = reported(dataclasses.replace(get_preset("toy-ring"), penalty=penalty))
    names = ("d_r1/r1", "d_r2/r2") if own else ("d/r1", "d/r2")
    applied = {name: [step for step, metrics in enumerate(found) if metrics[name]] for name in names}
    assert list(applied.values()) == [[0, 3], [0, 2, 4]]
    once = PenaltyConfig(weights, every_of=(("r1", 3),), own_updates=own)
    assert once.own_turns() == ({"r1": 3} if own else {})
    for bad in (("r3", 2), ("r1", 0)):
        with pytest.raises(
            InputError,
            match="unknown penalty 'r3'" if bad[1] else "every_of.r1: expected an integer from 1 to 1000000",
        ):
            PenaltyConfig(weights, every_of=(bad,)).build(10, 4)


def test_own_updates_follow_the_schedule_of_the_images_seen():
    """By step s, 2 s batches have been seen with 2 critic updates a step; the term counts its own updates."""
    penalty = PenaltyConfig((("r1", 1.0),), every=2, own_updates=True, schedule="linear", end=0.0)
    changes = {"penalty": penalty, "d_steps": 2, "steps": 8, "dynamics": DynamicsConfig()}
    still = OptimizerConfig(1e-12, kind="sgd", b1=0.0)
    config = dataclasses.replace(get_preset("toy-ring"), **changes, g_optimizer=still, d_optimizer=still)
    values = [metrics["d_r1/r1"] for metrics in reported(config, 8)]
    shares = [1, 0, 0.75, 0, 0.5, 0, 0.25, 0]
    assert [value / values[0] for value in values] == pytest.approx(shares, abs=1e-4)


def test_an_optimiser_is_corrected_for_the_updates_of_penalties_alone():
    """Of k + 1 updates in k steps (or 2 k + 1 with two critic updates a step), and so is the length of its schedule."""
    penalty = PenaltyConfig(
        (("r1", 1.0), ("path_length", 1.0)), every_of=(("r1", 4), ("path_length", 2)), own_updates=True
    )
    rate = OptimizerConfig(0.3, b1=0.5, b2=0.9, schedule="linear")
    config = dataclasses.replace(
        get_preset("toy-ring"), penalty=penalty, d_steps=2, steps=8, g_optimizer=rate, d_optimizer=rate
    )
    players = config.build((2,), 0).players
    for name, share, updates in (("discriminator", 8 / 9, 18), ("generator", 2 / 3, 12)):
        plain = optax.adam(optax.linear_schedule(0.3 * share, 0.0, updates), 0.5**share, 0.9**share, 1e-8)
        ways = []
        for optimizer in (players[name].optimizer, plain):
            state, way = optimizer.init(jnp.zeros(2)), []
            for slope in ([1.0, -2.0], [0.5, 3.0], [-1.0, 0.1]):
                step, state = optimizer.update(jnp.asarray(slope), state, jnp.zeros(2))
                way.append(step)
            ways.append(jnp.stack(way))
        np.testing.assert_allclose(*ways, rtol=1e-6)


def test_averages_count_steps_or_images():
    config = dataclasses.replace(get_preset("toy-ring"), batch_size=50, d_steps=2)
    decay = lambda **fields: (
        dataclasses.replace(config, ema=EMAConfig(**fields)).build((2,), 0).players["generator"].average
    )
    assert float(decay(decay=0.75)(10**6)) == 0.75
    assert float(decay(half_life=1.0)(7)) == pytest.approx(0.5**0.1, rel=1e-6)  # 100 images a step
    assert float(decay(half_life=1.0, half_life_ramp=0.5)(4)) == pytest.approx(
        0.5**0.5, rel=1e-6
    )  # of 400 seen, 200
    for name, expected in (("half_life", "0 <= half_life < inf"), ("half_life_ramp", "at least 0")):
        with pytest.raises(InputError, match=f"ema.{name}: expected {expected}"):
            decay(**{name: -1.0})


def test_the_rate_of_sgd_is_not_corrected_for_lazy_penalties():
    """An own update, k times as strong in one of k steps, goes as far by itself."""
    plain = OptimizerConfig(0.3, b1=0.0, kind="sgd").build(10, share=0.5)
    step, _ = plain.update(jnp.ones(2), plain.init(jnp.zeros(2)), jnp.zeros(2))
    np.testing.assert_allclose(step, -0.3, rtol=1e-6)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"ema.half_life": 10.0, "ema.start": 1000}, "ema.start: expected 0 beside ema.half_life, got 1000"),
        (
            {"schedule_kimg": float("inf")},
            "schedule_kimg: expected a number from 0 to 2000000.0 thousand images",
        ),
        ({"schedule_kimg": 1e300}, "schedule_kimg: expected a number from 0 to"),
        ({"ema.half_life": float("inf")}, "ema.half_life: expected"),
        (
            {"penalty.every_of": (("r1", 10**20),)},
            "penalty.every_of.r1: expected an integer from 1 to 1000000",
        ),
        (
            {"penalty.every_of": (("r1", 4), ("r1", 8))},
            "penalty.every_of: expected each name once, got r1, r1",
        ),
        ({"penalty.options": (("order", 1.0), ("order", 2.0))}, "option of the penalties"),
        (
            {"augment_options": (("target", 0.5),)},
            "target: expected no option of the augmentations, as there are",
        ),
        (
            {"augment": ("adaptive",), "augment_options": (("interval", float("inf")),)},
            "interval: expected a whole number, got inf",
        ),
        (
            {"augment": ("adaptive",), "augment_options": (("target", 0.5), ("target", 0.6))},
            "target: expected this option of adaptive once|target: expected this option",
        ),
        ({"augment": ("adaptive", "adaptive")}, "augment: expected each name once, got 'adaptive' twice"),
        ({"dynamics.blur": 2.0}, r"blur: expected images \[n, h, w, c\], got examples of shape \(2,\)"),
        (
            {"penalty.own_updates": True, "penalty.every": 2, "d_optimizer.orthogonal": 1e-4},
            "d_optimizer.orthogonal: expected 0 beside penalty.own_updates, got 0.0001",
        ),
    ],
)
def test_settings_that_would_be_lost_are_refused(fields, message):
    with pytest.raises(InputError, match=message):
        with_fields(get_preset("toy-ring"), **fields).build((2,), 0)


def test_growing_networks_take_no_schedule_that_begins_anew():
    config = with_fields(get_preset("progan-cifar10"), **{"g_optimizer.schedule": "linear"})
    with pytest.raises(InputError, match="g_optimizer.schedule: expected constant where optimisers begin"):
        config.build((32, 32, 3), 0)
    with_fields(config, **{"model.restart": False}).build((32, 32, 3), 0)


def test_optimisers_begin_anew_at_their_steps_whatever_penalties_update_alone():
    """With R1 alone in one of 2 steps the critic has made 3 updates in 2 steps, and 12 before step 8."""
    penalty = PenaltyConfig((("r1", 1.0),), every=2, own_updates=True)
    still = OptimizerConfig(1e-3, b1=0.9)
    config = with_fields(
        get_preset("progan-cifar10"),
        **{"model.width": 2, "model.base": 16, "model.stable_kimg": 0.063, "model.fade_kimg": 0.008},
        penalty=penalty, batch_size=8, steps=40, g_optimizer=still, d_optimizer=still, loss="non_saturating",
    )  # fmt: skip
    changes = config.model.growth((32, 32, 3), 8).changes()
    assert changes[0] == 8
    optimizer = config.build((32, 32, 3), 0).players["discriminator"].optimizer
    state, moments = optimizer.init(jnp.zeros(1)), []
    for count in range(14):
        slope = jnp.ones(1) if count < 12 else jnp.zeros(1)
        step, state = optimizer.update(slope, state, jnp.zeros(1))
        moments.append(float(jnp.abs(step).max()))
    assert moments[11] > 0
    assert moments[12] == 0  # nothing is left of the moments


@pytest.mark.parametrize("penalty", some(["r1", "r2"], "r1"))
def test_approximate_penalties_ask_one_network_whose_statistics_change(penalty):
    """Spectral norms of new weights move far in a pass: the noisy and the plain examples must meet the same ones."""
    approximate = f"{penalty}_approximate"
    model = dataclasses.replace(get_preset("toy-ring").model, d_spectral_norm=True, d_fourier=0)
    weights = PenaltyConfig(((penalty, 0.0), (approximate, 0.0)))
    config = with_fields(get_preset("toy-ring"), model=model, penalty=weights, batch_size=512)
    batch = {"image": jax.random.normal(jax.random.key(1), (512, 2))}
    gan = config.build((2,), 0)
    _, metrics = jax.jit(make_step(gan))(init(gan, jax.random.key(0), batch), batch)
    ratio = float(metrics[f"d/{approximate}"] / metrics[f"d/{penalty}"])
    assert 0.7 < ratio < 1.4
