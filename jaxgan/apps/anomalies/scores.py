"""Scores of anomalies: functions of images and what networks make of them; the higher, the less normal."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.linalg

Score = Callable[[jax.Array], tuple[jax.Array, jax.Array]]
"""Images [n, ...] as the model sees them -> (scores [n], what they were rebuilt as [n, ...])."""


def izi_f(
    x: jax.Array, rebuilt: jax.Array, seen: jax.Array, remade: jax.Array, kappa: float = 1.0
) -> jax.Array:
    """Mean squared difference of pixels plus kappa times that of features, [n].

    Args:
      x: images [n, ...].
      rebuilt: G(E(x)), of their shape.
      seen: the discriminator's features of x, [n, k].
      remade: those of G(E(x)).
      kappa: weight of the features.

    References:
      Schlegl et al. (2019), f-AnoGAN, eq. 5.
    """
    return _mean(jnp.square(x - rebuilt)) + kappa * _mean(jnp.square(seen - remade))


def residual_and_features(
    x: jax.Array, rebuilt: jax.Array, seen: jax.Array, remade: jax.Array, share: float = 0.1
) -> jax.Array:
    """(1 - share) times the sum of absolute differences of pixels, plus share times that of features, [n].

    References:
      Schlegl et al. (2017), AnoGAN, eq. 5-7, with the features of its eq. 4; Zenati et al. (2018), EGBAD, section 2.
    """
    return (1 - share) * _sum(jnp.abs(x - rebuilt)) + share * _sum(jnp.abs(seen - remade))


def reconstruction(x: jax.Array, rebuilt: jax.Array) -> jax.Array:
    """Mean squared difference of pixels, [n]."""
    return _mean(jnp.square(x - rebuilt))


def _mean(x: jax.Array) -> jax.Array:
    return x.reshape(len(x), -1).mean(1)


def _sum(x: jax.Array) -> jax.Array:
    return x.reshape(len(x), -1).sum(1)


# --- the latent search of AnoGAN -----------------------------------------------------------------------


def latent_search(
    make: Callable[[jax.Array], jax.Array],
    loss: Callable[[jax.Array, jax.Array], jax.Array],
    *,
    steps: int = 500,
    rate: float = 0.05,
) -> Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
    """(images [n, ...], first latents [n, dim]) -> (latents after the last step, what they are rebuilt as).

    All images are searched for at once, by Adam, each on its own: what one finds does not depend on the others. One
    compiled program makes a step.

    Args:
      make: latents -> images.
      loss: (images, rebuilt) -> [n], to be minimised.
      steps: of Adam.
      rate: learning rate.

    References:
      Schlegl et al. (2017), Unsupervised anomaly detection with GANs to guide marker discovery, section 2.2.
    """
    adam = optax.adam(rate)

    @jax.jit
    def step(z: jax.Array, state: optax.OptState, x: jax.Array) -> tuple[jax.Array, optax.OptState]:
        slope = jax.grad(lambda z: loss(x, make(z)).sum())(z)
        updates, state = adam.update(slope, state)
        return z + updates, state  # pyright: ignore

    finished = jax.jit(make)

    def search(x: jax.Array, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        state = jax.jit(adam.init)(z)
        for _ in range(steps):
            z, state = step(z, state, x)
        return z, finished(z)

    return search


# --- principal components ------------------------------------------------------------------------------


class Components:
    """Principal components of images, as a baseline: what they leave unexplained is the score.

    Attributes:
      mean: of the images, [d].
      axes: of largest variance, orthonormal [k, d].
    """

    def __init__(self, images: np.ndarray, k: int) -> None:
        """Fits k components to images [n, ...], as the model sees them."""
        rows = np.asarray(images, np.float64).reshape(len(images), -1)
        self.mean = rows.mean(0)
        rows = rows - self.mean
        k, wide = min(k, *rows.shape), rows.shape[1] > len(rows)
        products = rows @ rows.T if wide else rows.T @ rows
        last = len(products) - 1
        vectors = scipy.linalg.eigh(products, subset_by_index=(last - k + 1, last))[1][:, ::-1].T
        if wide:
            vectors = vectors @ rows
            length = np.linalg.norm(vectors, axis=1, keepdims=True)
            kept = length[:, 0] > 1e-9 * length.max()  # the rows span no more
            vectors = vectors[kept] / length[kept]
        self.axes = vectors

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images [n, ...] -> (mean squared difference [n], what they are rebuilt as)."""
        rows = np.asarray(x, np.float64).reshape(len(x), -1)
        rebuilt = (rows - self.mean) @ self.axes.T @ self.axes + self.mean
        score = np.square(rows - rebuilt).mean(1)
        return score, rebuilt.reshape(x.shape).astype(np.float32)
