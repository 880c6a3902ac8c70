"""Presets of residual GANs: WGAN-GP, SNGAN and SAGAN, with their published settings."""

from __future__ import annotations

from functools import partial
from typing import Any

from jaxgan.config.config import Config
from jaxgan.config.groups import DataConfig, EMAConfig, LatentConfig
from jaxgan.config.moves import OptimizerConfig, PenaltyConfig
from jaxgan.config.presets.base import Preset
from jaxgan.models import ResNetConfig

_CIFAR10 = DataConfig("tfds:cifar10")
_NO_AVERAGE = EMAConfig(decay=0.0, ramp_up=False)


def _wgan_gp_cifar10(*, conditional: bool = False) -> Config:
    """The residual networks of the authors' code: no normalisation and a mean over pixels in the critic.

    The code updates the generator with twice the critic's batch, which is not done here. With labels, the
    cross-entropy of the classes has weight 1 for reals and 0.1 for the generator's fakes.
    """
    adam = OptimizerConfig(2e-4, b1=0.0, b2=0.9, schedule="linear")
    penalty = PenaltyConfig((("gradient_penalty", 10.0),))
    if conditional:
        penalty = PenaltyConfig(
            (*penalty.weights, ("auxiliary_classifier", 1.0)),
            options=(("fake_weight", 0.0), ("generator_weight", 0.1)),
        )
    return Config(
        model=ResNetConfig(
            width=32,
            d_width=64,
            d_spectral_norm=False,
            d_pooling="mean",
            conditional=conditional,
            head="ac" if conditional else "projection",
        ),
        data=_CIFAR10,
        latent=LatentConfig(dim=128),
        loss="wasserstein",
        penalty=penalty,
        d_steps=5,
        steps=100_000,
        g_optimizer=adam,
        d_optimizer=adam,
        ema=_NO_AVERAGE,
    )


def _sngan(model: ResNetConfig, data: DataConfig, *, d_steps: int = 5, schedule: Any = "linear") -> Config:
    """Hinge loss, spectral norm in the discriminator alone, no average.

    The scores from 48 pixels on are those of mimicry, which doubles pixels bilinearly and not as the paper.
    """
    adam = OptimizerConfig(2e-4, b1=0.0, b2=0.9, schedule=schedule)
    return Config(
        model=model,
        data=data,
        latent=LatentConfig(dim=128),
        loss="hinge",
        d_steps=d_steps,
        steps=100_000,
        g_optimizer=adam,
        d_optimizer=adam,
        ema=_NO_AVERAGE,
    )


def _sngan_48() -> Config:
    return _sngan(ResNetConfig(d_multipliers=(1, 2, 4, 8, 16), d_downs=4), _yours(48))


def _sngan_64() -> Config:
    return _sngan(ResNetConfig(d_downs=5), _yours(64))


def _sngan_128() -> Config:
    return _sngan(ResNetConfig(), _yours(128), d_steps=2, schedule="constant")


def _yours(resolution: int) -> DataConfig:
    return DataConfig("", resolution=resolution, channels=3)


def _conditional_cifar10(*, attention: int = 0) -> Config:
    """As StudioGAN trains SNGAN and SAGAN: conditional batch norm, projection, orthogonal weights, a constant rate."""
    adam = OptimizerConfig(2e-4, b1=0.5, b2=0.999, eps=1e-6)
    model = ResNetConfig(
        conditional=True, kernel_init="orthogonal", attention=attention, g_spectral_norm=attention > 0
    )
    return Config(
        model=model,
        data=DataConfig("tfds:cifar10", flip=True),
        latent=LatentConfig(dim=128),
        loss="hinge",
        d_steps=5,
        steps=100_000,
        g_optimizer=adam,
        d_optimizer=adam,
        ema=_NO_AVERAGE,
    )


def _sagan_128() -> Config:
    """Two learning rates, one update each. Attention follows the maps of 64 pixels (in the paper's best: 32)."""
    return Config(
        model=ResNetConfig(conditional=True, attention=64, g_spectral_norm=True, d_hidden="out"),
        data=_yours(128),
        latent=LatentConfig(dim=128),
        loss="hinge",
        batch_size=256,
        steps=1_000_000,
        g_optimizer=OptimizerConfig(1e-4, b1=0.0, b2=0.9),
        d_optimizer=OptimizerConfig(4e-4, b1=0.0, b2=0.9),
        ema=_NO_AVERAGE,
    )


_GULRAJANI = "Gulrajani et al. (2017), Improved training of Wasserstein GANs"
_MIYATO = "Miyato et al. (2018), Spectral normalization for generative adversarial networks"
_PROJECTION = "Miyato, Koyama (2018), cGANs with projection discriminator"
_ZHANG = "Zhang et al. (2019), Self-attention generative adversarial networks"
_STUDIOGAN = "StudioGAN, 50,000 fakes against the training images, best checkpoint"
_YOURS = "needs --data.source folder:PATH or tfds:NAME"
RESNET = {
    "wgan-gp-cifar10": Preset(
        build=_wgan_gp_cifar10,
        summary="WGAN-GP with residual networks on CIFAR-10, 5 critic updates a step.",
        shape=(32, 32, 3),
        n_classes=10,
        paper=_GULRAJANI,
        published="IS 7.86 (50,000 images)",
    ),
    "cwgan-gp-cifar10": Preset(
        build=partial(_wgan_gp_cifar10, conditional=True),
        summary="The same with classes: conditional batch norm, and a critic that classifies (AC-GAN).",
        shape=(32, 32, 3),
        n_classes=10,
        paper=_GULRAJANI,
        published="IS 8.42 (50,000 images)",
    ),
    "sngan-cifar10": Preset(
        build=partial(_sngan, ResNetConfig(), _CIFAR10),
        summary="SNGAN on CIFAR-10: residual networks, hinge loss, 5 discriminator updates a step.",
        shape=(32, 32, 3),
        n_classes=10,
        paper=_MIYATO,
        published="IS 8.22, FID 21.7 (5,000 fakes)",
    ),
    "csngan-cifar10": Preset(
        build=_conditional_cifar10,
        summary="Class-conditional SNGAN on CIFAR-10, with projection.",
        shape=(32, 32, 3),
        n_classes=10,
        paper=_PROJECTION,
        published=f"FID 9.0 ({_STUDIOGAN})",
    ),
    "sagan-cifar10": Preset(
        build=partial(_conditional_cifar10, attention=16),
        summary="The same with self-attention at 16x16 and spectral norm in both networks.",
        shape=(32, 32, 3),
        n_classes=10,
        paper=_ZHANG,
        published=f"FID 10.4 ({_STUDIOGAN})",
    ),
    "sngan-48": Preset(
        build=_sngan_48,
        summary=f"SNGAN at 48x48 on images of your own: {_YOURS}.",
        shape=(48, 48, 3),
        paper=_MIYATO,
        published="STL-10: FID 39.56 (mimicry, 50,000 of each)",
    ),
    "sngan-64": Preset(
        build=_sngan_64,
        summary=f"SNGAN at 64x64 on images of your own: {_YOURS}.",
        shape=(64, 64, 3),
        paper=_MIYATO,
        published="CelebA: FID 5.71 (mimicry, 50,000 of each)",
    ),
    "sngan-128": Preset(
        build=_sngan_128,
        summary=f"SNGAN at 128x128 on images of your own: {_YOURS}.",
        shape=(128, 128, 3),
        paper=_MIYATO,
        published="CelebA: FID 12.93 (mimicry, 50,000 of each)",
    ),
    "sagan-128": Preset(
        build=_sagan_128,
        summary=f"SAGAN at 128x128 on images with classes: {_YOURS}.",
        shape=(128, 128, 3),
        n_classes=1000,
        paper=_ZHANG,
        published="ImageNet: IS 52.5, FID 18.65 (50,000 fakes)",
    ),
}
