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

import os
import pathlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import translators
from scipy import ndimage

import jaxgan
from jaxgan.apps.restore.scores import row, table_of
from jaxgan.cli.arguments import run_script
from jaxgan.data import open_source
from jaxgan.data.mnist import load_mnist
from jaxgan.metrics.features import mnist_cnn, random_cnn
from jaxgan.metrics.scores.frechet import Gaussian, frechet_error, moments
from jaxgan.metrics.scores.kernel import kernel_distance

SIDE = 32


@dataclass(frozen=True)
class Args:
    """pix2pix and CycleGAN, scored."""

    emoji: pathlib.Path | None = None
    """Folder with `emoji` and `emoji-google`; None: that of the variable JAXGAN_EMOJI, or digits alone."""
    quick: bool = False
    """A tenth of the steps, and fewer images."""
    only: tuple[str, ...] = ()
    """digits, pix2pix, cyclegan; nothing: all."""
    out: pathlib.Path = pathlib.Path("translation")
    """Folder for the results and the runs."""


class Study(translators.Study):
    """What the tasks share.

    Attributes:
      emoji: folder of the drawings.
    """

    emoji: pathlib.Path | None = None

    def opened(self, name: str, steps: int, *words: str) -> Any:
        """A trained run."""
        return jaxgan.load(self.trained(name, steps, *words))

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


def drawings(folder: pathlib.Path) -> Any:
    """Pairs of the two vendors' drawings; a tenth is held out."""
    spec = f"pairs:{folder / 'emoji'},{folder / 'emoji-google'}"
    return spec, open_source(spec, resolution=SIDE, channels=3, hold_out=0.1, skip_broken=True)


def pix2pix(study: Study) -> None:
    """Twitter's emoji to Google's, from pairs."""
    if study.emoji is None:
        return
    spec, source = drawings(study.emoji)
    given, truth, network = source.held_out.arrays["input"], source.held_out.arrays["image"], random_cnn(3)
    words = ("--data.source", spec, "--data.resolution", str(SIDE), "--data.skip-broken")
    small = ("--model.width", "16", "--batch-size", "16", "--lr", "1e-3", "--ema.decay", "0.99")
    shown = [given]
    for name, options in (("pixels alone", ("adversarial", "0")), ("with a critic", ("pixel", "30"))):
        run = study.opened(
            f"pix2pix-{name.split()[0]}", 300, "pix2pix", *words, *small, "--game-options", *options
        )
        made = run.apply(given)
        study.scored(f"emoji, pix2pix, {name}", made, given, truth, network)
        shown.append(made)
    study.show("emoji-pix2pix", *shown, truth)
    of = next(r for r in study.rows if r["what"] == "emoji, pix2pix, pixels alone" and r["score"] == "psnr")
    study.goal(
        "pix2pix nearer to the other vendor's drawing than the input is (PSNR)",
        of["difference_interval"][0] > 0,
        f"{of['difference']:+.2f} dB",
    )


def cyclegan(study: Study) -> None:
    """The same without pairs."""
    if study.emoji is None:
        return
    _, source = drawings(study.emoji)
    given, truth = source.held_out.arrays["input"], source.held_out.arrays["image"]
    halves = study.out / "twitter.npz", study.out / "google.npz"
    np.savez(halves[0], images=source.arrays["input"][::2])
    np.savez(halves[1], images=source.arrays["image"][1::2])
    domains = f"domains:npz:{halves[0].absolute()},npz:{halves[1].absolute()}"
    tiny = ("--model.width", "12", "--model.blocks", "2", "--lr", "1e-3", "--ema.decay", "0.99")
    run = study.opened(
        "cyclegan-emoji", 300, "cyclegan", "--data.source", domains, "--data.resolution", str(SIDE), *tiny
    )
    made = run.apply(given, "a-to-b")
    study.scored("emoji, CycleGAN without pairs", made, given, truth, random_cnn(3))
    study.show("emoji-cyclegan", given, made, run.apply(made, "b-to-a"), truth)
    of = next(
        r for r in study.rows if r["what"].startswith("emoji, CycleGAN") and r["score"].startswith("fd_")
    )
    study.goal(
        "CycleGAN nearer to the other vendor's drawings than the input is (Fréchet distance)",
        of["ours"] < of["baseline_value"],
        f"{of['ours']:.2f} against {of['baseline_value']:.2f}",
    )


def styled(images: np.ndarray) -> np.ndarray:
    """Digits with thick strokes, in negative."""
    return 255 - ndimage.grey_dilation(images, size=(1, 3, 3, 1))


def digits(study: Study) -> None:
    """MNIST and its style."""
    train, test = load_mnist("train"), load_mnist("test")
    n = 500 if study.quick else 2000
    paths = study.out / "plain.npz", study.out / "styled.npz"
    np.savez(paths[0], images=np.asarray(train.images[:10_000]))
    np.savez(paths[1], images=styled(np.asarray(train.images[10_000:20_000])))
    domains = f"domains:npz:{paths[0].absolute()},npz:{paths[1].absolute()}"
    words = ("--data.resolution", "28", "--data.channels", "1", "--data.no-flip", "--model.width", "8")
    words += ("--model.blocks", "2", "--lr", "1e-3", "--ema.decay", "0.99", "--batch-size", "8")
    run = study.opened("cyclegan-digits", 300, "cyclegan", "--data.source", domains, *words)
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


TASKS: dict[str, Callable[[Study], None]] = {"digits": digits, "pix2pix": pix2pix, "cyclegan": cyclegan}


def main(args: Args) -> None:
    protocol = "held-out images; 95 % intervals: Student's over images, of distances 1.96 standard errors of the fakes"
    study = Study("translation", "Translation: pix2pix and CycleGAN", protocol, args.out, quick=args.quick)
    folder = args.emoji or os.environ.get("JAXGAN_EMOJI")
    study.emoji = pathlib.Path(folder).absolute() if folder else None
    if study.emoji is not None:
        study.protocol += "; emoji: Twitter's, CC-BY 4.0, and Google's, Apache-2.0"
    translators.run(study, TASKS, args.only)


if __name__ == "__main__":
    raise SystemExit(run_script(main, Args, __doc__))
