"""`jaxgan data`: what is in a source, and datasets of the TFDS catalogue made ready."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

import jax
import numpy as np

from jaxgan.cli.arguments import Positional, dispatch, parse, print_rows
from jaxgan.common.errors import InputError
from jaxgan.common.files import write_atomically
from jaxgan.data import Images, Source, open_source
from jaxgan.data.catalogue import prepare as prepare_tfds
from jaxgan.report import pictures


@dataclass(frozen=True)
class Show:
    """Write a picture of real examples of a source, and print what is in it."""

    source: Positional[str]
    """mnist, stacked_mnist, tfds:NAME, folder:PATH, npz:PATH, ring, grid or swissroll."""
    split: str = "train"
    """Split of mnist, stacked_mnist and tfds sources."""
    resolution: int | None = None
    """Scale and centre-crop images to this many pixels a side."""
    channels: int | None = None
    """1 (grey) or 3 (RGB)."""
    skip_broken: bool = False
    """Leave broken image files out, and count them."""
    seed: int = 0
    """Seed of the choice of examples."""
    out: pathlib.Path = pathlib.Path("data.png")
    """File to write."""


@dataclass(frozen=True)
class Prepare:
    """Download a dataset of the TFDS catalogue, in the form that is read without TensorFlow."""

    name: Positional[str]
    """Name in the catalogue, such as cifar10."""


def data(args: list[str]) -> int | None:
    """Looks at a source, or prepares a TFDS dataset."""
    return dispatch("data", args, {"show": show, "prepare": prepare})


def show(args: list[str]) -> None:
    """Writes a picture of real examples of SOURCE, and prints what is in it."""
    parsed = parse(Show, args, "data show")
    if parsed.seed < 0:
        raise InputError(f"seed: expected an integer >= 0, got {parsed.seed}")
    source = open_source(
        parsed.source,
        parsed.split,
        resolution=parsed.resolution,
        channels=parsed.channels,
        skip_broken=parsed.skip_broken,
    )
    _show(source, parsed.seed, parsed.out)


def prepare(args: list[str]) -> None:
    """Downloads the dataset NAME of the TFDS catalogue, in the form that is read without TensorFlow."""
    print(f"prepared: {prepare_tfds(parse(Prepare, args, 'data prepare').name)}")


def _show(source: Source, seed: int, out: pathlib.Path) -> None:
    if isinstance(source, Images):
        chosen = np.sort(np.random.default_rng(seed).permutation(len(source))[:64])
        write_atomically(out, pictures.picture(np.asarray(source.images[chosen])))
        height, width, channels = source.shape
        rows = {
            "examples": f"{len(source):,}"
            + (f" ({source.skipped} broken files left out)" if source.skipped else ""),
            "shape": f"{height}x{width}, {channels} channel{'s' * (channels > 1)}, uint8",
            "values": f"{source.images.min()} to {source.images.max()}, mean {source.images.mean():.1f}",
        }
        if source.labels is not None:
            counts = np.bincount(source.labels, minlength=source.n_classes)
            named = (f"{name} {count:,}" for name, count in zip(source.class_names, counts, strict=True))
            rows["classes"] = f"{source.n_classes}: {', '.join(named)}"
        else:
            rows["classes"] = "no labels"
    else:
        points = np.asarray(source.sample(jax.random.key(seed), 2500)[0])
        write_atomically(out, pictures.scatter(points))
        rows = {
            "examples": "sampled without end",
            "shape": "points in the plane, float32",
            "values": f"{points.min():.3f} to {points.max():.3f}",
            "modes": f"{len(source.modes)}, standard deviation {source.std:g}"
            if len(source.modes)
            else "none",
        }
    print_rows({"source": source.name, **rows, "fingerprint": source.fingerprint, "picture": out})
