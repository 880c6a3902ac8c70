"""By how much training on several devices differs from training on one: by rounding alone.

    python experiments/device_rounding.py [--devices 4] [--steps 100]

Examples and random numbers are exactly the same on any number of devices; only the order in which sums over the batch
are added changes. Printed is the relative distance of all parameters, ||a - b|| / ||a||, and the largest difference of
a single parameter over the largest parameter of its network, after some numbers of steps. Adam divides by the size of
gradients, so it enlarges the rounding of those that are nearly 0; the game itself enlarges it further, as every
trajectory of two close points does.

Hardware: any CPU, in half a minute. Measured on two cores of an Intel Xeon, 1 and 4 devices: relative 1.5e-7 after one
step and after ten, 1.0e-3 after a hundred.
"""

from __future__ import annotations

import argparse

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan import GAN, LATENTS, LOSSES, compile_step, init, make_mesh, make_step
from jaxgan.data import open_source
from jaxgan.models import MLPConfig

BATCH = 64


def trajectory(devices: int, marks: list[int]) -> list[list[np.ndarray]]:
    """All parameters after each of `marks` steps of the fully connected GAN on MNIST's test images."""
    images = np.asarray(open_source("mnist", "test").some(BATCH * 16, 0)["image"], np.float32) / 127.5 - 1
    generator, discriminator = MLPConfig(g_widths=(128, 256), d_widths=(256, 128)).build(images.shape[1:], 0)
    adam = optax.adam(2e-4, 0.5)
    gan = GAN(generator, discriminator, LOSSES["non_saturating"](), adam, adam, LATENTS["normal"](64))
    mesh = make_mesh(jax.devices()[:devices]) if devices > 1 else None
    state = init(gan, jax.random.key(0), {"image": jnp.zeros((BATCH, *images.shape[1:]))}, mesh)
    step, found = compile_step(make_step(gan), mesh, donate=True), []
    for i in range(max(marks)):
        first = i * BATCH % len(images)
        state, metrics = step(state, {"image": images[first : first + BATCH]})
        jax.block_until_ready(
            metrics
        )  # virtual devices of one CPU wait for each other if many steps are queued
        if i + 1 in marks:
            leaves = jax.tree.leaves({name: player.params for name, player in state.players.items()})
            found.append([np.asarray(leaf, np.float64) for leaf in leaves])
    return found


def distances(a: list[np.ndarray], b: list[np.ndarray]) -> tuple[float, float]:
    """Relative distance of all parameters, and the largest difference of one over the largest parameter."""
    flat_a, flat_b = (np.concatenate([leaf.ravel() for leaf in leaves]) for leaves in (a, b))
    gap = flat_a - flat_b
    return float(np.linalg.norm(gap) / np.linalg.norm(flat_a)), float(abs(gap).max() / abs(flat_a).max())


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--devices", type=int, default=4, help="how many are compared with one")
    parser.add_argument("--steps", type=int, default=100, help="of the longest trajectory")
    args = parser.parse_args()
    jax.config.update("jax_num_cpu_devices", args.devices)
    marks = sorted({1, 10, args.steps})
    one, many = trajectory(1, marks), trajectory(args.devices, marks)
    for mark, a, b in zip(marks, one, many, strict=True):
        relative, largest = distances(a, b)
        print(
            f"{mark:>5} steps, 1 and {args.devices} devices: relative {relative:.1e}, largest {largest:.1e}"
        )


if __name__ == "__main__":
    main()
