"""VAE, GAN or both: one decoder, trained as a VAE, as a GAN's generator, and as a VAE-GAN's; one table.

    python experiments/applications/vae_or_gan.py --quick --out DIR      two seeds, MNIST, two cores: minutes
    python experiments/applications/vae_or_gan.py --out DIR              five seeds; a GPU

The decoder is that of DCGAN with the latent of 32 coordinates in all three; steps and batches are the same, so what
takes longer has seen no more images. Scores are of the averaged decoder: Fréchet distance and precision and recall on
MNIST features (samples of the prior against the training split), and the mean squared error of reconstructions of the
same test images in [-1, 1] (the GAN has no encoder: the latent is searched for by descent). Intervals: Student's, 95 %,
over seeds. `real_data` in the JSON file is what reals get.
"""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from in_memory import Trained, data_for, trained
from sections import Section

from jaxgan.apps.anomalies.scores import latent_search, reconstruction
from jaxgan.cli.arguments import run_script
from jaxgan.config import get_preset
from jaxgan.config.fields import with_fields
from jaxgan.metrics.given import FIRST_SEED
from jaxgan.report import pictures
from jaxgan.runs.evaluation import Protocol

GAMES = {"VAE": "vae-mnist", "GAN": "dcgan-mnist", "VAE-GAN": "vaegan-mnist"}
DIM = 32


@dataclass(frozen=True)
class Args:
    """Compare VAE, GAN and VAE-GAN of one decoder."""

    quick: bool = False
    """Two seeds, few steps, half the width."""
    out: pathlib.Path = pathlib.Path("vae-or-gan")
    """Folder to write."""
    record: bool = False
    """Also write experiments/results/applications/vae_or_gan.json."""
    seeds: int | None = None
    """Trainings of each; None: 5, or of --quick 2."""
    steps: int | None = None
    """Of each training; None: 5000, or of --quick 800."""


def main(args: Args) -> None:
    """Trains, scores, writes."""
    data = data_for("mnist", "train")
    test = data_for("mnist", "test")
    steps, seeds = args.steps or (800 if args.quick else 5000), args.seeds or (2 if args.quick else 5)
    n = 1000 if args.quick else 10000
    shown = test.images[: 100 if args.quick else 1000]
    section = Section(
        "vae_or_gan",
        "VAE, GAN, VAE-GAN of the same decoder (MNIST)",
        f"{steps} steps of 64 images, latent {DIM}, {seeds} seeds; {n:,} fakes against as many training images on "
        f"mnist_cnn features; reconstruction: mean squared error in [-1, 1] of {len(shown):,} test images (GAN: by "
        "search)",
        args.out,
        quick=args.quick,
    )
    evaluator, table, floors = Protocol(n, "fd,prdc").evaluator(data), {}, {}
    for name, preset in GAMES.items():
        changes = {
            "model.width": 16 if args.quick else 32,
            "latent.dim": DIM,
            "steps": steps,
            "log_every": 50,
        }
        found = []
        for seed in range(seeds):
            run = trained(with_fields(get_preset(preset), **changes, seed=seed), data)
            scores = evaluator(run.sampler.stream(run.variables, FIRST_SEED), n).scores
            floors = {key: score.floor for key, score in scores.items()}
            own = {key: float(scores[key].value) for key in ("fd_mnist_cnn", "precision", "recall")}
            error, again, truth = rebuilt(run, shown, args.quick)
            found.append(own | {"reconstruction error": error, "seconds": run.seconds})
            if seed == 0:
                _picture(section, name, run, truth, again)
        table[name] = {key: [one[key] for one in found] for key in found[0]}
        print(name, {key: round(float(np.mean(v)), 4) for key, v in table[name].items()}, flush=True)
    for key in next(iter(table.values())):
        better = "higher" if key in ("precision", "recall") else "lower"
        for name in ("VAE", "VAE-GAN"):
            section.row(name, key, better, table[name][key], "GAN", table["GAN"][key])
    section.more = {"table": table, "real_data": floors}
    section.write(record=args.record)


def rebuilt(run: Trained, images: np.ndarray, quick: bool) -> tuple[float, np.ndarray, np.ndarray]:
    """Mean squared error of reconstructions of images, some of them, and their truth; as the model sees them."""
    x = np.asarray(run.spec.modality.to_model(jnp.asarray(images)))
    if run.sampler.encodes:
        z = run.sampler.encode(run.players[run.game.encoding.player], images)
        again = np.asarray(run.spec.modality.to_model(jnp.asarray(run.sampler.decode(run.variables, z))))
    else:
        module = run.game.players["generator"].module
        make = lambda z: module.apply(run.variables, z, None, train=False)
        search = latent_search(make, reconstruction, steps=150 if quick else 500)
        start = run.game.output.latent.sample(jax.random.key(0), len(x))
        again = np.asarray(search(jnp.asarray(x), start)[1])
    return float(np.square(x - again).mean()), again[:16], x[:16]


def _picture(section: Section, name: str, run: Trained, truth: np.ndarray, again: np.ndarray) -> None:
    """Samples above, truth beside reconstruction below."""
    stored = lambda x: np.round((np.clip(x, -1, 1) + 1) * 127.5).astype(np.uint8)
    pairs = np.stack([stored(truth), stored(again)], 1).reshape(-1, *truth.shape[1:])
    grid = pictures.grid(np.concatenate([run.sampler.by_seed(run.variables, range(32)), pairs]), 8)
    section.picture(f"vae-or-gan-{name.lower()}.png", pictures.enlarged(grid))


if __name__ == "__main__":
    raise SystemExit(run_script(main, Args, __doc__))
