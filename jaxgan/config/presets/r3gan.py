"""Presets of R3GAN, as its authors trained it."""

from __future__ import annotations

from jaxgan.config.config import Config
from jaxgan.config.groups import DataConfig, EMAConfig, LatentConfig
from jaxgan.config.moves import OptimizerConfig, PenaltyConfig
from jaxgan.config.presets.base import Preset
from jaxgan.models import R3GANConfig


def _r3gan(
    model: R3GANConfig,
    data: DataConfig,
    *,
    gamma: float,
    batch: int,
    mega: int,
    half_life: float,
    p: float,
    steps: int,
) -> Config:
    """Everything that changes does so on half a cosine over the first `mega` million images.

    The weight of R1 and R2 (gamma, of which either counts half the squared norm) falls to a tenth, Adam's learning
    rate from 2e-4 to 5e-5 with b2 rising from 0.9 to 0.99, the average's half-life grows from 0, and so does the
    probability of ADA's changes, up to `p`: bgc with its colours at half strength, and cutout. The length of the run is
    ours.
    """
    adam = OptimizerConfig(2e-4, b1=0.0, b2=0.9, schedule="cosine", end=0.25, b2_end=0.99)
    return Config(
        model=model,
        data=data,
        latent=LatentConfig(dim=64),
        loss="relativistic_paired",
        penalty=PenaltyConfig((("r1", gamma), ("r2", gamma)), schedule="cosine", end=0.1),
        augment=("ada_scheduled",),
        augment_options=(("p", p), ("color", 0.5), ("cutout", 1.0)),
        reuse_fakes=False,
        g_optimizer=adam,
        d_optimizer=adam,
        ema=EMAConfig(half_life=half_life, schedule="cosine"),
        batch_size=batch,
        schedule_kimg=1000 * mega,
        steps=steps,
        checkpoint_every=5000,
        sample_every=5000,
        evaluate_every=5000,
    )


def _cifar10(*, conditional: bool = True) -> Config:
    return _r3gan(
        R3GANConfig(conditional=conditional, dtype="bfloat16"),
        DataConfig("tfds:cifar10", flip=True),
        gamma=0.05,
        batch=512,
        mega=20,
        half_life=5000,
        p=0.55,
        steps=200_000,
    )


def _cifar10_unconditional() -> Config:
    return _cifar10(conditional=False)


def _ffhq(resolution: int, gamma: float) -> Config:
    return _r3gan(
        R3GANConfig(dtype="bfloat16"),
        DataConfig("", resolution=resolution, channels=3, flip=True),
        gamma=gamma,
        batch=256,
        mega=20,
        half_life=500,
        p=0.3,
        steps=400_000,
    )


def _ffhq_64() -> Config:
    return _ffhq(64, 2.0)


def _ffhq_256() -> Config:
    return _ffhq(256, 150.0)


def _imagenet(resolution: int, gamma: float) -> Config:
    return _r3gan(
        R3GANConfig(width=1536, full=5, conditional=True, dtype="bfloat16"),
        DataConfig("", resolution=resolution, channels=3, flip=True),
        gamma=gamma,
        batch=4096,
        mega=200,
        half_life=50_000,
        p=0.5 if resolution == 32 else 0.4,
        steps=200_000,
    )


def _imagenet_32() -> Config:
    return _imagenet(32, 0.5)


def _imagenet_64() -> Config:
    return _imagenet(64, 1.0)


_PAPER = (
    "Huang, Gokaslan, Kuleshov, Tompkin (2024), The GAN is dead; long live the GAN! A modern baseline GAN"
)
R3GAN = {
    "r3gan-cifar10": Preset(
        build=_cifar10,
        summary="R3GAN on CIFAR-10 with classes.",
        shape=(32, 32, 3),
        n_classes=10,
        paper=_PAPER,
        published="FID 1.96, 50k fakes against the training images",
    ),
    "r3gan-cifar10-unconditional": Preset(
        build=_cifar10_unconditional,
        summary="R3GAN on CIFAR-10 without classes; other settings as published with them.",
        shape=(32, 32, 3),
        n_classes=10,
        paper=_PAPER,
        published="none without classes",
    ),
    "r3gan-ffhq-64": Preset(
        build=_ffhq_64,
        summary="R3GAN on faces of 64x64: needs --data.source.",
        shape=(64, 64, 3),
        paper=_PAPER,
        published="FID 1.95 on FFHQ-64, 50k fakes against all images",
    ),
    "r3gan-ffhq-256": Preset(
        build=_ffhq_256,
        summary="R3GAN on faces of 256x256: needs --data.source.",
        shape=(256, 256, 3),
        paper=_PAPER,
        published="FID 2.75 on FFHQ-256, 50k fakes against all images",
    ),
    "r3gan-imagenet-32": Preset(
        build=_imagenet_32,
        summary="R3GAN on ImageNet at 32x32 with classes: needs --data.source.",
        shape=(32, 32, 3),
        n_classes=1000,
        paper=_PAPER,
        published="FID 1.27, 50k fakes against the training images",
    ),
    "r3gan-imagenet-64": Preset(
        build=_imagenet_64,
        summary="R3GAN on ImageNet at 64x64 with classes: needs --data.source.",
        shape=(64, 64, 3),
        n_classes=1000,
        paper=_PAPER,
        published="FID 2.09, 50k fakes against the training images",
    ),
}
