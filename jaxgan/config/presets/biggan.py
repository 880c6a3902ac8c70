"""Presets of BigGAN and BigGAN-deep, with their published settings."""

from __future__ import annotations

from functools import partial

from jaxgan.config.config import Config
from jaxgan.config.groups import DataConfig, EMAConfig, LatentConfig
from jaxgan.config.moves import OptimizerConfig
from jaxgan.config.presets.base import Preset
from jaxgan.models import BigGANConfig


def _imagenet(model: BigGANConfig, resolution: int, latent: int, *, slow: bool = False) -> Config:
    """The paper's: two discriminator updates, huge batches, and orthogonal regularisation of the generator.

    The regularisation is the printed loss (eq. 3); code that adds 2 W W^T W has half its gradient. The shared
    embedding is left out of it, as it is no kernel. `slow`: the rates of BigGAN-deep above 128 pixels.
    """
    return Config(
        model=model,
        data=DataConfig("", resolution=resolution, channels=3),
        latent=LatentConfig(dim=latent),
        loss="hinge",
        batch_size=2048,
        d_steps=2,
        steps=150_000,
        g_optimizer=OptimizerConfig(2.5e-5 if slow else 5e-5, b1=0.0, b2=0.999, orthogonal=1e-4),
        d_optimizer=OptimizerConfig(2.5e-5 if slow else 2e-4, b1=0.0, b2=0.999),
        ema=EMAConfig(decay=0.9999, ramp_up=False),
    )


def _cifar10(model: BigGANConfig, latent: int) -> Config:
    """As StudioGAN trains it: 5 discriminator updates, no regularisation, an average from step 1,000 on."""
    adam = OptimizerConfig(2e-4, b1=0.5, b2=0.999, eps=1e-6)
    return Config(
        model=model,
        data=DataConfig("tfds:cifar10", flip=True),
        latent=LatentConfig(dim=latent),
        loss="hinge",
        d_steps=5,
        steps=100_000,
        g_optimizer=adam,
        d_optimizer=adam,
        ema=EMAConfig(decay=0.9999, ramp_up=False, start=1000),
    )


_PAPER = "Brock, Donahue, Simonyan (2019), Large scale GAN training for high fidelity natural image synthesis"
_NEEDS = "on images with classes: needs --data.source folder:PATH or tfds:NAME."


def _deep(attention: int) -> BigGANConfig:
    return BigGANConfig(width=128, deep=True, attention=attention)


BIGGAN = {
    "biggan-32": Preset(
        build=partial(_cifar10, BigGANConfig(attention=16), 80),
        summary="BigGAN on CIFAR-10.",
        shape=(32, 32, 3),
        n_classes=10,
        paper=_PAPER,
        published="FID 4.16 (StudioGAN, 50,000 fakes against the training images, best checkpoint)",
    ),
    "biggan-64": Preset(
        build=partial(_imagenet, BigGANConfig(width=64, attention=32), 64, 120),
        summary=f"BigGAN at 64x64 {_NEEDS}",
        shape=(64, 64, 3),
        n_classes=1000,
        paper=_PAPER,
    ),
    "biggan-128": Preset(
        build=partial(_imagenet, BigGANConfig(attention=64), 128, 120),
        summary=f"BigGAN at 128x128 {_NEEDS}",
        shape=(128, 128, 3),
        n_classes=1000,
        paper=_PAPER,
        published="ImageNet: IS 98.8, FID 8.7, without truncation",
    ),
    "biggan-256": Preset(
        build=partial(_imagenet, BigGANConfig(attention=64), 256, 140),
        summary=f"BigGAN at 256x256 {_NEEDS}",
        shape=(256, 256, 3),
        n_classes=1000,
        paper=_PAPER,
    ),
    "biggan-deep-32": Preset(
        build=partial(_cifar10, _deep(0), 128),
        summary="BigGAN-deep on CIFAR-10.",
        shape=(32, 32, 3),
        n_classes=10,
        paper=_PAPER,
    ),
    "biggan-deep-64": Preset(
        build=partial(_imagenet, _deep(64), 64, 128),
        summary=f"BigGAN-deep at 64x64 {_NEEDS}",
        shape=(64, 64, 3),
        n_classes=1000,
        paper=_PAPER,
    ),
    "biggan-deep-128": Preset(
        build=partial(_imagenet, _deep(64), 128, 128),
        summary=f"BigGAN-deep at 128x128 {_NEEDS}",
        shape=(128, 128, 3),
        n_classes=1000,
        paper=_PAPER,
        published="ImageNet: IS 124.5, FID 5.7, without truncation",
    ),
    "biggan-deep-256": Preset(
        build=partial(_imagenet, _deep(64), 256, 128, slow=True),
        summary=f"BigGAN-deep at 256x256 {_NEEDS}",
        shape=(256, 256, 3),
        n_classes=1000,
        paper=_PAPER,
    ),
}
