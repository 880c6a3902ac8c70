"""What is typed and would change nothing is refused; presets may keep it, and so may what has its usual value."""

import pytest

from jaxgan.cli.train import Train
from jaxgan.cli.words.training import planned
from jaxgan.common.errors import InputError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("--penalty.weights r1 1 --penalty.end 0.3", "penalty.end: expected penalty.schedule to be another"),
        ("--penalty.every 4 --penalty.weights", "penalty.every: expected penalty.weights to be given"),
        (
            "--d-optimizer.end 0.3",
            "d_optimizer.end: expected d_optimizer.schedule to be another than constant",
        ),
        ("--g-optimizer.kind sgd --g-optimizer.b2 0.5", "g_optimizer.b2: expected g_optimizer.kind to be"),
        ("--ema.half-life 10 --ema.decay 0.9", "ema.decay: expected ema.half_life to be 0, .* got 10.0"),
        ("--ema.half-life 10 --ema.decay 0.999", "ema.decay: expected ema.half_life to be 0, .* got 10.0"),
        ("--ema.half-life 10 --ema.no-ramp-up", "ema.ramp_up: expected ema.half_life to be 0"),
        (
            "--dynamics.instance-noise-end 0.2",
            "dynamics.instance_noise_end: expected dynamics.instance_noise",
        ),
        ("--dynamics.blur-end 0.2", "dynamics.blur_end: expected dynamics.blur to be more than 0"),
        ("--dynamics.top-k-start 0.2", "dynamics.top_k_start: expected dynamics.top_k to be below 1"),
        ("--dynamics.lookahead-alpha 0.2", "dynamics.lookahead_alpha: expected dynamics.lookahead"),
        ("--schedule-kimg 100", "schedule_kimg: expected an optimiser, the penalties or the average"),
        ("--penalty.weights r1 1 --penalty.own-updates", "penalty.own_updates: expected penalty.every"),
        (
            "--penalty.weights r1 1 --penalty.every-of r2 16",
            r"penalty.every_of: expected names of penalty.weights \(r1\), got 'r2'",
        ),
        (
            "--penalty.weights r1 1 --penalty.every 4 --penalty.every-of r1 16",
            r"penalty.every: expected penalty.every_of to leave a penalty out, .* got all of them \(r1\)",
        ),
        ("--health.no-enabled --health.n 5", "health.n: expected health.enabled to be True"),
    ],
)
def test_what_would_be_lost_is_refused(text, message):
    with pytest.raises(InputError, match=f"^{message}"):
        planned(["mlp-mnist", *text.split()], Train)


@pytest.mark.parametrize(
    "text",
    [
        "mlp-mnist --penalty.end 0 --ema.decay 0.999",
        "mlp-mnist --penalty.weights r1 1 --penalty.schedule linear --penalty.end 0.3",
        "r3gan-cifar10 --penalty.schedule constant --g-optimizer.schedule constant --g-optimizer.b2-end None",
        "stylegan2-cifar10 --penalty.weights r2 1",
        "stylegan2-cifar10 --ema.half-life 0 --ema.half-life-ramp 0 --ema.decay 0.99",
        "mlp-mnist --penalty.weights r1 1 r2 1 --penalty.every 4 --penalty.every-of r1 16",
        "mlp-mnist --augment ada_scheduled --schedule-kimg 10",
    ],
)
def test_what_has_an_effect_or_comes_from_a_preset_is_kept(text):
    assert planned(text.split(), Train)
