"""`jaxgan data`: what is in a source, and datasets of the TFDS catalogue made ready."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

from jaxgan.cli.arguments import (
    Positional,
    check_out,
    dispatch,
    flags_named_for,
    parse,
    print_rows,
    with_flags_of,
)
from jaxgan.common.checks import check_range
from jaxgan.common.files import write_atomically
from jaxgan.data import Source, open_source
from jaxgan.data.catalogue import prepare as prepare_tfds
from jaxgan.report import pictures


@dataclass(frozen=True)
class Show:
    """Write a picture of real examples of a source, and print what is in it."""

    source: Positional[str]
    """mnist, stacked_mnist, tfds:NAME, tar:PATTERN, ring, grid, swissroll, FILE.py:NAME, folder, zip, tar or npz."""
    split: str = "train"
    """Split of mnist, stacked_mnist and tfds sources, and of folders that have such folders."""
    resolution: int | None = None
    """Scale and centre-crop images to this many pixels a side."""
    channels: int | None = None
    """1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGBA)."""
    skip_broken: bool = False
    """Leave broken image files out, and count them."""
    follow_links: bool = False
    """Follow links that lead out of a folder of images."""
    keep_classes: str = ""
    """Only examples of these classes, by name or number, such as 0-8 or cat,dog."""
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


@flags_named_for(Show)
def show(args: list[str]) -> None:
    """Writes a picture of real examples of SOURCE, and prints what is in it."""
    parsed = parse(Show, args, "data show")
    check_out("out", parsed.out, (".png",))
    check_range("seed", parsed.seed, at_least=0)
    source = open_source(
        parsed.source,
        parsed.split,
        resolution=parsed.resolution,
        channels=parsed.channels,
        skip_broken=parsed.skip_broken,
        follow_links=parsed.follow_links,
        keep_classes=parsed.keep_classes,
    )
    if source.n is None:  # drawn by JAX
        from jaxgan.runs import environment

        environment.start()
    _show(source, parsed.seed, parsed.out)


def prepare(args: list[str]) -> None:
    """Downloads the dataset NAME of the TFDS catalogue, in the form that is read without TensorFlow."""
    print(f"prepared: {prepare_tfds(parse(Prepare, args, 'data prepare').name)}")


def _show(source: Source, seed: int, out: pathlib.Path) -> None:
    modality = source.modality
    x = source.some(modality.shown, seed, ordered=True)[source.example]
    png = pictures.picture(x, modality)
    if png is not None:
        write_atomically(out, png)
    print_rows(
        {
            "source": source.name,
            "examples": f"{source.n:,}" if source.n else "sampled without end",
            "shape": modality.in_words(source.shape, source.spec.stored),
            **source.facts(),
            **({"notes": with_flags_of(Show, "; ".join(source.notes))} if source.notes else {}),
            "fingerprint": source.fingerprint,
            "picture": f"none, as {modality.name}s are not drawn" if png is None else out,
        }
    )
