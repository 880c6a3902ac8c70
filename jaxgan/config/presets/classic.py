"""Presets of the networks of 2014 to 2016, for small images, and of mixtures of points."""

from __future__ import annotations

from jaxgan.config.config import Config
from jaxgan.config.groups import DataConfig, EMAConfig, LatentConfig
from jaxgan.config.moves import DynamicsConfig, OptimizerConfig, PenaltyConfig
from jaxgan.config.presets.base import Preset
from jaxgan.models import DCGANConfig, MLPConfig


def _mlp_mnist() -> Config:
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


def _cdcgan_mnist() -> Config:
    return _dcgan(conditional=True)


def _wgan_gp_mnist() -> Config:
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


def _dcgan_fashion() -> Config:
    return _dcgan(source="tfds:fashion_mnist")


def _dcgan_cifar10() -> Config:
    return Config(
        model=DCGANConfig(width=64),
        data=DataConfig("tfds:cifar10", flip=True),
        latent=LatentConfig(dim=128),
        steps=10000,
    )


def _dcgan_64() -> Config:
    return Config(
        model=DCGANConfig(width=64),
        data=DataConfig("", resolution=64, channels=3, flip=True),
        latent=LatentConfig(dim=128),
        steps=10000,
    )


def _small_64() -> Config:
    """Relativistic pairs with lazy R1 and R2 in place of the discriminator's batch norm, and DiffAugment."""
    adam = OptimizerConfig(1e-3, b1=0.0)
    return Config(
        model=DCGANConfig(width=32, d_batch_norm=False),
        data=DataConfig("", resolution=64, channels=3, flip=True),
        latent=LatentConfig(dim=100),
        loss="relativistic_paired",
        penalty=PenaltyConfig((("r1", 1.0), ("r2", 1.0)), every=8),
        augment=("diffaugment",),
        ema=EMAConfig(half_life=5.0),
        batch_size=32,
        steps=2500,
        g_optimizer=adam,
        d_optimizer=adam,
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


def _toy_ring() -> Config:
    return _toy("ring", 9000, 0.25, 1.0, 0.6)


def _toy_grid() -> Config:
    return _toy("grid", 13000, 1.0, 0.6, 0.5)


_GOODFELLOW = "Goodfellow et al. (2014), Generative adversarial nets"
_RADFORD = "Radford, Metz, Chintala (2016), Unsupervised representation learning with DCGANs"
_GULRAJANI = "Gulrajani et al. (2017), Improved training of Wasserstein GANs"
CLASSIC = {
    "mlp-mnist": Preset(
        build=_mlp_mnist,
        summary="The classic fully connected GAN on MNIST.",
        shape=(28, 28, 1),
        n_classes=10,
        paper=_GOODFELLOW,
        measured="2:59 on two CPU cores; fd_mnist_cnn 0.563 (real data 0.017)",
    ),
    "dcgan-mnist": Preset(
        build=_dcgan,
        summary="DCGAN on MNIST: the default.",
        shape=(28, 28, 1),
        n_classes=10,
        paper=_RADFORD,
        measured="3:01 on two CPU cores; fd_mnist_cnn 0.132 and 0.149 in two runs (real data 0.017), all ten classes",
    ),
    "cdcgan-mnist": Preset(
        build=_cdcgan_mnist,
        summary="Class-conditional DCGAN on MNIST.",
        shape=(28, 28, 1),
        n_classes=10,
        paper=_RADFORD,
        measured="3:39 on two CPU cores; fd_mnist_cnn 0.070 (real data 0.017)",
    ),
    "wgan-gp-mnist": Preset(
        build=_wgan_gp_mnist,
        summary="WGAN with gradient penalty on MNIST: critic without batch norm, 5 critic updates a step.",
        shape=(28, 28, 1),
        n_classes=10,
        paper=_GULRAJANI,
        measured="6:07 on two CPU cores; fd_mnist_cnn 0.884 (real data 0.017), still falling",
    ),
    "dcgan-fashion": Preset(
        build=_dcgan_fashion,
        summary="DCGAN on Fashion-MNIST (tfds:fashion_mnist).",
        shape=(28, 28, 1),
        n_classes=10,
        paper=_RADFORD,
        measured="3:02 on two CPU cores; fd_random_cnn 0.0207 (real data 0.0039)",
    ),
    "dcgan-cifar10": Preset(
        build=_dcgan_cifar10,
        summary="DCGAN on CIFAR-10 (tfds:cifar10).",
        shape=(32, 32, 3),
        n_classes=10,
        paper=_RADFORD,
        measured="22 minutes on two shared CPU cores; fd_random_cnn 0.046 (real data 0.0086)",
    ),
    "dcgan-64": Preset(
        build=_dcgan_64,
        summary="DCGAN at 64x64 on images of your own: needs --data.source folder:PATH or tfds:NAME.",
        shape=(64, 64, 3),
        paper=_RADFORD,
        measured="0.6 s a step on two CPU cores, so better on a GPU; not yet scored",
    ),
    "small-64": Preset(
        build=_small_64,
        summary="A few hundred or thousand images of your own at 64x64, on a laptop: needs --data.source.",
        shape=(64, 64, 3),
        paper="Huang et al. (2024), The GAN is dead; long live the GAN! (the loss), on DCGAN's networks",
        measured="18 processor minutes on two shared CPU cores (40 on the clock), 2,000 cartoon faces against 1,000 "
        "held out: fd_random_cnn 0.34 (real data 0.024), precision 0.97, recall 0.62, no copies found",
    ),
    "toy-ring": Preset(
        build=_toy_ring,
        summary="8 Gaussians on a ring: relativistic loss with R1 and R2.",
        shape=(2,),
        measured="10 seeds: all 8 modes in nine, 7 in one; 98.0 % high quality (real data 99 %)",
    ),
    "toy-grid": Preset(
        build=_toy_grid,
        summary="25 Gaussians on a grid: relativistic loss with R1 and R2.",
        shape=(2,),
        measured="10 seeds: all 25 modes in each, 97.6 % high quality (real data 99 %)",
    ),
}
