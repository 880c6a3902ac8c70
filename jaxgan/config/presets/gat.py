"""Presets of transformers."""

from __future__ import annotations

from jaxgan.config.config import Config
from jaxgan.config.groups import DataConfig, EMAConfig, LatentConfig
from jaxgan.config.moves import OptimizerConfig, PenaltyConfig
from jaxgan.config.presets.base import Preset
from jaxgan.models import GATConfig


def _gat_pixels_64() -> Config:
    """The settings of the authors' script, whose learning rate falls with the width: 2e-4 at 768.

    Their norm of 1, to which longer gradients are shortened, is left out, and so are bfloat16, and features of DINOv2
    that the discriminator learns beside.
    """
    adam = OptimizerConfig(4e-4, b1=0.0, b2=0.99)
    return Config(
        model=GATConfig(),
        data=DataConfig("", resolution=64, channels=3, flip=True),
        latent=LatentConfig(dim=64),
        loss="relativistic_paired",
        penalty=PenaltyConfig((("r1_approximate", 0.1), ("r2_approximate", 0.1))),
        augment=("diffaugment",),
        batch_size=512,
        steps=100_000,
        ema=EMAConfig(0.999, ramp_up=False),
        g_optimizer=adam,
        d_optimizer=adam,
    )


GAT = {
    "gat-pixels-64": Preset(
        build=_gat_pixels_64,
        summary="A small pair of transformers on 4x4 patches of 64x64 pixels, after GAT, which works on latents; "
        "no clipping of gradients, no noisy partial pictures, no features of DINOv2.",
        shape=(64, 64, 3),
        paper="Hyun et al. (2025), Scalable GANs with transformers",
        published="FID 2.18 on ImageNet-256 in the latents of an autoencoder (GAT-XL/2, 50,000 fakes)",
    ),
}
