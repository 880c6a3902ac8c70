"""`jaxgan sample`: images from a run."""

from __future__ import annotations

import io
import pathlib
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import tyro

from jaxgan.cli.arguments import parse
from jaxgan.cli.evaluate import checkpoint
from jaxgan.common.errors import InputError
from jaxgan.common.files import write_atomically
from jaxgan.report import pictures
from jaxgan.runs import environment


@dataclass(frozen=True)
class _Sample:
    """Images from the averaged generator of a run, by seed: a seed always gives the same image."""

    run: tyro.conf.Positional[pathlib.Path]
    """Folder of the run."""
    seeds: str = "0-63"
    """Seeds, such as: 0-63, or 3,7,20-29. For a grid of classes: the columns."""
    classes: str | None = None
    """Classes of a conditional run, such as 0-9: one row each."""
    out: pathlib.Path = pathlib.Path("samples.png")
    """A .png (grid), .npz (arrays), .webp or .gif (interpolation), or a folder (one PNG each)."""
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
    """Writes images of a run."""
    from jaxgan.runs.opened import load

    parsed = parse(_Sample, args, "sample")
    seeds = parse_integers(parsed.seeds, "seeds")
    if parsed.columns is not None and parsed.columns < 1:
        raise InputError(f"columns: expected at least 1, got {parsed.columns}")
    environment.start()
    run = load(parsed.run, checkpoint(parsed.checkpoint))
    labels, columns = None, parsed.columns
    if parsed.classes is not None:
        classes = parse_integers(parsed.classes, "classes")
        if parsed.seeds == _Sample.seeds:
            seeds = list(range(8))
        columns = columns or len(seeds)
        labels = [c for c in classes for _ in seeds]
        seeds = seeds * len(classes)
    out = parsed.out
    if out.suffix.lower() in (".webp", ".gif"):
        _interpolate(run, seeds, labels, out, parsed.frames)
    else:
        examples = run.sample(seeds=seeds, classes=labels)
        if out.suffix.lower() == ".npz":
            buffer = io.BytesIO()
            extra: dict[str, Any] = {} if labels is None else {"labels": np.asarray(labels)}
            np.savez_compressed(buffer, images=examples, seeds=np.asarray(seeds), **extra)  # pyright: ignore
            write_atomically(out, buffer.getvalue())
        elif out.suffix.lower() == ".png":
            write_atomically(out, pictures.picture(examples, columns))
        elif out.suffix:
            raise InputError(f"out: expected a .png, .npz, .webp or .gif file or a folder, got {str(out)!r}")
        else:
            _write_files(out, examples, seeds, labels)
    print(f"wrote {out} (step {run.step:,})")


def _write_files(
    folder: pathlib.Path, examples: np.ndarray, seeds: list[int], labels: list[int] | None
) -> None:
    if examples.ndim != 4:
        raise InputError("out: points have no image files; write a .png or an .npz")
    for i, (image, seed) in enumerate(zip(examples, seeds, strict=True)):
        name = f"seed{seed:05d}.png" if labels is None else f"class{labels[i]}-seed{seed:05d}.png"
        write_atomically(folder / name, pictures.png(image))


def _interpolate(
    run: Any, seeds: list[int], labels: list[int] | None, out: pathlib.Path, frames: int
) -> None:
    import jax.numpy as jnp

    from jaxgan.models.latents import slerp

    if frames < 1:
        raise InputError(f"frames: expected at least 1, got {frames}")
    if len(run.data["shape"]) != 3 or len(seeds) < 2:
        raise InputError("out: an animation needs a run of images and at least two seeds")
    z = run.sampler.latents(seeds)
    shares = jnp.arange(frames)[:, None] / frames
    path = np.asarray(slerp(z[:, None], np.roll(z, -1, axis=0)[:, None], shares)).reshape(-1, z.shape[1])
    classes = None
    if labels is not None and not run.sampler.n_classes:
        raise InputError("classes: expected none, as this generator is not conditional")
    if run.sampler.n_classes:
        classes = np.repeat(np.asarray(labels if labels is not None else [0] * len(seeds), np.int32), frames)
    images = run.sampler.decode(run.variables, path, classes)
    pictures.save_animation(out, [pictures.enlarged(image, 256) for image in images])
