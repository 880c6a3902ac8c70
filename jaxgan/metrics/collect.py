"""Runs images through a feature network and keeps what scores are computed from.

Features stay on the devices; of most of them only sums are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import KW_ONLY, dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.metrics.features.network import FeatureNetwork
from jaxgan.metrics.score import Generate
from jaxgan.metrics.scores.frechet import Gaussian, MomentStream

Batches = Iterator[tuple[Any, int]]


@dataclass(frozen=True)
class Sample:
    """What is known of one set of images.

    Attributes:
      n: number of images.
      gaussian: mean and covariance of the features.
      leave_one_out: the same without each tenth of the images in turn; empty if there are too few images, or the
        features of all are kept.
      features: of the first images [min(n, kept), d]; empty if none were asked for.
      logits: of all images [n, classes]; None without a classifier.
      images: the first images, uint8; empty if none were asked for.
      spatial: mean and covariance of the spatial features; None if they were not asked for.
      spatial_leave_one_out: as `leave_one_out`, of the spatial features.
      labels: of the images, integers [n]; None if there are none.
      poll: is called now and then by long work on the set; what it raises ends the work.
      errors: whether standard errors are wanted of scores of these images: most of them take as long as the score.
      held_out: where classifiers are trained on these images, other images and their labels to test them with.
    """

    n: int
    gaussian: Gaussian
    _: KW_ONLY
    leave_one_out: list[Gaussian]
    features: np.ndarray
    logits: np.ndarray | None
    images: np.ndarray
    spatial: Gaussian | None = None
    spatial_leave_one_out: tuple[Gaussian, ...] = ()
    labels: np.ndarray | None = None
    held_out: tuple[np.ndarray, np.ndarray] | None = None
    poll: Callable[[], None] = lambda: None
    errors: bool = True


def batches_of(generate: Generate, n: int, size: int) -> Batches:
    """Yields batches of `size` images and how many images of each count; the last batch is filled up.

    A function that has a method `batches(n, size)` is asked for them, and may leave them on the devices. The
    result of any other function is cut up.
    """
    if (batches := getattr(generate, "batches", None)) is not None:
        yield from batches(n, size)
        return
    yield from cut(generate(n), size)


def cut(images: Any, size: int) -> Batches:
    """Yields an array, or what stands for it, in batches of `size`, and how many rows of each count.

    The last one is filled up with zeros.
    """
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
      batches: uint8 images [b, h, w, c] and how many of them count, as `batches_of` yields them.
      network: the network that gives the features.
      n: number of images in all.
      keep: of how many of the first images the features are kept.
      keep_images: how many of the first images are kept.
      spatial: whether spatial features are gathered as well; the network must give them.
      labels: of the images [n].
      on_progress: called with the number of images done, and n.

    Raises:
      InputError: for features that are not finite.
    """
    stream, positions = MomentStream(n), MomentStream(n)
    features, logits, images, done = [], [], [], 0
    for batch, valid in batches:
        outputs = network.apply(jnp.asarray(batch))
        stream.add(outputs.features, valid)
        if spatial:
            positions.add(outputs.spatial, valid)
        if done < keep:
            features.append(np.asarray(outputs.features)[: min(valid, keep - done)])
        if outputs.logits is not None:
            logits.append(np.asarray(outputs.logits)[:valid])
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
        leave_one_out=[] if keep >= n else stream.leave_one_out(),  # else errors come from the features
        features=joined(features),
        logits=np.concatenate(logits) if logits else None,
        images=joined(images),
        spatial=positions.gaussian() if spatial else None,
        spatial_leave_one_out=tuple(positions.leave_one_out()) if spatial else (),
        labels=labels,
    )
