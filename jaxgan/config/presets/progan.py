"""Presets of the Progressive GAN, as its authors trained it."""

from __future__ import annotations

from jaxgan.config.config import Config
from jaxgan.config.groups import DataConfig, EMAConfig, LatentConfig
from jaxgan.config.moves import OptimizerConfig, PenaltyConfig
from jaxgan.config.presets.base import Preset
from jaxgan.models import ProGANConfig


def _progan(data: DataConfig, batch: int, target: float = 1.0) -> Config:
    """Karras et al. (2018), appendix A: 600,000 images a size, and as many for the next one to fade in.

    The authors' batch falls from 128 at 16x16 and below by halves to 16 at 128x128 and less above; ours is that of the
    full size throughout. Theirs show 12 million images in all, and so do ours. `target`: of the norm of the critic's
    gradient, by whose square the penalty is divided.
    """
    adam = OptimizerConfig(1e-3, b1=0.0, b2=0.99)
    return Config(
        model=ProGANConfig(),
        data=data,
        latent=LatentConfig(dim=512),
        loss="wasserstein",
        penalty=PenaltyConfig((("gradient_penalty", 10.0 / target**2), ("drift", 0.001)), target=target),
        reuse_fakes=False,
        g_optimizer=adam,
        d_optimizer=adam,
        ema=EMAConfig(decay=0.999, ramp_up=False),
        batch_size=batch,
        steps=12_000_000 // batch,
        checkpoint_every=2500,
        sample_every=2500,
        evaluate_every=12_500,
    )


def _cifar10() -> Config:
    """A target of 750, for this data set alone: appendix D."""
    return _progan(DataConfig("tfds:cifar10"), 64, target=750.0)


def _own(resolution: int, batch: int) -> Config:
    return _progan(DataConfig("", resolution=resolution, channels=3, flip=True), batch)


def _128() -> Config:
    return _own(128, 16)


def _256() -> Config:
    return _own(256, 8)


def _1024() -> Config:
    return _own(1024, 4)


_PAPER = "Karras, Aila, Laine, Lehtinen (2018), Progressive growing of GANs"
PROGAN = {
    "progan-cifar10": Preset(
        build=_cifar10,
        summary="Progressive GAN on CIFAR-10, from 4x4 to 32x32; batch 64 throughout.",
        shape=(32, 32, 3),
        n_classes=10,
        paper=_PAPER,
        published="Inception score 8.80 without classes: the best of ten runs, whose mean is 8.56 (50,000 images)",
    ),
    "progan-128": Preset(
        build=_128,
        summary="Progressive GAN up to 128x128; batch 16 throughout: needs --data.source.",
        shape=(128, 128, 3),
        paper=_PAPER,
        published="sliced Wasserstein distances of CelebA in table 1",
    ),
    "progan-256": Preset(
        build=_256,
        summary="Progressive GAN up to 256x256; batch 8 throughout: needs --data.source.",
        shape=(256, 256, 3),
        paper=_PAPER,
        published="sliced Wasserstein distances and pictures of LSUN",
    ),
    "progan-1024": Preset(
        build=_1024,
        summary="Progressive GAN up to 1024x1024; batch 4 throughout: needs --data.source.",
        shape=(1024, 1024, 3),
        paper=_PAPER,
        published="pictures of CelebA-HQ",
    ),
}
