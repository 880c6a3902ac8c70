"""Layers that several families share, one subject a file."""

from jaxgan.models.layers.basics import (
    ACTIVATIONS,
    Initializer,
    check_logits,
    dcgan_init,
    dtype_of,
    scale_init,
)
from jaxgan.models.layers.conv import DownConv, UpConv
from jaxgan.models.layers.norm import BatchNorm, SpectralNorm, maybe_spectral

__all__ = [
    "ACTIVATIONS",
    "BatchNorm",
    "DownConv",
    "Initializer",
    "SpectralNorm",
    "UpConv",
    "check_logits",
    "dcgan_init",
    "dtype_of",
    "maybe_spectral",
    "scale_init",
]
