"""Layers that several families share, one subject a file."""

from jaxgan.models.layers.attention import SelfAttention
from jaxgan.models.layers.basics import (
    ACTIVATIONS,
    Initializer,
    check_logits,
    dcgan_init,
    dtype_of,
    recomputed,
    scale_init,
)
from jaxgan.models.layers.conditional_norm import ConditionalBatchNorm, adain
from jaxgan.models.layers.conv import Conv, DownConv, UpConv, average_down, nearest_up
from jaxgan.models.layers.equalized import EqualizedConv, EqualizedDense, scaled_leaky
from jaxgan.models.layers.filters import Signal, filtered_leaky, layer_schedule, lowpass, radial_lowpass
from jaxgan.models.layers.fir import down_conv, downsample, up_conv, upfirdn, upsample
from jaxgan.models.layers.gates import SkipLayerExcitation, glu
from jaxgan.models.layers.labels import HEADS, ClassHead, Head, class_logits, joined, needed, with_classes
from jaxgan.models.layers.mapping import MappingNetwork, truncated
from jaxgan.models.layers.minibatch_stddev import minibatch_stddev
from jaxgan.models.layers.modulated import ModulatedConv, demodulation, modulated_conv
from jaxgan.models.layers.noise import NoiseInjection, dropout
from jaxgan.models.layers.norm import BatchNorm, SpectralNorm, instance_norm, maybe_spectral, pixel_norm
from jaxgan.models.layers.residual import DeepDownBlock, DeepUpBlock, DownBlock, R3GANBlock, UpBlock

__all__ = [
    "ACTIVATIONS",
    "HEADS",
    "BatchNorm",
    "ClassHead",
    "ConditionalBatchNorm",
    "Conv",
    "DeepDownBlock",
    "DeepUpBlock",
    "DownBlock",
    "DownConv",
    "EqualizedConv",
    "EqualizedDense",
    "Head",
    "Initializer",
    "MappingNetwork",
    "ModulatedConv",
    "NoiseInjection",
    "R3GANBlock",
    "SelfAttention",
    "Signal",
    "SkipLayerExcitation",
    "SpectralNorm",
    "UpBlock",
    "UpConv",
    "adain",
    "average_down",
    "check_logits",
    "class_logits",
    "dcgan_init",
    "demodulation",
    "down_conv",
    "downsample",
    "dropout",
    "dtype_of",
    "filtered_leaky",
    "glu",
    "instance_norm",
    "joined",
    "layer_schedule",
    "lowpass",
    "maybe_spectral",
    "minibatch_stddev",
    "modulated_conv",
    "nearest_up",
    "needed",
    "pixel_norm",
    "radial_lowpass",
    "recomputed",
    "scale_init",
    "scaled_leaky",
    "truncated",
    "up_conv",
    "upfirdn",
    "upsample",
    "with_classes",
]
