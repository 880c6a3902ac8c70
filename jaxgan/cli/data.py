"""`jaxgan data`: what is in a source."""

from __future__ import annotations

import dataclasses
import pathlib
from dataclasses import dataclass

import jax
import numpy as np
import tyro

from jaxgan.cli.arguments import parse
from jaxgan.common.errors import InputError
from jaxgan.common.files import write_atomically
from jaxgan.data import Images, Source, open_source
from jaxgan.report import pictures


@dataclass(frozen=True)
class _Show:
    """A grid of real examples of a source, and what is in it."""

    source: tyro.conf.Positional[str]
    """mnist, tfds:NAME, folder:PATH, npz:PATH, ring, grid or swissroll."""
    split: str = "train"
    """Split of mnist and tfds sources."""
    resolution: int | None = None
    """Scale and centre-crop images to this many pixels a side."""
    channels: int | None = None
    """1 (grey) or 3 (RGB)."""
    skip_broken: bool = False
    """Leave broken image files out, and count them."""
    seed: int = 0
    """Of the choice of examples."""
    out: pathlib.Path = pathlib.Path("data.png")
    """File to write."""


@dataclass(frozen=True)
class _Prepare:
    """Download a dataset of the TFDS catalogue, in the form that is read without TensorFlow."""

    name: tyro.conf.Positional[str]
    """Name in the catalogue, such as cifar10."""


def data(args: list[str]) -> None:
    """Looks at a source, or prepares a TFDS dataset."""
    if args and args[0] == "prepare":
        from jaxgan.data.catalogue import prepare

        print(f"prepared: {prepare(parse(_Prepare, args[1:], 'data prepare').name)}")
    elif args and args[0] == "show":
        parsed = parse(_Show, args[1:], "data show")
        options = {f.name: getattr(parsed, f.name) for f in dataclasses.fields(parsed)}
        for name in ("source", "seed", "out"):
            options.pop(name)
        if parsed.seed < 0:
            raise InputError(f"seed: expected an integer >= 0, got {parsed.seed}")
        _show(open_source(parsed.source, **options), parsed.seed, parsed.out)
    elif args and args[0] in ("-h", "--help"):
        print("jaxgan data show SOURCE [--out FILE] | jaxgan data prepare NAME; each has --help")
    else:
        raise InputError(f"data: expected 'show' or 'prepare', got {args[0] if args else 'nothing'!r}")


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
    rows = {"source": source.name, **rows, "fingerprint": source.fingerprint, "picture": str(out)}
    for name, text in rows.items():
        print(f"{name:12} {text}")
