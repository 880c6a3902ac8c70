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
from dataclasses import replace
from typing import Any

import numpy as np

from jaxgan.common.errors import InputError, unknown
from jaxgan.common.files import expanded
from jaxgan.data import cache
from jaxgan.data.decoding.choice import streams
from jaxgan.data.decoding.forms import grey_in_colour
from jaxgan.data.decoding.passes import gone_through
from jaxgan.data.decoding.stamps import remembered
from jaxgan.data.labels import compacted
from jaxgan.data.pixels import from_array, to_pixels
from jaxgan.data.rows import Encoded, Undecoded, workers
from jaxgan.data.source import Images

_DECODER = 3  # of the entries in the cache: counts the changes of what images are decoded to


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
    name: str,
    split: str = "train",
    *,
    resolution: int | None = None,
    channels: int | None = None,
    pipeline: str = "auto",
) -> Images:
    """Opens an image dataset of the catalogue: its feature "image", and "label" if there is one.

    It is decoded once, under its name, version, split and preprocessing: into the cache, from when on neither TFDS nor
    TensorFlow is imported, or, where it is streamed, to see what the images hash to.

    Args:
      name: of the dataset, or "name/config".
      split: such as "train", "test" or "train[:5000]".
      resolution: side of the square images in pixels; None keeps their size, which must then be the same.
      channels: 1, 2 (grey and alpha), 3 or 4 (RGBA); None keeps those of the dataset, without alpha.
      pipeline: whether it is streamed, as of `jaxgan.data.decoding.choice.streams`.

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
    keep = not streams(pipeline, _decoded_bytes(name, version, split, resolution, channels))
    key = {
        "kind": "tfds",
        "decoder": _DECODER,
        "name": name,
        "version": version,
        "files": _content(data_dir() / name / version),
        "split": split,
        "resolution": resolution,
        "channels": channels,
        "pixels": keep,
    }
    stored = _Stored(name, version, split, resolution, channels)

    def stand_in(shape: tuple[int, ...], places: np.ndarray, hashes: np.ndarray) -> Encoded:
        return Encoded(stored.images(), places, shape, hashes)

    decoded = cache.cached(key, lambda folder: _decode(stored, folder, keep), None if keep else stand_in)
    labels, names = decoded.labels, decoded.class_names
    notes: tuple[str, ...] = ()
    if labels is not None:
        labels, names = compacted(labels, names)
        if lost := len(decoded.class_names) - len(names):
            notes = (
                f"{lost:,} of {len(decoded.class_names):,} classes have no images in {split!r} and are none",
            )
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # what lies beside it tells nothing
        notes += grey_in_colour(described(name, version)[1][2], channels)
    return Images(
        f"tfds:{name}:{split}",
        decoded.images,
        labels,
        class_names=names,
        fingerprint=decoded.fingerprint,
        notes=notes,
        hashes=decoded.hashes,
    )


def _splits(name: str, version: str) -> list[str]:
    """The splits of a prepared dataset."""
    info = json.loads((data_dir() / name / version / "dataset_info.json").read_text())
    return [*(split["name"] for split in info.get("splits", [])), "all"]


def _content(folder: pathlib.Path) -> str:
    """SHA-256 (hexadecimal) of the names and contents of all files of a prepared dataset."""
    paths = sorted(path for path in folder.iterdir() if path.is_file())

    def of(path: pathlib.Path) -> bytes:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        return f"{path.name}\0{content}\0".encode("utf-8", "backslashreplace")

    return remembered(
        ((path.name, path) for path in paths),
        lambda: (hashlib.sha256(b"".join(workers().map(of, paths))).hexdigest(), True),
    )


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


class _Stored:
    """The images of a split as they are stored; what is kept decoded is never opened."""

    def __init__(
        self, name: str, version: str, split: str, resolution: int | None, channels: int | None
    ) -> None:
        self.name, self.version, self.split = name, version, split
        self._resolution, self._channels = resolution, channels
        self._opened: tuple[Any, tuple[str, ...] | None] | None = None

    def opened(self) -> tuple[Any, tuple[str, ...] | None]:
        """The examples by number, as TFDS gives them, and the names of the classes.

        Raises:
          InputError: if they cannot be read, or there are no images.
        """
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _open(self) -> tuple[Any, tuple[str, ...] | None]:
        name, split = self.name, self.split
        if not _readable(name, self.version):
            raise _unreadable(name, self.version)
        with imported_tfds() as tfds:
            try:
                builder = tfds.builder(f"{name}:{self.version}", data_dir=str(data_dir()))
                source = builder.as_data_source(split=split)
            except (ValueError, KeyError, AssertionError) as error:
                raise InputError(
                    f"data.split: cannot read split {split!r} of {name!r}: {_first_line(error)}"
                ) from error
            features = builder.info.features
            if "image" not in features:
                raise InputError(
                    f"data.source: dataset {name!r} has no feature 'image', only {sorted(features)}"
                )
            if not len(source):
                raise InputError(f"data.split: split {split!r} of {name!r} is empty")
            names = getattr(features["label"], "names", None) if "label" in features else None
            return source, tuple(names) if names else None

    def read(self, place: int) -> tuple[np.ndarray, int]:
        """Pixels and label of an example."""
        source, names = self.opened()
        example = source[place]
        pixels = np.asarray(example["image"])
        depth = self._channels or (3 if pixels.shape[2] > 2 else 1)
        return to_pixels(from_array(pixels), self._resolution, depth), int(example["label"]) if names else 0

    def images(self) -> Undecoded:
        """All of them, which are decoded one by one.

        They are opened here: TFDS is imported with filters of warnings that threads cannot have for themselves.
        """
        return Undecoded(
            len(self.opened()[0]), self.read, lambda place: f"{place} of tfds:{self.name}:{self.split}"
        )


def _decode(stored: _Stored, folder: pathlib.Path, keep: bool) -> cache.Decoded:
    _, names = stored.opened()
    found = gone_through(stored.images(), folder, keep=keep, what=stored.name)
    labels = found.labels
    if names is None or (
        labels is not None and labels.min() < 0
    ):  # a split without labels has -1 in their place
        return replace(found, labels=None)
    return replace(found, class_names=names)


def _decoded_bytes(name: str, version: str, split: str, resolution: int | None, channels: int | None) -> int:
    """How many bytes the images of a split take, decoded, at most; 0 where nothing tells."""
    try:
        numbers, (height, width, depth), _ = described(name, version)
    except (OSError, ValueError, KeyError, TypeError):  # said where they are opened
        return 0
    if resolution is not None:
        height = width = resolution
    n = numbers.get(re.split(r"\W", split)[0], sum(numbers.values()))
    return n * height * width * (channels or (3 if depth > 2 else 1))


def described(name: str, version: str) -> tuple[dict[str, int], tuple[int, int, int], int]:
    """What lies beside a dataset tells: the number of images of each split, their shape, and the number of classes.

    A side is 0 where images differ in it.
    """
    folder = data_dir() / name / version
    splits = json.loads((folder / "dataset_info.json").read_text())["splits"]
    features = json.loads((folder / "features.json").read_text())["featuresDict"]["features"]
    height, width, depth = (max(int(side), 0) for side in features["image"]["image"]["shape"]["dimensions"])
    return (
        {own["name"]: sum(map(int, own["shardLengths"])) for own in splits},
        (height, width, depth),
        int(features.get("label", {}).get("classLabel", {}).get("numClasses", 0)),
    )


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
