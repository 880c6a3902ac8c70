"""Games of two phases: a player's schedule takes the phase in which it moves."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest

from jaxgan.config import OptimizerConfig, get_preset
from jaxgan.models import MLPConfig, SRResNetConfig

FALLING = OptimizerConfig(1.0, kind="sgd", b1=0.0, schedule="linear")
RATES = {"g_optimizer": FALLING, "d_optimizer": FALLING, "e_optimizer": FALLING}


def rates(optimizer, updates):
    """The rates of so many updates."""
    state, found, update = optimizer.init(jnp.zeros(())), [], jax.jit(optimizer.update)
    for _ in range(updates):
        step, state = update(jnp.ones(()), state)
        found.append(-float(step))
    return found


@pytest.mark.parametrize(
    ("preset", "fields", "shape", "updates"),
    [
        (
            "fanogan",
            {
                "game_options": (("gan_steps", 12),),
                "log_every": 4,
                "model": MLPConfig(g_widths=(4,), d_widths=(4,)),
            },
            (8, 8, 1),
            {"generator": 12, "discriminator": 12, "encoder": 8},
        ),
        (
            "super-resolution-64",
            {"game_options": (("pixel_steps", 15),), "model": SRResNetConfig(width=2, blocks=1)},
            (16, 16, 3),
            {"translator": 20, "critic": 5},
        ),
    ],
)
def test_a_schedule_ends_with_its_players_phase(preset, fields, shape, updates):
    config = dataclasses.replace(get_preset(preset), steps=20, **fields, **RATES)
    players = config.build(shape).players
    for name, n in updates.items():
        assert rates(players[name].optimizer, n) == pytest.approx([1 - i / n for i in range(n)], abs=1e-6), (
            name
        )
