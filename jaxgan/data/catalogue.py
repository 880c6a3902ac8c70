"""Image datasets of the TensorFlow Datasets catalogue, read without TensorFlow."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import pathlib
import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxgan.common.errors import InputError, unknown
from jaxgan.common.files import expanded
from jaxgan.data import cache
from jaxgan.data.labels import compacted
from jaxgan.data.pixels import from_array, to_pixels
from jaxgan.data.source import Images


def data_dir() -> pathlib.Path:
    """Returns the folder in which TFDS keeps prepared datasets: $TFDS_DATA_DIR or ~/tensorflow_datasets.

    Raises:
      InputError: if there is neither.
    """
    if explicit := os.environ.get("TFDS_DATA_DIR"):
        return expanded(explicit)
    if (home := cache.home_dir()) is None:
        raise InputError(
            "TFDS_DATA_DIR: expected the folder of TFDS datasets, as there is no home folder, got none"
        )
    return home / "tensorflow_datasets"


@contextlib.contextmanager
def imported_tfds() -> Iterator[Any]:
    """Imports TFDS, silently, where it is needed: it takes seconds, and most runs do without."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside TFDS and what it imports
        level = logging.getLogger("absl").level
        logging.getLogger("absl").setLevel(logging.ERROR)
        try:
            import tensorflow_datasets as tfds

            yield tfds
        finally:
            logging.getLogger("absl").setLevel(level)


def prepared(name: str) -> tuple[str, str] | None:
    """Finds a dataset that lies ready under `data_dir()`.

    A dataset that has configurations may be called by its name alone if one of them is ready.

    Returns:
      Its full name ("name" or "name/config") and newest version; None if it is not there.

    Raises:
      InputError: if several configurations are ready.
    """
    folder = data_dir() / name
    if not re.fullmatch(r"\w+(/\w[\w.+-]*)?", name) or not folder.is_dir():  # it leads to no other place
        return None
    ready = [
        tuple(map(int, entry.name.split(".")))
        for entry in folder.iterdir()
        if re.fullmatch(r"\d+\.\d+\.\d+", entry.name) and (entry / "dataset_info.json").exists()
    ]
    if ready:
        return name, ".".join(map(str, max(ready)))
    below = (f"{name}/{entry.name}" for entry in sorted(folder.iterdir()) if entry.is_dir())
    configs = [found for config in below if "/" not in name and (found := prepared(config))]
    if len(configs) > 1:
        raise InputError(
            f"data.source: expected one of {', '.join('tfds:' + full for full, _ in configs)}, got 'tfds:{name}'"
        )
    return configs[0] if configs else None


def _readable(name: str, version: str) -> bool:
    """Whether a prepared dataset is in the form that is read without TensorFlow."""
    info = json.loads((data_dir() / name / version / "dataset_info.json").read_text())
    return info.get("fileFormat") == "array_record"


def load_tfds(
    name: str, split: str = "train", *, resolution: int | None = None, channels: int | None = None
) -> Images:
    """Opens an image dataset of the catalogue: its feature "image", and "label" if there is one.

    It is decoded once into the cache, under its name, version, split and preprocessing. From then on
    neither TFDS nor TensorFlow is imported.

    Args:
      name: of the dataset, or "name/config".
      split: such as "train", "test" or "train[:5000]".
      resolution: side of the square images in pixels; None keeps their size, which must then be the same.
      channels: 1, 2 (grey and alpha), 3 or 4 (RGBA); None keeps those of the dataset, without alpha.

    Raises:
      InputError: if there is no such dataset, it is not prepared (the message says what to run), it
        has no images, or the split is unknown.
    """
    found = prepared(name)
    if found is None:
        raise _not_prepared(name)
    name, version = found
    if re.fullmatch(r"\w+", split) and split not in (
        known := _splits(name, version)
    ):  # TFDS itself takes seconds
        raise InputError(
            f"data.split: cannot read split {split!r} of {name!r}: expected one of {', '.join(known)}"
        )
    key = {
        "kind": "tfds",
        "name": name,
        "version": version,
        "files": _content(data_dir() / name / version),
        "split": split,
        "resolution": resolution,
        "channels": channels,
    }
    decoded = cache.cached(key, lambda folder: _decode(name, version, split, folder, resolution, channels))
    labels, names = decoded.labels, decoded.class_names
    notes: tuple[str, ...] = ()
    if labels is not None:
        labels, names = compacted(labels, names)
        if lost := len(decoded.class_names) - len(names):
            notes = (
                f"{lost:,} of {len(decoded.class_names):,} classes have no images in {split!r} and are none",
            )
    return Images(f"tfds:{name}:{split}", decoded.images, labels, names, decoded.fingerprint, notes=notes)


def _splits(name: str, version: str) -> list[str]:
    """The splits of a prepared dataset."""
    info = json.loads((data_dir() / name / version / "dataset_info.json").read_text())
    return [*(split["name"] for split in info.get("splits", [])), "all"]


def _content(folder: pathlib.Path) -> str:
    """SHA-256 (hexadecimal) of the names and contents of all files of a prepared dataset."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.name}\0{content}\0".encode("utf-8", "backslashreplace"))
    return digest.hexdigest()


def _not_prepared(name: str) -> InputError:
    with imported_tfds() as tfds:
        known = tfds.list_builders(with_community_datasets=False)
    base = name.split("/")[0].split(":")[0]
    if base not in known and not (data_dir() / base).is_dir():
        return unknown("dataset of the TFDS catalogue", name, known, list_all=False)
    return InputError(
        f"data.source: dataset {name!r} is not prepared in {str(data_dir())!r}; run: jaxgan data prepare {name}"
    )


def _unreadable(name: str, version: str) -> InputError:
    return InputError(
        f"data.source: dataset {name!r} was prepared in a form that needs TensorFlow to read; move "
        f"{str(data_dir() / name / version)!r} away and run: jaxgan data prepare {name}"
    )


def _decode(
    name: str, version: str, split: str, folder: pathlib.Path, resolution: int | None, channels: int | None
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...], int]:
    if not _readable(name, version):
        raise _unreadable(name, version)
    with imported_tfds() as tfds:
        try:
            builder = tfds.builder(f"{name}:{version}", data_dir=str(data_dir()))
            source = builder.as_data_source(split=split)
        except (ValueError, KeyError, AssertionError) as error:
            raise InputError(
                f"data.split: cannot read split {split!r} of {name!r}: {_first_line(error)}"
            ) from error
        features = builder.info.features
        if "image" not in features:
            raise InputError(f"data.source: dataset {name!r} has no feature 'image', only {sorted(features)}")
        if not len(source):
            raise InputError(f"data.split: split {split!r} of {name!r} is empty")
        names = getattr(features["label"], "names", None) if "label" in features else None
        labels = np.empty(len(source), np.int32) if names else None
        images: np.ndarray | None = None
        for i, example in enumerate(source):
            pixels = np.asarray(example["image"])
            pixels = to_pixels(from_array(pixels), resolution, channels or (3 if pixels.shape[2] > 2 else 1))
            if images is None:
                images = cache.new_images(folder / "images.npy", (len(source), *pixels.shape))
            if pixels.shape != images.shape[1:]:
                raise InputError(
                    f"data.resolution: expected a size, as images of {name!r} differ: "
                    f"{images.shape[1]}x{images.shape[2]} and {pixels.shape[0]}x{pixels.shape[1]} pixels; say one, "
                    "such as --data.resolution 64"
                )
            images[i] = pixels
            if labels is not None:
                labels[i] = example["label"]
    assert images is not None
    if labels is not None and labels.min() < 0:  # a split without labels has -1 in their place
        labels, names = None, ()
    return images, labels, tuple(names or ()), 0


def prepare(name: str) -> str:
    """Downloads a dataset and prepares it in the form that can be read without TensorFlow.

    Returns:
      The folder of the prepared dataset.

    Raises:
      InputError: if TensorFlow is missing (the `prepare` extra), there is no such dataset, or the
        download fails.
    """
    try:
        import tensorflow  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise InputError(
            "preparing a dataset needs TensorFlow (reading it does not); run: pip install 'jaxgan[prepare]'"
        ) from error
    with imported_tfds() as tfds:
        known = tfds.list_builders(with_community_datasets=False)
        if name.split("/")[0] not in known:
            raise unknown("dataset of the TFDS catalogue", name, known, list_all=False)
        if (found := prepared(name)) is not None and not _readable(*found):
            raise _unreadable(*found)
        try:
            builder = tfds.builder(name, data_dir=str(data_dir()), file_format="array_record")
            builder.download_and_prepare()
        except Exception as error:
            raise InputError(f"preparing {name!r} failed: {_first_line(error)}") from error
        return str(builder.data_dir)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
