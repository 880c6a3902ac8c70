"""Normalisation whose scale and bias depend on a condition: on a class, a latent or a style."""

from __future__ import annotations

import flax.linen as nn
import jax

from jaxgan.common.numerics import at_least_float32
from jaxgan.models.layers.basics import Initializer
from jaxgan.models.layers.norm import BatchNorm, maybe_spectral


class ConditionalBatchNorm(nn.Module):
    """(1 + gain(y)) * (x normalised by the batch) + bias(y), gain and bias linear in y and without bias themselves.

    y is what examples are conditioned on: an embedding, an embedding joined with a part of the latent (BigGAN), or
    labels as one-hot vectors, whose linear maps are an embedding for each class. With `hidden`, gain and bias are
    each a network with one hidden layer of ReLUs instead, and biases: of the latent, that is self-modulation.

    Attributes:
      momentum: of the running averages of mean and variance.
      epsilon: added to the variance.
      spectral_norm: whether the two linear maps are spectrally normalised.
      kernel_init: initialiser of the two; with zeros, it starts as batch normalisation without condition.
      hidden: units of the hidden layers, 0 for none; Chen et al. have 32.
      axis_name: mapped axis to average statistics over.

    References:
      Dumoulin et al. (2017), A learned representation for artistic style, eq. 5.
      Brock et al. (2019), Large scale GAN training for high fidelity natural image synthesis, appendix B.
      Chen et al. (2019), On self modulation for generative adversarial networks, eqs. 2 and 3.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5
    spectral_norm: bool = False
    kernel_init: Initializer = nn.initializers.orthogonal()
    hidden: int = 0
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, y: jax.Array, train: bool) -> jax.Array:
        """[n, ..., c] and y [n, k] -> [n, ..., c], of the type of `x`; all is computed in float32 at least."""
        values, y = at_least_float32(x), at_least_float32(y)

        def dense(name: str, features: int, y: jax.Array) -> jax.Array:
            layer = nn.Dense(features, use_bias=self.hidden > 0, kernel_init=self.kernel_init, name=name)
            return maybe_spectral(layer, self.spectral_norm, y, train)

        def of_condition(name: str) -> jax.Array:
            inside = nn.relu(dense(f"{name}_hidden", self.hidden, y)) if self.hidden else y
            return dense(name, x.shape[-1], inside).reshape(len(y), *(1,) * (x.ndim - 2), -1)

        norm = BatchNorm(self.momentum, self.epsilon, self.axis_name, affine=False, name="norm")
        return ((1 + of_condition("gain")) * norm(values, train) + of_condition("bias")).astype(x.dtype)


def adain(x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float = 1e-8) -> jax.Array:
    """Adaptive instance normalisation: scale * (x - mean) / sqrt(variance + epsilon) + bias.

    Mean and (biased) variance are those of each example's channel over space, in float32 at least. (StyleGAN's
    scale is 1 + what its affine layer gives.)

    Args:
      x: [n, h, w, c].
      scale: [n, c].
      bias: [n, c].
      epsilon: added to the variance.

    Returns:
      [n, h, w, c] of the type of `x`.

    References:
      Huang, Belongie (2017), Arbitrary style transfer in real-time with adaptive instance normalization, eq. 8.
    """
    values = at_least_float32(x)
    mean, var = (f(axis=(1, 2), keepdims=True) for f in (values.mean, values.var))
    normalised = (values - mean) * jax.lax.rsqrt(var + epsilon)
    return (scale[:, None, None] * normalised + bias[:, None, None]).astype(x.dtype)
