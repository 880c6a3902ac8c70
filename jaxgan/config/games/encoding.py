"""Games with an encoder, or with codes, built of a configuration."""

from __future__ import annotations

import contextlib
from typing import Any

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError, renamed
from jaxgan.config.games.ranges import range_for
from jaxgan.data import Spec
from jaxgan.games.encoder_gan import bigan, vae_gan
from jaxgan.games.encoding.autoencoders import adversarial_autoencoder, autoencoder, vae
from jaxgan.games.encoding.f_anogan import f_anogan, stage_of
from jaxgan.games.encoding.infogan import infogan
from jaxgan.games.game import Game, Player
from jaxgan.models.encoding.networks import LatentCritic, PairCritic, Recogniser, encoder_of, trunk_of

GAN_STEPS = 3000
"""Of f-AnoGAN, where nothing else is said: steps before the encoder's first."""


def vae_of(
    spec: Spec, config: Any, *, prior: float = 1.0, noise: float = 0.25, batch_norm: bool = True
) -> Game:
    """A variational autoencoder: `jaxgan.games.encoding.autoencoders.vae`.

    Args:
      spec: of the data.
      config: of the run.
      prior: weight of the divergence.
      noise: deviation of a pixel about the decoder's answer.
      batch_norm: batch normalisation in the encoder, but for its first layer.
    """
    own = _Parts(spec, config, prior=prior)
    with own.named():
        return vae(
            own.encoder(2, batch_norm),
            own.generator(),
            own.latent,
            prior=prior,
            noise=noise,
            moves=own.moves,
            example=spec.example,
        )


def autoencoder_of(spec: Spec, config: Any, *, batch_norm: bool = True) -> Game:
    """A plain autoencoder: `jaxgan.games.encoding.autoencoders.autoencoder`.

    Args:
      spec: of the data.
      config: of the run.
      batch_norm: batch normalisation in the encoder, but for its first layer.
    """
    own = _Parts(spec, config)
    with own.named():
        return autoencoder(
            own.encoder(1, batch_norm), own.generator(), own.latent, moves=own.moves, example=spec.example
        )


def aae_of(
    spec: Spec, config: Any, *, prior: float = 1.0, hidden: int = 256, batch_norm: bool = True
) -> Game:
    """An adversarial autoencoder: `jaxgan.games.encoding.autoencoders.adversarial_autoencoder`.

    Args:
      spec: of the data.
      config: of the run.
      prior: weight of the encoder's adversarial loss.
      hidden: units of the critic's two layers.
      batch_norm: batch normalisation in the encoder, but for its first layer.
    """
    own = _Parts(spec, config, prior=prior, hidden=hidden)
    with own.named():
        return adversarial_autoencoder(
            own.encoder(1, batch_norm),
            own.generator(),
            own.critic(LatentCritic(widths=(hidden, hidden))),
            config.built_loss(),
            own.latent,
            prior=prior,
            moves=own.moves,
            example=spec.example,
        )


def vae_gan_of(
    spec: Spec, config: Any, *, prior: float = 1.0, gamma: float = 1.0, batch_norm: bool = True
) -> Game:
    """A VAE-GAN: `jaxgan.games.encoder_gan.vae_gan`.

    Args:
      spec: of the data.
      config: of the run.
      prior: weight of the divergence for the encoder.
      gamma: weight of likeness for the decoder.
      batch_norm: batch normalisation in the encoder, but for its first layer.
    """
    own = _Parts(spec, config, prior=prior, gamma=gamma)
    with own.named():
        return vae_gan(
            own.encoder(2, batch_norm),
            own.generator(),
            own.critic(own.networks[1]),
            config.built_loss(),
            own.latent,
            prior=prior,
            gamma=gamma,
            moves=own.moves,
            example=spec.example,
        )


def bigan_of(spec: Spec, config: Any, *, hidden: int = 256, batch_norm: bool = True) -> Game:
    """A BiGAN: `jaxgan.games.encoder_gan.bigan`.

    Args:
      spec: of the data.
      config: of the run.
      hidden: numbers that the critic makes of an image, of a latent, and of both.
      batch_norm: batch normalisation in the encoder, but for its first layer.
    """
    own = _Parts(spec, config, hidden=hidden)
    with own.named():
        trunk = trunk_of(config.model, spec.shape, hidden, **range_for(config.model, spec))
        critic = PairCritic(trunk=trunk, width=hidden)
        return bigan(
            own.generator(),
            own.encoder(1, batch_norm),
            own.critic(critic),
            config.built_loss(),
            own.latent,
            moves=own.moves,
            example=spec.example,
        )


def infogan_of(
    spec: Spec,
    config: Any,
    *,
    categories: int = 10,
    continuous: int = 2,
    info: float = 1.0,
    info_continuous: float = 0.1,
    hidden: int = 128,
) -> Game:
    """An InfoGAN: `jaxgan.games.encoding.infogan.infogan`.

    Args:
      spec: of the data.
      config: of the run.
      categories: of the discrete code.
      continuous: number of continuous codes.
      info: weight of the discrete code's information.
      info_continuous: weight of the continuous codes' information.
      hidden: units of the recogniser.
    """
    own = _Parts(spec, config, info=info, info_continuous=info_continuous, hidden=hidden)
    with own.named():
        readers = Recogniser(categories=categories, continuous=continuous, width=hidden)
        return infogan(
            own.generator(),
            own.critic(own.networks[1]),
            own.critic(readers),
            config.built_loss(),
            own.latent,
            categories=categories,
            continuous=continuous,
            info=info,
            info_continuous=info_continuous,
            moves=own.moves,
            example=spec.example,
        )


def f_anogan_of(
    spec: Spec,
    config: Any,
    *,
    stage: int | None = None,
    gan_steps: int = GAN_STEPS,
    kappa: float = 1.0,
    batch_norm: bool = True,
) -> Game:
    """f-AnoGAN: `jaxgan.games.encoding.f_anogan.f_anogan` of the GAN that the configuration describes.

    Args:
      spec: of the data.
      config: of the run.
      stage: as of `f_anogan`.
      gan_steps: steps before the encoder's first, a multiple of log_every.
      kappa: weight of the discriminator's features.
      batch_norm: batch normalisation in the encoder, but for its first layer.
    """
    if not 0 < gan_steps < config.steps or gan_steps % config.log_every:
        raise InputError(
            f"gan_steps: expected a multiple of log_every = {config.log_every}, above 0 and below all steps = "
            f"{config.steps}, in the rest of which the encoder is trained, got {gan_steps}"
        )
    if callable(getattr(config.model, "growth", None)):
        raise InputError("model: expected networks that do not grow in the game 'fanogan', got some that do")
    gan, own = config.plain_gan(spec, steps=gan_steps), _Parts(spec, config)
    with own.named():
        encoder = own.encoder(1, batch_norm, config.steps - gan_steps)
        return f_anogan(gan, encoder, gan_steps, kappa=kappa, stage=stage, example=spec.example)


def stage_of_f_anogan(config: Any, first: int, steps: int) -> int | None:
    """As of `Recipe.stage`."""
    return stage_of(int(dict(config.game_options).get("gan_steps", GAN_STEPS)), first, steps)


class _Parts:
    """Players of a configuration, and what its games share."""

    def __init__(self, spec: Spec, config: Any, *, hidden: int = 1, **weights: float) -> None:
        """Builds networks and prior; raises InputError for what cannot be."""
        for name, weight in weights.items():
            check_range(name, weight, at_least=0)
        check_range("hidden", hidden, at_least=1)
        if config.model.conditional:
            raise InputError(
                f"model.conditional: expected networks without classes in the game {config.game!r}, got True"
            )
        self.config, self.spec = config, spec
        self.networks = config.networks(spec)
        self.latent = config.built_latent()
        self.moves = config.dynamics.build(config.steps)["moves"]

    def named(self) -> contextlib.AbstractContextManager[None]:
        """Inside, what is said of latents is said of their setting."""
        return renamed({"latent": "latent.dim"})

    def generator(self) -> Player:
        """The family's, averaged."""
        optimizer = self.config.g_optimizer.build(self.config.scheduled_steps, "g_optimizer")
        return Player(self.networks[0], optimizer, self.config.average())

    def critic(self, module: Any) -> Player:
        """What moves as discriminators do."""
        return Player(module, self.config.d_optimizer.build(self.config.scheduled_steps, "d_optimizer"))

    def encoder(self, outputs: int, batch_norm: bool, steps: int | None = None) -> Player:
        """An encoder to so many numbers a coordinate, averaged as the generator is, that moves in so many steps."""
        size = outputs * self.latent.dim
        model, spec = self.config.model, self.spec
        module = encoder_of(model, spec.shape, size, batch_norm=batch_norm, **range_for(model, spec))
        optimizer = self.config.e_optimizer.build(self.config.scheduled(steps), "e_optimizer")
        return Player(module, optimizer, self.config.average())
