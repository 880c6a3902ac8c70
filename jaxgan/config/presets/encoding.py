"""Presets of games with an encoder, on MNIST, and of anomaly detection."""

from __future__ import annotations

from functools import partial

from jaxgan.config.config import Config
from jaxgan.config.groups import DataConfig, LatentConfig
from jaxgan.config.moves import OptimizerConfig, PenaltyConfig
from jaxgan.config.presets.base import Preset
from jaxgan.models import DCGANConfig

_ADAM = OptimizerConfig(1e-3, b1=0.5)


def _by_pixels(game: str) -> Config:
    """A VAE, or a plain autoencoder."""
    return Config(
        game=game,
        model=DCGANConfig(width=32, d_batch_norm=False),
        latent=LatentConfig(dim=16),
        steps=3000,
        g_optimizer=_ADAM,
        e_optimizer=_ADAM,
    )


def _aae() -> Config:
    return Config(
        game="aae",
        model=DCGANConfig(width=32, d_batch_norm=False),
        latent=LatentConfig(dim=8),
        game_options=(("prior", 0.03),),
        steps=4000,
        g_optimizer=_ADAM,
        e_optimizer=_ADAM,
        d_optimizer=OptimizerConfig(2e-4, b1=0.5),
    )


def _vae_gan() -> Config:
    return Config(
        game="vae_gan",
        model=DCGANConfig(width=32, d_batch_norm=False, d_spectral_norm=True),
        latent=LatentConfig(dim=32),
        game_options=(("prior", 1e-4), ("gamma", 1000.0)),
        steps=4000,
        g_optimizer=OptimizerConfig(5e-4, b1=0.5),
        d_optimizer=OptimizerConfig(5e-4, b1=0.5),
        e_optimizer=OptimizerConfig(5e-4, b1=0.5),
    )


def _bigan() -> Config:
    return Config(
        game="bigan",
        model=DCGANConfig(width=32, d_batch_norm=False, d_spectral_norm=True),
        latent=LatentConfig(dim=32),
        steps=6000,
        g_optimizer=OptimizerConfig(5e-4, b1=0.5),
        d_optimizer=OptimizerConfig(5e-4, b1=0.5),
        e_optimizer=OptimizerConfig(5e-4, b1=0.5),
    )


def _infogan() -> Config:
    """The paper's rates: 2e-4 for the discriminator, 1e-3 for the generator."""
    return Config(
        game="infogan",
        model=DCGANConfig(width=32),
        latent=LatentConfig(dim=62),
        steps=4000,
        g_optimizer=OptimizerConfig(1e-3, b1=0.5),
        d_optimizer=OptimizerConfig(2e-4, b1=0.5),
    )


def _f_anogan() -> Config:
    """The default GAN of MNIST in the place of the paper's WGAN-GP with residual networks at 64x64."""
    adam = OptimizerConfig(1e-3, b1=0.0)
    return Config(
        game="fanogan",
        model=DCGANConfig(width=32, d_batch_norm=False),
        data=DataConfig("mnist"),
        latent=LatentConfig(dim=64),
        penalty=PenaltyConfig((("r1", 1.0),), every=4),
        game_options=(("gan_steps", 3000),),
        steps=5000,
        g_optimizer=adam,
        d_optimizer=adam,
        e_optimizer=_ADAM,
    )


def _mnist(build: object, summary: str, paper: str) -> Preset:
    return Preset(build=build, summary=summary, shape=(28, 28, 1), n_classes=10, paper=paper)  # pyright: ignore


ENCODING = {
    "vae-mnist": _mnist(
        partial(_by_pixels, "vae"),
        "Variational autoencoder on MNIST.",
        "Kingma, Welling (2014), Auto-encoding variational Bayes",
    ),
    "autoencoder-mnist": _mnist(
        partial(_by_pixels, "autoencoder"),
        "Plain autoencoder on MNIST, to compare with: its samples mean nothing.",
        "",
    ),
    "aae-mnist": _mnist(
        _aae,
        "Adversarial autoencoder on MNIST.",
        "Makhzani et al. (2016), Adversarial autoencoders",
    ),
    "vaegan-mnist": _mnist(
        _vae_gan,
        "VAE-GAN on MNIST: likeness is measured in the discriminator's features.",
        "Larsen et al. (2016), Autoencoding beyond pixels using a learned similarity metric",
    ),
    "bigan-mnist": _mnist(
        _bigan,
        "BiGAN (ALI) on MNIST: a critic of pairs (x, z), and an encoder that inverts the generator.",
        "Donahue, Krahenbuhl, Darrell (2017), Adversarial feature learning; Dumoulin et al. (2017), ALI",
    ),
    "infogan-mnist": _mnist(
        _infogan,
        "InfoGAN on MNIST: one discrete code and two continuous ones, found without labels.",
        "Chen et al. (2016), InfoGAN",
    ),
    "fanogan": _mnist(
        _f_anogan,
        "f-AnoGAN for anomalies: a GAN of what is normal, then an encoder (28x28 by default; any --data.source).",
        "Schlegl et al. (2019), f-AnoGAN",
    ),
}
