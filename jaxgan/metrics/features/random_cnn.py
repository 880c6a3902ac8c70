"""Convolutions with fixed random weights, for data that no trained network fits."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.data import to_float
from jaxgan.metrics.features.network import FeatureNetwork, Outputs
from jaxgan.models.layers.fast import strided


@lru_cache(maxsize=2)
def random_cnn(channels: int) -> FeatureNetwork:
    """Three strided convolutions with fixed random weights; the channel means after each are the features.

    Untrained features see textures and colours, not objects. They serve to rank the checkpoints of one run
    where no trained network fits the data; distances on different data do not compare.
    """
    widths = (channels, 32, 64, 128)
    keys = jax.random.split(jax.random.key(0), len(widths) - 1)
    kernels = [
        jax.random.normal(key, (o, 4, 4, c)) * np.sqrt(2 / (16 * c))
        for key, c, o in zip(keys, widths[:-1], widths[1:], strict=True)
    ]
    identity = hashlib.sha256(b"".join(np.asarray(k).tobytes() for k in kernels)).hexdigest()[:12]

    @jax.jit
    def apply(images: jax.Array) -> Outputs:
        x, features = to_float(images), []
        for kernel in kernels:
            x = jax.nn.relu(strided.down(x, jnp.moveaxis(kernel, 0, 3)))
            features.append(x.mean((1, 2)))
        return Outputs(jnp.concatenate(features, axis=1))

    return FeatureNetwork("random_cnn", identity, apply)
