"""The kinds of files that may be a stranger's: a right one of each, how it is made wrong, and how it is read."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import pathlib
import random
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import mutations
import numpy as np
from PIL import Image

from jaxgan.cli.words.settings import read_settings
from jaxgan.common.errors import InputError
from jaxgan.common.schema import parsed_json
from jaxgan.config import DataConfig, get_preset, to_json
from jaxgan.config.presets.fitting import preset_for
from jaxgan.data import describe, open_source
from jaxgan.data.files.outline import outline
from jaxgan.data.pixels import BrokenImage, is_grey_file, open_image, to_pixels
from jaxgan.metrics.catalogue import SCORES
from jaxgan.metrics.reference import is_reference, load_reference, save_reference
from jaxgan.metrics.score import Evaluation, HeldOut, Score
from jaxgan.metrics.scores.frechet import Gaussian
from jaxgan.models import MLPConfig
from jaxgan.report.compare import write_comparison
from jaxgan.report.run import write_report
from jaxgan.runs.checkpoint import Checkpoints
from jaxgan.runs.evaluation import as_json
from jaxgan.runs.folder import RunFolder, create
from jaxgan.runs.listing import summary_of
from jaxgan.runs.lock import owner_of
from jaxgan.runs.opened import best_step, buildable, spec_of
from jaxgan.runs.schema import check_meta
from jaxgan.runs.seeds import RECORD, summarise
from jaxgan.study import Cell, CellResult, Outcome, Store, analyse
from jaxgan.study.tables import variant_row

RUN_FILES = (
    "run.json",
    "config.json",
    "scores.json",
    "metrics.jsonl",
    "evaluations.json",
    "seeds.json",
    "summary.json",
)
"""The text files of a run, of its seeds and of a study."""
NAMES = (
    *RUN_FILES,
    *("run.lock", "checkpoint", "settings.json", "cell.json"),
    *("reference.npz", "images.npz", "images.zip", "images.tar", "image"),
)
"""The kinds of files."""


@dataclass(frozen=True)
class Kind:
    """One kind of file.

    Attributes:
      right: the file as it should be.
      wrong: a random generator -> the file with something wrong.
      read: reads such a file, in every way in which it is read; may raise InputError.
    """

    right: bytes
    wrong: Callable[[random.Random], bytes]
    read: Callable[[bytes], object]


# --- right files -----------------------------------------------------------------------------------


def scores() -> dict[str, Any]:
    value = lambda x, kind, floor: Score(
        x,
        floor,
        SCORES[kind],
        n_real=100,
        n_fake=150,
        split="mnist:test; floor: x",
        features="cnn@0",
        error=0.1,
    )
    scores = {"fd_cnn": value(1.5, "fd", 0.02), "precision": value(0.4, "precision", None)}
    scores |= {"recall": value(0.2, "recall", 0.9), "classes_present": value(9, "classes_present", 10)}
    held_out = HeldOut("the rest", 100, {"fd_cnn": (1.6, 1.5)})
    end = as_json(Evaluation(scores, [15] * 10, None, held_out))
    first = {name: {**score, "value": 40.0} for name, score in end["scores"].items()}
    both = {"final": {"step": 40, **end}, "best": {"step": 20, **end}}
    return {"main": "fd_cnn", "class_names": [str(i) for i in range(10)], **both} | {
        "untrained": {"step": 0, "scores": first}
    }


def _records() -> list[dict[str, Any]]:
    seen = dict.fromkeys(("diversity", "precision", "recall", "coverage", "real_sign", "overfitting"), 0.5)
    means = {"d/loss": 1.2, "g/loss": 0.7, "d/accuracy": 0.8, "d/grad_norm": 3.0, "g/grad_norm": 0.1}
    means |= {"d/real_logits": 0.5, "d/fake_logits": -0.5, "d/r1": 0.1, "images_per_second": 900.0}
    score = {"score": 2.0, "score_error": 0.1, "score_name": "fd_cnn@100", "verdicts": ["diverging"]}
    looked = score | {f"health/{name}": x for name, x in seen.items()}
    return [{"step": 10 * i, "images": 80 * i, **means, **(looked if i % 2 else {})} for i in range(1, 9)]


def _png(rng: np.random.Generator, mode: str = "L") -> bytes:
    buffer, depth = io.BytesIO(), len(mode)
    pixels = rng.integers(0, 256, (9, 8) + (depth,) * (depth > 1), np.uint8)
    Image.fromarray(pixels, mode).save(buffer, "PNG")
    return buffer.getvalue()


def _npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


# --- kinds ------------------------------------------------------------------------------------------


def kinds(root: pathlib.Path) -> dict[str, Kind]:
    """Every kind of file by its name; they are written below a folder, and so is what is decoded."""
    rng = np.random.default_rng(0)
    return _of_runs(root) | _of_data(root, rng)


def _of_runs(root: pathlib.Path) -> dict[str, Kind]:
    source = open_source("mnist", "test")
    model, data = MLPConfig(g_widths=(8,), d_widths=(8,)), DataConfig("mnist", "test")
    config = dataclasses.replace(get_preset("mlp-mnist"), out=str(root / "runs"), model=model, data=data)
    facts = {"devices": ["cpu"], "packages": {"jax": "1"}, "date": "2026-01-01 00:00"}
    all_of = RunFolder(root / "runs" / "several")
    run, *others = (
        create(config, describe(source), facts, "jaxgan train", root / "runs" / name)
        for name in ("run", "other", "several/seed-00000", "several/seed-00001")
    )
    for folder in (run, *others):
        folder.write("scores.json", scores())
        folder.metrics.write_bytes(b"".join(json.dumps(record).encode() + b"\n" for record in _records()))
        folder.update(status="finished", train_seconds=65.0, history=[{"date": "today", "at": 3, "steps": 9}])
        (folder.samples / "step-0000040.png").write_bytes(_png(np.random.default_rng(0)))
    run.write("evaluations.json", [{**scores(), "date": "today"}])
    seeds = {"status": "finished", "command": "c", "seeds": [0, 1], "how": "vmap", "config": to_json(config)}
    all_of.write(RECORD, seeds)
    all_of.write("summary.json", summarise(all_of))

    def shown(folder: RunFolder) -> None:
        write_comparison([folder, others[0]], root / "page.html")
        summary_of(folder.path)

    def opened() -> None:
        read, found = run.facts(), run.config()
        spec = spec_of(read, found)
        with buildable(run):
            found.build(spec)
        best_step(run)

    def read_run() -> None:
        with contextlib.suppress(InputError):  # the file may be wrong for one, and right for others
            opened()
        write_report(run)
        shown(run)
        opened()

    def kind(folder: RunFolder, name: str, read: Callable[[], object]) -> Kind:
        path = folder.path / name
        right = path.read_bytes()
        lines = [json.loads(line) for line in right.splitlines()] if path.suffix == ".jsonl" else None
        value = None if lines else json.loads(right)

        def of(content: bytes) -> None:
            path.write_bytes(content)
            try:
                read()
            finally:
                path.write_bytes(right)

        wrong = (
            (lambda rng: mutations.of_lines(lines, rng))
            if lines
            else (lambda rng: mutations.of_json(value, rng))
        )
        return Kind(right, wrong, of)

    found = {
        name: kind(run, name, read_run)
        for name in ("run.json", "config.json", "scores.json", "metrics.jsonl")
    }
    found |= {"evaluations.json": kind(run, "evaluations.json", lambda: write_report(run))}
    found |= {name: kind(all_of, name, lambda: shown(all_of)) for name in (RECORD, "summary.json")}
    lock = {"host": "h", "pid": 2**22 + 1, "machine": "elsewhere", "token": "0a", "taken": 1.0, "born": None}
    run.write("run.lock", lock)
    settings = root / "settings.json"
    settings.write_text(json.dumps(to_json(config)))
    return found | {
        "settings.json": kind(RunFolder(root), "settings.json", lambda: read_settings(settings)),
        "checkpoint": _of_checkpoint(run, to_json(config)),
        "run.lock": kind(run, "run.lock", lambda: owner_of(run.path)),
        "cell.json": _of_cell(root),
    }


def _of_cell(root: pathlib.Path) -> Kind:
    """A result in a study's folder."""
    curve = [{"step": 20, "images": 160, "score": 1.0, "high_quality": 0.5, "modes": 6.0}]
    final = {"sliced_wasserstein": 0.5, "modes": 6.0, "high_quality": 0.6}
    outcomes = [Outcome(seed, "finished", None, curve, final, {**final, "step": 20}) for seed in (0, 1)]
    cell = Cell("toy-ring", "hinge", "none", "default", (0, 1))
    facts = {"modes": 8, "classes": 0, "modality": "point"}
    kept = {name: SCORES[name].to_json() for name in final}
    store = Store(root / "cells")
    store.save(
        CellResult(
            cell,
            cell.key,
            "finished",
            outcomes=tuple(outcomes),
            data=facts,
            kinds=kept,
            seconds=1.0,
            environment={"date": "today"},
        )
    )
    (path,) = store.path.iterdir()
    right = path.read_bytes()

    def read(content: bytes) -> None:
        path.write_bytes(content)
        found = store.load(cell, cell.key)
        if found is None:  # it is trained again
            raise InputError("damaged")
        for analysis in analyse([found]):
            [variant_row(analysis, i) for i in range(len(analysis.variants))]

    return Kind(right, lambda rng: mutations.of_json(json.loads(right), rng), read)


def _of_checkpoint(run: RunFolder, config: dict[str, Any]) -> Kind:
    """The JSON file of a checkpoint, beside its arrays."""
    best = {"step": 20, "score": 1.0, "error": 0.1, "name": "fd_cnn@100", "lowest": [1.0, 0.1]}
    owed = {"record": _records()[0], "due": ["evaluate", "save"]}
    meta = {"config": config, "best": best, "train_seconds": 65.0, "owed": owed}
    checkpoints = Checkpoints(run.path)
    checkpoints.save(40, {"x": jnp.zeros(3)}, meta)  # pyright: ignore[reportArgumentType]
    checkpoints.wait()
    path = run.path / "checkpoints" / "40" / "meta" / "metadata"
    right = path.read_bytes()

    def read(content: bytes) -> None:
        sealed: Any = None
        with contextlib.suppress(ValueError):
            sealed = parsed_json(content.decode())
        with contextlib.suppress(InputError):  # as of a stranger, who knows how to seal it again
            check_meta("checkpoint 40 is damaged", sealed.get("meta") if isinstance(sealed, dict) else None)
        path.write_bytes(content)
        try:
            check_meta("checkpoint 40 is damaged", checkpoints.meta(40))
        finally:
            path.write_bytes(right)

    return Kind(right, lambda rng: mutations.of_json(json.loads(right), rng), read)


def _of_data(root: pathlib.Path, rng: np.random.Generator) -> dict[str, Kind]:
    path = lambda name: root / f"fuzzed{name}"

    def written(name: str, read: Callable[[pathlib.Path], object]) -> Callable[[bytes], None]:
        def of(content: bytes) -> None:
            path(name).write_bytes(content)
            read(path(name))

        return of

    def reference(path: pathlib.Path) -> None:
        is_reference(path)
        load_reference(path)

    def arrays(path: pathlib.Path) -> None:
        outline(f"npz:{path}", resolution=4)
        preset_for(f"npz:{path}")
        open_source(f"npz:{path}", resolution=4)

    def archive(path: pathlib.Path) -> None:
        outline(f"folder:{path}", resolution=4, channels=3)
        with contextlib.suppress(InputError):
            open_source(f"folder:{path}", resolution=4)
        open_source(f"folder:{path}", resolution=4, skip_broken=True)

    def shards(path: pathlib.Path) -> None:
        outline(f"tar:{path}", resolution=4, channels=3)
        with contextlib.suppress(InputError):
            open_source(f"tar:{path}", resolution=4)
        open_source(f"tar:{path}", resolution=4, skip_broken=True, pipeline="stream")

    def image(content: bytes) -> None:
        try:
            with contextlib.suppress(Exception):  # as `_all_grey` has it
                is_grey_file(content)
            for depth in (1, 3, 4):
                to_pixels(open_image(content), 4, depth)
        except BrokenImage as error:
            raise InputError("broken image") from error

    save_reference(root / "reference.npz", Gaussian(np.zeros(5), np.eye(5)), {"features": "cnn@0", "n": 9})
    statistics = (root / "reference.npz").read_bytes()
    images = _npz(images=rng.integers(0, 256, (6, 5, 5), np.uint8), labels=np.arange(6) % 2)
    photos = {f"{c}/{i}.png": _png(rng, mode) for c in "ab" for i, mode in enumerate(("L", "RGB", "RGBA"))}
    labels = json.dumps({"labels": [[name, 1] for name in photos]}).encode()
    named = {f"{i}.png": content for i, content in enumerate(photos.values())}
    classes = {"0.cls": b"a", **{f"{i}.json": b'{"label": 3}' for i in range(1, len(named))}}
    tarred = _tar(named | classes)
    zipped, pictures = _zip(photos | {"dataset.json": labels}), _formats(rng)
    return {
        "reference.npz": Kind(
            statistics, lambda r: mutations.of_zip(statistics, r), written("r.npz", reference)
        ),
        "images.npz": Kind(images, lambda r: mutations.of_zip(images, r), written("i.npz", arrays)),
        "images.zip": Kind(zipped, lambda r: mutations.of_zip(zipped, r), written("i.zip", archive)),
        "images.tar": Kind(tarred, lambda r: mutations.of_bytes(tarred, r), written("i.tar", shards)),
        "image": Kind(pictures[0], lambda r: mutations.of_bytes(r.choice(pictures), r), image),
    }


def _formats(rng: np.random.Generator) -> list[bytes]:
    """A picture in the formats of most data."""
    pixels, found = rng.integers(0, 256, (9, 8, 3), np.uint8), [_png(rng), _png(rng, "RGBA")]
    for name in ("JPEG", "WEBP", "GIF", "BMP", "TIFF", "TGA", "PPM", "ICO", "PCX"):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, name)
        found.append(buffer.getvalue())
    return found
