"""`jaxgan sample`: examples from a run."""

from __future__ import annotations

import io
import pathlib
import re
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgan.cli.arguments import Positional, check_out, checkpoint, parse
from jaxgan.cli.status import warnings_in_lines
from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.files import write_atomically
from jaxgan.data import Modality
from jaxgan.data.labels import parsed_classes
from jaxgan.models import model_name
from jaxgan.models.latents import slerp
from jaxgan.report import pictures

_ANIMATIONS = (".webp", ".gif", ".mp4")
_PICTURES = (".png", ".jpg", ".jpeg")


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
    """A .png or .jpg (a grid), .npz (arrays), .webp, .gif or .mp4 (an interpolation), or a folder (a PNG an image)."""
    checkpoint: str = "last"
    """last, best, or a step."""
    columns: int | None = None
    """Images in a row of the grid."""
    frames: int = 16
    """Frames between two seeds of an interpolation."""
    truncation: float | None = None
    """Of families that have one: from 1 (none) to 0 (all samples alike), for better and less varied samples."""
    standing: int = 0
    """Passes of 100 samples, whose statistics batch norm then uses instead of those of training; 0: none."""
    trust: bool = False
    """Run code that the run brings though you have not trained with it, and follow links that lead out of it."""


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
    check_range("truncation", parsed.truncation, at_least=0)
    check_range("frames", parsed.frames, at_least=1)
    check_range("standing", parsed.standing, at_least=0)
    out, kind = parsed.out, parsed.out.suffix.lower()
    check_out("out", out, (".npz", *_PICTURES, *_ANIMATIONS, ""))
    if kind == "":
        _check_folder(out)
    if kind == ".mp4":
        pictures.need_video()
    which = checkpoint(parsed.checkpoint)

    from jaxgan.runs import environment
    from jaxgan.runs.folder import RunFolder
    from jaxgan.runs.opened import Run

    environment.start()
    if parsed.truncation is not None:
        _need_truncation(RunFolder(parsed.run, parsed.trust).config().model, parsed.truncation)
    with warnings_in_lines():
        run = Run.at(parsed.run, which, trust=parsed.trust)
    _check(run.spec.modality, out)
    labels, columns = None, parsed.columns
    if parsed.classes is not None:  # a row a class, of the same seeds
        if not run.sampler.n_classes:
            if run.game.output is None:
                run.sampler.latents(seeds)  # raises: examples are not made of seeds
            raise InputError("classes: expected none, as this generator is not conditional")
        classes = parsed_classes(parsed.classes, run.data["class_names"])
        one_each = kind in _ANIMATIONS and parsed.seeds == Sample.seeds  # a walk through the classes
        if parsed.seeds == Sample.seeds:
            seeds = list(range(8))
        columns = columns or len(seeds)
        labels = [c for c in classes for _ in seeds]
        seeds = seeds * len(classes)
        if one_each:
            labels, seeds = classes, list(range(len(classes)))
    chosen = _Chosen(run, seeds, labels, parsed.truncation, parsed.standing)
    if kind in _ANIMATIONS:
        _interpolate(chosen, out, parsed.frames)
    else:
        _write(chosen, out, columns, by_class=parsed.classes is not None)
    print(f"wrote {out} (checkpoint of step {run.step:,})")


def _check_folder(out: pathlib.Path) -> None:
    """Raises InputError for a folder with anything else than samples in it, among which they would be lost."""
    others = (
        sorted(p.name for p in out.iterdir() if not re.fullmatch(r"(class.*-)?seed\d+\.png", p.name))
        if out.is_dir()
        else []
    )
    if others:
        raise InputError(
            f"out: expected a folder that is new, or holds samples alone, got {str(out)!r}, which holds {others[0]!r}"
        )


def _check(modality: Modality, out: pathlib.Path) -> None:
    """Raises InputError for a form in which nothing of this modality is written; all arrays can be."""
    suffix, name = out.suffix.lower(), f"{modality.name}s"
    if suffix in _PICTURES and not pictures.is_drawn(modality):
        raise InputError(f"out: {name} are not drawn; write an .npz")
    if suffix == "" and not modality.is_picture:
        raise InputError(f"out: {name} have no image files; write a .png or an .npz")


def _need_truncation(model: Any, psi: float) -> None:
    if not hasattr(model, "truncated"):
        raise InputError(
            f"truncation: expected none, as networks of the family {model_name(type(model))!r} have no truncation, got "
            f"{psi:g}"
        )


class _Chosen:
    """What is sampled of a run: seeds with their classes."""

    def __init__(
        self, run: Any, seeds: list[int], labels: list[int] | None, psi: float | None, standing: int
    ) -> None:
        self.run, self.seeds, self.psi, self.standing = run, seeds, psi, standing
        self.labels = run.sampler.labels_of(seeds) if labels is None else np.asarray(labels)
        self.modality: Modality = run.spec.modality
        self._names = run.data.get("class_names") or []

    def name(self, label: int) -> str:
        """Of a class."""
        return str(self._names[label]) if label < len(self._names) else str(label)

    def latents(self) -> np.ndarray:
        """Of the seeds."""
        return self.run.sampler.latents(self.seeds)

    def decode(self, z: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
        """Examples of latents, truncated and with standing statistics if that is asked for."""
        variables, z = self._truncated(z)
        if self.standing:
            sampler, seeds = self.run.sampler, range(100 * self.standing)
            others = self._truncated(sampler.latents(seeds))[1]
            variables = sampler.standing(variables, others, sampler.labels_of(seeds))
        return self.run.sampler.decode(variables, z, labels)

    def _truncated(self, z: np.ndarray) -> tuple[Any, np.ndarray]:
        if self.psi is None:
            return self.run.variables, z
        variables, z = self.run.config.model.truncated(self.run.variables, z, self.psi)
        return variables, np.asarray(z)


def _write(chosen: _Chosen, out: pathlib.Path, columns: int | None, *, by_class: bool) -> None:
    """A grid, the arrays or a folder of files, by the suffix of `out`."""
    modality, seeds, labels, kind = chosen.modality, chosen.seeds, chosen.labels, out.suffix.lower()
    examples = chosen.decode(chosen.latents(), labels)
    if kind == ".npz":
        arrays = {f"{modality.name}s": examples, "seeds": np.asarray(seeds)}
        if labels is not None:
            names = [chosen.name(label) for label in labels]
            numbers = [int(name) for name in names if name.isdecimal() and str(int(name)) == name]
            arrays["labels"] = np.asarray(
                numbers if len(numbers) == len(names) else names
            )  # as the data had them
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # pyright: ignore[reportArgumentType]
        write_atomically(out, buffer.getvalue())
    elif kind:
        png = pictures.picture(examples, modality, columns)
        assert png is not None
        if by_class and columns and labels is not None and modality.is_picture:
            rows = [{*labels[start : start + columns]} for start in range(0, len(labels), columns)]
            if all(len(row) == 1 for row in rows):
                png = pictures.with_row_names(png, [chosen.name(row.pop()) for row in rows])
        write_atomically(out, png if kind == ".png" else pictures.jpeg(png))
    else:
        for i, (image, seed) in enumerate(zip(examples, seeds, strict=True)):
            name = f"seed{seed:05d}.png"
            if labels is not None:
                name = f"{_file_name(int(labels[i]), chosen.name(labels[i]))}-{name}"
            write_atomically(out / name, pictures.png(image))


def _file_name(label: int, name: str) -> str:
    """Of a class: its number, and its name where that says more."""
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._-")[:40]
    return f"class{label}" if plain in ("", str(label)) else f"class{label}-{plain}"


def _interpolate(chosen: _Chosen, out: pathlib.Path, frames: int) -> None:
    """An endless walk through the seeds; where there are classes, half-way to the next seed it is of its class."""
    n, labels = len(chosen.seeds), chosen.labels
    if not chosen.modality.is_picture or n < 2:
        raise InputError("out: an animation needs a run of images and at least two seeds")
    z = chosen.latents()
    ends = (jnp.asarray(z)[:, None], jnp.roll(z, -1, axis=0)[:, None])
    path = np.asarray(slerp(*ends, jnp.arange(frames)[:, None] / frames)).reshape(-1, z.shape[1])
    if labels is not None:
        nearest = (np.arange(n * frames) + frames // 2) // frames % n
        labels = labels[nearest].astype(np.int32)
    images = pictures.displayed(chosen.decode(path, labels))
    shown = [pictures.enlarged(image, 256) for image in images]
    if labels is not None:
        shown = [
            pictures.captioned(image, chosen.name(label)) for image, label in zip(shown, labels, strict=True)
        ]
    pictures.save_animation(out, shown)
