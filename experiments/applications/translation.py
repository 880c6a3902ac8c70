"""Translation on real data: pix2pix on pairs, CycleGAN without them, scored against the truth.

    python experiments/applications/translation.py --quick --emoji DIR     # some 6 minutes on two quiet CPU cores
    python experiments/applications/translation.py --emoji DIR             # ten times the steps [--out DIR]

DIR holds two folders of emoji of two vendors, `emoji` (Twitter's, CC-BY 4.0) and `emoji-google` (Apache-2.0), as the
npm packages emoji-datasource-twitter and emoji-datasource-google have them: 64x64 pixels with alpha, the same names in
both. They are laid over white and scaled to 32 pixels; a tenth of the pairs is held out. Without DIR, or a variable
JAXGAN_EMOJI that names it, there are only digits.

- pix2pix learns Twitter to Google from pairs, by pixels alone and with a critic. CycleGAN learns it from two sets: half
  of the names in Twitter's drawing, the other half in Google's, so that it never sees a pair. Both are scored on the
  pairs that are held out, against the true drawing and by the distance of features to those of the true ones; the
  baseline is the input as it is.
- CycleGAN from MNIST to its negative with thick strokes, a style that a filter makes: the truth is known, and the
  shipped classifier says whether a digit that goes back is still the same; the baseline is the digit as it is.

It leaves DIR/translation.json and pictures: input, output, truth.
"""

from __future__ import annotations

import json
import os
import pathlib
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

import jaxgan
from jaxgan.__main__ import main as command
from jaxgan.apps.restore.scores import row, table_of
from jaxgan.cli.arguments import run_script
from jaxgan.common.errors import InputError
from jaxgan.data import open_source
from jaxgan.data.mnist import load_mnist
from jaxgan.metrics.features import mnist_cnn, random_cnn
from jaxgan.metrics.scores.frechet import Gaussian, frechet_error, moments
from jaxgan.metrics.scores.kernel import kernel_distance
from jaxgan.report import pictures

SIDE, SHOWN = 32, 10


@dataclass(frozen=True)
class Args:
    """pix2pix and CycleGAN, scored."""

    emoji: pathlib.Path | None = None
    """Folder with `emoji` and `emoji-google`; None: that of the variable JAXGAN_EMOJI, or digits alone."""
    quick: bool = False
    """A tenth of the steps, and fewer images."""
    out: pathlib.Path = pathlib.Path("translation")
    """Folder for the results and the runs."""


class Study:
    """What is shared by the tasks."""

    def __init__(self, args: Args) -> None:
        """Makes the folder."""
        self.args, self.out = args, args.out
        self.out.mkdir(parents=True, exist_ok=True)
        self.rows: list[dict[str, Any]] = []
        self.pictures: list[str] = []
        self.goals: list[dict[str, Any]] = []

    def trained(self, name: str, steps: int, *words: str) -> Any:
        """A run of that name, trained by the command unless it is there."""
        steps = steps if self.args.quick else 10 * steps
        runs = self.out / "runs"
        if not (found := sorted(runs.glob(f"*-{name}"))):
            every = str(steps)
            given = ["train", *words, "--steps", every, "--sample-every", every, "--checkpoint-every", every]
            given += ["--evaluate-every", every, "--quick-n", "64", "--final-n", "64", "--log-every", "100"]
            if command([*given, "--out", str(runs), "--name", name, "--health.no-enabled"]) != 0:
                raise InputError(f"translation: the run {name!r} failed")
            found = sorted(runs.glob(f"*-{name}"))
        return jaxgan.load(found[-1])

    def scored(self, what: str, made: np.ndarray, given: np.ndarray, truth: np.ndarray, network: Any) -> None:
        """Rows against the truth, and of the distances in the target domain."""
        self.rows += table_of(what, made, {"the input as it is": given}, truth)
        features = [np.asarray(network(x)[0], np.float64) for x in (truth, made, given)]
        real = Gaussian(*moments(features[0]))
        found = []
        for own in features[1:]:
            value, error = real.distance(Gaussian(*moments(own))), frechet_error(real, own)
            found.append((f"fd_{network.label}", value, error))
            value, error = kernel_distance(features[0], own)
            found.append((f"kd_{network.label}", value, error))
        for ours, theirs in zip(found[:2], found[2:], strict=True):
            self.rows.append(
                {
                    "what": what,
                    "score": ours[0],
                    "better": "lower",
                    "ours": ours[1],
                    "interval": [ours[1] - 1.96 * ours[2], ours[1] + 1.96 * ours[2]],
                    "baseline": "the input as it is",
                    "baseline_value": theirs[1],
                    "baseline_interval": [theirs[1] - 1.96 * theirs[2], theirs[1] + 1.96 * theirs[2]],
                    "n": len(made),
                }
            )

    def show(self, name: str, *columns: np.ndarray) -> None:
        """A picture of rows of images, one a stage."""
        chosen = np.linspace(0, len(columns[0]) - 1, SHOWN).astype(int)
        png = pictures.png(
            pictures.enlarged(pictures.grid(np.concatenate([x[chosen] for x in columns]), SHOWN))
        )
        (self.out / f"{name}.png").write_bytes(png)
        self.pictures.append(f"{name}.png")

    def goal(self, text: str, met: bool, figure: str) -> None:
        """Notes whether a goal is met."""
        self.goals.append({"goal": text, "met": bool(met), "figure": figure})
        print(f"goal: {text}: {'met' if met else 'not met'} ({figure})", flush=True)


def emoji(study: Study, folder: pathlib.Path) -> None:
    """Twitter's to Google's."""
    spec = f"pairs:{folder / 'emoji'},{folder / 'emoji-google'}"
    source: Any = open_source(spec, resolution=SIDE, channels=3, hold_out=0.1, skip_broken=True)
    held = source.held_out.arrays
    given, truth, network = held["input"], held["image"], random_cnn(3)
    words = ("--data.source", spec, "--data.resolution", str(SIDE), "--data.skip-broken")
    small = (
        "--model.width",
        "16",
        "--model.no-dropout",
        "--batch-size",
        "16",
        "--lr",
        "1e-3",
        "--ema.decay",
        "0.99",
    )
    shown = [given]
    for name, options in (("pixels alone", ("adversarial", "0")), ("with a critic", ("pixel", "30"))):
        run = study.trained(
            f"pix2pix-{name.split()[0]}", 300, "pix2pix", *words, *small, "--game-options", *options
        )
        made = run.apply(given)
        study.scored(f"emoji, pix2pix, {name}", made, given, truth, network)
        shown.append(made)
    halves = study.out / "twitter.npz", study.out / "google.npz"
    np.savez(halves[0], images=source.arrays["input"][::2])
    np.savez(halves[1], images=source.arrays["image"][1::2])
    domains = f"domains:npz:{halves[0].absolute()},npz:{halves[1].absolute()}"
    tiny = ("--model.width", "12", "--model.blocks", "2", "--lr", "1e-3", "--ema.decay", "0.99")
    run = study.trained(
        "cyclegan-emoji", 300, "cyclegan", "--data.source", domains, "--data.resolution", str(SIDE), *tiny
    )
    made = run.apply(given, "a-to-b")
    study.scored("emoji, CycleGAN without pairs", made, given, truth, network)
    study.show("emoji", *shown, made, truth)
    rows = {(r["what"], r["score"]): r for r in study.rows}
    of = rows["emoji, pix2pix, pixels alone", "psnr"]
    study.goal(
        "pix2pix nearer to the other vendor's drawing than the input is (PSNR)",
        of["difference_interval"][0] > 0,
        f"{of['difference']:+.2f} dB",
    )


def styled(images: np.ndarray) -> np.ndarray:
    """Digits with thick strokes, in negative."""
    return 255 - ndimage.grey_dilation(images, size=(1, 3, 3, 1))


def digits(study: Study) -> None:
    """MNIST and its style."""
    train, test = load_mnist("train"), load_mnist("test")
    n = 500 if study.args.quick else 2000
    paths = study.out / "plain.npz", study.out / "styled.npz"
    np.savez(paths[0], images=np.asarray(train.images[:10_000]))
    np.savez(paths[1], images=styled(np.asarray(train.images[10_000:20_000])))
    domains = f"domains:npz:{paths[0].absolute()},npz:{paths[1].absolute()}"
    words = ("--data.resolution", "28", "--data.channels", "1", "--data.no-flip", "--model.width", "8")
    words += ("--model.blocks", "2", "--lr", "1e-3", "--ema.decay", "0.99", "--batch-size", "8")
    run = study.trained("cyclegan-digits", 300, "cyclegan", "--data.source", domains, *words)
    plain, labels = np.asarray(test.images[:n]), np.asarray(test.labels[:n])  # pyright: ignore
    network = mnist_cnn.features()
    truth = styled(plain)
    made = run.apply(plain, "a-to-b")
    study.scored("MNIST to thick negatives, CycleGAN", made, plain, truth, network)
    back = run.apply(truth, "b-to-a")
    right = lambda x: (np.asarray(network(x)[1]).argmax(1) == labels).astype(float)
    study.rows.append(
        row(
            "thick negatives to MNIST, CycleGAN", "classified right", right(back), "as they are", right(truth)
        )
    )
    study.rows += table_of("thick negatives to MNIST, CycleGAN", back, {"as they are": truth}, plain)
    study.show("digits", plain, made, truth, back)
    last = next(r for r in study.rows if r["score"] == "classified right")
    study.goal(
        "digits of the style, translated back, classified better than as they are",
        last["difference_interval"][0] > 0,
        f"{last['ours']:.3f} against {last['baseline_value']:.3f}",
    )


def main(args: Args) -> None:
    """Runs the tasks and writes what they found."""
    started, study = time.monotonic(), Study(args)
    digits(study)
    folder = args.emoji or os.environ.get("JAXGAN_EMOJI")
    if folder:
        emoji(study, pathlib.Path(folder).absolute())
    result = {
        "title": "Translation: pix2pix and CycleGAN",
        "protocol": (
            "held-out images; 95 % intervals: Student's over images, of distances 1.96 standard errors of the fakes; "
            "one seed; trained by `jaxgan train` on two shared CPU cores; "
            f"jaxgan {jaxgan.__version__}; command: {' '.join(['python', *sys.argv])}"
        ),
        "rows": study.rows,
        "pictures": study.pictures,
        "seconds": round(time.monotonic() - started, 1),
        "goals": study.goals,
    }
    (study.out / "translation.json").write_text(json.dumps(result, indent=1) + "\n")
    for entry in study.rows:
        print(
            f"{entry['what']}: {entry['score']} {entry['ours']:.3f}, {entry['baseline']} {entry['baseline_value']:.3f}"
        )
    print(f"wrote {study.out / 'translation.json'} in {result['seconds']:.0f} s")


if __name__ == "__main__":
    raise SystemExit(run_script(main, Args, __doc__))
