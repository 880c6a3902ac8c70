"""Presets for little data: one network and loss, with what keeps a discriminator from learning its data by heart.

All are a DCGAN with a spectrally normalised discriminator and the hinge loss on CIFAR-10, the settings of Miyato et al.
(2018) for such networks, and differ in the technique alone, whose weights are the published ones; the papers have them
on larger networks. `--data.share 0.1` trains on a tenth of the data.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from jaxgan.config.config import Config
from jaxgan.config.groups import DataConfig, LatentConfig
from jaxgan.config.moves import PenaltyConfig
from jaxgan.config.presets.base import Preset
from jaxgan.models import DCGANConfig


def _plain() -> Config:
    return Config(
        model=DCGANConfig(width=64, d_batch_norm=False, d_spectral_norm=True),
        data=DataConfig("tfds:cifar10", flip=True),
        latent=LatentConfig(dim=128),
        loss="hinge",
        steps=10000,
    )


def _penalised(penalty: PenaltyConfig) -> Config:
    return dataclasses.replace(_plain(), penalty=penalty)


def _cr() -> Config:
    return _penalised(PenaltyConfig((("consistency", 10.0),)))


def _icr() -> Config:
    """bCR with weights 10 and 10, zCR with radius 0.05 and weights 20 and 0.5."""
    return _penalised(
        PenaltyConfig(
            (("balanced_consistency", 10.0), ("latent_consistency", 1.0)),
            options=(("radius", 0.05), ("discriminator_weight", 20.0), ("generator_weight", 0.5)),
        )
    )


def _lecam() -> Config:
    """The weight is that of code, which has the rectified form."""
    options = (("decay", 0.99), ("start", 1000.0), ("rectified", 1.0))
    return _penalised(PenaltyConfig((("lecam", 0.3),), options=options))


def _augmented(name: str) -> Config:
    return dataclasses.replace(_plain(), augment=(name,))


def _diffaugment() -> Config:
    return _augmented("diffaugment")


def _ada() -> Config:
    return _augmented("ada")


def _apa() -> Config:
    return _augmented("apa")


def _preset(build: Callable[[], Config], summary: str, paper: str) -> Preset:
    return Preset(build=build, summary=summary, shape=(32, 32, 3), n_classes=10, paper=paper)


LITTLE_DATA = {
    "dcgan-cifar10-sn": _preset(
        _plain,
        "DCGAN with spectral normalisation and hinge loss on CIFAR-10 (tfds:cifar10).",
        "Miyato et al. (2018), Spectral normalization for generative adversarial networks",
    ),
    "dcgan-cifar10-cr": _preset(
        _cr,
        "The same with consistency regularisation, weight 10.",
        "Zhang et al. (2020), Consistency regularization for generative adversarial networks",
    ),
    "dcgan-cifar10-icr": _preset(
        _icr,
        "The same with balanced and latent consistency regularisation.",
        "Zhao et al. (2021), Improved consistency regularization for GANs",
    ),
    "dcgan-cifar10-lecam": _preset(
        _lecam,
        "The same with LeCam regularisation, weight 0.3 from update 1,000 on.",
        "Tseng et al. (2021), Regularizing generative adversarial networks under limited data",
    ),
    "dcgan-cifar10-diffaugment": _preset(
        _diffaugment,
        "The same with DiffAugment: colour, translation, cutout.",
        "Zhao et al. (2020), Differentiable augmentation for data-efficient GAN training",
    ),
    "dcgan-cifar10-ada": _preset(
        _ada,
        "The same with adaptive discriminator augmentation: bgc, target 0.6, 500,000 images.",
        "Karras et al. (2020), Training generative adversarial networks with limited data",
    ),
    "dcgan-cifar10-apa": _preset(
        _apa,
        "The same with adaptive pseudo augmentation: fakes pass for reals; target 0.6, 500,000 images.",
        "Jiang et al. (2021), Deceive D: adaptive pseudo augmentation for GAN training with limited data",
    ),
}
