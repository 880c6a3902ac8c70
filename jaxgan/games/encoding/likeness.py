"""The turns of VAE-GAN: an encoder and a decoder, whose likeness is that of a critic's features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgan.games.encoding.base import divergence, drawn, halves
from jaxgan.games.view import View
from jaxgan.losses import Loss
from jaxgan.models.latents import Latent


class Seen(NamedTuple):
    """What a step sees of a batch.

    Attributes:
      kl: mean divergence of the posteriors from the prior, in nats.
      unlike: mean squared difference of features of examples and of their reconstructions.
      real: logits of the examples.
      rebuilt: logits of the reconstructions.
      sampled: logits of samples of the prior.
    """

    kl: jax.Array
    unlike: jax.Array
    real: jax.Array
    rebuilt: jax.Array
    sampled: jax.Array


@dataclass(frozen=True)
class Likeness:
    """What the players of VAE-GAN minimise; see `jaxgan.games.vae_gan`.

    Attributes:
      loss: of critic and decoder.
      latent: prior of z.
      prior: weight of the divergence for the encoder.
      gamma: weight of likeness for the decoder.
      example: name of the array in the batch that is imitated.
    """

    loss: Loss
    latent: Latent
    prior: float
    gamma: float
    example: str

    def seen(self, view: View) -> Seen:
        """A batch, encoded, rebuilt and judged beside samples."""
        x = view.batch[self.example]
        mean, log_variance = halves(view("encoder", x))
        rebuilt = view("decoder", drawn(view.keys("posterior"), mean, log_variance), None)
        sampled = view("decoder", self.latent.sample(view.keys("latents"), view.n), None)
        (real, features), (again, remade), (fake, _) = (
            view("discriminator", y, features=True) for y in (x, rebuilt, sampled)
        )
        kl = divergence(mean, log_variance).mean()
        fakes = view.gathered(again), view.gathered(fake)
        if view.name == "e":
            view.log("error", jnp.square(rebuilt - x).mean())
        return Seen(kl, jnp.square(features - remade).mean(), view.gathered(real), *fakes)

    def encode(self, view: View) -> jax.Array:
        """The loss of the encoder."""
        seen = self.seen(view)
        return self.prior * view.log("kl", seen.kl) + view.log("unlike", seen.unlike)

    def decode(self, view: View) -> jax.Array:
        """The loss of the decoder."""
        seen = self.seen(view)
        fooled = [self.loss.generator(seen.real, fake).mean() for fake in (seen.rebuilt, seen.sampled)]
        return self.gamma * seen.unlike + sum(fooled, jnp.zeros(()))

    def judge(self, view: View) -> jax.Array:
        """The loss of the critic."""
        seen = self.seen(view)
        told = (self.loss.discriminator(seen.real, fake).mean() for fake in (seen.rebuilt, seen.sampled))
        return sum(told, jnp.zeros(()))

    def judged(self, view: View) -> tuple[jax.Array, jax.Array]:
        """Logits of examples and of samples of the prior."""
        seen = self.seen(view)
        return seen.real, seen.sampled
