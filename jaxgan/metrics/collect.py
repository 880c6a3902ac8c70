"""From images to what scores are computed from: features stay on the devices, sums are kept, and little else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.metrics.features import FeatureNetwork
from jaxgan.metrics.features.inception import Inception
from jaxgan.metrics.frechet import Gaussian, MomentStream
from jaxgan.metrics.score import Generate

Batches = Iterator[tuple[Any, int]]


@dataclass(frozen=True)
class Sample:
    """What is known of one set of images.

    Attributes:
      n: images.
      gaussian: mean and covariance of the features.
      leave_one_out: the same without each tenth; empty if there are too few images.
      features: of the first images [min(n, kept), d]; empty if none were asked for.
      logits: of all [n, classes]; None without a classifier.
      images: the first ones, uint8; empty if none were asked for.
      spatial: of the spatial features; None if they were not asked for.
      spatial_leave_one_out: as leave_one_out.
      labels: of the images, integers [n]; None without.
      held_out: of reals that classifiers are trained on: other images and their labels, to test these with.
    """

    n: int
    gaussian: Gaussian
    leave_one_out: list[Gaussian]
    features: np.ndarray
    logits: np.ndarray | None
    images: np.ndarray
    spatial: Gaussian | None = None
    spatial_leave_one_out: tuple[Gaussian, ...] = ()
    labels: np.ndarray | None = None
    held_out: tuple[np.ndarray, np.ndarray] | None = None


def batches_of(generate: Generate, n: int, size: int) -> Batches:
    """Batches of `size` images and how many of each count; the last is filled up.

    A function with a method `batches(n, size)` is asked for them, and may leave them on the devices;
    of another the result is cut up.
    """
    if (batches := getattr(generate, "batches", None)) is not None:
        yield from batches(n, size)
        return
    yield from cut(generate(n), size)


def cut(images: np.ndarray, size: int) -> Batches:
    """An array in batches of `size`, the last filled up with zeros, and how many rows of each count."""
    for start in range(0, len(images), size):
        part = np.asarray(images[start : start + size])
        yield np.concatenate([part, np.zeros((size - len(part), *part.shape[1:]), part.dtype)]), len(part)


def collect(
    batches: Iterable[tuple[Any, int]],
    network: FeatureNetwork,
    n: int,
    *,
    keep: int = 0,
    keep_images: int = 0,
    spatial: bool = False,
    labels: np.ndarray | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Sample:
    """Runs images through a feature network.

    Args:
      batches: uint8 images [b, h, w, c] and how many of them count, as of `batches_of`.
      network: whose features.
      n: images in all.
      keep: features of how many of the first images to keep.
      keep_images: how many of the first images to keep.
      spatial: whether to gather Inception's spatial features as well.
      labels: of the images [n].
      on_progress: called with images done and n.

    Raises:
      InputError: for features that are not finite.
    """
    stream, positions = MomentStream(n), MomentStream(n)
    features, logits, images, done = [], [], [], 0
    for batch, valid in batches:
        if spatial:
            assert isinstance(network, Inception)
            f, p, where = network.run(jnp.asarray(batch))
            positions.add(where, valid)
        else:
            f, p = network.apply(jnp.asarray(batch))
        stream.add(f, valid)
        if done < keep:
            features.append(np.asarray(f)[: min(valid, keep - done)])
        if p is not None:
            logits.append(np.asarray(p)[:valid])
        if done < keep_images:
            images.append(np.asarray(batch)[: min(valid, keep_images - done)])
        done += valid
        if on_progress is not None:
            on_progress(done, n)
    gaussian = stream.gaussian()
    if not np.isfinite(gaussian.cov).all():
        raise InputError(f"features: expected finite numbers from {network.name}, got NaN or infinity")
    joined = lambda parts: np.concatenate(parts) if parts else np.empty((0, 0))
    return Sample(
        done,
        gaussian,
        stream.leave_one_out(),
        joined(features),
        np.concatenate(logits) if logits else None,
        joined(images),
        positions.gaussian() if spatial else None,
        tuple(positions.leave_one_out()) if spatial else (),
        labels,
    )
