"""`jaxgan data`: what is in a source, and the preparation of datasets."""

from __future__ import annotations

import dataclasses
import pathlib
from dataclasses import dataclass

import tyro

from jaxgan.cli.arguments import parse
from jaxgan.common.errors import InputError
from jaxgan.common.files import write_atomically
from jaxgan.data import Source, open_source
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
    """1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGBA)."""
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
    modality = source.modality
    x = source.some(modality.shown, seed, ordered=True)[source.example]
    png = pictures.picture(x, modality)
    if png is not None:
        write_atomically(out, png)
    skipped = f" ({source.skipped} broken files left out)" if source.skipped else ""
    rows = {
        "source": source.name,
        "examples": f"{source.n:,}{skipped}" if source.n else "sampled without end",
        "shape": modality.in_words(source.shape, source.spec.stored),
        **source.facts(),
        "fingerprint": source.fingerprint,
        "picture": f"none, as {modality.name}s are not drawn" if png is None else str(out),
    }
    for name, text in rows.items():
        print(f"{name:12} {text}")
