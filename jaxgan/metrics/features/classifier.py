"""Classifiers of labelled data: trained on a data source, kept in the cache, and found again for its generators.

The network is a residual CNN of 128 features that trains in minutes on a few CPU cores. The cache keeps it
in features/, under the first 16 digits of the fingerprints of the images that it was trained on and of the
split that it was tested on, in sorted order. So there is one classifier for a dataset: either of its splits
finds it, and training again replaces it. Data without another split are known by their own fingerprint alone.
"""

from __future__ import annotations

import hashlib
import math
import pathlib
import re
import time
from dataclasses import dataclass
from typing import Any, cast

import flax.traverse_util
import jax
import numpy as np

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.files import expanded, write_atomically
from jaxgan.common.packages import version_of
from jaxgan.data import Images, cache_dir, other_split
from jaxgan.data.rows import Rows
from jaxgan.data.splits import parsed_name
from jaxgan.metrics.features import mnist_cnn
from jaxgan.metrics.features.fitting import BATCH_SIZE, STEPS, OnProgress, check_examples, fit, predict
from jaxgan.metrics.features.network import FeatureNetwork
from jaxgan.metrics.features.residual_cnn import network_of

MAX_EPOCHS = 60
_PRINTS = ("fingerprint", "tested_on_fingerprint", "whole")  # of data that a classifier is of
HELD_OUT_SHARE = 0.1  # of data that have no other split
VERSION = "cnn2"
"""Of network and recipe; part of the names of files."""


@dataclass(frozen=True)
class Trained:
    """A trained classifier.

    Attributes:
      variables: "params" and "batch_stats" of the network, on the host.
      accuracy: share of the held-out images that it classifies correctly.
      metadata: what is written beside the weights; all values are text.
    """

    variables: Any
    accuracy: float
    metadata: dict[str, str]


def train(
    source: Images,
    *,
    epochs: float | None = None,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
    flip: bool = False,
    on_progress: OnProgress | None = None,
) -> Trained:
    """Trains a classifier on all images of `source`, and tests it on its other split.

    Where there is no other split, a tenth of the images, chosen by the seed, is held out to test on.
    The weights after the last step are kept, whatever their accuracy.

    Args:
      source: labelled images of at least two classes, with at least 16 pixels a side and 1 to 4 channels.
      epochs: how often every image is seen; None: as often as `fitting.STEPS` steps see it, but at most 60 times.
      seed: of weights, order, augmentation and of what is held out.
      batch_size: number of images in a step.
      flip: whether half of the images are turned left to right.
      on_progress: called now and then.

    Raises:
      InputError: if the source has no labels, only one class, or too few or too small images, or if `epochs` is
        not positive.
    """
    _check_source(source)
    check_range("epochs", epochs, above=0, below=math.inf)
    images, labels, held_out, tested_on = _parts(source, seed)
    batch = min(batch_size, len(images))
    steps = STEPS if epochs is None else max(1, round(epochs * len(images) / batch))
    if epochs is None:
        steps = min(steps, -(-MAX_EPOCHS * len(images) // batch))
    variables = fit(
        images,
        labels,
        source.n_classes,
        steps=steps,
        seed=seed,
        batch_size=batch,
        flip=flip,
        on_progress=on_progress,
    )
    test_images, test_labels = held_out
    accuracy = float((predict(variables, source.n_classes, test_images) == test_labels).mean())

    metadata = {
        "name": name_of(source),
        "source": source.name,
        "fingerprint": source.fingerprint,
        "whole": source.whole,
        "tested_on": tested_on.name if isinstance(tested_on, Images) else tested_on,
        "tested_on_fingerprint": tested_on.fingerprint if isinstance(tested_on, Images) else "",
        "accuracy": f"{accuracy:.4f}",
        "n_train": str(len(images)),
        "n_test": str(len(test_images)),
        "n_classes": str(source.n_classes),
        "shape": "x".join(map(str, source.shape)),
        "seed": str(seed),
        "epochs": f"{steps * batch / len(images):g}",
        "steps": str(steps),
        "batch_size": str(batch),
        "flip": str(flip).lower(),
        "network": VERSION,
        "jaxgan": version_of("jaxgan"),
        "jax": jax.__version__,
        "backend": jax.default_backend(),
        "date": time.strftime("%Y-%m-%d %H:%M"),
    }
    return Trained(variables, accuracy, metadata)


def _check_source(source: Images) -> None:
    if source.labels is None:
        raise InputError(
            f"source: expected labelled images to train a classifier on, got {source.name!r} without labels"
        )
    if len(present := np.unique(source.labels)) < 2:
        raise InputError(
            f"source: expected images of at least two classes, got {source.name!r}, all of "
            f"class {source.class_names[present[0]]!r}"
        )
    if len(source) < 2 / HELD_OUT_SHARE:
        raise InputError(
            f"source: expected at least {2 / HELD_OUT_SHARE:.0f} images, got {len(source)} of {source.name!r}"
        )
    check_examples(f"source {source.name!r}", source.images, source.labels, source.n_classes)


def _parts(
    source: Images, seed: int
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray], Images | str]:
    """Images and labels to train on, those to test on, and where the latter are from."""
    labels = source.labels
    assert labels is not None  # checked before
    other = other_labelled_split(source)
    if other is not None:
        assert other.labels is not None
        return source.images, labels, (other.images, other.labels), other
    share = int(len(source) * HELD_OUT_SHARE)
    order = np.random.default_rng(seed).permutation(len(source))
    test, rest = np.sort(order[:share]), np.sort(order[share:])
    chosen = f"{share:,} held-out images of {source.name}"
    images = lambda rows: cast(np.ndarray, Rows(source.images, rows))  # which may be more than memory holds
    return images(rest), labels[rest], (images(test), labels[test]), chosen


def other_labelled_split(source: Images) -> Images | None:
    """The other split of data that come in splits, test for train and train for test; None if it has no labels."""
    other = other_split(source)
    if other is None or other.labels is None or other.class_names != source.class_names:
        return None
    return other


def name_of(source: Images) -> str:
    """What the classifier of a source is called: the source's name without kind, folders and split, then "_cnn"."""
    kind, base, _ = parsed_name(source.name)
    if kind in ("folder", "npz", "tar"):
        path = expanded(base)
        base = path.stem if path.suffix in (".npz", ".zip", ".tar") else (path.name or path.resolve().name)
    slug = re.sub(r"[^a-z0-9]+", "_", (base or kind).lower()).strip("_") or "images"
    if f"{slug}_cnn" == mnist_cnn.NAME:  # that is the shipped one, for digits as they are
        slug += "_" + "x".join(map(str, source.shape))
    return f"{slug}_cnn"


# --- files ---------------------------------------------------------------------------------------


def cache_path(metadata: dict[str, str]) -> pathlib.Path:
    """The file in the cache for the classifier that `metadata` describes."""
    prints = sorted(filter(None, (metadata.get(name) for name in _PRINTS)))
    return _folder() / "-".join([*(p[:16] for p in prints), f"{VERSION}.safetensors"])


def _folder() -> pathlib.Path:
    return cache_dir() / "features"


def save(trained: Trained, path: pathlib.Path | None = None) -> pathlib.Path:
    """Writes a classifier as safetensors, to `path` or into the cache, and returns the path."""
    from safetensors.numpy import save as serialised

    path = cache_path(trained.metadata) if path is None else path
    flat = flax.traverse_util.flatten_dict(trained.variables, sep="/")
    arrays = {name: np.ascontiguousarray(value) for name, value in flat.items()}
    write_atomically(path, serialised(arrays, trained.metadata))
    return path


def load(path: pathlib.Path) -> tuple[FeatureNetwork, dict[str, str]]:
    """The feature network in a file, and its metadata. Its identity is the first 12 digits of the file's SHA-256.

    Raises:
      InputError: if the file does not hold such a classifier.
    """
    from safetensors.numpy import load as parse

    try:
        data, metadata = path.read_bytes(), _metadata(path)
        variables: Any = flax.traverse_util.unflatten_dict(parse(data), sep="/")
        identity = hashlib.sha256(data).hexdigest()[:12]
        return network_of(variables, int(metadata["n_classes"]), metadata["name"], identity), metadata
    except Exception as error:  # a damaged file surfaces as many types
        raise _unreadable(path, error) from error


def _metadata(path: pathlib.Path) -> dict[str, str]:
    from safetensors import safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
    except Exception as error:
        raise _unreadable(path, error) from error
    if metadata.get("network") != VERSION:
        raise InputError(f"features: expected a classifier of version {VERSION} in {str(path)!r}")
    return metadata


def _unreadable(path: pathlib.Path, error: Exception) -> InputError:
    if isinstance(error, InputError):
        return error
    return InputError(
        f"features: cannot read the trained classifier {str(path)!r} ({error}); "
        "delete it, or run `jaxgan metrics train-features` again"
    )


def features(source: Images) -> FeatureNetwork | None:
    """The cached classifier that was trained on a source, on a part or the whole of it, or on the other split.

    None without one.

    Of several, the one trained on `source` itself comes first, then the one trained on the most images.

    Raises:
      InputError: if its file cannot be read. To take another network instead would change the scores.
    """
    path = _place(source)
    return None if path is None else load(path)[0]


def variables_of(source: Images) -> tuple[Any, str] | None:
    """Variables (of a `ResidualCNN`) and name of the classifier of `features`; None without one.

    Raises:
      InputError: if its file cannot be read.
    """
    from safetensors.numpy import load as parse

    if (path := _place(source)) is None:
        return None
    _, metadata = load(path)  # which says what is wrong with the file
    return flax.traverse_util.unflatten_dict(parse(path.read_bytes()), sep="/"), metadata["name"]


def _place(source: Images) -> pathlib.Path | None:
    own = {source.fingerprint, source.whole} - {""}
    paths = {path for mark in own for path in _folder().glob(f"*{mark[:16]}*{VERSION}.safetensors")}
    found = [
        (metadata["fingerprint"] == source.fingerprint, int(metadata["n_train"]), path.name, path)
        for path in sorted(paths)
        if own & {(metadata := _metadata(path)).get(name) for name in _PRINTS}
    ]
    return max(found)[3] if found else None
