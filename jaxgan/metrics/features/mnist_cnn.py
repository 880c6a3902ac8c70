"""A small digit classifier; generators of MNIST are scored on its features."""

from __future__ import annotations

import hashlib
import pathlib
from functools import lru_cache
from typing import Any

import flax.linen as nn
import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.data import to_float
from jaxgan.metrics.features.network import FeatureNetwork, Outputs
from jaxgan.models.layers import BatchNorm

PATH = pathlib.Path(__file__).parent / "mnist_cnn.safetensors"
NAME = "mnist_cnn"
N_FEATURES = 128


class MNISTClassifier(nn.Module):
    """Four 3x3 convolutions with batch normalisation and ReLU, an average over the image and a linear layer."""

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool = False) -> tuple[jax.Array, jax.Array]:
        """Images [n, 28, 28, 1] in [-1, 1] -> (features [n, 128], logits [n, 10])."""
        x = images
        for block in ((32,), (64, 64), (N_FEATURES,)):
            for width in block:
                x = nn.Conv(width, (3, 3), use_bias=False)(x)
                x = nn.relu(BatchNorm()(x, train))
            if block[0] != N_FEATURES:
                x = nn.max_pool(x, (2, 2), (2, 2))
        features = x.mean((1, 2))
        return features, nn.Dense(10)(features)


def save(variables: Any, metadata: dict[str, str], path: pathlib.Path = PATH) -> None:
    """Writes the variables of a trained classifier as safetensors."""
    from safetensors.numpy import save_file

    flat = flax.traverse_util.flatten_dict(variables, sep="/")
    save_file({name: np.asarray(value) for name, value in flat.items()}, path, metadata)


@lru_cache(maxsize=1)
def load() -> tuple[Any, str]:
    """The shipped weights and the first 12 digits of their file's SHA-256."""
    from safetensors.numpy import load as parse

    data = PATH.read_bytes()
    variables = flax.traverse_util.unflatten_dict(parse(data), sep="/")
    return jax.tree.map(jnp.asarray, variables), hashlib.sha256(data).hexdigest()[:12]


@jax.jit
def apply(variables: Any, images: jax.Array) -> tuple[jax.Array, jax.Array]:
    """uint8 images [n, 28, 28, 1] -> (features, logits) of the trained classifier."""
    return MNISTClassifier().apply(variables, to_float(images))  # pyright: ignore[reportReturnType]


def features() -> FeatureNetwork:
    """The feature network of the shipped classifier, for images [n, 28, 28, 1]."""
    variables, identity = load()
    return FeatureNetwork(
        NAME, identity, lambda images: Outputs(*apply(variables, images)), outputs=("features", "logits")
    )
