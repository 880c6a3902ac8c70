"""Trains every family of networks, cut in width, on real images, and says what each has learned.

    python experiments/all_families.py [--families dcgan sngan ...] [--record]

Data: Fashion-MNIST at 32x32 (tfds:fashion_mnist; TFDS_DATA_DIR says where it is). Score: Frechet distance on a
classifier of these data, which is trained first if the cache has none (`jaxgan metrics train-features
tfds:fashion_mnist --resolution 32`): 2,000 fakes of the averaged generator against 2,000 training images at the end,
256 fakes before training. A family has learned if the distance falls by a factor of 3. Floor: what held-out images get.
The networks have a small part of the published width and see 8,000 to 70,000 images. So half of them have a higher rate
than is published, StyleGAN2 and R3GAN heavier penalties and no augmentation, and averages over steps begin short. Steps
and settings were chosen by the same score, on the same data. This shows that families train, not how good they get,
and small differences mean nothing (one seed).

Hardware: two CPU cores, 45:44 minutes for all, during the first five of which tests ran beside it. Writes
all_families.json, .md and .png into --out; --record keeps them under experiments/results. A family with a finished
run of the same configuration in --out is not run again.
"""

from __future__ import annotations

import io
import json
import pathlib
import shlex
import sys
from dataclasses import dataclass
from typing import Any

import jax

import jaxgan
from jaxgan.cli.arguments import run_script
from jaxgan.cli.metrics import train_features
from jaxgan.common.errors import InputError, lookup
from jaxgan.common.files import write_atomically
from jaxgan.config import Config, DataConfig, get_preset, open_data, to_json, with_fields
from jaxgan.data import Images, as_images
from jaxgan.metrics.features import classifier
from jaxgan.report import pictures
from jaxgan.report.scores import format_number
from jaxgan.runs.environment import environment, start
from jaxgan.runs.folder import RunFolder
from jaxgan.runs.listing import runs_in
from jaxgan.train.run import train
from jaxgan.train.stops import Diverged

RESULTS = pathlib.Path(__file__).parent / "results"
SOURCE, SIDE = "tfds:fashion_mnist", 32
FAKES, FACTOR = 2_000, 3.0


@dataclass(frozen=True)
class Cut:
    """A preset, made small.

    Attributes:
      preset: whose recipe it is.
      steps: that fit into some five minutes on two cores.
      fields: what differs from the preset, by path.
    """

    preset: str
    steps: int
    fields: dict[str, Any]


# Narrow networks bear higher rates than the published ones, at which some hundred steps would show nothing.
QUICK = {"g_optimizer.learning_rate": 1e-3, "d_optimizer.learning_rate": 1e-3}
FAMILIES = {
    "dcgan": Cut("dcgan-cifar10", 1500, {"model.width": 24}),
    "wgan-gp": Cut("wgan-gp-cifar10", 450, {"model.width": 16, "model.d_width": 16, "d_steps": 2} | QUICK),
    "sngan": Cut("sngan-cifar10", 600, {"model.width": 16, "model.d_width": 16, "d_steps": 1} | QUICK),
    "sagan": Cut("sagan-cifar10", 900, {"model.width": 16, "model.d_width": 16, "d_steps": 1} | QUICK),
    "biggan": Cut("biggan-32", 250, {"model.width": 16, "model.shared": 32, "d_steps": 1} | QUICK),
    "biggan-deep": Cut("biggan-deep-32", 600, {"model.width": 24, "model.shared": 32, "d_steps": 1} | QUICK),
    "progan": Cut(
        "progan-cifar10",
        1500,
        {
            "model.width": 32,
            "model.base": 512,
            "model.stable_kimg": 3.0,
            "model.fade_kimg": 3.0,
            "penalty.target": 1.0,  # of other data than CIFAR-10
            "penalty.weights": (("gradient_penalty", 10.0), ("drift", 0.001)),
        },
    ),
    "stylegan2": Cut(
        "stylegan2-cifar10",
        2200,
        {
            "model.base": 256,
            "model.most": 32,
            "model.style": 64,
            "penalty.weights": (("r1", 1.0),),
            "augment": (),
        },
    ),
    "fastgan": Cut("fastgan-256", 800, {"model.width": 4}),
    "stylegan3-t": Cut(
        "stylegan3-t-256",
        300,
        {"model.base": 512, "model.most": 32, "model.style": 32, "model.layers": 6, "model.margin": 4},
    ),
    "r3gan": Cut(
        "r3gan-cifar10-unconditional",
        1500,
        {
            "model.width": 16,
            "model.cardinality": 4,
            "model.blocks": 1,
            "penalty.weights": (("r1", 1.0), ("r2", 1.0)),
            "augment": (),
            "augment_options": (),
            "ema.half_life": 0.0,  # the preset's is five million images
            "ema.schedule": "constant",
        }
        | QUICK,
    ),
    "gat": Cut("gat-pixels-64", 500, {"model.width": 64, "model.depth": 4, "model.heads": 4}),
}


@dataclass(frozen=True)
class Args:
    """Train every family, cut in width."""

    families: tuple[str, ...] = ()
    """Which of them; none: all."""
    steps: int | None = None
    """Other than the table's, to try out; not to be recorded."""
    out: pathlib.Path = pathlib.Path("runs/all_families")
    """Folder of the runs and the results."""
    record: bool = False
    """Keep the results under experiments/results."""


def config_of(name: str, args: Args) -> Config:
    """The configuration of a family."""
    cut = lookup("family", name, FAMILIES)
    steps = cut.steps if args.steps is None else args.steps
    shared = {
        "data": DataConfig(SOURCE, resolution=SIDE),
        "batch_size": 32,
        "steps": steps,
        "out": str(args.out),
        "quick_n": FAKES,
        "final_n": FAKES,
        "health.enabled": False,
        "model.dtype": "float32",
        "ema.ramp_up": True,  # an average over ten thousand steps would be that of the untrained networks
        "ema.start": 0,
        **dict.fromkeys(("checkpoint_every", "sample_every", "evaluate_every"), steps),
    }
    return with_fields(get_preset(cut.preset), **shared | cut.fields)


def trained(config: Config) -> RunFolder:
    """The run of a configuration, trained unless there is a finished one."""
    for found in runs_in(pathlib.Path(config.out)) if pathlib.Path(config.out).is_dir() else []:
        folder = RunFolder(pathlib.Path(found.path))
        if found.state == "finished" and to_json(folder.config()) == to_json(config):
            print(f"{folder.path} is finished already")
            return folder
    return train(config, ["python", *sys.argv])


def entry(name: str, folder: RunFolder) -> dict[str, Any]:
    """What is kept of a run."""
    run, scores = folder.read("run.json"), folder.read("scores.json")
    main, before, after = scores["main"], scores["untrained"]["scores"], scores["final"]["scores"]
    steps, seconds = folder.config().steps, run["train_seconds"]
    return {
        "family": name,
        "preset": folder.config().preset,
        "score": main,
        "untrained": before[main]["value"],
        "final": after[main]["value"],
        "error": after[main].get("error"),
        "floor": after[main].get("floor"),
        "learned": before[main]["value"] >= FACTOR * after[main]["value"],
        "steps": steps,
        "train_seconds": seconds,
        "milliseconds_a_step": 1000 * seconds / steps,
        "parameters": parameters_of(folder.config()),
        "run": str(folder.path),
        "config": to_json(folder.config()),
    }


def parameters_of(config: Config) -> dict[str, int]:
    """How many parameters each player has."""
    source = open_data(config)
    game, batch = config.build(source.spec), source.spec.batch(config.batch_size)
    state = jax.eval_shape(lambda: jaxgan.init(game, jax.random.key(0), batch))
    count = lambda player: sum(leaf.size for leaf in jax.tree.leaves(player.params))
    return {name: count(state.players[name]) for name in ("generator", "discriminator")}


def table(entries: list[dict[str, Any]]) -> str:
    """Markdown: a line for each family."""
    rows = [
        ["family", "parameters G / D", "steps", "ms a step", "untrained", "final", "learned"],
        ["---"] * 7,
    ]
    for one in entries:
        sizes = " / ".join(f"{n:,}" for n in one["parameters"].values())
        numbers = [format_number(one[key]) for key in ("untrained", "final")]
        steps, each = f"{one['steps']:,}", f"{one['milliseconds_a_step']:.0f}"
        rows.append([one["family"], sizes, steps, each, *numbers, "yes" if one["learned"] else "NO"])
    if entries:
        rows.append(["held-out images (floor)", "", "", "", "", format_number(entries[0]["floor"]), ""])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def panel(entries: list[dict[str, Any]], source: Images) -> bytes:
    """A PNG of real images beside those of every family at the end."""
    from matplotlib.figure import Figure

    grids = {"real": source.images[:36]}
    for one in entries:
        title = f"{one['family']}\n{format_number(one['untrained'])} to {format_number(one['final'])}"
        grids[title] = jaxgan.load(one["run"]).sample(n=36)
    columns = 5
    rows = -(-len(grids) // columns)
    figure = Figure(figsize=(2.4 * columns, 2.8 * rows), dpi=110, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for place in axes:
        place.set_axis_off()
    for place, (title, images) in zip(axes, grids.items(), strict=False):
        place.imshow(pictures.grid(images, 6), interpolation="nearest", cmap="gray")
        place.set_title(title, fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def main(args: Args) -> None:
    """Trains, prints and writes."""
    if args.record and (args.steps is not None or args.families):
        raise InputError("record: expected all families with the steps of the table")
    start()
    names = args.families or tuple(FAMILIES)
    configs = {name: config_of(name, args) for name in names}
    source = as_images(open_data(next(iter(configs.values()))), "data.source")
    if classifier.features(source) is None:
        train_features([SOURCE, "--resolution", str(SIDE)])
    entries, failed = [], {}
    for name, config in configs.items():
        print(f"== {name}", flush=True)
        try:
            entries.append(entry(name, trained(config)))
        except Diverged as error:
            failed[name] = str(error)
    record = {
        "command": shlex.join(["python", *sys.argv]),
        "protocol": f"Frechet distance, {FAKES:,} fakes, classifier of the data, averaged generator, one seed",
        "environment": environment(),
        "families": entries,
        "diverged": failed,
    }
    text = table(entries) + "".join(f"\n\n{name}: diverged ({why})" for name, why in failed.items())
    print(f"\n{text}\n")
    picture = panel(entries, source) if entries else None
    for folder in (args.out, RESULTS) if args.record else (args.out,):
        write_atomically(folder / "all_families.json", json.dumps(record, indent=1) + "\n")
        write_atomically(folder / "all_families.md", text + "\n")
        if picture is not None:
            write_atomically(folder / "all_families.png", picture)
    print(f"wrote {args.out / 'all_families'}.json, .md and .png")


if __name__ == "__main__":
    sys.exit(run_script(main, Args, __doc__))
