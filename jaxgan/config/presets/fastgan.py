"""Presets for few images: FastGAN, and Projected GAN, whose generator it is."""

from __future__ import annotations

from jaxgan.config.config import Config
from jaxgan.config.groups import DataConfig, EMAConfig, LatentConfig
from jaxgan.config.moves import OptimizerConfig
from jaxgan.config.presets.base import Preset
from jaxgan.models import FastGANConfig, ProjectedConfig


def _fastgan(side: int, steps: int) -> Config:
    """The settings of the authors' code, but for the margins of the loss and how reconstructions are compared."""
    adam = OptimizerConfig(2e-4, b1=0.5)
    return Config(
        model=FastGANConfig(),
        data=DataConfig("", resolution=side, channels=3, flip=True),
        latent=LatentConfig(dim=256),
        loss="hinge",
        augment=("diffaugment",),
        augment_options=(("cutout", 0.0),),
        batch_size=8,
        steps=steps,
        ema=EMAConfig(0.999, ramp_up=False),
        g_optimizer=adam,
        d_optimizer=adam,
    )


def _fastgan_256() -> Config:
    return _fastgan(256, 50_000)


def _fastgan_1024() -> Config:
    return _fastgan(1024, 100_000)


def _projected(*, lite: bool = False) -> Config:
    adam = OptimizerConfig(2e-4, b1=0.0, b2=0.99)
    return Config(
        model=ProjectedConfig(lite=lite),
        data=DataConfig("", resolution=256, channels=3, flip=True),
        latent=LatentConfig(dim=256),
        loss="hinge",
        augment=("diffaugment",),
        batch_size=64,
        steps=156_250,
        ema=EMAConfig(half_life=20.0, half_life_ramp=0.05),
        g_optimizer=adam,
        d_optimizer=adam,
    )


def _projected_lite() -> Config:
    return _projected(lite=True)


_LIU = (
    "Liu, Zhu, Song, Elgammal (2021), Towards faster and stabilized GAN training for high-fidelity few-shot image "
    "synthesis"
)
_SAUER = "Sauer, Chitta, Mueller, Geiger (2021), Projected GANs converge faster"
FASTGAN = {
    "fastgan-256": Preset(
        build=_fastgan_256,
        summary="FastGAN at 256x256 on images of your own; hinge without random margins, reconstruction by L1.",
        shape=(256, 256, 3),
        paper=_LIU,
        published="FID 41.1 on 100-shot Obama (5,000 fakes against all 100 images)",
    ),
    "fastgan-1024": Preset(
        build=_fastgan_1024,
        summary="FastGAN at 1,024x1,024 on images of your own; deviates as fastgan-256 does.",
        shape=(1024, 1024, 3),
        paper=_LIU,
        published="FID 56.46 on Pokemon (833 images)",
    ),
    "projected-gan-256": Preset(
        build=_projected,
        summary="Projected GAN with FastGAN's generator at 256x256 on images of your own.",
        shape=(256, 256, 3),
        paper=_SAUER,
        published="FID 1.59 on LSUN church, 3.39 on FFHQ (50,000 fakes against all images)",
    ),
    "projected-gan-lite-256": Preset(
        build=_projected_lite,
        summary="The same with the lighter generator of the authors' code.",
        shape=(256, 256, 3),
        paper=_SAUER,
        published="no score; the authors' code says that it is better than the other on small data such as Pokemon",
    ),
}
