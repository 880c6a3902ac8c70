"""Distributions in the plane on which mode coverage can be counted exactly."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common import keys
from jaxgan.data.modality import POINT, Modality
from jaxgan.data.source import Endless


@dataclass(frozen=True, eq=False)
class Points(Endless):
    """A distribution over points, sampled without end.

    Attributes:
      name: of the distribution.
      draw: key -> (point float32 [d], label int32 []).
      modes: centres of the mixture [k, d]; empty for a distribution without modes.
      std: standard deviation of each mode.
      fingerprint: of the distribution and its constants.
      skipped: 0.
    """

    name: str
    draw: Callable[[jax.Array], tuple[jax.Array, jax.Array]]
    modes: np.ndarray
    std: float
    fingerprint: str
    skipped: int = 0

    modality: ClassVar[Modality] = POINT
    example: ClassVar[str] = "image"

    @property
    def n_modes(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Number of modes; 0 for a distribution without."""
        return len(self.modes)

    def sample(self, key: jax.Array, n: int) -> tuple[jax.Array, jax.Array]:
        """Points [n, d] and the modes they came from [n]; row i depends on the key and i only."""
        return jax.vmap(self.draw)(keys.per_example(key, n))

    def sample_arrays(self, key: jax.Array, n: int) -> dict[str, jax.Array]:
        """Points alone: they are never conditioned on their modes."""
        return {self.example: self.sample(key, n)[0]}

    def facts(self) -> dict[str, str]:
        """The range of some values, and the modes of the distribution."""
        modes = f"{self.n_modes}, standard deviation {self.std:g}" if self.n_modes else "none"
        return super().facts() | {"modes": modes}


def _mixture(name: str, modes: np.ndarray, std: float) -> Points:
    centres = np.asarray(modes, np.float32)

    def draw(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        which, around = jax.random.split(key)
        label = jax.random.randint(which, (), 0, len(centres))
        return jnp.asarray(centres)[label] + std * jax.random.normal(around, (2,)), label

    identity = hashlib.sha256(f"{name}{std}".encode() + centres.tobytes()).hexdigest()
    return Points(name, draw, centres, std, identity)


def ring() -> Points:
    """8 Gaussians of standard deviation 0.01 on the unit circle.

    References:
      Metz et al. (2017), Unrolled GANs; constants as in Srivastava et al. (2017), VEEGAN.
    """
    angles = 2 * np.pi * np.arange(8) / 8
    return _mixture("ring", np.stack([np.cos(angles), np.sin(angles)], 1), 0.01)


def grid() -> Points:
    """25 Gaussians of standard deviation 0.05 on the grid {-4, -2, 0, 2, 4}^2.

    References:
      Srivastava et al. (2017), VEEGAN; Lin et al. (2018), PacGAN.
    """
    steps = np.arange(-4, 5, 2)
    return _mixture("grid", np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2), 0.05)


def swissroll() -> Points:
    """A spiral: (t cos t, t sin t) plus Gaussian noise of 0.25, all over 7.5, with t = 1.5 pi (1 + 2 U[0, 1]).

    References:
      Gulrajani et al. (2017), Improved training of Wasserstein GANs, figure 1 and its code.
    """

    def draw(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        where, around = jax.random.split(key)
        t = 1.5 * jnp.pi * (1 + 2 * jax.random.uniform(where))
        point = jnp.stack([t * jnp.cos(t), t * jnp.sin(t)])
        noisy = (point + 0.25 * jax.random.normal(around, (2,))) / 7.5
        return noisy, jnp.zeros((), jnp.int32)

    identity = hashlib.sha256(b"swissroll 1.5 0.25 7.5").hexdigest()
    return Points("swissroll", draw, np.zeros((0, 2), np.float32), 0.25 / 7.5, identity)


TOYS = {"ring": ring, "grid": grid, "swissroll": swissroll}
