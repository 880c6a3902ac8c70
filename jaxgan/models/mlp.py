"""Fully connected networks: the classic MNIST GAN, and the players of 2-D toy problems."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError, lookup
from jaxgan.data import modality_of
from jaxgan.models.layers import ACTIVATIONS, BatchNorm, check_logits, dtype_of, maybe_spectral
from jaxgan.models.layers.fast.forms import dot_general

INITS: dict[str, tuple[Any, Any]] = {  # name -> initialisers of hidden layers and of the last
    "lecun": (nn.initializers.lecun_normal(), nn.initializers.lecun_normal()),
    "he": (
        nn.initializers.variance_scaling(2.0, "fan_in", "normal"),
        nn.initializers.variance_scaling(1.0, "fan_in", "normal"),
    ),
}


def _biases(width: float) -> Any:
    """An initialiser, uniform in [-width, width]; a width of 0 gives zeros."""
    if not width:
        return nn.initializers.zeros_init()
    return lambda key, shape, dtype=jnp.float32: jax.random.uniform(key, shape, dtype, -width, width)


class _Perceptron(nn.Module, kw_only=True):
    """What both players share: the fields that say how hidden layers look, and those layers.

    Attributes:
      widths: sizes of the hidden layers.
      activation: a name in `layers.ACTIVATIONS`.
      batch_norm: whether hidden layers are batch-normalised.
      spectral_norm: whether every layer is spectrally normalised.
      dtype: type of the computation; parameters and outputs are float32.
      axis_name: mapped axis that batch normalisation averages over.
      weight_init: how weights start, a name in `INITS`: with variance 1 / inputs ("lecun"), or with
        2 / inputs in hidden layers ("he").
      bias_init: hidden biases start uniform in plus and minus this.
      fourier: number of random Fourier features of the input; 0 for none.
      fourier_scale: standard deviation of their frequencies.
      data_scale: size of the data: the generator multiplies its output by it, the discriminator divides
        its input.
    """

    widths: tuple[int, ...]
    activation: str = "leaky_relu"
    batch_norm: bool = False
    spectral_norm: bool = False
    dtype: Any = jnp.float32
    axis_name: str | None = None
    weight_init: str = "lecun"
    bias_init: float = 0.0
    fourier: int = 0
    fourier_scale: float = 1.0
    data_scale: float = 1.0

    def hidden(self, x: jax.Array, train: bool, *, unnormalised: int = 0) -> jax.Array:
        """The hidden layers of x [batch, n], of which the first `unnormalised` have no batch normalisation."""
        x = self._with_waves(x.astype(self.dtype))
        kernel_init = lookup("weight_init", self.weight_init, INITS)[0]
        for i, width in enumerate(self.widths):
            normalised = self.batch_norm and i >= unnormalised
            dense = nn.Dense(
                width,
                use_bias=not normalised,
                dtype=self.dtype,
                kernel_init=kernel_init,
                bias_init=_biases(self.bias_init),
                dot_general=dot_general,
                name=f"dense_{i}",
            )
            x = maybe_spectral(dense, self.spectral_norm, x, train)
            if normalised:
                x = BatchNorm(axis_name=self.axis_name, name=f"norm_{i}")(x, train)
            x = lookup("activation", self.activation, ACTIVATIONS)(x)
        return x

    def out(self, x: jax.Array, size: int, train: bool) -> jax.Array:
        """The linear layer at the end: [batch, n] -> [batch, size], float32."""
        kernel_init = lookup("weight_init", self.weight_init, INITS)[1]
        options = {"dtype": self.dtype, "kernel_init": kernel_init, "dot_general": dot_general}
        dense = nn.Dense(size, **options, name="out")
        return maybe_spectral(dense, self.spectral_norm, x, train).astype(jnp.float32)

    def _with_waves(self, x: jax.Array) -> jax.Array:
        """[x, sin(x W), cos(x W)] with fixed W ~ N(0, fourier_scale^2), kept in the collection "fourier".

        Random Fourier features (Tancik et al. 2020) let a network of few layers resolve finer detail.
        """
        if not self.fourier:
            return x
        shape = (x.shape[1], self.fourier)
        draw = lambda: self.fourier_scale * jax.random.normal(self.make_rng("params"), shape)
        waves = x @ self.variable("fourier", "frequencies", draw).value.astype(x.dtype)
        return jnp.concatenate([x, jnp.sin(waves), jnp.cos(waves)], axis=1)


class Generator(_Perceptron, kw_only=True):
    """Latents to images (or points) through hidden layers of `widths`.

    Attributes:
      shape: shape of one output, (height, width, channels) or (coordinates,).
      bounded: whether outputs end in tanh, for examples in [-1, 1], such as images.
    """

    shape: tuple[int, ...]
    bounded: bool = True

    @nn.compact
    def __call__(self, z: jax.Array, label: jax.Array | None = None, *, train: bool = False) -> jax.Array:
        """[batch, latent] -> [batch, *shape]; `label` is ignored."""
        x = self.hidden(z, train)
        x = self.out(x, math.prod(self.shape), train) * self.data_scale
        return (jnp.tanh(x) if self.bounded else x).reshape(-1, *self.shape)


class Discriminator(_Perceptron, kw_only=True):
    """Images (or points) to logits through hidden layers of `widths`, the first without batch normalisation.

    Attributes:
      logits: number of logits per example.
    """

    logits: int = 1

    @nn.compact
    def __call__(
        self, x: jax.Array, label: jax.Array | None = None, *, train: bool = False, features: bool = False
    ) -> Any:
        """[batch, ...] -> logits [batch], or [batch, logits] if there are several; `label` is ignored.

        With `features`: (logits, what the last layer sees, float32 [batch, k]).
        """
        last = self.hidden((x / self.data_scale).reshape(x.shape[0], -1), train, unnormalised=1)
        logits = self.out(last, self.logits, train)
        logits = logits[:, 0] if self.logits == 1 else logits
        return (logits, last.astype(jnp.float32)) if features else logits


@dataclass(frozen=True, kw_only=True)
class MLPConfig:
    """Fully connected generator and discriminator."""

    g_widths: tuple[int, ...] = (256, 512, 1024)
    """Hidden layers of the generator."""
    d_widths: tuple[int, ...] = (512, 256)
    """Hidden layers of the discriminator."""
    activation: str = "leaky_relu"
    """Activation of hidden layers: relu, leaky_relu, silu or tanh."""
    g_activation: str = ""
    """The same for the generator alone, where it differs."""
    g_batch_norm: bool = False
    """Batch normalisation in the generator."""
    d_batch_norm: bool = False
    """Batch normalisation in the discriminator, but for its first layer."""
    d_spectral_norm: bool = False
    """Spectral normalisation of the discriminator's layers."""
    d_logits: int = 1
    """Logits that the discriminator gives each example."""
    weight_init: Literal["lecun", "he"] = "lecun"
    """Variance of the first weights: 1 / inputs, or 2 / inputs in hidden layers."""
    bias_init: float = 0.0
    """Hidden biases start uniform in plus and minus this."""
    g_fourier: int = 0
    """Random Fourier features of the latent."""
    d_fourier: int = 0
    """Random Fourier features of what the discriminator sees."""
    fourier_scale: float = 1.0
    """Standard deviation of their frequencies; the discriminator's are those of inputs over data_scale."""
    data_scale: float = 1.0
    """Size of the data: the generator's output is multiplied, the discriminator's input divided by it."""
    dtype: str = "float32"
    """What the networks compute in: float32 or bfloat16. Parameters stay float32."""

    conditional = False
    convolutional = False

    def build(
        self, shape: tuple[int, ...], n_classes: int, *, bounded: bool | None = None
    ) -> tuple[Generator, Discriminator]:
        """Builds the two networks for examples of `shape`; classes are ignored.

        Args:
          shape: of one example.
          n_classes: not used.
          bounded: whether examples lie in [-1, 1]; None: as the shape suggests, which is so for images.

        Raises:
          ValueError: for an unknown activation or dtype, a width or number of logits below 1, or a size of the data
            other than 1 where they are bounded.
        """
        lookup("activation", self.activation, ACTIVATIONS)
        for name, widths in (("g_widths", self.g_widths), ("d_widths", self.d_widths)):
            if any(width < 1 for width in widths):
                raise InputError(f"{name}: expected widths of at least 1, got {widths}")
        check_logits(self.d_logits)
        lookup("activation", self.g_activation or self.activation, ACTIVATIONS)
        lookup("weight_init", self.weight_init, INITS)
        for name in ("g_fourier", "d_fourier", "bias_init"):
            check_range(name, getattr(self, name), at_least=0)
        check_range("data_scale", self.data_scale, above=0)
        bounded = modality_of(shape).bounded if bounded is None else bounded
        if bounded and self.data_scale != 1:
            raise InputError(
                f"data_scale: expected 1 for examples in [-1, 1], such as images, got {self.data_scale}"
            )
        dtype = dtype_of(self.dtype)
        shared: dict[str, Any] = {
            "dtype": dtype,
            "weight_init": self.weight_init,
            "bias_init": self.bias_init,
            "fourier_scale": self.fourier_scale,
            "data_scale": self.data_scale,
        }
        generator = Generator(
            shape=shape,
            widths=self.g_widths,
            activation=self.g_activation or self.activation,
            batch_norm=self.g_batch_norm,
            bounded=bounded,
            fourier=self.g_fourier,
            **shared,
        )
        discriminator = Discriminator(
            widths=self.d_widths,
            activation=self.activation,
            batch_norm=self.d_batch_norm,
            spectral_norm=self.d_spectral_norm,
            logits=self.d_logits,
            fourier=self.d_fourier,
            **shared,
        )
        return generator, discriminator
