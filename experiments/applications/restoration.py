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

import pathlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
import translators
from skimage import data as photos  # pyright: ignore[reportMissingImports]

from jaxgan.apps.restore import baselines
from jaxgan.apps.restore.scores import row, ssim_over, table_of
from jaxgan.cli.arguments import run_script
from jaxgan.data.modality import from_float
from jaxgan.metrics.restoration import similarities
from jaxgan.runs.evaluation import open_run

LEVEL = 25
TRAINED_ON = ("astronaut", "rocket", "immunohistochemistry", "retina", "hubble_deep_field")
TESTED_ON = ("chelsea", "coffee")
SIDE = 64


@dataclass(frozen=True)
class Args:
    """Restoration beside its baselines."""

    quick: bool = False
    """A tenth of the steps, and fewer images."""
    out: pathlib.Path = pathlib.Path("restoration")
    """Folder for the results and the runs."""
    only: tuple[str, ...] = ()
    """denoising, inpainting, fashion (super-resolution of it), photos (of these); nothing: all."""


class Study(translators.Study):
    """What the tasks share."""

    shown = 8
    n = property(lambda self: 200 if self.quick else 1000)

    def opened(self, name: str, steps: int, *words: str) -> Any:
        """A trained run with its data."""
        return open_run(self.trained(name, steps, *words), "last")

    def made(self, run: Any, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Inputs, outputs, masks and true images of held-out examples, as they are stored."""
        made, batch = run.sampler.stream(run.variables, 0).of(rows)
        stored = {name: np.asarray(from_float(jnp.asarray(x), made.dtype)) for name, x in batch.items()}
        return {"made": made, "input": stored["input"], "image": stored["image"], "mask": batch.get("mask")}  # pyright: ignore


def denoising(study: Study) -> None:
    """CIFAR-10."""
    run, source = study.opened("denoise", 2500, "denoise-32", "--lr", "2e-3")
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
    pixels, _ = study.opened("inpaint-pixels", 500, *words, "--game-options", "adversarial", "0")
    critic, _ = study.opened("inpaint-critic", 500, *words)
    found = study.made(pixels, np.arange(study.n))
    judged = study.made(critic, np.arange(study.n))["made"]
    hole = found["mask"][0, ..., 0]
    filled = np.stack([baselines.biharmonic(x, hole) for x in found["input"]])
    marched = np.stack([baselines.telea(x, hole) for x in found["input"]])
    truth = found["image"]
    others = {"biharmonic": filled, "Telea": marched}
    theirs = {name: ssim_over(images, truth, hole) for name, images in others.items()}
    for name, made in (("pixels alone", found["made"]), ("with a critic", judged)):
        what = f"Fashion-MNIST, centred quarter, {name}"
        ours = ssim_over(made, truth, hole)
        rows = [row(what, "ssim over the hole", ours, other, value) for other, value in theirs.items()]
        study.rows += rows + table_of(what, made, others, truth)
        study.goal(
            f"inpainting the centred quarter of Fashion-MNIST with SSIM over the hole above biharmonic's, {name}",
            rows[0]["difference_interval"][0] > 0,
            f"{rows[0]['ours']:.3f} against {rows[0]['baseline_value']:.3f}",
        )
    study.show("inpainting", found["input"], filled, found["made"], judged, truth)


SMALL = ("--model", "srresnet", "--model.width", "16", "--model.blocks", "3", "--model.d-width", "16")
PIXELS = ("--game-options", "adversarial", "0")


def smaller(scale: int) -> tuple[str, ...]:
    """The flags of a degradation."""
    return "--data.degrade", "super-resolution", "--data.degrade-options", "scale", str(scale)


def enlarged(
    study: Study, run: Any, what: str, n: int, scale: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """What a run and the filters make of n inputs, as rows and a goal."""
    found = study.made(run, np.arange(n))
    others: dict[str, np.ndarray] = {
        name: np.stack([method(x, scale) for x in found["input"]])
        for name, method in (("bicubic", baselines.bicubic), ("lanczos", baselines.lanczos))
    }
    rows = table_of(f"{what}, x{scale}, pixels alone", found["made"], others, found["image"])
    study.rows += rows
    study.goal(
        f"super-resolution x{scale} of {what} with PSNR above bicubic's",
        rows[0]["difference_interval"][0] > 0,
        f"{rows[0]['difference']:+.2f} dB",
    )
    return found, others


def fashion(study: Study) -> None:
    """Super-resolution of Fashion-MNIST."""
    for scale in (2, 4):
        words = ("restore-28", "--data.source", "tfds:fashion_mnist", *smaller(scale), *SMALL, *PIXELS)
        run, _ = study.opened(f"fashion-x{scale}", 400, *words)
        found, others = enlarged(study, run, "Fashion-MNIST", min(study.n, 200), scale)
        study.show(f"fashion-x{scale}", found["input"], others["bicubic"], found["made"], found["image"])


def photographs(study: Study) -> None:
    """Super-resolution of photos."""
    crops, what = study.out / "photos.npz", "photos, 64x64 crops"
    if not crops.exists():
        np.savez(crops, images=_crops(TRAINED_ON, 48), held_out_images=_crops(TESTED_ON, SIDE))
    for scale in (2, 4):
        words = ("super-resolution-64", "--data.source", f"npz:{crops}", *smaller(scale), *SMALL)
        words += ("--model.skip", "cubic", "--g-lr", "2e-3")
        run, source = study.opened(f"photos-x{scale}", 1000, *words, *PIXELS)
        found, others = enlarged(study, run, what, source.held_out.n, scale)
        shown = [found["input"], others["bicubic"], found["made"]]
        if scale == 4:
            half = str(500 if study.quick else 5000)
            weights = ("--game-options", "pixel", "100", "adversarial", "1", "pixel_steps", half)
            run, _ = study.opened(f"photos-x{scale}-critic", 1000, *words, *weights)
            judged = study.made(run, np.arange(len(found["made"])))["made"]
            compared = {"pixels alone": found["made"], **others}
            study.rows += table_of(f"{what}, x{scale}, with a critic", judged, compared, found["image"])
            shown.append(judged)
        study.show(f"photos-x{scale}", *shown, found["image"])


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
    "fashion": fashion,
    "photos": photographs,
}


def main(args: Args) -> None:
    title = "Restoration: denoising, inpainting, super-resolution"
    study = Study("restoration", title, "", args.out, quick=args.quick)
    study.protocol = (
        f"held-out images (CIFAR-10 and Fashion-MNIST test, two photos), {study.n} at most; 95 % Student intervals "
        "over images; inputs rounded to 8 bits"
    )
    translators.run(study, TASKS, args.only)


if __name__ == "__main__":
    raise SystemExit(run_script(main, Args, __doc__))
