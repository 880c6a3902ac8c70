"""Presets that turn images into others: restoration, pix2pix and CycleGAN."""

from __future__ import annotations

import dataclasses
from typing import Any

from jaxgan.config.config import Config
from jaxgan.config.groups import DataConfig, EMAConfig
from jaxgan.config.moves import OptimizerConfig
from jaxgan.config.presets.base import Preset
from jaxgan.models import Pix2PixConfig, SRResNetConfig

_LINEAR = OptimizerConfig(2e-4, b1=0.5, schedule="linear", hold=0.5)


def _restoring(
    source: str,
    degrade: tuple[str, ...],
    options: tuple[tuple[str, float | str], ...],
    model: Any,
    *,
    steps: int,
    batch_size: int,
    game_options: tuple[tuple[str, float], ...],
    **data: Any,
) -> Config:
    adam = OptimizerConfig(1e-3, b1=0.9, schedule="cosine")
    return Config(
        game="translation",
        game_options=game_options,
        model=model,
        data=DataConfig(source, degrade=degrade, degrade_options=options, **data),
        loss="least_squares",
        batch_size=batch_size,
        steps=steps,
        g_optimizer=adam,
        d_optimizer=OptimizerConfig(2e-4, b1=0.5),
        checkpoint_every=500,
        sample_every=500,
        evaluate_every=500,
        quick_n=256,
        final_n=1000,
    )


def _restore_28() -> Config:
    return _restoring(
        "mnist",
        ("inpaint",),
        (("mask", "centre"), ("size", 0.5)),
        Pix2PixConfig(width=16, halvings=4, dropout=False, d_width=16),
        steps=2000,
        batch_size=32,
        game_options=(("pixel", 100.0),),
    )


def _restore_64() -> Config:
    return _restoring(
        "",
        ("inpaint",),
        (("mask", "free-form"), ("size", 0.5)),
        Pix2PixConfig(width=24, halvings=5, dropout=False, d_width=24),
        steps=3000,
        batch_size=16,
        game_options=(("pixel", 100.0),),
        resolution=64,
        channels=3,
        flip=True,
    )


def _denoise_32() -> Config:
    return _restoring(
        "tfds:cifar10",
        ("denoise",),
        (("noise", "gaussian"), ("level", 25.0)),
        SRResNetConfig(width=16, blocks=3),
        steps=5000,
        batch_size=16,
        game_options=(("adversarial", 0.0),),
        flip=True,
    )


def _super_resolution_64() -> Config:
    """Pixels alone for a half of the run, then with the critic, as the paper has it."""
    return _restoring(
        "",
        ("super-resolution",),
        (("scale", 2.0), ("resample", "bicubic")),
        SRResNetConfig(width=32, blocks=4, skip="cubic"),
        steps=2000,
        batch_size=8,
        game_options=(("pixel", 100.0), ("adversarial", 0.1), ("pixel_steps", 1000.0)),
        resolution=64,
        channels=3,
        flip=True,
    )


def _srgan() -> Config:
    """Adam of rate 1e-4 and b1 0.9 for both networks, weights and batch as in section 3.2; shorter phases."""
    adam = OptimizerConfig(1e-4, b1=0.9)
    config = _restoring(
        "",
        ("super-resolution",),
        (("scale", 4.0), ("resample", "bicubic")),
        SRResNetConfig(),
        steps=400_000,
        batch_size=16,
        game_options=(("pixel", 1.0), ("adversarial", 1e-3), ("pixel_steps", 200_000.0), ("squared", 1.0)),
        resolution=128,
        channels=3,
        flip=True,
    )
    return _often(dataclasses.replace(config, g_optimizer=adam, d_optimizer=adam))


def _pix2pix() -> Config:
    """Batch 1, 200 passes over 400 facades, the rate falling over the second half."""
    config = Config(
        game="translation",
        game_options=(("pixel", 100.0), ("halved", 1.0)),
        model=Pix2PixConfig(),
        data=DataConfig("", resolution=256, channels=3, flip=True),
        batch_size=1,
        steps=80_000,
        g_optimizer=_LINEAR,
        d_optimizer=_LINEAR,
        ema=EMAConfig(decay=0.0, ramp_up=False),
    )
    return _often(config)


def _small_pix2pix() -> Config:
    every: dict[str, Any] = {"checkpoint_every": 500, "sample_every": 500, "evaluate_every": 500}
    adam = OptimizerConfig(1e-3, b1=0.5, schedule="linear", hold=0.5)
    return Config(
        game="translation",
        game_options=(("pixel", 100.0), ("halved", 1.0)),
        model=Pix2PixConfig(width=24, dropout=False),
        data=DataConfig("", resolution=64, channels=3, flip=True),
        batch_size=8,
        steps=3000,
        g_optimizer=adam,
        d_optimizer=_LINEAR,
        quick_n=200,
        final_n=1000,
        **every,
    )


def _cyclegan(*, width: int, blocks: int, resolution: int, steps: int, **fields: Any) -> Config:
    return Config(
        game="cycle_gan",
        model=Pix2PixConfig(translator="resnet", width=width, blocks=blocks, d_norm="instance"),
        data=DataConfig("", resolution=resolution, channels=3, flip=True),
        loss="least_squares",
        steps=steps,
        g_optimizer=_LINEAR,
        d_optimizer=_LINEAR,
        **fields,
    )


def _cyclegan_256() -> Config:
    return _often(
        _cyclegan(
            width=64, blocks=9, resolution=256, steps=200_000, batch_size=1, ema=EMAConfig(0.0, ramp_up=False)
        )
    )


def _small_cyclegan() -> Config:
    every: dict[str, Any] = {"checkpoint_every": 500, "sample_every": 500, "evaluate_every": 500}
    return _cyclegan(
        width=16, blocks=3, resolution=64, steps=2000, batch_size=4, quick_n=200, final_n=1000, **every
    )


def _often(config: Config) -> Config:
    """A long run, whose pictures and scores come seldom."""
    every = max(1000, config.steps // 40)
    seldom: dict[str, Any] = dict.fromkeys(("checkpoint_every", "sample_every", "evaluate_every"), every)
    return dataclasses.replace(config, **seldom, quick_n=200, final_n=1000)


_ISOLA = "Isola et al. (2017), Image-to-image translation with conditional adversarial networks"
_ZHU = "Zhu et al. (2017), Unpaired image-to-image translation using cycle-consistent adversarial networks"
_LEDIG = "Ledig et al. (2017), Photo-realistic single image super-resolution using a generative adversarial network"

RESTORATION: dict[str, Preset] = {
    "restore-28": Preset(
        build=_restore_28,
        summary="digits whose centre is lost: a small U-Net and a critic of patches; any --data.degrade",
        shape=(28, 28, 1),
        paper=_ISOLA,
    ),
    "restore-64": Preset(
        build=_restore_64,
        summary="your images at 64x64 from what is left of them: holes, or any --data.degrade of the same size",
        shape=(64, 64, 3),
        paper=_ISOLA,
    ),
    "denoise-32": Preset(
        build=_denoise_32,
        summary="Gaussian noise of 25/255 off CIFAR-10, by pixels alone",
        shape=(32, 32, 3),
        paper=_LEDIG,
    ),
    "super-resolution-64": Preset(
        build=_super_resolution_64,
        summary="your images from half their size: by pixels first, then with a critic",
        shape=(64, 64, 3),
        paper=_LEDIG,
    ),
    "srgan-128": Preset(
        build=_srgan,
        summary="SRGAN's depth, width and rates at x4, without normalisation, with a critic of patches and no VGG",
        shape=(128, 128, 3),
        paper=_LEDIG,
        published="none that compares: the paper's has a loss of VGG features",
    ),
    "pix2pix": Preset(
        build=_small_pix2pix,
        summary="a small pix2pix for small images (--data.source pairs:A,B)",
        shape=(64, 64, 3),
        paper=_ISOLA,
    ),
    "pix2pix-256": Preset(
        build=_pix2pix,
        summary="pix2pix on your pairs (--data.source pairs:A,B)",
        shape=(256, 256, 3),
        paper=_ISOLA,
    ),
    "cyclegan-256": Preset(
        build=_cyclegan_256,
        summary="CycleGAN between two folders (--data.source domains:A,B)",
        shape=(256, 256, 3),
        paper=_ZHU,
    ),
    "cyclegan": Preset(
        build=_small_cyclegan,
        summary="a small CycleGAN for small images (--data.source domains:A,B)",
        shape=(64, 64, 3),
        paper=_ZHU,
    ),
}
