"""Layers that several architectures share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.errors import InputError
from jaxgan.models import fastconv

Array = jax.Array
Initializer = Callable[..., Array]

# Radford, Metz, Chintala (2016), section 4: all weights from N(0, 0.02^2).
dcgan_init: Initializer = nn.initializers.normal(0.02)


def scale_init(key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
    """N(1, 0.02^2), for the scales of batch normalisation in a DCGAN."""
    return 1.0 + dcgan_init(key, shape, dtype)


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": nn.relu,
    "leaky_relu": lambda x: nn.leaky_relu(x, 0.2),
    "silu": nn.silu,
    "tanh": jnp.tanh,
}


def dtype_of(name: str) -> Any:
    """The type that a network computes in. Raises ValueError unless float32 or bfloat16."""
    if name not in ("float32", "bfloat16"):
        raise InputError(f"dtype: expected 'float32' or 'bfloat16', got {name!r}")
    return jnp.dtype(name)


class BatchNorm(nn.Module):
    """Batch normalisation with statistics in float32, over all axes but the last.

    In training it normalises by the batch's own mean and (biased) variance, which under `jit`
    are those of the global batch, however it is sharded; under `pmap` they are if `axis_name`
    is given. Running averages (collection "batch_stats") are used where `train` is false.

    Attributes:
      momentum: of the running averages; PyTorch's 0.1 is 0.9 here.
      epsilon: added to the variance.
      axis_name: mapped axis to average statistics over.
      scale_init: initialiser of the scale.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5
    axis_name: str | None = None
    scale_init: Initializer = nn.initializers.ones_init()

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        """[..., c] -> [..., c], of the type of `x`."""
        channels = x.shape[-1]
        scale = self.param("scale", self.scale_init, (channels,))
        bias = self.param("bias", nn.initializers.zeros_init(), (channels,))
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, (channels,))
        running_var = self.variable("batch_stats", "var", jnp.ones, (channels,))
        values = x.astype(jnp.float32)
        if train:
            axes = tuple(range(x.ndim - 1))
            mean, mean_square = values.mean(axes), jnp.square(values).mean(axes)
            if self.axis_name is not None:
                mean, mean_square = jax.lax.pmean((mean, mean_square), self.axis_name)
            var = jnp.maximum(mean_square - jnp.square(mean), 0.0)
            if not self.is_initializing():
                running_mean.value += (1 - self.momentum) * (mean - running_mean.value)
                running_var.value += (1 - self.momentum) * (var - running_var.value)
        else:
            mean, var = running_mean.value, running_var.value
        # One multiplication and one addition an element, forward and backward.
        factor = scale * jax.lax.rsqrt(var + self.epsilon)
        return (values * factor + (bias - mean * factor)).astype(x.dtype)


class DownConv(nn.Module):
    """4x4 convolution of stride 2: [n, h, w, c] -> [n, ceil(h/2), ceil(w/2), features]."""

    features: int
    use_bias: bool = True
    kernel_init: Initializer = dcgan_init

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Computes in the type of `x`; parameters are float32."""
        kernel = self.param("kernel", self.kernel_init, (self.features, 4, 4, x.shape[-1]))
        x = fastconv.down(x, kernel.astype(x.dtype))
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
            x = x + bias.astype(x.dtype)
        return x


class UpConv(nn.Module):
    """Transposed 4x4 convolution of stride 2: [n, p, q, c] -> [n, *size, features]."""

    features: int
    size: tuple[int, int]
    use_bias: bool = True
    kernel_init: Initializer = dcgan_init

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Computes in the type of `x`; parameters are float32."""
        kernel = self.param("kernel", self.kernel_init, (x.shape[-1], 4, 4, self.features))
        x = fastconv.up(x, kernel.astype(x.dtype), self.size)
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
            x = x + bias.astype(x.dtype)
        return x
