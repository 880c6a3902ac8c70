"""The verbs of the command line, each a function of its arguments."""

from __future__ import annotations

import dataclasses
import io
import pathlib
import re
from dataclasses import dataclass
from typing import Annotated, Any

import jax
import numpy as np
import tyro

from jaxgan import environment, pictures
from jaxgan.arguments import parse
from jaxgan.config import Config
from jaxgan.data import Images, Source, open_source
from jaxgan.errors import InputError
from jaxgan.evaluate_commands import checkpoint, evaluate
from jaxgan.files import write_atomically
from jaxgan.presets import DEFAULT_PRESET, PRESETS, get_preset

Positional = tyro.conf.Positional


# --- train, resume -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Train:
    config: Annotated[Config, tyro.conf.arg(name="")]
    dry_run: bool = False
    """Print the resolved configuration, parameters, memory and FLOPs of a step, and train nothing."""
    seeds: int | None = None
    """Train so many seeds side by side, from --seed on, and report means with intervals."""


def train(args: list[str]) -> None:
    """Trains a preset, changed by flags, in a new folder."""
    from jaxgan.dry_run import dry_run
    from jaxgan.train import train as run

    name = args[0] if args and not args[0].startswith("-") else DEFAULT_PRESET
    rest = args[1:] if args and not args[0].startswith("-") else args
    parsed = parse(_Train, rest, f"train {name}", _Train(get_preset(name)))
    environment.start()
    if parsed.dry_run:
        dry_run(parsed.config)
        return
    command = ["jaxgan", "train", name, *rest]
    if parsed.seeds is not None:
        from jaxgan.seeds import train_seeds

        folder = train_seeds(parsed.config, parsed.seeds, command)
    else:
        folder = run(parsed.config, command)
    print(f"report: {folder.report}")


@dataclass(frozen=True)
class _Resume:
    """Go on with a run from its newest good checkpoint, exactly as if it had never stopped."""

    run: Positional[pathlib.Path]
    """Folder of the run."""
    steps: int | None = None
    """Train up to this step instead of the configured one."""


def resume(args: list[str]) -> None:
    """Goes on with a run."""
    from jaxgan.run import RunFolder
    from jaxgan.seeds import is_seeds, resume_seeds
    from jaxgan.train import resume as run

    parsed = parse(_Resume, args, "resume")
    environment.start()
    folder = RunFolder(parsed.run)
    if is_seeds(parsed.run.resolve().parent) and not is_seeds(parsed.run):
        raise InputError(
            f"run: {str(parsed.run)!r} is one of several seeds; resume them together: {parsed.run.resolve().parent}"
        )
    if is_seeds(parsed.run):
        if parsed.steps is not None:
            raise InputError("steps: cannot change for a run of several seeds")
        folder = resume_seeds(folder)
    else:
        folder = run(folder, steps=parsed.steps)
    print(f"report: {folder.report}")


# --- sample --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sample:
    """Images from the averaged generator of a run, by seed: a seed always gives the same image."""

    run: Positional[pathlib.Path]
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
    from jaxgan.run import load

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
    if frames < 1:
        raise InputError(f"frames: expected at least 1, got {frames}")
    if len(run.data["shape"]) != 3 or len(seeds) < 2:
        raise InputError("out: an animation needs a run of images and at least two seeds")
    z = run.sampler.latents(seeds)
    ends = np.roll(z, -1, axis=0)
    shares = np.arange(frames)[:, None] / frames
    path = np.concatenate([_between(a, b, shares) for a, b in zip(z, ends, strict=True)])
    classes = None
    if labels is not None and not run.sampler.n_classes:
        raise InputError("classes: expected none, as this generator is not conditional")
    if run.sampler.n_classes:
        classes = np.repeat(np.asarray(labels if labels is not None else [0] * len(seeds), np.int32), frames)
    images = run.sampler.decode(run.variables, path.astype(np.float32), classes)
    pictures.save_animation(out, [pictures.enlarged(image, 256) for image in images])


def _between(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Along the great circle from a to b, as high-dimensional Gaussian latents lie near a sphere."""
    cosine = np.clip(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12), -1, 1)
    angle = np.arccos(cosine)
    if np.sin(angle) < 1e-4:
        return (1 - share) * a + share * b
    return (np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle)


# --- losses, metrics, presets, data, doctor --------------------------------------------------------------


def losses(args: list[str]) -> int:
    """Lists, verifies or plots losses; 1 if one breaks a law."""
    from jaxgan.loss_commands import losses as run

    environment.start()
    return run(args, parse)


def metrics(args: list[str]) -> int:
    """Lists scores, or trains the features that they are computed with."""
    from jaxgan.metric_commands import metrics as run

    environment.start()
    return run(args, parse)


@dataclass(frozen=True)
class _Nothing:
    """This command takes no arguments."""


def presets(args: list[str]) -> None:
    """Lists the presets."""
    parse(_Nothing, args, "presets")
    width = max(map(len, PRESETS))
    for name, preset in PRESETS.items():
        summary = (preset.__doc__ or "").strip().splitlines()[0]
        print(f"{name:{width}}  {summary}{' (default)' if name == DEFAULT_PRESET else ''}")


@dataclass(frozen=True)
class _Show:
    """A grid of real examples of a source, and what is in it."""

    source: Positional[str]
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

    name: Positional[str]
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


def doctor(args: list[str]) -> None:
    """Prints versions, devices, memory and folders."""
    parse(_Nothing, args, "doctor")
    environment.start()
    rows = environment.doctor()
    width = max(map(len, rows))
    for name, text in rows.items():
        print(f"{name:{width}}  {text}")


__all__ = ["data", "doctor", "evaluate", "losses", "metrics", "presets", "resume", "sample", "train"]
