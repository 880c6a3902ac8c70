"""Residual blocks without normalisation, as modern as R3GAN's."""

from __future__ import annotations

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.models.layers.basics import Initializer
from jaxgan.models.layers.conv import Conv

# Leaky ReLU of slope 0.2 after weights of variance gain^2 / fan-in keeps the second moment.
LEAKY_GAIN = math.sqrt(2 / (1 + 0.2**2))


def fan_in_init(gain: float) -> Initializer:
    """N(0, gain^2 / fan-in): of a kernel [..., inputs, outputs], the fan-in is all but the outputs."""

    def init(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        return gain / math.sqrt(math.prod(shape[:-1])) * jax.random.normal(key, shape, dtype)

    return init


class R3GANBlock(nn.Module):
    """x + 1x1(act(grouped 3x3(act(1x1(x))))), act a bias and a leaky ReLU of slope 0.2; nothing is normalised.

    Weights start as in Fixup: those of the last convolution at 0, so that the block starts as the identity, and
    those of the others at the scale of He et al. times L^(-1/4) for L blocks.

    Attributes:
      blocks: L, the residual blocks of the whole network.
      cardinality: groups of the 3x3 convolution.
      expansion: channels inside, as a multiple of those outside.

    References:
      Huang et al. (2024), The GAN is dead; long live the GAN! A modern baseline GAN, section 3.
      Zhang, Dauphin, Ma (2019), Fixup initialization, section 3.
    """

    blocks: int
    cardinality: int
    expansion: int = 2

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[n, h, w, c] -> [n, h, w, c], in the type of `x`; parameters are float32.

        Raises:
          ValueError: if the channels inside do not divide into groups.
        """
        check_range("blocks", self.blocks, at_least=1)
        check_range("cardinality", self.cardinality, at_least=1)
        inside = x.shape[-1] * self.expansion
        if inside % self.cardinality:
            raise InputError(f"cardinality: expected a divisor of {inside} channels, got {self.cardinality}")
        gain = LEAKY_GAIN * self.blocks**-0.25

        def conv(name: str, features: int, size: int, gain: float, groups: int, x: jax.Array) -> jax.Array:
            init = fan_in_init(gain)
            return Conv(features, size, groups, use_bias=False, kernel_init=init, dtype=x.dtype, name=name)(x)

        def activated(name: str, x: jax.Array) -> jax.Array:
            bias = self.param(name, nn.initializers.zeros_init(), (x.shape[-1],))
            return nn.leaky_relu(x + bias.astype(x.dtype), 0.2)

        y = activated("expand_bias", conv("expand", inside, 1, gain, 1, x))
        y = activated("grouped_bias", conv("grouped", inside, 3, gain, self.cardinality, y))
        return x + conv("project", x.shape[-1], 1, 0.0, 1, y)
