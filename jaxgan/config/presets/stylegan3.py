"""Presets of StyleGAN3 for square images of one's own."""

from __future__ import annotations

from functools import partial

from jaxgan.config.config import Config
from jaxgan.config.groups import DataConfig, EMAConfig
from jaxgan.config.moves import DynamicsConfig
from jaxgan.config.presets.base import Preset
from jaxgan.config.presets.stylegan2 import IMAGES, adam, lazy_r1, style_run
from jaxgan.models import StyleGAN3Config

BATCH = 32
# R1's weight at a resolution, as the authors recommend for both variants.
GAMMA = {128: 0.5, 256: 2.0, 512: 8.0, 1024: 32.0}


def _stylegan3(resolution: int, *, rotations: bool) -> Config:
    """train.py of its code for batches of 32 images: magnitudes are averaged with a half-life of 20,000 images.

    The discriminator of StyleGAN3-r sees blurred images during the first 200,000.
    """
    return style_run(
        Config(
            model=StyleGAN3Config(
                rotations=rotations,
                base=32768 if resolution >= 512 else 16384,
                magnitude_decay=0.5 ** (BATCH / 20_000),
            ),
            data=DataConfig("", resolution=resolution, channels=3, flip=True),
            batch_size=BATCH,
            penalty=lazy_r1(GAMMA[resolution]),
            dynamics=DynamicsConfig(blur=10.0 if rotations else 0.0, blur_end=200_000 / IMAGES),
            g_optimizer=adam(2.5e-3),
            d_optimizer=adam(2e-3),
            ema=EMAConfig(half_life=BATCH * 10 / 32, half_life_ramp=0.05),
        )
    )


_KARRAS = "Karras et al. (2021), Alias-free generative adversarial networks"
_PUBLISHED = {
    ("t", 1024): "FID 3.67, EQ-T 61.7 dB on FFHQ-U: 50,000 fakes against its 70,000 images",
    ("r", 1024): "FID 3.66, EQ-T 64.8 dB, EQ-R 47.6 dB on FFHQ-U: 50,000 fakes against its 70,000 images",
}
STYLEGAN3: dict[str, Preset] = {
    f"stylegan3-{kind}-{resolution}": Preset(
        build=partial(_stylegan3, resolution, rotations=kind == "r"),
        summary=f"StyleGAN3-{kind} at {resolution}x{resolution}: needs --data.source folder:PATH or tfds:NAME.",
        shape=(resolution, resolution, 3),
        paper=_KARRAS,
        published=_PUBLISHED.get((kind, resolution), ""),
    )
    for kind in ("t", "r")
    for resolution in (256, 1024)
}
