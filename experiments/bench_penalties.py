"""What gradient penalties cost: exact ones, with a second derivative, and approximate ones, without.

    python experiments/bench_penalties.py [--width 32] [--sides 16 32] [--batch-size 32] [--json FILE]

Times the training step of a DCGAN without penalties, with R1, and with R1 and R2, exact and approximate, and compares
the values of the two. Programs take turns, so that a change of the machine's speed meets them all; figures are medians,
each call waited for. Ratios are of times, and of the operations that the compiler counts.

On two shared cores of an Intel Xeon (2026-11-26, experiments/results/bench_penalties.json) the approximate ones were no
faster: 0.82 to 1.06 times as fast, at 1.30 times the operations of a step without penalties for R1, where the exact
one takes 1.28. The discriminator is piecewise linear there, so that its second derivative costs one more pass forward,
as the noisy images do.
"""

from __future__ import annotations

import functools
import json
import math
import pathlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan import GAN, Game, init, make_step
from jaxgan.cli.arguments import run_script
from jaxgan.common import keys
from jaxgan.common.files import write_atomically
from jaxgan.losses import get_loss
from jaxgan.models import DCGANConfig
from jaxgan.models.latents import get_latent
from jaxgan.penalties import Scene, get_penalty
from jaxgan.runs.environment import environment

TURNS = {
    "none": (),
    "r1": ("r1",),
    "r1 approximate": ("r1_approximate",),
    "r1 and r2": ("r1", "r2"),
    "r1 and r2 approximate": ("r1_approximate", "r2_approximate"),
}


@dataclass(frozen=True)
class Args:
    """What to time."""

    width: int = 32
    """Channels of the discriminator's first convolution, and the generator's last."""
    sides: tuple[int, ...] = (16, 32)
    """Sides of the images, in pixels."""
    batch_size: int = 32
    """Examples of a step."""
    batch_norm: bool = False
    """Whether the discriminator has batch normalisation, which is not piecewise linear."""
    rounds: int = 12
    """Timed calls of each program."""
    draws: int = 500
    """Noises over which the approximate penalty is averaged."""
    json: pathlib.Path | None = None
    """Write every figure to this file."""


def games(width: int, side: int, batch_norm: bool) -> dict[str, Game]:
    """The DCGAN with each of the penalties."""
    generator, discriminator = DCGANConfig(width=width, d_batch_norm=batch_norm).build((side, side, 3), 0)
    adam = optax.adam(2e-4, 0.5)
    of = lambda names: GAN(
        generator,
        discriminator,
        get_loss("non_saturating"),
        adam,
        adam,
        get_latent("normal", 64),
        penalties={name: (1.0, get_penalty(name)) for name in names},
        reuse_fakes=True,
    )
    return {name: of(names) for name, names in TURNS.items()}


def accuracy(game: Game, state: Any, images: jax.Array, draws: int) -> dict[str, float]:
    """The exact R1, and the mean of the approximate one over so many noises with its standard error."""
    n, discriminator, player = (
        len(images),
        game.players["discriminator"].module,
        state.players["discriminator"],
    )
    variables = {"params": player.params, **player.stats}

    @functools.partial(jax.jit, static_argnums=0)
    def mean(name: str, variables: Any, images: jax.Array, seed: jax.Array) -> jax.Array:
        term = get_penalty(name).discriminator
        assert term is not None
        critic: Any = lambda x: discriminator.apply(variables, x, train=True, mutable=list(player.stats))[0]
        scene = Scene(images, images, jnp.zeros((n, 1)), critic, lambda z: images)
        return term.value((), scene, keys.per_example(jax.random.key(seed), n))[0].mean()

    values = np.asarray([float(mean("r1_approximate", variables, images, seed)) for seed in range(draws)])
    return {
        "exact": float(mean("r1", variables, images, 0)),
        "approximate": float(values.mean()),
        "standard_error": float(values.std(ddof=1) / math.sqrt(draws)),
        "deviation_of_one": float(values.std(ddof=1)),
    }


def timed(programs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median milliseconds of a call of each program, which take turns."""
    times: dict[str, list[float]] = {name: [] for name in programs}
    for i in range(rounds + 1):
        for name, program in programs.items():
            start = time.perf_counter()
            jax.block_until_ready(program())
            if i:
                times[name].append(1e3 * (time.perf_counter() - start))
    return {name: float(np.median(values)) for name, values in times.items()}


def main(args: Args) -> None:
    env, results = environment(), {}
    print(f"{env['processor']}, {env['cores']} cores; jax {env['packages']['jax']}; {jax.default_backend()}")
    for side in args.sides:
        images = np.random.default_rng(0).uniform(-1, 1, (args.batch_size, side, side, 3))
        batch = {"image": jnp.asarray(images, jnp.float32)}
        programs, cost = {}, {}
        for name, game in (built := games(args.width, side, args.batch_norm)).items():
            state = init(game, jax.random.key(0), batch)
            program = jax.jit(make_step(game)).lower(state, batch).compile()
            programs[name] = functools.partial(program, state, batch)
            cost[name] = float((program.cost_analysis() or {}).get("flops", math.nan))
        milliseconds = timed(programs, args.rounds)
        found = accuracy(
            built["none"], init(built["none"], jax.random.key(0), batch), batch["image"], args.draws
        )
        print(
            f"{side}x{side}x3, width {args.width}, batch {args.batch_size}{', batch norm' if args.batch_norm else ''}:"
        )
        for name in TURNS:
            ratio, work = milliseconds[name] / milliseconds["none"], cost[name] / cost["none"]
            print(f"  {name:22} {milliseconds[name]:8.1f} ms  {ratio:5.2f} x  ({work:.2f} x the operations)")
        for name in ("r1", "r1 and r2"):
            speed = milliseconds[name] / milliseconds[f"{name} approximate"]
            extra = (milliseconds[name] - milliseconds["none"]) / max(
                milliseconds[f"{name} approximate"] - milliseconds["none"], 1e-9
            )
            print(
                f"  {name}: approximate {speed:.2f} times as fast as exact; the penalty alone {extra:.2f} times"
            )
        print(
            f"  r1 exact {found['exact']:.5g}; approximate {found['approximate']:.5g} +- "
            f"{found['standard_error']:.2g} over {args.draws} noises (one: +- {found['deviation_of_one']:.2g})"
        )
        results[str(side)] = {"median_ms": milliseconds, "flops": cost, "accuracy": found}
    if args.json is not None:
        own = {name: getattr(args, name) for name in ("width", "batch_size", "batch_norm", "rounds")}
        record = {"args": own, "environment": env, "results": results}
        write_atomically(args.json, json.dumps(record, indent=1) + "\n")
        print(f"wrote {args.json}")


if __name__ == "__main__":
    sys.exit(run_script(main, Args, __doc__))
