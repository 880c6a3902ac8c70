"""A small residual network that classifies images."""

from __future__ import annotations

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.data import to_float
from jaxgan.metrics.features.network import FeatureNetwork, Outputs
from jaxgan.models.layers import BatchNorm, DownConv

_MAX_SIDE = 64  # larger images are averaged down to this: the cost stays bounded


class Block(nn.Module):
    """relu(x + f(x)), with f two 3x3 convolutions, each batch-normalised; f is 0 at the start of training."""

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """[n, h, w, c] -> [n, h, w, c]."""
        y = self._conv(x)
        y = nn.relu(BatchNorm()(y, train))
        y = self._conv(y)
        return nn.relu(x + BatchNorm(scale_init=nn.initializers.zeros_init())(y, train))

    def _conv(self, x: jax.Array) -> jax.Array:
        return nn.Conv(x.shape[-1], (3, 3), use_bias=False, kernel_init=nn.initializers.he_normal())(x)


class ResidualCNN(nn.Module):
    """A classifier in stages; each halves the image by a 4x4 convolution, and may refine it by residual blocks.

    Images of more than 64 pixels a side are averaged down first; those of more than 32 get one more stage.

    Attributes:
      n_classes: number of classes.
      widths: channels of each stage; those of the last are the features.
      blocks: number of residual blocks of each stage.
    """

    n_classes: int
    widths: tuple[int, ...] = (32, 64, 128)
    blocks: tuple[int, ...] = (0, 1, 1)

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool = False) -> tuple[jax.Array, jax.Array]:
        """Images [n, h, w, c] in [-1, 1] -> (features [n, widths[-1]], logits [n, n_classes])."""
        x = averaged_down(images)
        stages = list(zip(self.widths, self.blocks, strict=True))
        if max(x.shape[1:3]) > _MAX_SIDE // 2:
            stages.insert(0, (self.widths[0] // 2, 0))
        for width, blocks in stages:
            x = DownConv(width, use_bias=False, kernel_init=nn.initializers.he_normal())(x)
            x = nn.relu(BatchNorm()(x, train))
            for _ in range(blocks):
                x = Block()(x, train)
        features = x.mean((1, 2))
        return features, nn.Dense(self.n_classes)(features)


def averaged_down(images: jax.Array) -> jax.Array:
    """Averages images [n, h, w, c] over windows of whole pixels, so that no side is longer than 64."""
    factors = tuple(-(-side // _MAX_SIDE) for side in images.shape[1:3])
    if factors == (1, 1):
        return images
    return nn.avg_pool(images, factors, factors, "SAME", count_include_pad=False)


@partial(jax.jit, static_argnums=0)
def _apply(model: ResidualCNN, variables: Any, images: jax.Array) -> Outputs:
    return Outputs(*model.apply(variables, to_float(images)))


def network_of(variables: Any, n_classes: int, name: str, identity: str) -> FeatureNetwork:
    """The feature network of trained variables.

    Args:
      variables: "params" and "batch_stats" of a `ResidualCNN`.
      n_classes: number of its classes.
      name: of the network.
      identity: of the variables.
    """
    model, on_device = ResidualCNN(n_classes), jax.tree.map(jnp.asarray, variables)
    apply = lambda images: _apply(model, on_device, images)
    return FeatureNetwork(name, identity, apply, outputs=("features", "logits"))
