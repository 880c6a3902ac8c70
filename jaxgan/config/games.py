"""The games that a configuration can name, besides the plain GAN: each is built of the configuration's groups.

A builder takes (configuration, spec of the data, stage) and returns the game; the stage is one of `STAGES`, or None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError, in_group, renamed
from jaxgan.data import Spec
from jaxgan.games.encoder_gan import bigan, vae_gan
from jaxgan.games.encoding.autoencoders import adversarial_autoencoder, autoencoder, vae
from jaxgan.games.encoding.f_anogan import f_anogan, stage_of
from jaxgan.games.encoding.infogan import infogan
from jaxgan.games.game import Game, Player
from jaxgan.models.encoders import LatentCritic, PairCritic, Recogniser, encoder_of, trunk_of

Build = Callable[[Any, Spec, int | None], Game]


def _vae(config: Any, spec: Spec, stage: int | None) -> Game:
    parts = _Parts(config, spec)
    with parts.named():
        own = config.encoder
        return vae(
            parts.encoder(2),
            parts.generator(),
            parts.latent,
            prior=own.prior,
            noise=own.noise,
            **parts.shared,
        )


def _autoencoder(config: Any, spec: Spec, stage: int | None) -> Game:
    parts = _Parts(config, spec)
    with parts.named():
        return autoencoder(parts.encoder(1), parts.generator(), parts.latent, **parts.shared)


def _aae(config: Any, spec: Spec, stage: int | None) -> Game:
    parts = _Parts(config, spec)
    with parts.named():
        width = config.encoder.hidden
        critic = parts.critic(LatentCritic(widths=(width, width)))
        return adversarial_autoencoder(
            parts.encoder(1),
            parts.generator(),
            critic,
            config.built_loss(),
            parts.latent,
            prior=config.encoder.prior,
            **parts.shared,
        )


def _vae_gan(config: Any, spec: Spec, stage: int | None) -> Game:
    parts = _Parts(config, spec)
    with parts.named():
        own = config.encoder
        critic = parts.critic(parts.networks[1])
        return vae_gan(
            parts.encoder(2),
            parts.generator(),
            critic,
            config.built_loss(),
            parts.latent,
            prior=own.prior,
            gamma=own.gamma,
            **parts.shared,
        )


def _bigan(config: Any, spec: Spec, stage: int | None) -> Game:
    parts = _Parts(config, spec)
    with parts.named():
        width = config.encoder.hidden
        critic = PairCritic(trunk=trunk_of(config.model, spec.shape, width), width=width)
        return bigan(
            parts.generator(),
            parts.encoder(1),
            parts.critic(critic),
            config.built_loss(),
            parts.latent,
            **parts.shared,
        )


def _infogan(config: Any, spec: Spec, stage: int | None) -> Game:
    parts, own = _Parts(config, spec), config.encoder
    with parts.named():
        readers = Recogniser(categories=own.categories, continuous=own.continuous, width=own.hidden)
        return infogan(
            parts.generator(),
            parts.critic(parts.networks[1]),
            Player(readers, config.d_optimizer.build(parts.steps, "d_optimizer")),
            config.built_loss(),
            parts.latent,
            categories=own.categories,
            continuous=own.continuous,
            info=own.info,
            info_continuous=own.info_continuous,
            **parts.shared,
        )


def _f_anogan(config: Any, spec: Spec, stage: int | None) -> Game:
    parts, own = _Parts(config, spec), config.encoder
    if own.gan_steps >= config.steps:
        raise InputError(
            f"encoder.gan_steps: expected less than all steps ({config.steps}), as the encoder is trained in the rest, "
            f"got {own.gan_steps}"
        )
    if own.gan_steps % config.log_every:
        raise InputError(
            f"encoder.gan_steps: expected a multiple of log_every = {config.log_every}, got {own.gan_steps}"
        )
    plain = config.plain_gan(spec)
    with parts.named():
        return f_anogan(
            plain,
            parts.encoder(1),
            own.gan_steps,
            kappa=own.kappa,
            stage=stage,
            example=spec.example,
        )


class _Parts:
    """Players of a configuration, and what its games share."""

    def __init__(self, config: Any, spec: Spec) -> None:
        """Builds networks and prior; raises InputError for what cannot be."""
        own = config.encoder
        for name in ("prior", "gamma", "info", "info_continuous"):
            check_range(f"encoder.{name}", getattr(own, name), at_least=0)
        check_range("encoder.hidden", own.hidden, at_least=1)
        if config.model.conditional:
            raise InputError(
                f"model.conditional: expected networks without classes in the game {config.game!r}, got True"
            )
        self.config, self.spec = config, spec
        self.steps = config.scheduled_steps
        self.networks = config.networks(spec)
        self.latent = config.built_latent()
        self.shared = {"example": spec.example}

    def named(self) -> Any:
        """Inside, what games say of their numbers is said of the settings."""
        own = in_group("encoder", self.config.encoder.__dataclass_fields__)
        return renamed({"latent": "latent.dim", **own})

    def generator(self) -> Player:
        """The family's, averaged."""
        optimizer = self.config.g_optimizer.build(self.steps, "g_optimizer")
        return Player(self.networks[0], optimizer, self.config.average())

    def critic(self, module: Any) -> Player:
        """A critic, which moves as discriminators do."""
        return Player(module, self.config.d_optimizer.build(self.steps, "d_optimizer"))

    def encoder(self, outputs: int) -> Player:
        """An encoder to so many numbers a coordinate of the prior, averaged as the generator is."""
        config = self.config
        module = encoder_of(
            config.model,
            self.spec.shape,
            outputs * self.latent.dim,
            batch_norm=config.encoder.batch_norm,
        )
        optimizer = config.e_optimizer.build(self.steps, "e_optimizer")
        return Player(module, optimizer, config.average())


GAMES: dict[str, Build] = {
    "vae": _vae,
    "autoencoder": _autoencoder,
    "aae": _aae,
    "vae_gan": _vae_gan,
    "bigan": _bigan,
    "infogan": _infogan,
    "fanogan": _f_anogan,
}
"""Name -> what builds the game of a configuration."""

STAGES: dict[str, Callable[[Any, int, int], int | None]] = {
    "fanogan": lambda config, first, steps: stage_of(config.encoder.gan_steps, first, steps),
}
"""Name -> (configuration, first step, steps) -> the stage in which all of these are, of games that have several."""
