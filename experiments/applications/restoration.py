"""Restoration on real data: denoising, inpainting and super-resolution, beside what a person would use instead.

    python experiments/applications/restoration.py --quick       # some 8 minutes on two quiet CPU cores
    python experiments/applications/restoration.py               # ten times the steps [--out DIR] [--only denoising]

Needs the extra `restore` (scikit-image) and `jaxgan data prepare cifar10 fashion_mnist`. Every network is trained by
`jaxgan train`, small enough for two cores; scores are of images that it has not seen, with 95 % intervals over them.

- denoising: Gaussian noise of 25/255, rounded and clipped as files hold it, on CIFAR-10, trained by pixels alone; the
  baselines are non-local means, which is told the level, and total variation, whose weight is the best on training
  images.
- inpainting: the centred quarter of Fashion-MNIST, by pixels alone and with a critic; the baseline is biharmonic. SSIM
  is the mean of its map over the hole.
- super-resolution: x2 and x4 of Fashion-MNIST and of scikit-image's photos (trained on crops of five, tested on all
  64x64 crops of two others), by pixels alone and, x4 of photos, with a critic; the baselines are bicubic and Lanczos.

It leaves DIR/restoration.json, and pictures: input, baseline, ours, truth.
"""

from __future__ import annotations

import json
import pathlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from skimage import data as photos  # pyright: ignore[reportMissingImports]

import jaxgan
from jaxgan.__main__ import main as command
from jaxgan.apps.restore import baselines
from jaxgan.apps.restore.scores import row, ssim_over, table_of
from jaxgan.cli.arguments import run_script
from jaxgan.common.errors import InputError
from jaxgan.data.modality import from_float
from jaxgan.metrics.restoration import similarities
from jaxgan.report import pictures
from jaxgan.runs.evaluation import open_run

LEVEL = 25
TRAINED_ON = ("astronaut", "rocket", "immunohistochemistry", "retina", "hubble_deep_field")
TESTED_ON = ("chelsea", "coffee")
SIDE = 64
SHOWN = 8


@dataclass(frozen=True)
class Args:
    """Restoration beside its baselines."""

    quick: bool = False
    """A tenth of the steps, and fewer images."""
    out: pathlib.Path = pathlib.Path("restoration")
    """Folder for the results and the runs."""
    only: str = ""
    """denoising, inpainting or super-resolution; nothing: all."""


class Study:
    """What is shared by the tasks: runs, rows, pictures, goals."""

    def __init__(self, args: Args) -> None:
        """Makes the folder."""
        self.args, self.out = args, args.out
        self.out.mkdir(parents=True, exist_ok=True)
        self.rows: list[dict[str, Any]] = []
        self.pictures: list[str] = []
        self.goals: list[dict[str, Any]] = []
        self.before = 0.0  # seconds of runs that were there
        self.n = 200 if args.quick else 1000

    def trained(self, name: str, steps: int, *words: str) -> Any:
        """A run of that name, opened with its data; trained by the command unless it is there."""
        steps = steps if self.args.quick else 10 * steps
        runs = self.out / "runs"
        found = sorted(runs.glob(f"*-{name}"))
        if found:
            self.before += json.loads((found[-1] / "run.json").read_text())["train_seconds"] or 0.0
        else:
            every = str(steps)
            given = ["train", *words, "--steps", every, "--sample-every", every, "--checkpoint-every", every]
            given += ["--evaluate-every", every, "--quick-n", "64", "--final-n", "64", "--log-every", "100"]
            if command([*given, "--out", str(runs), "--name", name, "--health.no-enabled"]) != 0:
                raise InputError(f"restoration: the run {name!r} failed")
            found = sorted(runs.glob(f"*-{name}"))
        run, source = open_run(found[-1], "last")
        return run, source

    def made(self, run: Any, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Inputs, outputs, masks and true images of held-out examples, as they are stored."""
        made, batch = run.sampler.stream(run.variables, 0).of(rows)
        stored = {name: np.asarray(from_float(jnp.asarray(x), made.dtype)) for name, x in batch.items()}
        return {"made": made, "input": stored["input"], "image": stored["image"], "mask": batch.get("mask")}  # pyright: ignore

    def show(self, name: str, *columns: np.ndarray) -> None:
        """A picture of rows of images, one a method, the first few examples side by side."""
        side = columns[-1].shape[1:3]
        grown = [x[:SHOWN].repeat(side[0] // x.shape[1], 1).repeat(side[1] // x.shape[2], 2) for x in columns]
        png = pictures.png(pictures.enlarged(pictures.grid(np.concatenate(grown), SHOWN)))
        (self.out / f"{name}.png").write_bytes(png)
        self.pictures.append(f"{name}.png")

    def goal(self, text: str, met: bool, figure: str) -> None:
        """Notes whether a goal is met."""
        self.goals.append({"goal": text, "met": bool(met), "figure": figure})
        print(f"goal: {text}: {'met' if met else 'not met'} ({figure})", flush=True)


def denoising(study: Study) -> None:
    """CIFAR-10."""
    run, source = study.trained("denoise", 2500, "denoise-32", "--lr", "2e-3")
    found = study.made(run, np.arange(study.n))
    tried = source.some(24, 0)["image"].astype(np.float64)
    noisy = np.clip(np.round(tried + LEVEL * np.random.default_rng(0).normal(size=tried.shape)), 0, 255)
    best = max(
        (0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1),
        key=lambda weight: similarities(
            np.stack([baselines.total_variation(x, weight) for x in noisy.astype(np.uint8)]),
            tried.astype(np.uint8),
        )["psnr"].mean(),
    )
    others = {
        "non-local means": np.stack([baselines.non_local_means(x, LEVEL) for x in found["input"]]),
        f"total variation, weight {best}": np.stack(
            [baselines.total_variation(x, best) for x in found["input"]]
        ),
        "the noisy image": found["input"],
    }
    rows = table_of("CIFAR-10, Gaussian noise 25/255, pixels alone", found["made"], others, found["image"])
    study.rows += rows
    study.show("denoising", found["input"], others["non-local means"], found["made"], found["image"])
    gain = rows[0]["difference"]
    study.goal(
        "denoising 25/255 at least 1.5 dB over non-local means on CIFAR-10 test",
        gain >= 1.5,
        f"{gain:+.2f} dB, 95 % {rows[0]['difference_interval'][0]:+.2f} to {rows[0]['difference_interval'][1]:+.2f}",
    )


def inpainting(study: Study) -> None:
    """Fashion-MNIST."""
    words = ("restore-28", "--data.source", "tfds:fashion_mnist")
    pixels, _ = study.trained("inpaint-pixels", 300, *words, "--game-options", "adversarial", "0")
    critic, _ = study.trained("inpaint-critic", 300, *words)
    found = study.made(pixels, np.arange(study.n))
    judged = study.made(critic, np.arange(study.n))["made"]
    hole = found["mask"][0, ..., 0]
    filled = np.stack([baselines.biharmonic(x, hole) for x in found["input"]])
    truth = found["image"]
    theirs = ssim_over(filled, truth, hole)
    for name, made in (("pixels alone", found["made"]), ("with a critic", judged)):
        what = f"Fashion-MNIST, centred quarter, {name}"
        rows = [row(what, "ssim over the hole", ssim_over(made, truth, hole), "biharmonic", theirs)]
        study.rows += rows + table_of(what, made, {"biharmonic": filled}, truth)
        study.goal(
            f"inpainting the centred quarter of Fashion-MNIST with SSIM over the hole above biharmonic's, {name}",
            rows[0]["difference_interval"][0] > 0,
            f"{rows[0]['ours']:.3f} against {rows[0]['baseline_value']:.3f}",
        )
    study.show("inpainting", found["input"], filled, found["made"], judged, truth)


def super_resolution(study: Study) -> None:
    """Fashion-MNIST and photos."""
    small = ("--model", "srresnet", "--model.width", "16", "--model.blocks", "3", "--model.d-width", "16")
    small += ("--model.skip", "cubic")
    crops = study.out / "photos.npz"
    if not crops.exists():
        np.savez(crops, images=_crops(TRAINED_ON, 48), held_out_images=_crops(TESTED_ON, SIDE))
    for scale in (2, 4):
        degraded = ("--data.degrade", "super-resolution", "--data.degrade-options", "scale", str(scale))
        pixels = ("--game-options", "adversarial", "0")
        for data, name, words in (
            ("Fashion-MNIST", "fashion", ("restore-28", "--data.source", "tfds:fashion_mnist")),
            ("photos, 64x64 crops", "photos", ("super-resolution-64", "--data.source", f"npz:{crops}")),
        ):
            run, _ = study.trained(f"{name}-x{scale}", 250, *words, *degraded, *small, *pixels)
            found = study.made(run, np.arange(min(study.n, 200 if name == "fashion" else 82)))
            others: dict[str, np.ndarray] = {
                filter_name: np.stack([method(x, scale) for x in found["input"]])
                for filter_name, method in (("bicubic", baselines.bicubic), ("lanczos", baselines.lanczos))
            }
            rows = table_of(f"{data}, x{scale}, pixels alone", found["made"], others, found["image"])
            study.rows += rows
            shown = [found["input"], others["bicubic"], found["made"]]
            study.goal(
                f"super-resolution x{scale} of {data} with PSNR above bicubic's",
                rows[0]["difference_interval"][0] > 0,
                f"{rows[0]['difference']:+.2f} dB",
            )
            if name == "photos" and scale == 4:
                weights = ("--game-options", "pixel", "100", "adversarial", "1", "pixel_steps", "125")
                run, _ = study.trained(f"{name}-x{scale}-critic", 250, *words, *degraded, *small, *weights)
                judged = study.made(run, np.arange(len(found["made"])))["made"]
                study.rows += table_of(
                    f"{data}, x{scale}, with a critic",
                    judged,
                    {"pixels alone": found["made"], **others},
                    found["image"],
                )
                shown.append(judged)
            study.show(f"{name}-x{scale}", *shown, found["image"])


def _crops(names: tuple[str, ...], step: int) -> np.ndarray:
    """64x64 pixels of photos, every so many pixels."""
    found = []
    for name in names:
        image = getattr(photos, name)()
        for top in range(0, image.shape[0] - SIDE + 1, step):
            found += [
                image[top : top + SIDE, left : left + SIDE]
                for left in range(0, image.shape[1] - SIDE + 1, step)
            ]
    return np.stack(found)


TASKS: dict[str, Callable[[Study], None]] = {
    "denoising": denoising,
    "inpainting": inpainting,
    "super-resolution": super_resolution,
}


def main(args: Args) -> None:
    """Runs the tasks and writes what they found."""
    started, study = time.monotonic(), Study(args)
    if args.only and args.only not in TASKS:
        raise InputError(f"only: expected one of {', '.join(TASKS)}, got {args.only!r}")
    for name, task in TASKS.items():
        if args.only in ("", name):
            task(study)
    result = {
        "title": "Restoration: denoising, inpainting, super-resolution",
        "protocol": (
            f"held-out images (CIFAR-10 and Fashion-MNIST test, two photos), {study.n} at most; 95 % Student intervals "
            "over images; inputs rounded to 8 bits; one seed; trained by `jaxgan train` on two shared CPU cores; "
            f"jaxgan {jaxgan.__version__}; command: {' '.join(['python', *sys.argv])}"
        ),
        "rows": study.rows,
        "pictures": study.pictures,
        "seconds": round(time.monotonic() - started + study.before, 1),
        "goals": study.goals,
    }
    (study.out / "restoration.json").write_text(json.dumps(result, indent=1) + "\n")
    for entry in study.rows:
        print(
            f"{entry['what']}: {entry['score']} {entry['ours']:.3f}, {entry['baseline']} {entry['baseline_value']:.3f}"
        )
    print(f"wrote {study.out / 'restoration.json'} in {result['seconds']:.0f} s")


if __name__ == "__main__":
    raise SystemExit(run_script(main, Args, __doc__))
