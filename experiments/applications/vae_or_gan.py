"""VAE, GAN or both: one decoder, trained as a VAE, as a GAN's generator, and as a VAE-GAN's; one table.

    python experiments/applications/vae_or_gan.py --quick --out DIR      two seeds, MNIST, two cores: minutes
    python experiments/applications/vae_or_gan.py --out DIR              five seeds; a GPU

The decoder is that of DCGAN with the latent of 32 coordinates in all three; steps and batches are the same, so what
takes longer has seen no more images. Scores are of the averaged decoder: Fréchet distance and precision and recall on
MNIST features (samples of the prior against the training split), and the mean squared error of reconstructions of test
images in [-1, 1] (the GAN has no encoder: the latent is searched for by descent, for few images). Intervals: Student's,
95 %, over seeds. The row of test images says what reals get.
"""

from __future__ import annotations

import pathlib
import time
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from in_memory import Trained, data_for, environment, print_result, trained, write_result

from jaxgan.apps.anomalies.scores import latent_search, reconstruction
from jaxgan.cli.arguments import run_script
from jaxgan.common.files import write_atomically
from jaxgan.common.statistics import mean_interval
from jaxgan.config import get_preset
from jaxgan.config.fields import with_fields
from jaxgan.data import Images
from jaxgan.metrics.given import FIRST_SEED
from jaxgan.report import pictures
from jaxgan.runs.evaluation import Protocol

RECORD = pathlib.Path(__file__).parent.parent / "results" / "applications"
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
    begun, data = time.monotonic(), data_for("mnist", "train")
    test = data_for("mnist", "test")
    steps, seeds = args.steps or (800 if args.quick else 5000), args.seeds or (2 if args.quick else 5)
    n = 1000 if args.quick else 10000
    evaluator, table, floors, files = Protocol(n, "fd,prdc").evaluator(data), {}, {}, []
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
            error, again, truth = rebuilt(run, test, args.quick)
            found.append(own | {"reconstruction error": error, "seconds": run.seconds})
            if seed == 0:
                files.append(_picture(args.out, name, run, truth, again))
        table[name] = {key: [one[key] for one in found] for key in found[0]}
        print(name, {key: round(float(np.mean(v)), 4) for key, v in table[name].items()}, flush=True)
    result = {
        "title": "VAE, GAN, VAE-GAN of the same decoder (MNIST)",
        "protocol": f"{steps} steps of 64 images, latent {DIM}, {seeds} seeds; {n:,} fakes against as many training "
        "images on mnist_cnn features; reconstruction: mean squared error in [-1, 1] of test images (GAN: by search)",
        "rows": _rows(table),
        "table": table,
        "real_data": floors,
        "pictures": files,
        "seconds": time.monotonic() - begun,
        "environment": environment(),
        "goals": [],
    }
    print_result(result)
    write_result(args.out / "vae_or_gan.json", result)
    if args.record:
        write_result(RECORD / f"vae_or_gan{'-quick' if args.quick else ''}.json", result)


def rebuilt(run: Trained, test: Images, quick: bool) -> tuple[float, np.ndarray, np.ndarray]:
    """Mean squared error of reconstructions of test images, some of them, and their truth; as the model sees them."""
    if run.sampler.encodes:
        images = test.images[:2000]
        x = np.asarray(run.spec.modality.to_model(jnp.asarray(images)))
        z = run.sampler.encode(run.players[run.game.encoding.player], images)
        again = np.asarray(run.spec.modality.to_model(jnp.asarray(run.sampler.decode(run.variables, z))))
    else:
        x = np.asarray(run.spec.modality.to_model(jnp.asarray(test.images[:100])))
        module = run.game.players["generator"].module
        make = lambda z: module.apply(run.variables, z, None, train=False)
        search = latent_search(make, reconstruction, steps=150 if quick else 500)
        again = np.asarray(
            search(jnp.asarray(x), run.game.output.latent.sample(jax.random.key(0), len(x)))[1]
        )
    return float(np.square(x - again).mean()), again[:16], x[:16]


def _picture(out: pathlib.Path, name: str, run: Trained, truth: np.ndarray, again: np.ndarray) -> str:
    """Samples above, truth beside reconstruction below."""
    stored = lambda x: np.round((np.clip(x, -1, 1) + 1) * 127.5).astype(np.uint8)
    pairs = np.stack([stored(truth), stored(again)], 1).reshape(-1, *truth.shape[1:])
    file = f"vae-or-gan-{name.lower()}.png"
    samples = run.sampler.by_seed(run.variables, range(32))
    write_atomically(
        out / file, pictures.png(pictures.enlarged(pictures.grid(np.concatenate([samples, pairs]), 8)))
    )
    return file


def _rows(table: dict[str, dict[str, list[float]]]) -> list[dict[str, Any]]:
    """Each score of the VAE-GAN and the VAE beside the GAN's."""
    better = {"precision": "higher", "recall": "higher"}
    rows = []
    for key in next(iter(table.values())):
        base = mean_interval(table["GAN"][key])
        for name in ("VAE", "VAE-GAN"):
            own = mean_interval(table[name][key])
            rows.append(
                {
                    "what": name,
                    "score": key,
                    "better": better.get(key, "lower"),
                    "ours": own.mean,
                    "interval": None if own.low is None else [own.low, own.high],
                    "baseline": "GAN",
                    "baseline_value": base.mean,
                    "baseline_interval": None if base.low is None else [base.low, base.high],
                }
            )
    return rows


if __name__ == "__main__":
    raise SystemExit(run_script(main, Args, __doc__))
