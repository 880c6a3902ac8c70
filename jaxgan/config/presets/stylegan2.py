"""Presets of StyleGAN2 and of StyleGAN2-ADA's configurations, without its adaptive augmentation."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from jaxgan.config.config import Config
from jaxgan.config.groups import DataConfig, EMAConfig, LatentConfig
from jaxgan.config.moves import OptimizerConfig, PenaltyConfig
from jaxgan.config.presets.base import Preset
from jaxgan.models import StyleGAN2Config

IMAGES = 25_000_000  # that the discriminator is shown
SCORED = 200_000  # images between scores and checkpoints


def style_run(config: Config, *, images: int = IMAGES, scored: int = SCORED) -> Config:
    """A configuration with what all StyleGANs share, for so many images in all and between scores.

    The non-saturating loss, latents of 512 coordinates, fresh ones for each player, and 50,000 fakes for the scores
    at the end.
    """
    every = scored // config.batch_size
    return replace(
        config,
        loss="non_saturating",
        latent=LatentConfig(dim=512),
        reuse_fakes=False,
        steps=images // config.batch_size,
        checkpoint_every=every,
        sample_every=every,
        evaluate_every=every,
        final_n=50_000,
    )


def adam(learning_rate: float, b2: float = 0.99) -> OptimizerConfig:
    """Adam as StyleGANs have it: no momentum."""
    return OptimizerConfig(learning_rate, b1=0.0, b2=b2)


def lazy_r1(gamma: float) -> PenaltyConfig:
    """gamma / 2 times R1 as an update of its own in one of 16 steps."""
    return PenaltyConfig((("r1", gamma),), every_of=(("r1", 16),), own_updates=True)


def _with_path_length(gamma: float) -> PenaltyConfig:
    return PenaltyConfig(
        (("r1", gamma), ("path_length", 2.0)),
        every_of=(("r1", 16), ("path_length", 4)),
        options=(("shrink", 2.0),),
        own_updates=True,
    )


def _images(resolution: int, *, flip: bool) -> DataConfig:
    return DataConfig("", resolution=resolution, channels=3, flip=flip)


def _original(*, base: int, gamma: float) -> Config:
    """Configurations of StyleGAN2 for FFHQ: run_training.py of its code."""
    return style_run(
        Config(
            model=StyleGAN2Config(base=base),
            data=_images(1024, flip=True),
            batch_size=32,
            penalty=_with_path_length(gamma),
            g_optimizer=adam(2e-3),
            d_optimizer=adam(2e-3),
            ema=EMAConfig(half_life=10.0),
        )
    )


def _paper256() -> Config:
    return style_run(
        Config(
            model=StyleGAN2Config(base=16384, group=8),
            augment=("ada",),
            data=_images(256, flip=True),
            batch_size=64,
            penalty=_with_path_length(1.0),
            g_optimizer=adam(2.5e-3),
            d_optimizer=adam(2.5e-3),
            ema=EMAConfig(half_life=20.0),
        )
    )


def auto(resolution: int, devices: int = 1) -> Config:
    """StyleGAN2-ADA's automatic configuration for square images, on so many of its GPUs ("auto")."""
    batch = max(min(devices * min(4096 // resolution, 32), 64), devices)
    rate = 2e-3 if resolution >= 1024 else 2.5e-3
    return style_run(
        Config(
            model=StyleGAN2Config(
                base=32768 if resolution >= 512 else 16384, mapping_layers=2, group=min(batch // devices, 4)
            ),
            augment=("ada",),
            data=_images(resolution, flip=False),
            batch_size=batch,
            penalty=_with_path_length(2e-4 * resolution**2 / batch),
            g_optimizer=adam(rate),
            d_optimizer=adam(rate),
            ema=EMAConfig(half_life=batch * 10 / 32, half_life_ramp=0.05),
        )
    )


def _cifar10(*, conditional: bool = False) -> Config:
    """No mixing, no path length and no residual discriminator.

    The authors' code corrects the generator's optimiser for a lazy penalty even where its weight is 0.
    """
    return style_run(
        Config(
            model=StyleGAN2Config(
                mapping_layers=2, mixing=0.0, d_residual=False, group=32, conditional=conditional
            ),
            augment=("ada",),
            data=DataConfig("tfds:cifar10"),
            batch_size=64,
            penalty=lazy_r1(0.01),
            g_optimizer=adam(0.8 * 2.5e-3, 0.99**0.8),
            d_optimizer=adam(2.5e-3),
            ema=EMAConfig(half_life=500.0, half_life_ramp=0.05),
        ),
        images=100_000_000,
    )


_KARRAS = "Karras et al. (2020), Analyzing and improving the image quality of StyleGAN"
_LIMITED = "Karras et al. (2020), Training generative adversarial networks with limited data"
_OWN = "needs --data.source folder:PATH or tfds:NAME"
STYLEGAN2: dict[str, Preset] = {
    "stylegan2-ffhq-1024": Preset(
        build=partial(_original, base=32768, gamma=10.0),
        summary=f"StyleGAN2 at 1024x1024, config-f: {_OWN}.",
        shape=(1024, 1024, 3),
        paper=_KARRAS,
        published="FID 2.84 on FFHQ: 50,000 fakes against its 70,000 images",
    ),
    "stylegan2-config-e": Preset(
        build=partial(_original, base=16384, gamma=100.0),
        summary=f"StyleGAN2 at 1024x1024 with half the channels, config-e: {_OWN}.",
        shape=(1024, 1024, 3),
        paper=_KARRAS,
        published="FID 3.31 on FFHQ: 50,000 fakes against its 70,000 images",
    ),
    "stylegan2-paper256": Preset(
        build=_paper256,
        summary=f"StyleGAN2 at 256x256 as ADA's paper trains it: {_OWN}.",
        shape=(256, 256, 3),
        paper=_LIMITED,
    ),
    **{
        f"stylegan2-auto-{resolution}": Preset(
            build=partial(auto, resolution),
            summary=f"StyleGAN2-ADA's auto for {resolution}x{resolution} on one GPU: {_OWN}.",
            shape=(resolution, resolution, 3),
            paper=_LIMITED,
        )
        for resolution in (64, 128, 256, 512)
    },
    "stylegan2-cifar10": Preset(
        build=_cifar10,
        summary="StyleGAN2-ADA's configuration for CIFAR-10.",
        shape=(32, 32, 3),
        n_classes=10,
        paper=_LIMITED,
        published="FID 2.92: 50,000 fakes against the training set",
    ),
    "stylegan2-cifar10-cond": Preset(
        build=partial(_cifar10, conditional=True),
        summary="StyleGAN2-ADA's class-conditional configuration for CIFAR-10.",
        shape=(32, 32, 3),
        n_classes=10,
        paper=_LIMITED,
        published="FID 2.42: 50,000 fakes against the training set",
    ),
}
