"""Games with an encoder: BiGAN (ALI) and VAE-GAN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.games.encoding.base import Encoding, mean_of
from jaxgan.games.encoding.likeness import Likeness
from jaxgan.games.game import Batch, Critic, Game, Moves, Output, Player, Turn
from jaxgan.games.view import View
from jaxgan.losses import Loss
from jaxgan.models.latents import Latent


def bigan(
    generator: Player,
    encoder: Player,
    discriminator: Player,
    loss: Loss,
    latent: Latent,
    *,
    moves: Moves = Moves(),  # noqa: B008  (frozen)
    example: str = "image",
) -> Game:
    """A critic of pairs (x, z): encoded reals against generated fakes. Generator and encoder move together.

    At the optimum the encoder inverts the generator. The two minimise loss.generator for both kinds of pair, where
    exchanged roles have their logits reflected at the loss's threshold t:
    loss.generator(D(x, E(x)), D(G(z), z)) + loss.generator(2 t - D(G(z), z), 2 t - D(x, E(x))).

    Args:
      generator: module (z, label, train) -> x, averaged.
      encoder: module (x, train) -> z.
      discriminator: module (x, z, train) -> logits.
      loss: of all.
      latent: prior of z.
      moves: how the players move.
      example: name of the array in the batch that is imitated.

    References:
      Donahue, Krahenbuhl, Darrell (2017), Adversarial feature learning, eq. 3.
      Dumoulin et al. (2017), Adversarially learned inference, eq. 2.
    """

    def logits(view: View) -> tuple[jax.Array, jax.Array]:
        x, z = view.batch[example], latent.sample(view.keys("latents"), view.n)
        encoded = view("discriminator", x, view("encoder", x))
        return view.gathered(encoded), view.gathered(view("discriminator", view("generator", z, None), z))

    def judge(view: View) -> jax.Array:
        return loss.discriminator(*logits(view)).mean()

    def agree(view: View) -> jax.Array:
        encoded, generated = logits(view)
        middle = 0.0 if loss.threshold is None else 2 * loss.threshold
        return (
            loss.generator(encoded, generated) + loss.generator(middle - generated, middle - encoded)
        ).mean()

    def inputs(batch: Batch) -> Mapping[str, tuple[Any, ...]]:
        x, z = jnp.zeros((2, *batch[example].shape[1:])), jnp.zeros((2, latent.dim))
        return {"generator": (z, None), "encoder": (x,), "discriminator": (x, z)}

    return Game(
        players={"generator": generator, "encoder": encoder, "discriminator": discriminator},
        turns=(Turn("d", ("discriminator",), judge), Turn("g", ("generator", "encoder"), agree)),
        inputs=inputs,
        moves=moves,
        output=Output("generator", latent),
        encoding=Encoding("encoder"),
        critic=Critic(loss, logits),
        compares=lambda: not loss.alone,
    )


def vae_gan(
    encoder: Player,
    decoder: Player,
    discriminator: Player,
    loss: Loss,
    latent: Latent,
    *,
    prior: float = 1.0,
    gamma: float = 1.0,
    moves: Moves = Moves(),  # noqa: B008  (frozen)
    example: str = "image",
) -> Game:
    """A decoder that is also a generator; reconstructions are compared in the critic's features. Three turns.

    Unlike the paper's, the critic judges reals beside reconstructions and beside samples, so that they count as much as
    both kinds of fakes, and likeness is the mean over features, not their sum, so that `prior` is the smaller.

    Metrics: "e/kl", "e/unlike" (mean squared difference of features), "e/error" (of pixels, which none
    minimises), and the losses of "e", "g" and "d".

    Args:
      encoder: module (x, train) -> (mean, log-variance) of q(z | x), [batch, dim] each, or both side by side.
      decoder: module (z, label, train) -> x, averaged.
      discriminator: module (x, train, features) -> (logits, features [batch, k]); features=True asks for both.
      loss: of critic and decoder; reconstructions count as fakes, as samples of the prior do.
      latent: prior of z; the divergence is that of the standard normal.
      prior: weight of the divergence for the encoder.
      gamma: weight of likeness for the decoder (eq. 9).
      moves: how the players move.
      example: name of the array in the batch that is imitated.

    References:
      Larsen, Sonderby, Larochelle, Winther (2016), Autoencoding beyond pixels using a learned similarity
      metric, algorithm 1.
    """

    own = Likeness(loss, latent, prior, gamma, example)

    def inputs(batch: Batch) -> Mapping[str, tuple[Any, ...]]:
        x = (batch[example][:2],)
        return {"encoder": x, "decoder": (jnp.zeros((2, latent.dim)), None), "discriminator": x}

    return Game(
        players={"encoder": encoder, "decoder": decoder, "discriminator": discriminator},
        turns=(
            Turn("e", ("encoder",), own.encode),
            Turn("g", ("decoder",), own.decode),
            Turn("d", ("discriminator",), own.judge),
        ),
        inputs=inputs,
        moves=moves,
        output=Output("decoder", latent),
        encoding=Encoding("encoder", mean_of),
        critic=Critic(loss, own.judged),
        compares=lambda: not loss.alone,
    )
