"""`jaxgan sample`: examples from a run."""

from __future__ import annotations

import io
import pathlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgan.cli.arguments import Positional, checkpoint, parse
from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.files import write_atomically
from jaxgan.data import Modality
from jaxgan.data.labels import parsed_classes
from jaxgan.models.latents import slerp
from jaxgan.report import pictures

_ANIMATIONS = (".webp", ".gif")


@dataclass(frozen=True)
class Sample:
    """Images from the averaged generator of a run, by seed: a seed always gives the same image."""

    run: Positional[pathlib.Path]
    """Folder of the run."""
    seeds: str = "0-63"
    """Seeds, such as 0-63 or 3,7,20-29; with --classes, those of each row (0-7 if not given)."""
    classes: str | None = None
    """Classes of a conditional run by name or number, such as cat,dog or 0-9: a row each."""
    out: pathlib.Path = pathlib.Path("samples.png")
    """A .png (a grid), .npz (arrays), .webp or .gif (an interpolation), or a folder (a PNG an image)."""
    checkpoint: str = "last"
    """last, best, or a step."""
    columns: int | None = None
    """Images in a row of the grid."""
    frames: int = 16
    """Frames between two seeds of an interpolation."""


def parse_integers(text: str, name: str) -> list[int]:
    """ "0-3,7" -> [0, 1, 2, 3, 7]. Raises InputError for anything else."""
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        if not match or (match[2] and int(match[2]) < int(match[1])):
            raise InputError(f"{name}: expected integers such as 0-63 or 3,7,20-29, got {text!r}")
        first, last = int(match[1]), int(match[2] or match[1])
        if len(numbers) + last - first >= 1_000_000:
            raise InputError(f"{name}: expected at most a million, got {text!r}")
        numbers += range(first, last + 1)
    return numbers


def sample(args: list[str]) -> None:
    """Writes examples of a run."""
    parsed = parse(Sample, args, "sample")
    seeds = parse_integers(parsed.seeds, "seeds")
    check_range("columns", parsed.columns, at_least=1)
    out = parsed.out
    if out.suffix.lower() not in ("", ".png", ".npz", *_ANIMATIONS):
        raise InputError(f"out: expected a .png, .npz, .webp or .gif file or a folder, got {str(out)!r}")
    from jaxgan.runs import environment
    from jaxgan.runs.opened import load

    environment.start()
    run = load(parsed.run, checkpoint(parsed.checkpoint))
    labels, columns = None, parsed.columns
    if parsed.classes is not None:  # a row a class, of the same seeds
        if not run.sampler.n_classes:
            raise InputError("classes: expected none, as this generator is not conditional")
        classes = parsed_classes(parsed.classes, run.data["class_names"])
        if parsed.seeds == Sample.seeds:
            seeds = list(range(8))
        columns = columns or len(seeds)
        labels = [c for c in classes for _ in seeds]
        seeds = seeds * len(classes)
    if out.suffix.lower() in _ANIMATIONS:
        _interpolate(run, seeds, labels, out, parsed.frames)
    else:
        examples, names = run.sample(seeds=seeds, classes=labels), run.data["class_names"]
        _write(run.spec.modality, out, examples, seeds, labels, columns, names)
    print(f"wrote {out} (step {run.step:,})")


def _write(
    modality: Modality,
    out: pathlib.Path,
    examples: np.ndarray,
    seeds: list[int],
    labels: list[int] | None,
    columns: int | None,
    class_names: Sequence[str],
) -> None:
    """A grid, the arrays or a folder of files, by the suffix of `out`."""
    if out.suffix.lower() == ".npz":
        arrays = {f"{modality.name}s": examples, "seeds": np.asarray(seeds)}
        if labels is not None:
            names = [class_names[label] for label in labels]
            numbers = [int(name) for name in names if name.isdecimal() and str(int(name)) == name]
            arrays["labels"] = np.asarray(
                numbers if len(numbers) == len(names) else names
            )  # as the data had them
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # pyright: ignore[reportArgumentType]
        write_atomically(out, buffer.getvalue())
    elif out.suffix.lower() == ".png":
        png = pictures.picture(examples, modality, columns)
        if png is None:
            raise InputError(f"out: {modality.name}s are not drawn; write an .npz")
        write_atomically(out, png)
    elif not modality.is_picture:
        raise InputError(f"out: {modality.name}s have no image files; write a .png or an .npz")
    else:
        for i, (image, seed) in enumerate(zip(examples, seeds, strict=True)):
            name = f"seed{seed:05d}.png" if labels is None else f"class{labels[i]}-seed{seed:05d}.png"
            write_atomically(out / name, pictures.png(image))


def _interpolate(
    run: Any, seeds: list[int], labels: list[int] | None, out: pathlib.Path, frames: int
) -> None:
    check_range("frames", frames, at_least=1)
    if not run.spec.modality.is_picture or len(seeds) < 2:
        raise InputError("out: an animation needs a run of images and at least two seeds")
    z = run.sampler.latents(seeds)
    ends = (jnp.asarray(z)[:, None], jnp.roll(z, -1, axis=0)[:, None])
    path = np.asarray(slerp(*ends, jnp.arange(frames)[:, None] / frames)).reshape(-1, z.shape[1])
    classes = None
    if labels is not None and not run.sampler.n_classes:
        raise InputError("classes: expected none, as this generator is not conditional")
    if run.sampler.n_classes:
        classes = np.repeat(np.asarray(labels if labels is not None else [0] * len(seeds), np.int32), frames)
    images = run.sampler.decode(run.variables, path, classes)
    pictures.save_animation(out, [pictures.enlarged(image, 256) for image in pictures.displayed(images)])
