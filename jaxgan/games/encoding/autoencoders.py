"""Autoencoders as games: variational, plain, and adversarial."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.common.checks import check_range
from jaxgan.games.encoding.base import Encoding, divergence, drawn, halves, mean_of
from jaxgan.games.game import Batch, Game, Moves, Output, Player, Turn
from jaxgan.games.view import View
from jaxgan.losses import Loss
from jaxgan.models.latents import Latent


def vae(
    encoder: Player,
    decoder: Player,
    latent: Latent,
    *,
    prior: Any = 1.0,
    noise: float = 0.25,
    moves: Moves = Moves(),  # noqa: B008  (frozen)
    example: str = "image",
) -> Game:
    """A variational autoencoder: one turn, in which encoder and decoder go up the evidence lower bound.

    The decoder's answer is the mean of a normal distribution of each pixel (or coordinate), with a fixed deviation.
    Metrics: "vae/elbo" (nats an example, with weight 1 of the divergence, whatever `prior` is), "vae/kl",
    "vae/reconstruction" (nats an example) and "vae/error" (mean squared error).

    Args:
      encoder: module (x, train) -> (mean, log-variance) of q(z | x), or both side by side [batch, 2 dim].
      decoder: module (z, label, train) -> x, averaged.
      latent: prior of z; the divergence is that of the standard normal.
      prior: weight of the divergence (the beta of Higgins et al. 2017, beta-VAE).
      noise: deviation of a pixel about the decoder's answer.
      moves: how the players move.
      example: name of the array in the batch that is modelled.

    Raises:
      ValueError: for a deviation that is not positive.

    References:
      Kingma, Welling (2014), Auto-encoding variational Bayes, eq. 10.
    """
    check_range("noise", noise, above=0)

    def bound(view: View) -> jax.Array:
        x = view.batch[example]
        mean, log_variance = halves(view("encoder", x))
        made = view("decoder", drawn(view.keys("posterior"), mean, log_variance), None)
        kl = view.log("kl", divergence(mean, log_variance).mean())
        squares = jnp.square(made - x).reshape(len(x), -1).sum(1).mean()
        size = math.prod(x.shape[1:])
        view.log("error", squares / size)
        nats = squares / (2 * noise**2) + size * math.log(noise * math.sqrt(2 * math.pi))
        view.log("elbo", -view.log("reconstruction", nats) - kl)
        return nats + prior * kl

    return Game(
        players={"encoder": encoder, "decoder": decoder},
        turns=(Turn("vae", ("encoder", "decoder"), bound),),
        inputs=lambda batch: _inputs(batch, example, latent),
        moves=moves,
        output=Output("decoder", latent),
        encoding=Encoding("encoder", mean_of),
    )


def autoencoder(
    encoder: Player,
    decoder: Player,
    latent: Latent,
    *,
    moves: Moves = Moves(),  # noqa: B008  (frozen)
    example: str = "image",
) -> Game:
    """A plain autoencoder, trained on the mean squared error: nothing makes its latents look like the prior.

    Metric: "ae/error".

    Args:
      encoder: module (x, train) -> z.
      decoder: module (z, label, train) -> x, averaged.
      latent: prior that samples are drawn from, for comparison with games that learn it.
      moves: how the players move.
      example: name of the array in the batch that is modelled.
    """

    def rebuild(view: View) -> jax.Array:
        x = view.batch[example]
        return view.log("error", jnp.square(view("decoder", view("encoder", x), None) - x).mean())

    return Game(
        players={"encoder": encoder, "decoder": decoder},
        turns=(Turn("ae", ("encoder", "decoder"), rebuild),),
        inputs=lambda batch: _inputs(batch, example, latent),
        moves=moves,
        output=Output("decoder", latent),
        encoding=Encoding("encoder"),
    )


def adversarial_autoencoder(
    encoder: Player,
    decoder: Player,
    discriminator: Player,
    loss: Loss,
    latent: Latent,
    *,
    prior: Any = 1.0,
    moves: Moves = Moves(),  # noqa: B008  (frozen)
    example: str = "image",
) -> Game:
    """An autoencoder whose codes a critic of latents holds to the prior. Three turns: rebuild, judge, fool.

    Metrics: "ae/error", and the losses of "ae", "d" and "e".

    Args:
      encoder: module (x, train) -> z.
      decoder: module (z, label, train) -> x, averaged.
      discriminator: module (z, train) -> logits; draws of the prior are its reals.
      loss: of critic and encoder.
      latent: prior of z.
      prior: weight of the encoder's adversarial loss.
      moves: how the players move.
      example: name of the array in the batch that is modelled.

    References:
      Makhzani, Shlens, Jaitly, Goodfellow (2016), Adversarial autoencoders, section 2.
    """

    def rebuild(view: View) -> jax.Array:
        x = view.batch[example]
        return view.log("error", jnp.square(view("decoder", view("encoder", x), None) - x).mean())

    def logits(view: View) -> tuple[jax.Array, jax.Array]:
        z, code = latent.sample(view.keys("latents"), view.n), view("encoder", view.batch[example])
        return view.gathered(view("discriminator", z)), view.gathered(view("discriminator", code))

    def judge(view: View) -> jax.Array:
        return loss.discriminator(*logits(view)).mean()

    def fool(view: View) -> jax.Array:
        return prior * loss.generator(*logits(view)).mean()

    def inputs(batch: Batch) -> Mapping[str, tuple[Any, ...]]:
        return {**_inputs(batch, example, latent), "discriminator": (jnp.zeros((2, latent.dim)),)}

    return Game(
        players={"encoder": encoder, "decoder": decoder, "discriminator": discriminator},
        turns=(
            Turn("ae", ("encoder", "decoder"), rebuild),
            Turn("d", ("discriminator",), judge),
            Turn("e", ("encoder",), fool),
        ),
        inputs=inputs,
        moves=moves,
        output=Output("decoder", latent),
        encoding=Encoding("encoder"),
        compares=lambda: not loss.alone,
    )


def _inputs(batch: Batch, example: str, latent: Latent) -> dict[str, tuple[Any, ...]]:
    return {"encoder": (batch[example][:2],), "decoder": (jnp.zeros((2, latent.dim)), None)}
