"""What a data source is: images in an array, or points from a distribution."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common import keys


@dataclass(frozen=True, eq=False)
class Images:
    """A finite set of images.

    Attributes:
      name: as given by the user, with its split.
      images: uint8 [n, height, width, channels]; may be memory-mapped.
      labels: int32 [n], or None.
      class_names: one for each label value; empty without labels.
      fingerprint: SHA-256 of pixels and labels (see `fingerprint`).
      skipped: broken files that were left out.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray | None
    class_names: tuple[str, ...]
    fingerprint: str
    skipped: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """(height, width, channels)."""
        return self.images.shape[1:]

    @property
    def n_classes(self) -> int:
        """Number of classes; 0 without labels."""
        return len(self.class_names)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)


@dataclass(frozen=True, eq=False)
class Points:
    """A distribution over points in the plane, sampled without end.

    Attributes:
      name: of the distribution.
      draw: key -> (point float32 [2], label int32 []).
      modes: centres of the mixture [k, 2]; empty for a distribution without modes.
      std: standard deviation of each mode.
      fingerprint: of the distribution and its constants.
    """

    name: str
    draw: Callable[[jax.Array], tuple[jax.Array, jax.Array]]
    modes: np.ndarray
    std: float
    fingerprint: str
    skipped: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """(2,)."""
        return (2,)

    @property
    def n_classes(self) -> int:
        """0: points are never conditioned on."""
        return 0

    @property
    def class_names(self) -> tuple[str, ...]:
        """Empty."""
        return ()

    def sample(self, key: jax.Array, n: int) -> tuple[jax.Array, jax.Array]:
        """Points [n, 2] and the modes they came from [n]; row i depends on its own key only."""
        return jax.vmap(self.draw)(keys.per_example(key, n))


Source = Images | Points


def fingerprint(images: np.ndarray, labels: np.ndarray | None) -> str:
    """SHA-256 (hexadecimal) of the type, shape and bytes of images and labels."""
    digest = hashlib.sha256()
    for array in (images, labels):
        if array is None:
            digest.update(b"none")
            continue
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        for start in range(0, len(array), 4096):  # a memory map is read piece by piece
            digest.update(np.ascontiguousarray(array[start : start + 4096]).tobytes())
    return digest.hexdigest()


def to_float(images: jax.Array) -> jax.Array:
    """uint8 pixels 0 ... 255 to float32 in [-1, 1]."""
    return images.astype(jnp.float32) / 127.5 - 1.0


def to_uint8(images: jax.Array) -> jax.Array:
    """Float images in [-1, 1] to the nearest uint8 pixels; values outside are clipped."""
    return jnp.clip(jnp.round((images + 1.0) * 127.5), 0, 255).astype(jnp.uint8)


def describe(source: Source) -> dict[str, Any]:
    """What run.json says of the data."""
    return {
        "name": source.name,
        "n": len(source) if isinstance(source, Images) else 0,
        "shape": list(source.shape),
        "n_classes": source.n_classes,
        "class_names": list(source.class_names),
        "fingerprint": source.fingerprint,
        "skipped": source.skipped,
    }


def batch_like(data: Mapping[str, Any], batch_size: int = 1) -> dict[str, Any]:
    """Shapes and types of a batch of the data of a run."""
    batch = {"image": jax.ShapeDtypeStruct((batch_size, *data["shape"]), jnp.float32)}
    if data["n_classes"]:
        batch["label"] = jax.ShapeDtypeStruct((batch_size,), jnp.int32)
    return batch
