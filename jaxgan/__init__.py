"""jaxgan: generative adversarial networks in JAX, as pure functions.

A `Game` is what never changes (players, turns), a `GameState` is arrays only, and `make_step(game)` is the training
step, a pure function of (state, batch). `GAN(...)` makes the game of one generator and one discriminator.

Names are imported when they are first asked for, so that `import jaxgan` is fast.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxgan import (
        apps,
        augment,
        config,
        data,
        games,
        health,
        losses,
        metrics,
        models,
        penalties,
        report,
        runs,
        study,
        train,
    )
    from jaxgan.apps.fit import fit
    from jaxgan.apps.used import load
    from jaxgan.common.devices import make_mesh
    from jaxgan.common.errors import InputError
    from jaxgan.games.compile import compile_step
    from jaxgan.games.game import Game, GameState, Moves, Player, PlayerState, Turn, ema_schedule, init
    from jaxgan.games.gan import GAN
    from jaxgan.games.step import make_step
    from jaxgan.games.view import View
    from jaxgan.losses import LOSSES, Claim, Loss
    from jaxgan.models.latents import LATENTS, Latent
    from jaxgan.penalties import PENALTIES, Penalty, Scene, Term
    from jaxgan.report.notebook import TrainedRun

__version__ = "0.1.0"

_WHERE = {
    "GAN": "games.gan",
    "Game": "games.game",
    "GameState": "games.game",
    "Moves": "games.game",
    "Player": "games.game",
    "PlayerState": "games.game",
    "Turn": "games.game",
    "View": "games.view",
    "ema_schedule": "games.game",
    "init": "games.game",
    "make_step": "games.step",
    "compile_step": "games.compile",
    "make_mesh": "common.devices",
    "InputError": "common.errors",
    "LOSSES": "losses",
    "Claim": "losses",
    "Loss": "losses",
    "LATENTS": "models.latents",
    "Latent": "models.latents",
    "PENALTIES": "penalties",
    "Penalty": "penalties",
    "Scene": "penalties",
    "Term": "penalties",
    "TrainedRun": "report.notebook",
    "fit": "apps.fit",
    "load": "apps.used",
}
_ROOMS = (
    "apps", "augment", "config", "data", "games", "health", "losses", "metrics", "models", "penalties", "report",
    "runs", "study", "train",
)  # fmt: skip

__all__ = [
    "GAN",
    "LATENTS",
    "LOSSES",
    "PENALTIES",
    "Claim",
    "Game",
    "GameState",
    "InputError",
    "Latent",
    "Loss",
    "Moves",
    "Penalty",
    "Player",
    "PlayerState",
    "Scene",
    "Term",
    "TrainedRun",
    "Turn",
    "View",
    "__version__",
    "apps",
    "augment",
    "compile_step",
    "config",
    "data",
    "ema_schedule",
    "fit",
    "games",
    "health",
    "init",
    "load",
    "losses",
    "make_mesh",
    "make_step",
    "metrics",
    "models",
    "penalties",
    "report",
    "runs",
    "study",
    "train",
]


def __getattr__(name: str) -> object:
    """Imports what is asked for: a public name from its module, or a room of the package."""
    if name in _WHERE:
        value = getattr(importlib.import_module(f"jaxgan.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    if name in _ROOMS:
        return importlib.import_module(f"jaxgan.{name}")
    raise AttributeError(f"module 'jaxgan' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Public names, for completion."""
    return sorted(__all__)
