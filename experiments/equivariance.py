"""How well untrained StyleGANs move and turn with their input: EQ-T and EQ-R in decibels.

    python experiments/equivariance.py [--resolution 64] [--base 2048] [--draws 8]

StyleGAN3-t and -r of a width for CPUs (channels base / (2 cutoff), at most base / 32), with the weights that they start
from. The paper's trained networks at 1024x1024 have EQ-T 61.7 dB (t) and 64.8 dB (r), EQ-R 47.6 dB (r; t, which is not
made for it, 13.5 dB).

Hardware: any CPU, in some minutes. Measured, with the defaults, on two shared cores of an AMD EPYC: EQ-T 79.7 dB and
EQ-R 35.3 dB for t, 87.6 dB and 81.4 dB for r.
"""

from __future__ import annotations

import argparse

import jax

from jaxgan.metrics.scores.equivariance import eq_r, eq_t
from jaxgan.models import StyleGAN3Config

IMAGES, STYLE = 4, 64


def measured(config: StyleGAN3Config, resolution: int, draws: int) -> tuple[float, float]:
    """EQ-T and EQ-R of a generator with the weights that it starts from."""
    generator = config.build((resolution, resolution, 3), 0)[0]
    z = jax.random.normal(jax.random.key(0), (IMAGES, STYLE))
    variables = jax.jit(generator.init)(jax.random.key(1), z)
    ws = generator.apply(variables, z, method="mapping")
    make = jax.jit(lambda transform: generator.apply(variables, ws, transform=transform, method="synthesis"))
    key = jax.random.key(0)
    return eq_t(make, key, draws), eq_r(make, key, draws)


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--base", type=int, default=2048)
    parser.add_argument("--draws", type=int, default=8)
    args = parser.parse_args()
    print("generator      EQ-T dB  EQ-R dB")
    for rotations in (False, True):
        config = StyleGAN3Config(rotations=rotations, base=args.base, most=args.base // 32, style=STYLE)
        t, r = measured(config, args.resolution, args.draws)
        print(f"stylegan3-{'r' if rotations else 't'}  {t:10.1f}  {r:7.1f}")


if __name__ == "__main__":
    main()
