"""The presets: configurations that are known to train, by name.

A preset's docstring says what it is (first line), then command, hardware, time and score, as
measured; README.md repeats them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from jaxgan.common.errors import lookup
from jaxgan.config.config import Config
from jaxgan.config.groups import DataConfig, LatentConfig
from jaxgan.config.moves import DynamicsConfig, OptimizerConfig, PenaltyConfig
from jaxgan.models import DCGANConfig, MLPConfig


def mlp_mnist() -> Config:
    """The classic fully connected GAN on MNIST.

    jaxgan train mlp-mnist: 2:59 on two CPU cores; fd_mnist_cnn 0.563 (real data 0.017).
    """
    adam = OptimizerConfig(2e-4, b1=0.5)
    return Config(
        model=MLPConfig(), latent=LatentConfig(dim=100), steps=20000, g_optimizer=adam, d_optimizer=adam
    )


def _dcgan(*, conditional: bool = False, source: str = "mnist") -> Config:
    """Non-saturating loss and a lazy R1 in place of the discriminator's batch norm.

    Mescheder et al. 2018 (gamma 1, no momentum in Adam). Of some fifteen recipes tried on MNIST for
    3,000 steps, one seed each and with networks down to 7x7 pixels, it had the lowest Frechet
    distance: 0.78, where the best with batch norm had 1.15.
    """
    adam = OptimizerConfig(1e-3, b1=0.0)
    return Config(
        model=DCGANConfig(width=32, d_batch_norm=False, conditional=conditional),
        data=DataConfig(source),
        penalty=PenaltyConfig((("r1", 1.0),), every=4),
        g_optimizer=adam,
        d_optimizer=adam,
    )


def dcgan_mnist() -> Config:
    """DCGAN on MNIST: the default.

    jaxgan train: 3:01 on two CPU cores; fd_mnist_cnn 0.150 (real data 0.017), all ten classes.
    """
    return _dcgan()


def cdcgan_mnist() -> Config:
    """Class-conditional DCGAN on MNIST.

    jaxgan train cdcgan-mnist: 3:39 on two CPU cores; fd_mnist_cnn 0.070 (real data 0.017).
    """
    return _dcgan(conditional=True)


def wgan_gp_mnist() -> Config:
    """WGAN with gradient penalty on MNIST: critic without batch norm, 5 critic updates a step.

    jaxgan train wgan-gp-mnist: 6:07 on two CPU cores; fd_mnist_cnn 0.884 (real data 0.017), still falling.
    """
    adam = OptimizerConfig(2e-4, b1=0.5, b2=0.9)
    return Config(
        model=DCGANConfig(width=32, d_batch_norm=False),
        loss="wasserstein",
        penalty=PenaltyConfig((("gradient_penalty", 10.0),)),
        d_steps=5,
        steps=2000,
        g_optimizer=adam,
        d_optimizer=adam,
    )


def dcgan_fashion() -> Config:
    """DCGAN on Fashion-MNIST (tfds:fashion_mnist).

    jaxgan train dcgan-fashion: 3:02 on two CPU cores; fd_random_cnn 0.0207 (real data 0.0039).
    """
    return _dcgan(source="tfds:fashion_mnist")


def dcgan_cifar10() -> Config:
    """DCGAN on CIFAR-10 (tfds:cifar10).

    jaxgan train dcgan-cifar10: 22 minutes on two shared CPU cores; fd_random_cnn 0.046 (real data 0.0086).
    """
    return Config(
        model=DCGANConfig(width=64),
        data=DataConfig("tfds:cifar10", flip=True),
        latent=LatentConfig(dim=128),
        steps=10000,
    )


def dcgan_64() -> Config:
    """DCGAN at 64x64 on images of your own: needs --data.source folder:PATH or tfds:NAME.

    jaxgan train dcgan-64 --data.source folder:PATH: 0.6 s a step on two CPU cores, so better on a GPU; not
    yet scored.
    """
    return Config(
        model=DCGANConfig(width=64),
        data=DataConfig("", resolution=64, channels=3, flip=True),
        latent=LatentConfig(dim=128),
        steps=10000,
    )


def _toy(source: str, steps: int, scale: float, noise: float, noise_end: float) -> Config:
    """Relativistic loss with R1, R2 and early noise, on networks that can be steep.

    Random Fourier features and spread-out biases let small networks resolve modes much narrower than
    their distance; noise at the start finds all modes, and the falling penalty lets them sharpen.
    """
    g_adam, d_adam = (OptimizerConfig(rate, b1=0.0, b2=0.95, schedule="cosine") for rate in (3e-3, 2e-3))
    return Config(
        model=MLPConfig(
            g_widths=(96,) * 5,
            d_widths=(128,) * 3,
            g_activation="relu",
            weight_init="he",
            bias_init=1.0,
            g_fourier=16,
            d_fourier=32,
            data_scale=scale,
        ),
        data=DataConfig(source),
        latent=LatentConfig("uniform", dim=2, scale=1.7),
        loss="relativistic_paired",
        penalty=PenaltyConfig(
            (("r1", 0.05 * scale**2), ("r2", 0.05 * scale**2)), schedule="exponential", end=0.04
        ),
        dynamics=DynamicsConfig(instance_noise=noise * scale, instance_noise_end=noise_end),
        batch_size=256,
        steps=steps,
        reuse_fakes=False,
        g_optimizer=g_adam,
        d_optimizer=d_adam,
    )


def toy_ring() -> Config:
    """8 Gaussians on a ring: relativistic loss with R1 and R2.

    10 seeds: 8.0 of 8 modes, 98.4 % high quality (real data 99 %).
    """
    return _toy("ring", 9000, 0.25, 1.0, 0.6)


def toy_grid() -> Config:
    """25 Gaussians on a grid: relativistic loss with R1 and R2.

    10 seeds: 25.0 of 25 modes, 97.5 % high quality (real data 99 %).
    """
    return _toy("grid", 13000, 1.0, 0.6, 0.5)


_PRESETS: tuple[Callable[[], Config], ...] = (
    mlp_mnist,
    dcgan_mnist,
    cdcgan_mnist,
    wgan_gp_mnist,
    dcgan_fashion,
    dcgan_cifar10,
    dcgan_64,
    toy_ring,
    toy_grid,
)
PRESETS: dict[str, Callable[[], Config]] = {preset.__name__.replace("_", "-"): preset for preset in _PRESETS}
DEFAULT_PRESET = "dcgan-mnist"


def get_preset(name: str) -> Config:
    """The configuration of a preset. Raises InputError naming the nearest if there is none."""
    return dataclasses.replace(lookup("preset", name, PRESETS)(), preset=name)
