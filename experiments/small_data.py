"""Little data: CIFAR-10 and a fifth and a tenth of it, with and without DiffAugment, ADA and LeCam, over seeds.

    python experiments/small_data.py                     # sized for two CPU cores
    python experiments/small_data.py --full              # 100,000 steps of the presets' networks: a GPU, and days
    python experiments/small_data.py --only "10 %" --seeds 5 [--out DIR] [--list]

Needs `jaxgan data prepare cifar10`. A share of the data is chosen by a hash of the images, a smaller one from within a
larger; scores compare with as many images of the whole train split in every cell, and so with each other. The networks
are those of the preset dcgan-cifar10-sn: a DCGAN, spectrally normalised, with the hinge loss; LeCam has its published
weight. In the full setting ADA's p may go from 0 to 1 in the published 500,000 images. The small one shows few images:
p may do so in a tenth of them, and LeCam begins after a tenth of its published updates.

Every cell is kept in DIR/cells as soon as it is done: stopped or killed, the same command goes on. It ends in
DIR/summary.md, results.csv, results.jsonl, comparisons.csv, plots/ and report.html.
"""

from __future__ import annotations

import functools
import pathlib
import sys
from dataclasses import dataclass, field
from typing import Any

import tyro

from jaxgan.cli.arguments import run_script
from jaxgan.study import PRESET, Spec, StudyArgs, run_command
from jaxgan.study.variants import Fields, Variant

SHARES = (1.0, 0.2, 0.1)


def variants(ada_images: float, lecam_start: int) -> tuple[Variant, ...]:
    """Every share with every technique, the plain discriminator first."""
    lecam = {
        "weights": (("lecam", 0.3),),
        "options": (("decay", 0.99), ("start", float(lecam_start)), ("rectified", 1.0)),
    }
    techniques: dict[str, Fields] = {
        "plain": {},
        "diffaugment": {"augment": ("diffaugment",)},
        "ada": {"augment": ("ada",), "augment_options": (("images", float(ada_images)),)},
        "lecam": {f"penalty.{name}": value for name, value in lecam.items()},
    }
    return tuple(
        Variant(f"{share:.0%} {name}".replace("%", " %"), {"data.share": share, **changes})
        for share in SHARES
        for name, changes in techniques.items()
    )


def _spec(dynamics: tuple[Variant, ...], seeds: int, fields: dict[str, Any]) -> Spec:
    return Spec(
        datasets=("dcgan-cifar10-sn",),
        losses=("hinge",),
        penalties=(PRESET,),
        dynamics=dynamics,
        seeds=seeds,
        fields=fields,
    )


SMALL = _spec(
    variants(ada_images=50_000, lecam_start=100),
    seeds=3,
    fields={
        "steps": 1500,
        "batch_size": 32,
        "data.resolution": 16,
        "model.width": 16,
        "latent.dim": 64,
        "evaluate_every": 500,
        "quick_n": 1000,
        "final_n": 2500,
    },
)
FULL = _spec(
    variants(ada_images=500_000, lecam_start=1000),
    seeds=5,
    fields={"steps": 100_000, "evaluate_every": 5000, "quick_n": 10_000, "final_n": 50_000},
)


@dataclass(frozen=True)
class Args(StudyArgs):
    """What is trained, and how."""

    spec: tyro.conf.OmitArgPrefixes[Spec] = field(default_factory=lambda: SMALL)
    out: pathlib.Path = pathlib.Path("runs/small_data")
    """Folder of the study; started again with it, a study goes on where it stopped."""
    full: bool = False
    """The whole networks, trained long; the other options change its fields as they do the default's."""


def main() -> int:
    base = FULL if "--full" in sys.argv else SMALL
    study = functools.partial(run_command, title="Little data")
    return run_script(study, Args, __doc__, Args(spec=base))


if __name__ == "__main__":
    sys.exit(main())
