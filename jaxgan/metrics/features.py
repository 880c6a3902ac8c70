"""Feature networks: uint8 images in, float32 features (and class logits, where there are classes) out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.data import Images, to_float
from jaxgan.metrics import mnist_cnn
from jaxgan.models import fastconv

Array = jax.Array
_BATCH = 500


@dataclass(frozen=True)
class FeatureNetwork:
    """A named network.

    Attributes:
      name: goes into the names of scores.
      identity: of the weights.
      apply: uint8 images of a fixed batch size -> (features, logits or None).
    """

    name: str
    identity: str
    apply: Callable[[Array], tuple[Array, Array | None]]

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Features [n, d] and logits [n, classes] (or None) of uint8 images [n, h, w, c], in batches."""
        features, logits = [], []
        for start in range(0, len(images), _BATCH):
            part = np.asarray(images[start : start + _BATCH])
            padded = np.concatenate([part, np.zeros((_BATCH - len(part), *part.shape[1:]), part.dtype)])
            f, p = self.apply(jnp.asarray(padded))
            features.append(np.asarray(f)[: len(part)])
            if p is not None:
                logits.append(np.asarray(p)[: len(part)])
        return np.concatenate(features), np.concatenate(logits) if logits else None


def _mnist() -> FeatureNetwork:
    variables, identity = mnist_cnn.load()
    return FeatureNetwork(mnist_cnn.NAME, identity, lambda images: mnist_cnn.apply(variables, images))


@lru_cache(maxsize=2)
def _random(channels: int) -> FeatureNetwork:
    """Three strided convolutions with fixed random weights; the channel means after each are the features.

    Untrained features see textures and colours, not objects. They rank checkpoints of one run on
    data for which no trained network is at hand; distances of different data do not compare.
    """
    widths = (channels, 32, 64, 128)
    keys = jax.random.split(jax.random.key(0), len(widths) - 1)
    kernels = [
        jax.random.normal(key, (o, 4, 4, c)) * np.sqrt(2 / (16 * c))
        for key, c, o in zip(keys, widths[:-1], widths[1:], strict=True)
    ]
    identity = hashlib.sha256(b"".join(np.asarray(k).tobytes() for k in kernels)).hexdigest()[:12]

    @jax.jit
    def apply(images: Array) -> tuple[Array, None]:
        x, features = to_float(images), []
        for kernel in kernels:
            x = jax.nn.relu(fastconv.down(x, kernel))
            features.append(x.mean((1, 2)))
        return jnp.concatenate(features, axis=1), None

    return FeatureNetwork("random_cnn", identity, apply)


def features_for(source: Images) -> FeatureNetwork:
    """The best network at hand for the images of `source`."""
    is_mnist = source.name.split(":")[:2] in (["mnist", "train"], ["mnist", "test"], ["tfds", "mnist"])
    return _mnist() if is_mnist and source.shape == (28, 28, 1) else _random(source.shape[2])
