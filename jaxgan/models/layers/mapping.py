"""The mapping network of StyleGAN: from latents z to the space of w, and truncation in it."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.common.errors import InputError
from jaxgan.common.numerics import at_least_float32
from jaxgan.models.layers.axes import mean_over
from jaxgan.models.layers.equalized import EqualizedDense, scaled_leaky
from jaxgan.models.layers.norm import pixel_norm


class MappingNetwork(nn.Module):
    """Dense layers after a normalisation of z, with a running mean of w. All is computed in float32 at least.

    With classes, an embedding of the label, normalised by itself, is joined to the normalised z, or stands in for it
    where there is none, as in discriminators. The mean of w ("mean" of collection "batch_stats", where truncation
    finds it) moves in training passes only.

    Attributes:
      features: size of w, and of the layers.
      layers: number of dense layers.
      lr_multiplier: how fast they learn, relative to other layers.
      n_classes: 0, or the number of classes.
      decay: of the mean of w, in a training pass: 0.995 in the authors' StyleGAN2-ADA, 0.998 in StyleGAN3; None:
        there is no mean.
      axis_name: mapped axis that the mean averages over.

    References:
      Karras et al. (2019), A style-based generator architecture for GANs, sections 2 and 2.1.
    """

    features: int = 512
    layers: int = 8
    lr_multiplier: float = 0.01
    n_classes: int = 0
    decay: float | None = 0.995
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, z: jax.Array | None, label: jax.Array | None = None, *, train: bool = False
    ) -> jax.Array:
        """Latents [n, latent] (and labels [n]), or labels alone -> w [n, features].

        Raises:
          ValueError: if there are classes and no label, or neither latents nor classes.
        """
        parts = [] if z is None else [pixel_norm(at_least_float32(z))]
        if self.n_classes:
            if label is None:
                raise InputError(
                    f"label: expected class indices below {self.n_classes} of shape [n], got None"
                )
            embedded = EqualizedDense(self.features, name="embed")(jax.nn.one_hot(label, self.n_classes))
            parts.append(pixel_norm(embedded))
        if not parts:
            raise InputError("z: expected latents [n, latent] for a mapping without classes, got None")
        x = jnp.concatenate(parts, axis=1)
        for i in range(self.layers):
            layer = EqualizedDense(self.features, lr_multiplier=self.lr_multiplier, name=f"dense_{i}")
            x = scaled_leaky(layer(x))
        if self.decay is None:
            return x
        running = self.variable("batch_stats", "mean", jnp.zeros, (self.features,))
        if train and not self.is_initializing():
            mean = mean_over(self.axis_name, x.mean(axis=0))
            running.value = mean + self.decay * (running.value - mean)
        return x


def truncated(ws: jax.Array, mean: jax.Array, psi: float, cutoff: int | None = None) -> jax.Array:
    """Moves w towards its mean, mean + psi (w - mean), for the first `cutoff` layers or all: [n, layers, features].

    psi = 1 changes nothing, and psi = 0 gives one image.

    References:
      Karras et al. (2019), A style-based generator architecture for GANs, appendix B.
    """
    moved = mean + psi * (ws - mean)
    return moved if cutoff is None else jnp.concatenate([moved[:, :cutoff], ws[:, cutoff:]], axis=1)
