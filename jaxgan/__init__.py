"""jaxgan: generative adversarial networks in JAX, as pure functions.

A `GAN` is what never changes (networks, loss, optimisers), a `GANState` is arrays only, and
`make_step(gan)` is the training step, a pure function of (state, batch).
"""

from typing import TYPE_CHECKING

from jaxgan.dynamics import Dynamics
from jaxgan.errors import InputError
from jaxgan.latents import LATENTS, Latent
from jaxgan.losses import LOSSES, Claim, Loss
from jaxgan.penalties import PENALTIES, Penalty
from jaxgan.sharding import compile_step, make_mesh
from jaxgan.state import GAN, GANState, Player, ema_schedule, init
from jaxgan.step import make_step

if TYPE_CHECKING:
    from jaxgan.run import load

__version__ = "0.1.0"

__all__ = [
    "GAN",
    "LATENTS",
    "LOSSES",
    "PENALTIES",
    "Claim",
    "Dynamics",
    "GANState",
    "InputError",
    "Latent",
    "Loss",
    "Penalty",
    "Player",
    "__version__",
    "compile_step",
    "ema_schedule",
    "init",
    "load",
    "make_mesh",
    "make_step",
]


def __getattr__(name: str) -> object:
    """`jaxgan.load` brings files and configurations with it, so it is imported when asked for."""
    if name == "load":
        from jaxgan.run import load

        return load
    raise AttributeError(f"module 'jaxgan' has no attribute {name!r}")
