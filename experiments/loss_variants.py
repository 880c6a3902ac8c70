"""Losses x penalties x dynamics on a toy mixture, five seeds each, with intervals and tests.

    python experiments/loss_variants.py [--seeds 10] [--losses hinge wasserstein] [--out DIR] [--list]
    python experiments/loss_variants.py --losses hinge my_losses.py:my_loss --penalties none "r1 0.1 r2 0.1"
    python experiments/loss_variants.py --dynamics default "unroll 3" "d_steps 5" --set steps 4000
    python experiments/loss_variants.py --all                      # more penalties, dynamics and data
    python experiments/loss_variants.py --launcher ray --ray-address auto

On two cores of an Intel Xeon with --workers 2 the 64 cells of the default took 10:42 minutes, three of them for the two
Sinkhorn cells (2026-11-21; experiments/results/loss_variants.md). Simultaneous hinge had most points of
high quality (0.945), on 2.8 of 8 modes; non-saturating with R1 and R2 kept all 8 on every seed, with 0.765.

Every cell is kept in DIR/cells as soon as it is done: stopped or killed, the same command goes on.
It ends in DIR/summary.md, results.csv, results.jsonl, comparisons.csv, plots/ and report.html.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import sys
from dataclasses import dataclass, field

import tyro

from jaxgan.cli.arguments import run_script
from jaxgan.losses import LOSSES
from jaxgan.study import NO_PENALTY, PRESET, Spec, StudyArgs, penalty_variant, run_command, variant

VECTOR_CRITICS = ("energy", "mmd_rbf", "mmd_rq", "mmd_repulsive", "sinkhorn")  # losses of feature vectors
DYNAMICS_FOR = tuple(name for name in ("non_saturating", "hinge", "relativistic_paired") if name in LOSSES)

DEFAULT = Spec(
    datasets=("toy-ring",),
    losses=tuple(name for name in LOSSES if name != "geometric"),  # which is hinge
    penalties=(NO_PENALTY, penalty_variant({"r1": 0.003, "r2": 0.003})),
    dynamics=(PRESET, variant(updates="simultaneous"), variant(updates="extragradient")),
    dynamics_for=DYNAMICS_FOR,
    seeds=5,
    fields={
        "steps": 1000,
        "batch_size": 128,
        "evaluate_every": 250,
        "model.g_widths": (64, 64, 64),
        "model.d_widths": (64, 64, 64),
        "dynamics.instance_noise": 0.0,
        "dynamics.instance_noise_end": 0.5,
    },
    loss_fields={name: {"model.d_logits": 4} for name in VECTOR_CRITICS},
)
ALL = dataclasses.replace(
    DEFAULT,
    datasets=("toy-ring", "toy-grid"),
    penalties=(
        NO_PENALTY,
        penalty_variant({"r1": 0.003}),
        penalty_variant({"r1": 0.003, "r2": 0.003}),
        penalty_variant({"gradient_penalty": 1.0}),
    ),
    seeds=10,
    fields={**DEFAULT.fields, "steps": 4000, "evaluate_every": 500},
)


@dataclass(frozen=True)
class Args(StudyArgs):
    """What is trained, and how."""

    spec: tyro.conf.OmitArgPrefixes[Spec] = field(default_factory=lambda: DEFAULT)
    out: pathlib.Path = pathlib.Path("runs/loss_variants")
    """Folder of the study; started again with it, a study goes on where it stopped."""
    all: bool = False
    """A longer study; the other options change its fields as they do the default's."""


def main() -> int:
    base = ALL if "--all" in sys.argv else DEFAULT
    study = functools.partial(run_command, title="Loss variants")
    return run_script(study, Args, __doc__, Args(spec=base))


if __name__ == "__main__":
    sys.exit(main())
