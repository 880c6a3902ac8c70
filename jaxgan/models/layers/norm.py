"""Normalisation: of activations by statistics of the batch or their own, of weights by their largest singular value."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxgan.common.errors import InputError
from jaxgan.common.numerics import at_least_float32
from jaxgan.models.layers.axes import mean_over, shares_of
from jaxgan.models.layers.basics import Initializer


class BatchNorm(nn.Module):
    """Batch normalisation with statistics in float32 at least, over all axes but the last.

    In training it normalises by the batch's own mean and (biased) variance, which under `jit`
    are those of the global batch, however it is sharded; under `pmap` they are if `axis_name`
    is given. Running averages (collection "batch_stats") of the mean and of the variance, here the unbiased one as in
    PyTorch and TensorFlow, are used where `train` is false. A batch's own mean and (biased) variance can be had from
    collection "intermediates", as "batch_mean" and "batch_var".

    Flax's layer has the same parameters, values in training and gradients; it averages the biased variance. Ours
    multiplies and adds once per element instead of subtracting the mean first: on two CPU cores, the whole step of a
    DCGAN (28x28, width 32, batch 64) took 1.013 +- 0.005 times as long with Flax's.

    Attributes:
      momentum: of the running averages; PyTorch's 0.1 is 0.9 here.
      epsilon: added to the variance.
      axis_name: mapped axis to average statistics over.
      scale_init: initialiser of the scale.
      affine: whether there are a scale and a bias.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5
    axis_name: str | None = None
    scale_init: Initializer = nn.initializers.ones_init()
    affine: bool = True

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """[..., c] -> [..., c], of the type of `x`."""
        channels = x.shape[-1]
        scale = self.param("scale", self.scale_init, (channels,)) if self.affine else 1.0
        bias = self.param("bias", nn.initializers.zeros_init(), (channels,)) if self.affine else 0.0
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, (channels,))
        running_var = self.variable("batch_stats", "var", jnp.ones, (channels,))
        values = at_least_float32(x)
        if train:
            axes = tuple(range(x.ndim - 1))
            mean, mean_square = values.mean(axes), jnp.square(values).mean(axes)
            count = values.size // channels * shares_of(self.axis_name)
            if self.axis_name is not None:
                mean, mean_square = mean_over(self.axis_name, jnp.stack([mean, mean_square]))
            var = jnp.maximum(mean_square - jnp.square(mean), 0.0)
            self.sow("intermediates", "batch_mean", mean)
            self.sow("intermediates", "batch_var", var)
            if not self.is_initializing():
                running_mean.value += (1 - self.momentum) * (mean - running_mean.value)
                unbiased = var * (count / max(count - 1, 1))
                running_var.value += (1 - self.momentum) * (unbiased - running_var.value)
        else:
            mean, var = running_mean.value, running_var.value
        # One multiplication and one addition an element, forward and backward.
        factor = scale * jax.lax.rsqrt(var + self.epsilon)
        return (values * factor + (bias - mean * factor)).astype(x.dtype)


def instance_norm(x: jax.Array, epsilon: float = 1e-5) -> jax.Array:
    """(x - mean) / sqrt(variance + epsilon), of each channel of each example: [n, h, w, c], of the type of `x`.

    Mean and (biased) variance are those over space, in float32 at least. There is no scale and no bias.

    References:
      Ulyanov, Vedaldi, Lempitsky (2016), Instance normalization: the missing ingredient for fast stylization, eq. 2.
    """
    values = at_least_float32(x)
    mean, var = (f(axis=(1, 2), keepdims=True) for f in (values.mean, values.var))
    return ((values - mean) * jax.lax.rsqrt(var + epsilon)).astype(x.dtype)


class SpectralNorm(nn.Module):
    """A layer whose kernel is divided by (an estimate of) its largest singular value.

    The kernel counts as a matrix W [outputs, everything else], and the table of an embedding as it is, [classes, size]:
    for a convolution this bounds W, not the convolution, which may lengthen an image more than W a patch. Each call in
    training makes one power iteration, v = W^T u / |W^T u|, u = W v / |W v|, from the u that is kept in collection
    "spectral"; sigma = u^T W v, through which gradients flow into W but not into u and v. Where `train` is false, sigma
    is taken with the u at hand, which stays. u starts at random, so the estimate starts below the truth. A kernel of
    zeros stays as it is.

    Parameters keep the names that they have without: `SpectralNorm(nn.Dense(3))(x, train)`.

    Flax's layer gives the same values and gradients in training, in about the same time. But where `train` is
    false it iterates once more, so that sampling is not what training saw, it keeps a sigma that nothing
    reads, and it multiplies in the default precision, which is TF32 on a GPU.

    Attributes:
      layer: nn.Dense, nn.Conv, nn.Embed (whose embedding is its kernel), Conv, DownConv or UpConv, made in
        the same module.

    References:
      Miyato et al. (2018), Spectral normalization for generative adversarial networks, algorithm 1.
    """

    layer: nn.Module

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """What the layer returns for `x`."""
        apply: Callable[..., Any] = lambda layer, x: layer(x)
        if self.is_initializing():
            y = apply(self.layer, x)  # `map_variables` would make normalised parameters, and trace twice
            self._direction_of(_matrix(self.layer.variables["params"])[1])
            return y
        mapped = nn.map_variables(apply, "params", lambda variables: self._normalised(variables, train))
        return mapped(self.layer, x)

    def _normalised(self, variables: Any, train: bool) -> Any:
        params = variables["params"]
        name, w = _matrix(params)
        u, fixed = self._direction_of(w), jax.lax.stop_gradient(w)
        v = _direction(jnp.matmul(u.value, fixed, precision="highest"))
        left = u.value
        if train:
            left = u.value = _direction(jnp.matmul(fixed, v, precision="highest"))
        sigma = left @ jnp.matmul(w, v, precision="highest")
        kernel = params[name] / jnp.where(sigma > 0, sigma, 1.0)
        return {"params": {**params, name: kernel}}

    def _direction_of(self, w: jax.Array) -> nn.Variable:
        return self.variable("spectral", "u", lambda: _random_direction(self.make_rng("params"), w.shape[0]))


def _matrix(params: Any) -> tuple[str, jax.Array]:
    """The name of what is normalised, and it as a matrix."""
    name = "embedding" if "embedding" in params else "kernel"
    w = params[name].reshape(-1, params[name].shape[-1])
    return name, w if name == "embedding" else w.T


def _direction(x: jax.Array) -> jax.Array:
    """x / |x|, and 0 for 0."""
    length = jnp.linalg.norm(x)
    return x / jnp.where(length > 0, length, 1.0)


def _random_direction(key: jax.Array, size: int) -> jax.Array:
    return _direction(jax.random.normal(key, (size,)))


def maybe_spectral(layer: nn.Module, spectral_norm: bool, x: jax.Array, train: bool) -> jax.Array:
    """`layer` of `x`, with or without spectral normalisation; to be called in a compact method."""
    apply: Any = layer
    return SpectralNorm(layer)(x, train) if spectral_norm else apply(x)


def pixel_norm(x: jax.Array, epsilon: float = 1e-8) -> jax.Array:
    """x / sqrt(mean of x^2 over the last axis + epsilon): [..., c] -> [..., c] of the type of `x`.

    The mean square is taken in float32 at least. StyleGAN2 normalises its latents by the same formula.

    References:
      Karras et al. (2018), Progressive growing of GANs, section 4.2.
    """
    values = at_least_float32(x)
    mean_square = jnp.square(values).mean(axis=-1, keepdims=True)
    return (values * jax.lax.rsqrt(mean_square + epsilon)).astype(x.dtype)


def standing_statistics(
    generator: nn.Module, variables: Any, batches: Iterable[tuple[jax.Array, jax.Array | None]]
) -> Any:
    """`variables`, with the means and variances of batch normalisation averaged anew over passes in training mode.

    The statistics that training leaves lag behind the weights, and an average of weights has none of its own. Here
    each pass normalises by its own batch, and the means and the variances of all passes are averaged.

    Args:
      generator: Linen module, (z, label, train) -> examples.
      variables: of the generator: {"params": ..., "batch_stats": ..., and others}.
      batches: latents [n, dim] and labels [n], or None, of each pass.

    Returns:
      The variables with other "batch_stats".

    Raises:
      ValueError: if there are no batches, or the generator has no batch normalisation.

    References:
      Brock, Donahue, Simonyan (2019), Large scale GAN training.
    """
    kept = [name for name in variables if name != "params"]

    @jax.jit
    def seen(z: jax.Array, label: jax.Array | None) -> Any:
        left = generator.apply(variables, z, label, train=True, mutable=[*kept, "intermediates"])[1]
        return flatten_dict(left.get("intermediates", {}))

    passes = [seen(z, label) for z, label in batches]
    if not passes:
        raise InputError("batches: expected at least one, got none")
    own = {(*path[:-1], f"batch_{path[-1]}"): path for path in flatten_dict(variables.get("batch_stats", {}))}
    found = {path: own[path] for path in passes[0] if path in own}
    if not found:
        raise InputError("generator: expected one with batch normalisation, got one without")
    means = jax.tree.map(lambda *values: sum(values) / len(values), *passes)
    stats = flatten_dict(variables["batch_stats"])
    stats |= {path: means[sown][0] for sown, path in found.items()}
    return {**variables, "batch_stats": unflatten_dict(stats)}
