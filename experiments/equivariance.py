"""How well untrained StyleGANs move and turn with their input: EQ-T and EQ-R in decibels.

    python experiments/equivariance.py [--resolution 64] [--base 2048] [--draws 8]

StyleGAN3-t and -r of a width for CPUs (channels base / (2 cutoff), at most base / 32), with the weights that they start
from. The paper's trained networks at 1024x1024 have EQ-T 61.7 dB (t) and 64.8 dB (r), and EQ-R 47.6 dB (r; t is not
made for it).

Hardware: any CPU, in some minutes. Measured, with the defaults, on two shared cores of an AMD EPYC: EQ-T 79.7 dB and
EQ-R 35.3 dB for t, 87.6 dB and 81.4 dB for r.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import jax

from jaxgan.cli.arguments import run_script
from jaxgan.common.checks import check_range
from jaxgan.metrics.scores.equivariance import eq_r, eq_t
from jaxgan.models import StyleGAN3Config

IMAGES, STYLE = 4, 64


@dataclass(frozen=True)
class Args:
    """Measure how well untrained StyleGANs move and turn with their input."""

    resolution: int = 64
    """Pixels a side, 32 at least."""
    base: int = 2048
    """Channels are this over twice the cutoff frequency, at most a 32nd of it."""
    draws: int = 8
    """Translations, and rotations."""


def measured(config: StyleGAN3Config, resolution: int, draws: int) -> tuple[float, float]:
    """EQ-T and EQ-R of a generator with the weights that it starts from."""
    generator = config.build((resolution, resolution, 3), 0)[0]
    z = jax.random.normal(jax.random.key(0), (IMAGES, STYLE))
    variables = jax.jit(generator.init)(jax.random.key(1), z)
    ws = generator.apply(variables, z, method="mapping")
    make = jax.jit(lambda transform: generator.apply(variables, ws, transform=transform, method="synthesis"))
    key = jax.random.key(0)
    return eq_t(make, key, draws), eq_r(make, key, draws)


def main(args: Args) -> None:
    """Prints a table."""
    check_range("resolution", args.resolution, at_least=32, unit="pixels")
    check_range("base", args.base, at_least=32)
    check_range("draws", args.draws, at_least=1)
    print("generator      EQ-T dB  EQ-R dB")
    for rotations in (False, True):
        config = StyleGAN3Config(rotations=rotations, base=args.base, most=args.base // 32, style=STYLE)
        t, r = measured(config, args.resolution, args.draws)
        print(f"stylegan3-{'r' if rotations else 't'}  {t:10.1f}  {r:7.1f}")


if __name__ == "__main__":
    sys.exit(run_script(main, Args, __doc__))
