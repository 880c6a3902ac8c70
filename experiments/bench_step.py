"""Times our compiled training step, side by side with the same step in PyTorch.

    python experiments/bench_step.py [--peer torch] [--cases mlp dcgan-mnist dcgan-32 sngan-32 stylegan2-32 r3gan-32]
        [--json FILE]

Hardware: as measured on, printed with the result. Time: some minutes. Goals, for two CPU cores: the MLP 2.5 times,
both DCGANs 1.2 times, the others as fast as PyTorch eager; what the MLP and the DCGANs reach is in
experiments/results/bench_step.json, the others were not timed yet (they compile for some minutes).

A step is one discriminator and one generator update on a batch of 64 with Adam, on reused fakes,
and the generator's moving average. Ours of the MLP makes 16 in a dispatch, as `jaxgan train`
does. PyTorch runs eagerly on the same networks and sizes, once as most code has it and once tuned
by its documentation (channels_last, fused Adam). The programs take turns, so that a change of the
machine's speed meets them all; figures are medians, each call waited for. The floor is the
operations of the step, counted by the compiler without our own convolutions, at the rate of a large matrix product
measured in the same run; where convolutions are joined with a change of size, a step makes fewer of them.

Another network is one more entry of CASES. On a machine with other work, PyTorch's threads, which wait for each other,
lose more than ours: the load is recorded.

PyTorch is no dependency: pip install torch (CPU build).
"""

from __future__ import annotations

import json
import math
import os
import pathlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import GAN, compile_step, init, make_step
from jaxgan.cli.arguments import run_script
from jaxgan.common.files import write_atomically
from jaxgan.common.packages import need
from jaxgan.config import OptimizerConfig
from jaxgan.games.compile import options_of_loops
from jaxgan.losses import get_loss
from jaxgan.models import DCGANConfig, MLPConfig, R3GANConfig, ResNetConfig, StyleGAN2Config
from jaxgan.models.dcgan import stage_sizes, stage_widths
from jaxgan.models.latents import get_latent
from jaxgan.runs.environment import environment

LATENT = 100
LEARNING_RATE, B1, B2 = 2e-4, 0.5, 0.999


@dataclass(frozen=True)
class Case:
    """One comparison: networks, and the layers of the same ones in PyTorch (generator, discriminator).

    Attributes:
      model: ours.
      shape: of examples.
      peer: PyTorch's, of a case.
      goal: the ratio that is aimed at.
      per_dispatch: our steps in one.
      loss: of both.
      latent: size of the latent.
    """

    model: Any
    shape: tuple[int, int, int]
    peer: Callable[[Case], tuple[list[Any], list[Any]]]
    goal: float = 1.2
    per_dispatch: int = 1
    loss: Literal["non_saturating", "hinge"] = "non_saturating"
    latent: int = LATENT


Name = Literal["mlp", "dcgan-mnist", "dcgan-32", "sngan-32", "stylegan2-32", "r3gan-32"]


@dataclass(frozen=True)
class Args:
    """What to time."""

    cases: tuple[Name, ...] = get_args(Name)
    """Which networks."""
    peer: Literal["torch"] | None = None
    """Compare with PyTorch."""
    batch_size: int = 64
    """Examples of a step."""
    rounds: int = 12
    """Turns of each program."""
    steps: int = 8
    """Timed steps in a turn, after one that is not."""
    json: pathlib.Path | None = None
    """Write every figure to this file."""


def ours(case: Case, batch_size: int) -> tuple[Callable[[], None], dict[str, float]]:
    """A function that makes `per_dispatch` steps, and the counts of one."""
    generator, discriminator = case.model.build(case.shape, 0)
    gan = GAN(
        generator,
        discriminator,
        get_loss(case.loss),
        OptimizerConfig(LEARNING_RATE, B1, B2).build(1),
        OptimizerConfig(LEARNING_RATE, B1, B2).build(1),
        get_latent("normal", case.latent),
        reuse_fakes=True,
    )
    images = np.random.default_rng(0).uniform(-1, 1, (batch_size, *case.shape)).astype(np.float32)
    batch = {"image": jax.device_put(images)}
    holder = [init(gan, jax.random.key(0), batch)]
    sizes = [sum(x.size for x in jax.tree.leaves(p.params)) for p in holder[0].players.values()]
    fast = os.environ.get("JAXGAN_FAST_CONV")
    os.environ["JAXGAN_FAST_CONV"] = "0"
    cost = jax.jit(make_step(gan)).lower(holder[0], batch).compile().cost_analysis() or {}
    if fast is None:
        del os.environ["JAXGAN_FAST_CONV"]
    else:
        os.environ["JAXGAN_FAST_CONV"] = fast
    one = make_step(gan)
    if case.per_dispatch == 1:
        compiled = compile_step(one, donate=True)
    else:
        several = lambda state, batch: jax.lax.scan(
            lambda state, _: one(state, batch), state, length=case.per_dispatch
        )
        compiled = jax.jit(several, donate_argnums=0, compiler_options=options_of_loops())

    def step() -> None:
        holder[0], metrics = compiled(holder[0], batch)
        jax.block_until_ready((holder[0], metrics))

    start = time.perf_counter()
    step()
    counts = {
        "compile_s": time.perf_counter() - start,
        "gflop": float(cost.get("flops", math.nan)) / 1e9,
        "parameters": float(sum(sizes)),
    }
    return step, counts


def dense(widths: Sequence[int]) -> list[Any]:
    """Hidden layers of PyTorch through `widths`."""
    from torch import nn  # pyright: ignore[reportMissingImports]

    return [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), nn.LeakyReLU(0.2, True))]


def torch_mlp(case: Case) -> tuple[list[Any], list[Any]]:
    """The networks of an MLPConfig."""
    from torch import nn  # pyright: ignore[reportMissingImports]

    height, width, channels = case.shape
    pixels = math.prod(case.shape)
    g = [
        *dense((LATENT, *case.model.g_widths)),
        nn.Linear(case.model.g_widths[-1], pixels),
        nn.Tanh(),
        nn.Unflatten(1, (channels, height, width)),
    ]
    return g, [nn.Flatten(), *dense((pixels, *case.model.d_widths)), nn.Linear(case.model.d_widths[-1], 1)]


def torch_dcgan(case: Case) -> tuple[list[Any], list[Any]]:
    """Those of a DCGANConfig."""
    from torch import nn  # pyright: ignore[reportMissingImports]

    height, width, channels = case.shape
    sizes = stage_sizes(height, width)
    widths = stage_widths(len(sizes) - 1, case.model.width)
    (p, q), outputs = sizes[-1], [channels, *widths[:-1]]
    g: list[Any] = [nn.Linear(LATENT, p * q * widths[-1], bias=False), nn.Unflatten(1, (widths[-1], p, q))]
    d: list[Any] = []
    for stage in range(len(widths)):
        odd = sizes[stage][0] % 2  # 7 pixels to 4, which takes one more line of padding
        convolution = nn.Conv2d(outputs[stage], widths[stage], 4, 2, 1 + odd, bias=stage == 0)
        norm = [nn.BatchNorm2d(widths[stage])] if stage else []
        d += [convolution, *norm, nn.LeakyReLU(0.2, True)]
    for stage in reversed(range(len(widths))):
        odd = sizes[stage][0] % 2
        up = nn.ConvTranspose2d(widths[stage], outputs[stage], 4, 2, 1 + odd, odd, bias=stage == 0)
        g += [nn.BatchNorm2d(widths[stage]), nn.ReLU(True), up]
    return [*g, nn.Tanh()], [*d, nn.Flatten(), nn.Linear(p * q * widths[-1], 1)]


def torch_resnet(case: Case) -> tuple[list[Any], list[Any]]:
    """Those of a ResNetConfig for 32 pixels, without classes: SNGAN's."""
    from torch import nn  # pyright: ignore[reportMissingImports]
    from torch.nn import functional  # pyright: ignore[reportMissingImports]
    from torch.nn.utils.parametrizations import spectral_norm  # pyright: ignore[reportMissingImports]

    double = lambda x: functional.interpolate(x, scale_factor=2)
    halve = lambda x: functional.avg_pool2d(x, 2)

    class Up(nn.Module):
        def __init__(self, width: int):
            super().__init__()
            self.norm1, self.norm2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
            self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
            self.skip = nn.Conv2d(width, width, 1)

        def forward(self, x: Any) -> Any:
            inside = self.conv1(double(functional.relu(self.norm1(x))))
            return self.conv2(functional.relu(self.norm2(inside))) + double(self.skip(x))

    class Down(nn.Module):
        def __init__(self, inputs: int, width: int, down: bool, first: bool):
            super().__init__()
            self.conv1 = spectral_norm(nn.Conv2d(inputs, width, 3, padding=1))
            self.conv2 = spectral_norm(nn.Conv2d(width, width, 3, padding=1))
            self.skip = spectral_norm(nn.Conv2d(inputs, width, 1)) if down else None
            self.first = first

        def forward(self, x: Any) -> Any:
            inside = self.conv2(functional.relu(self.conv1(x if self.first else functional.relu(x))))
            return x + inside if self.skip is None else self.skip(halve(x)) + halve(inside)

    class Sum(nn.Module):
        def forward(self, x: Any) -> Any:
            return functional.relu(x).sum((2, 3))

    channels, width, d_width = case.shape[2], 4 * case.model.width, 2 * case.model.d_width
    g = [nn.Linear(LATENT, 16 * width), nn.Unflatten(1, (width, 4, 4)), *(Up(width) for _ in range(3))]
    g += [nn.BatchNorm2d(width), nn.ReLU(True), nn.Conv2d(width, channels, 3, padding=1), nn.Tanh()]
    blocks = [Down(d_width if i else channels, d_width, i < 2, i == 0) for i in range(4)]
    return g, [*blocks, Sum(), spectral_norm(nn.Linear(d_width, 1))]


def torch_r3gan(case: Case) -> tuple[list[Any], list[Any]]:
    """Those of an R3GANConfig."""
    from torch_peers import torch_r3gan

    return torch_r3gan(case)


def torch_stylegan2(case: Case) -> tuple[list[Any], list[Any]]:
    """Those of a StyleGAN2Config."""
    from torch_peers import torch_stylegan2

    return torch_stylegan2(case)


CASES: dict[Name, Case] = {
    "mlp": Case(MLPConfig(), (28, 28, 1), torch_mlp, 2.5, per_dispatch=16),
    "dcgan-mnist": Case(DCGANConfig(width=32), (28, 28, 1), torch_dcgan),
    "dcgan-32": Case(DCGANConfig(width=64), (32, 32, 3), torch_dcgan),
    # 64 channels in all blocks; the published generator has 256, the discriminator 128.
    "sngan-32": Case(ResNetConfig(width=16, d_width=32), (32, 32, 3), torch_resnet, loss="hinge", goal=1.0),
    # 64 channels at 32 pixels, 128 at 16 and below; the published one has 512, or 1,024 and 512 by its rule.
    "stylegan2-32": Case(
        StyleGAN2Config(base=2048, most=128, style=128, mapping_layers=4),
        (32, 32, 3),
        torch_stylegan2,
        goal=1.0,
        latent=128,
    ),
    # 96 channels and 12 groups; the published one has 768 and 96.
    "r3gan-32": Case(R3GANConfig(width=96, cardinality=12), (32, 32, 3), torch_r3gan, goal=1.0, latent=64),
}


def torch_peer(case: Case, batch_size: int, tuned: bool) -> tuple[Callable[[], None], dict[str, float]]:
    """The same step in PyTorch, eager."""
    import torch  # pyright: ignore[reportMissingImports]
    from torch import nn  # pyright: ignore[reportMissingImports]

    torch.manual_seed(0)
    height, width, channels = case.shape
    g, d = case.peer(case)
    generator, discriminator = nn.Sequential(*g), nn.Sequential(*d)
    real = torch.rand(batch_size, channels, height, width) * 2 - 1
    if tuned:
        last: Any = {"memory_format": torch.channels_last}
        generator, discriminator, real = generator.to(**last), discriminator.to(**last), real.to(**last)
    adam = lambda m: torch.optim.Adam(m.parameters(), lr=LEARNING_RATE, betas=(B1, B2), fused=tuned or None)
    g_optimizer, d_optimizer = adam(generator), adam(discriminator)
    weights = list(generator.parameters())
    average = [w.detach().clone() for w in weights]
    bent = nn.functional.softplus if case.loss == "non_saturating" else lambda x: nn.functional.relu(1 + x)
    wanted = (lambda x: bent(-x)) if case.loss == "non_saturating" else lambda x: -x  # of the generator

    def step() -> None:
        fake = generator(torch.randn(batch_size, case.latent))
        d_loss = bent(-discriminator(real)).mean() + bent(discriminator(fake.detach())).mean()
        d_optimizer.zero_grad(set_to_none=True)
        d_loss.backward()
        d_optimizer.step()
        discriminator.requires_grad_(False)
        g_loss = wanted(discriminator(fake)).mean()
        g_optimizer.zero_grad(set_to_none=True)
        g_loss.backward()
        g_optimizer.step()
        discriminator.requires_grad_(True)
        with torch.no_grad():
            torch._foreach_lerp_(average, weights, 0.001)  # pyright: ignore

    step()
    return step, {
        "parameters": float(sum(w.numel() for m in (generator, discriminator) for w in m.parameters()))
    }


def matrix_rate() -> float:
    """GFLOP/s of a large float32 matrix product."""
    n = 2048
    a = jnp.ones((n, n))
    product = jax.jit(lambda a: a @ a)
    product(a).block_until_ready()
    times = []
    for _ in range(7):
        start = time.perf_counter()
        product(a).block_until_ready()
        times.append(time.perf_counter() - start)
    return 2 * n**3 / float(np.median(times)) / 1e9


Program = tuple[Callable[[], None], int]  # and the steps it makes


def measure(programs: dict[str, Program], rounds: int, steps: int) -> dict[str, list[float]]:
    """Milliseconds a step of every timed call of every program, taking turns."""
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, (step, made) in programs.items():
            step()
            for _ in range(max(1, steps // made)):
                start = time.perf_counter()
                step()
                times[name].append(1e3 * (time.perf_counter() - start) / made)
    return times


def main(args: Args) -> None:
    if args.peer is not None:
        need([args.peer], f"--peer {args.peer}", "pip install torch")
    env = environment()
    peers = {"PyTorch eager": False, "PyTorch eager, tuned": True} if args.peer == "torch" else {}
    if peers:
        import torch  # pyright: ignore[reportMissingImports]

        torch.set_num_threads(os.cpu_count() or 1)
        env["packages"]["torch"] = torch.__version__
    rate = matrix_rate()
    print(
        f"{env['processor']}, {env['cores']} cores; jax {env['packages']['jax']}; matrix product {rate:.0f} GFLOP/s"
    )
    results: dict[str, Any] = {}
    for name in args.cases:
        case = CASES[name]
        step, counts = ours(case, args.batch_size)
        programs = {"jaxgan": (step, case.per_dispatch)}
        for label, tuned in peers.items():
            peer, peer_counts = torch_peer(case, args.batch_size, tuned)
            programs[label] = peer, 1
            assert peer_counts["parameters"] == counts["parameters"], "the networks differ"
        times = measure(programs, args.rounds, args.steps)
        medians = {label: float(np.median(values)) for label, values in times.items()}
        floor = 1e3 * counts["gflop"] / rate
        parts = [f"{label} {medians[label]:.1f} ms" for label in programs]
        parts.append(f"floor {floor:.1f} ms ({counts['gflop']:.2f} GFLOP)")
        print(f"{name}: {', '.join(parts)}; compiled in {counts['compile_s']:.1f} s")
        ratios = {label: medians[label] / medians["jaxgan"] for label in peers}
        for label, ratio in ratios.items():
            goal = f" (goal {case.goal})" if label == "PyTorch eager" else ""
            print(f"  {ratio:.2f} times as fast as {label}{goal}")
        results[name] = {"median_ms": medians, "ratios": ratios, "floor_ms": floor, **counts, "all_ms": times}
    if args.json is not None:
        record = {
            "args": {"batch_size": args.batch_size, "rounds": args.rounds, "steps": args.steps},
            "environment": env,
            "load": os.getloadavg(),
            "matrix_gflops": rate,
            "results": results,
        }
        write_atomically(args.json, json.dumps(record, indent=1) + "\n")
        print(f"wrote {args.json}")


if __name__ == "__main__":
    sys.exit(run_script(main, Args, __doc__))
