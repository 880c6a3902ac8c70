"""Adversarial games: players, turns, the step that plays them, and how players move."""

from jaxgan.games.compile import compile_step
from jaxgan.games.cycle_gan import cycle_gan
from jaxgan.games.encoder_gan import bigan, vae_gan
from jaxgan.games.game import (
    Batch,
    Critic,
    Game,
    GameState,
    Metrics,
    Moves,
    Output,
    Player,
    PlayerState,
    Turn,
    ema_schedule,
    half_life_schedule,
    init,
)
from jaxgan.games.gan import GAN
from jaxgan.games.many_critics import many_critics
from jaxgan.games.pairs.direction import Translation
from jaxgan.games.pairs.translation import translation
from jaxgan.games.step import make_step
from jaxgan.games.view import Deal, View, starts, weighed

__all__ = [
    "GAN",
    "Batch",
    "Critic",
    "Deal",
    "Game",
    "GameState",
    "Metrics",
    "Moves",
    "Output",
    "Player",
    "PlayerState",
    "Translation",
    "Turn",
    "View",
    "bigan",
    "compile_step",
    "cycle_gan",
    "ema_schedule",
    "half_life_schedule",
    "init",
    "make_step",
    "many_critics",
    "starts",
    "translation",
    "vae_gan",
    "weighed",
]
