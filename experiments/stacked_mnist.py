"""Counts the modes of stacked MNIST, 1,000 of them, that three recipes find: DCGAN, PacGAN2, RpGAN+R1+R2.

    python experiments/stacked_mnist.py [--seeds N] [--recipes dcgan pacgan2 rpgan] [--record]
    python experiments/stacked_mnist.py --full

Hardware: the short setting two CPU cores, --full a GPU, which has not been run yet. The short one takes 8 minutes on
two cores of an Intel Xeon (2026-11-21, one seed, results/stacked_mnist.md): DCGAN 923 modes and KL 0.96,
PacGAN2 858 and 1.03, RpGAN+R1+R2 983 and 0.61. With one seed the first two are not told apart.

Protocol: 26,000 fakes of the averaged (EMA) generator; the digit classifier of this package on each
channel; reverse KL is KL(fakes || uniform). Short: 2,000 steps of 64 images, networks of base width 32.
That is 0.13 million images, where PacGAN's own experiment shows 6.4 million (50 epochs of 128,000): it
tells what a recipe finds early, not what it finds in the end. --full: 100,000 steps of 64 images, as
many as PacGAN's, base width 64. A batch counts images, so that packing in twos makes 32 packs of it.
Published figures are those of other networks, classifiers and draws of the data.

Writes stacked_mnist.json, .md and .png (with --full: stacked_mnist_full) into --out; --record copies them
to experiments/results. A recipe with a finished run of the same configuration in --out is not run
again; an interrupted one goes on.
"""

from __future__ import annotations

import dataclasses
import io
import json
import pathlib
import sys
from dataclasses import dataclass
from typing import Any, Literal

import jaxgan
from jaxgan.cli.arguments import run_script
from jaxgan.common.errors import InputError
from jaxgan.common.files import write_atomically
from jaxgan.config import (
    Config,
    DataConfig,
    LatentConfig,
    OptimizerConfig,
    PenaltyConfig,
    differences,
    to_json,
    with_fields,
)
from jaxgan.data import as_images, open_source
from jaxgan.models import DCGANConfig
from jaxgan.report import pictures
from jaxgan.report.scores import format_number
from jaxgan.runs.environment import environment, start
from jaxgan.runs.folder import RunFolder
from jaxgan.train.resume import resume
from jaxgan.train.run import train
from jaxgan.train.stops import Diverged, Stopped

RESULTS = pathlib.Path(__file__).parent / "results"
FAKES = 26_000
PUBLISHED = {  # modes and reverse KL; DCGAN and VEEGAN as the VEEGAN paper has them
    "DCGAN (Srivastava et al. 2017)": (99, 3.40),
    "VEEGAN (Srivastava et al. 2017)": (150, 2.95),
    "PacDCGAN2 (Lin et al. 2018)": (1000, 0.06),
    "R3GAN (Huang et al. 2024)": (1000, 0.029),
}
TITLES = {"dcgan": "DCGAN", "pacgan2": "PacGAN2", "rpgan": "RpGAN + R1 + R2"}
Recipe = Literal["dcgan", "pacgan2", "rpgan"]


@dataclass(frozen=True)
class Args:
    """What to run."""

    recipes: tuple[Recipe, ...] = ("dcgan", "pacgan2", "rpgan")
    """Which of them."""
    seeds: int = 1
    """Runs of each, with seeds from 0."""
    full: bool = False
    """The long setting, for a GPU."""
    steps: int | None = None
    """Other than the setting's, to try the recipes out; not to be recorded."""
    out: pathlib.Path = pathlib.Path("runs/stacked_mnist")
    """Folder of the runs and the results."""
    record: bool = False
    """Copy the results to experiments/results."""


def recipe(name: Recipe, *, full: bool = False, steps: int | None = None) -> Config:
    """The configuration of a recipe: three that differ in the discriminator's game alone, and its optimiser's.

    dcgan: non-saturating loss and batch norm (Radford et al. 2016). pacgan2: the same, with pairs of
    images before the discriminator (Lin et al. 2018). rpgan: relativistic pairs, R1 and R2 with
    gamma 1 in place of the discriminator's batch norm, no momentum (Huang et al. 2024); the penalties
    are lazy, every fourth update, in the short setting.
    """
    steps = steps or (100_000 if full else 2_000)
    adam = OptimizerConfig(2e-4, b1=0.5)
    interval = max(1, steps // 10)
    config = Config(
        preset=f"stacked-{name}",
        data=DataConfig("stacked_mnist"),
        model=DCGANConfig(width=64 if full else 32),
        latent=LatentConfig(dim=100),
        g_optimizer=adam,
        d_optimizer=adam,
        steps=steps,
        evaluate_every=interval,
        checkpoint_every=interval,
        sample_every=interval,
        final_n=FAKES,
    )
    if name == "pacgan2":
        return with_fields(config, **{"dynamics.pack": 2})
    if name == "rpgan":
        without_momentum = OptimizerConfig(1e-3, b1=0.0)
        return dataclasses.replace(
            config,
            loss="relativistic_paired",
            model=dataclasses.replace(config.model, d_batch_norm=False),
            penalty=PenaltyConfig((("r1", 1.0), ("r2", 1.0)), every=1 if full else 4),
            g_optimizer=without_momentum,
            d_optimizer=without_momentum,
        )
    return config


def earlier_run(out: pathlib.Path, config: Config) -> RunFolder | None:
    """The newest finished run of `config` in `out`, or else the newest that diverged or was interrupted."""
    wanted = to_json(dataclasses.replace(config, out=""))
    found: dict[str, RunFolder] = {}
    for path in sorted(out.glob("[0-9]*-*")):
        folder = RunFolder(path)
        try:
            same = not differences(to_json(dataclasses.replace(folder.config(), out="")), wanted)
            if same:
                found[folder.read("run.json")["status"]] = folder
        except InputError:  # no run, or one of another version
            continue
    left = (found.get(status) for status in ("finished", "diverged", "stopped", "failed", "running"))
    return next(filter(None, left), None)


def finished_run(out: pathlib.Path, config: Config) -> RunFolder:
    """Trains `config`, unless it has been trained before."""
    folder = earlier_run(out, config)
    if folder is None:
        return train(config, ["python", *sys.argv])
    if folder.read("run.json")["status"] == "finished":
        print(f"{folder.path} is finished already")
        return folder
    if folder.read("run.json")["status"] == "diverged":
        raise Diverged(folder.read("run.json")["error"])
    return resume(folder)


def entry(name: str, folder: RunFolder) -> dict[str, Any]:
    """What is kept of one run."""
    run, config, scores = folder.read("run.json"), folder.config(), folder.read("scores.json")
    return {
        "recipe": name,
        "seed": config.seed,
        "steps": config.steps,
        "images": config.steps * config.batch_size * config.d_steps,
        "train_seconds": run["train_seconds"],
        "run": str(folder.path),
        "command": run["command"],
        "environment": run["environment"],
        "data": {key: value for key, value in run["data"].items() if key != "class_names"},
        "config": to_json(config),
        "main": scores["main"],
        "final": scores["final"],
        "best": scores.get("best"),
    }


def table(entries: list[dict[str, Any]]) -> str:
    """Markdown: a line for each run, what real digits get, and the published figures."""

    def cells(scored: dict[str, Any] | None, field: str = "value") -> list[str]:
        if not scored:
            return ["–", "–"]
        return [format_number(scored["scores"][name][field]) for name in ("modes", "reverse_kl")]

    rows = [
        ["recipe", "seed", "images", "training", "modes, final", "KL, final", "modes, best", "KL, best"],
        ["---"] * 8,
    ]
    for one in entries:
        rows.append([TITLES[one["recipe"]], str(one["seed"]), f"{one['images']:,}"])
        rows[-1] += [f"{one['train_seconds']:.0f} s", *cells(one["final"]), *cells(one["best"])]
    if entries:
        rows.append(["held-out digits (real data)", "", "", "", *cells(entries[0]["final"], "floor"), "", ""])
    for title, (modes, kl) in PUBLISHED.items():
        rows.append([f"published: {title}", "", "", "", f"{modes:,}", f"{kl}", "", ""])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def panel(entries: list[dict[str, Any]]) -> bytes:
    """A PNG of real stacks beside those of the first seed of every recipe, at the end of its run."""
    from matplotlib.figure import Figure

    reals = as_images(open_source("stacked_mnist"), "data.source")
    grids = {f"real ({reals.name})": reals.images[:64]}
    for one in entries:
        if one["seed"] == 0:
            modes, kl = (one["final"]["scores"][name]["value"] for name in ("modes", "reverse_kl"))
            title = f"{TITLES[one['recipe']]}, {one['steps']:,} steps\n{modes:,.0f} modes, KL {kl:.3f}"
            grids[title] = jaxgan.load(one["run"]).sample(n=64)
    figure = Figure(figsize=(3 * len(grids), 3.5), dpi=160, layout="constrained")
    for axes, (title, images) in zip(
        figure.subplots(1, len(grids), squeeze=False)[0], grids.items(), strict=True
    ):
        axes.imshow(pictures.enlarged(pictures.grid(images, 8)), interpolation="nearest")
        axes.set_title(title, fontsize=10)
        axes.set(xticks=[], yticks=[])  # an axis that is off leaves no room for its title
        axes.spines[:].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def main(args: Args) -> None:
    if args.record and args.steps is not None:
        raise InputError(f"record: expected the steps of the setting, got {args.steps:,}")
    start()
    configs = {name: recipe(name, full=args.full, steps=args.steps) for name in args.recipes}
    entries, diverged = [], []
    for seed in range(args.seeds):
        for name, config in configs.items():
            config = dataclasses.replace(config, seed=seed, out=str(args.out))
            try:
                entries.append(entry(name, finished_run(args.out, config)))
            except Diverged as error:
                print(f"{TITLES[name]}, seed {seed}, diverged: {error}")
                diverged.append({"recipe": name, "seed": seed, "error": str(error)})
            except Stopped as stop:
                print(f"stopped at step {stop.step:,}; the same command goes on from there")
                raise SystemExit(128 + stop.signum) from stop
    if not entries:
        raise SystemExit("no run has finished")
    record = {
        "command": " ".join(["python", *sys.argv]),
        "setting": "full" if args.full else "short",
        "protocol": f"{FAKES:,} fakes, averaged (EMA) generator, digit classifier a channel, KL(fakes || uniform)",
        "environment": environment(),
        "published": {title: {"modes": m, "reverse_kl": kl} for title, (m, kl) in PUBLISHED.items()},
        "runs": entries,
        "diverged": diverged,
    }
    text = table(entries)
    text += "".join(f"\n\n{TITLES[d['recipe']]}, seed {d['seed']}: diverged ({d['error']})" for d in diverged)
    print(f"\n{text}\n")
    stem = "stacked_mnist_full" if args.full else "stacked_mnist"
    for folder in (args.out, RESULTS) if args.record else (args.out,):
        write_atomically(folder / f"{stem}.json", json.dumps(record, indent=1) + "\n")
        write_atomically(folder / f"{stem}.md", text + "\n")
        write_atomically(folder / f"{stem}.png", panel(entries))
        print(f"wrote {folder / stem}.json, .md and .png")


if __name__ == "__main__":
    sys.exit(run_script(main, Args, __doc__))
