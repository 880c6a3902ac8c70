"""Times our compiled training step, of networks side by side with the same ones in PyTorch, or of presets.

    python experiments/bench_step.py [--peer torch] [--cases mlp dcgan-28 dcgan-32 sngan-32 stylegan2-32 r3gan-32]
        [--json FILE]
    python experiments/bench_step.py --all [--peer torch] [--limit 300] [--json FILE]     # all presets, too

Hardware: as measured on, printed with the result. Time: some minutes a row, of which each may take `--limit` seconds:
it is measured in a process of its own, and one that has no result by then is said to have none. Presets whose steps
would take too long by their operations alone are left out. Goals, for two CPU cores: the MLP 1.5 times, DCGAN-28 1.4
times, DCGAN-32 1.2 times, the others as fast as PyTorch eager; what was reached is in
experiments/results/bench_step.json.

A row of networks is one discriminator and one generator update on a batch of 64 with Adam, on reused fakes, and the
generator's moving average; that of a preset is its own step on its own batch, at the size it is meant for. Ours of
networks that are not convolutional makes 16 in a dispatch, as `jaxgan train` does. PyTorch runs eagerly on the same
networks and sizes, once as most code has it and once tuned by its documentation (channels_last, fused Adam). The
programs take turns, so that a change of the machine's speed meets them all; figures are medians, each call waited for.

The floor is the time of the step's operations, counted by the compiler without our own convolutions, at the rate of a
large matrix product, and of the bytes that optimisers and averages move, at the rate of a large copy; both rates are
measured in the row's own process, before and after, and the higher ones count. Where convolutions are joined with a
change of size, a step makes fewer operations than are counted. "of peak" is the share of the product's rate that the
step reaches.

Other networks are one more entry of CASES. On a machine with other work, PyTorch's threads, which wait for each other,
lose more than ours: the load is recorded.

PyTorch is no dependency: pip install torch (CPU build).
"""

from __future__ import annotations

import json
import math
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import GAN, Game, GameState, init, make_step
from jaxgan.cli.arguments import run_script
from jaxgan.common.files import write_atomically
from jaxgan.common.packages import need, version_of
from jaxgan.config import OptimizerConfig
from jaxgan.config.presets import PRESETS, find_preset, get_preset, sizes
from jaxgan.games.compile import options_of_loops
from jaxgan.losses import get_loss
from jaxgan.models import DCGANConfig, MLPConfig, R3GANConfig, ResNetConfig, StyleGAN2Config
from jaxgan.models.dcgan import stage_sizes, stage_widths
from jaxgan.models.latents import get_latent
from jaxgan.runs.environment import environment

LATENT, BATCH = 100, 64
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


Name = Literal["mlp", "dcgan-28", "dcgan-32", "sngan-32", "stylegan2-32", "r3gan-32"]


@dataclass(frozen=True)
class Args:
    """What to time."""

    cases: tuple[str, ...] = get_args(Name)
    """Which rows: networks of these names, or presets."""
    all: bool = False
    """All networks, and all presets."""
    peer: Literal["torch"] | None = None
    """Compare networks with PyTorch."""
    batch_size: int | None = None
    """Examples of a discriminator update; None: 64 of networks, and a preset's own."""
    rounds: int = 12
    """Turns of each program."""
    steps: int = 8
    """Timed steps in a turn, after one that is not."""
    seconds: float = 60.0
    """After which a row takes no further turns."""
    limit: float = 600.0
    """Seconds after which a row has no result."""
    json: pathlib.Path | None = None
    """Write every figure to this file."""
    here: bool = False
    """Measure in this process, without a limit, and write how far a row has come: what the others are run with."""


Said = Callable[..., None]  # takes the stage that a row has come to, and what is known of it so far


def game_of(name: str, batch_size: int | None) -> tuple[Game, dict[str, jax.ShapeDtypeStruct], int, int]:
    """A row's game, its batch, the steps of one dispatch, and the real images of a step."""
    if name in CASES:
        case = CASES[name]
        generator, discriminator = case.model.build(case.shape, 0)
        adam = lambda: OptimizerConfig(LEARNING_RATE, B1, B2).build(1)
        latent = get_latent("normal", case.latent)
        game = GAN(generator, discriminator, get_loss(case.loss), adam(), adam(), latent, reuse_fakes=True)
        n = batch_size or BATCH
        return game, {"image": jax.ShapeDtypeStruct((n, *case.shape), jnp.float32)}, case.per_dispatch, n
    preset, config = find_preset(name), get_preset(name)
    n = (batch_size or config.batch_size) * config.d_steps
    batch = {"image": jax.ShapeDtypeStruct((n, *preset.shape), jnp.float32)}
    if preset.n_classes:
        batch["label"] = jax.ShapeDtypeStruct((n,), jnp.int32)
    slow = jax.default_backend() == "cpu" and config.model.convolutional
    return config.build(preset.shape, preset.n_classes), batch, 1 if slow else 16, n


def ours(name: str, batch_size: int | None, said: Said) -> tuple[Callable[[], None], int, dict[str, float]]:
    """A function that makes the steps of one dispatch, how many these are, and the counts of one step."""
    game, shapes, repeat, images = game_of(name, batch_size)
    rng = np.random.default_rng(0)
    drawn = lambda x: rng.uniform(-1, 1, x.shape) if x.dtype == jnp.float32 else np.zeros(x.shape)
    batch = {name: jax.device_put(drawn(x).astype(x.dtype)) for name, x in shapes.items()}
    said("starting")
    holder, one = [init(game, jax.random.key(0), batch)], make_step(game)
    several: Any = one
    if repeat > 1:
        several = lambda state, batch: jax.lax.scan(lambda s, _: one(s, batch), state, length=repeat)
    options = options_of_loops() if repeat > 1 else None
    said("tracing")
    begun = time.perf_counter()
    lowered = jax.jit(several, donate_argnums=0, compiler_options=options).lower(holder[0], batch)
    counts = {
        "images": float(images),
        "trace_s": time.perf_counter() - begun,
        "parameters": float(sum(_numbers(player.params) for player in holder[0].players.values())),
        "moved_mb": moved_bytes(game, holder[0]) / 1e6,
    }
    said("compiling", **counts)
    begun = time.perf_counter()
    compiled = lowered.compile()
    counts["compile_s"] = time.perf_counter() - begun
    memory = compiled.memory_analysis()
    if memory is not None:
        peak = memory.temp_size_in_bytes + memory.argument_size_in_bytes + memory.output_size_in_bytes
        counts["memory_mib"] = (peak - memory.alias_size_in_bytes) / 2**20
    said("counting", **counts)
    counts["gflop"] = operations(one, holder[0], batch) / 1e9

    def step() -> None:
        holder[0], metrics = compiled(holder[0], batch)
        jax.block_until_ready((holder[0], metrics))

    said("running", **counts)
    step()
    return step, repeat, counts


def operations(step: Callable[..., Any], *args: Any) -> float:
    """Of a step, by the compiler's count, of convolutions by definition; its machine code is not made fast for it."""
    fast = os.environ.get("JAXGAN_FAST_CONV")
    os.environ["JAXGAN_FAST_CONV"] = "0"
    try:
        options = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
        plain = jax.jit(lambda *args: step(*args), compiler_options=options)
        cost = plain.lower(*args).compile().cost_analysis() or {}
    finally:
        os.environ.pop("JAXGAN_FAST_CONV")
        if fast is not None:
            os.environ["JAXGAN_FAST_CONV"] = fast
    return float(cost.get("flops", math.nan))


def moved_bytes(game: Game, state: GameState) -> int:
    """What optimisers and averages read and write in a step: gradients, parameters, moments, averages, each both."""
    turns = {name: sum(name in turn.movers for turn in game.turns) for name in game.players}
    size = lambda tree: sum(leaf.nbytes for leaf in jax.tree.leaves(tree))
    each = {name: 2 * (2 * size(p.params) + size(p.opt_state)) for name, p in state.players.items()}
    averages = sum(2 * size(player.average) for player in state.players.values())
    return averages + sum(turns[name] * each[name] for name in each)


def _numbers(tree: Any) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


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


CASES: dict[str, Case] = {
    "mlp": Case(MLPConfig(), (28, 28, 1), torch_mlp, 1.5, per_dispatch=16),
    "dcgan-28": Case(DCGANConfig(width=32), (28, 28, 1), torch_dcgan, 1.4),
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


def seconds_of(function: Callable[[jax.Array], jax.Array], x: jax.Array) -> float:
    """Of a call on what the call before gave, the median of seven after one that is not timed."""
    x = function(x).block_until_ready()
    times = []
    for _ in range(7):
        begun = time.perf_counter()
        x = function(x).block_until_ready()
        times.append(time.perf_counter() - begun)
    return float(np.median(times))


def rates() -> dict[str, float]:
    """GFLOP/s of a large float32 product, and GB/s, read and written, of a large copy in place."""
    n = 2048
    product = seconds_of(jax.jit(lambda a: a @ a), jnp.zeros((n, n)))
    copy = seconds_of(jax.jit(lambda a: a + 1, donate_argnums=0), jnp.ones(2**25))
    return {"matrix_gflops": 2 * n**3 / product / 1e9, "copy_gbs": 2 * 4 * 2**25 / copy / 1e9}


Program = tuple[Callable[[], None], int]  # and the steps it makes


def measure(programs: dict[str, Program], args: Args) -> dict[str, list[float]]:
    """Milliseconds a step of every timed call of every program, taking turns.

    A turn of slow steps has fewer of them, and turns end early once they have taken their time; there are three at
    least.
    """
    times: dict[str, list[float]] = {name: [] for name in programs}
    begun = time.perf_counter()
    for done in range(args.rounds):
        if done >= 3 and time.perf_counter() - begun > args.seconds:
            break
        for name, (step, made) in programs.items():
            step()
            turn = time.perf_counter()
            for _ in range(max(1, args.steps // made)):
                start = time.perf_counter()
                step()
                times[name].append(1e3 * (time.perf_counter() - start) / made)
                if time.perf_counter() - turn > 1:
                    break
    return times


PEERS = {"PyTorch eager": False, "PyTorch eager, tuned": True}


def measured(name: str, args: Args, said: Said) -> dict[str, Any]:
    """A row: medians, counts, the floor and the ratios."""
    speed = rates()
    step, repeat, counts = ours(name, args.batch_size, said)
    programs: dict[str, Program] = {"jaxgan": (step, repeat)}
    if args.peer == "torch" and name in CASES:
        import torch  # pyright: ignore[reportMissingImports]

        torch.set_num_threads(os.cpu_count() or 1)
        for label, tuned in PEERS.items():
            peer, peer_counts = torch_peer(CASES[name], args.batch_size or BATCH, tuned)
            programs[label] = peer, 1
            assert peer_counts["parameters"] == counts["parameters"], "the networks differ"
    times = measure(programs, args)
    speed = {rate: max(speed[rate], again) for rate, again in rates().items()}  # before and after
    medians = {label: float(np.median(values)) for label, values in times.items()}
    floor = {
        "operations_ms": 1e3 * counts["gflop"] / speed["matrix_gflops"],
        "bytes_ms": counts["moved_mb"] / speed["copy_gbs"],
    }
    return {
        "median_ms": medians,
        "ratios": {label: medians[label] / medians["jaxgan"] for label in programs if label != "jaxgan"},
        "floor_ms": sum(floor.values()),
        **floor,
        **speed,
        **counts,
        "images_per_s": 1e3 * counts["images"] / medians["jaxgan"],
        "of_peak": floor["operations_ms"] / medians["jaxgan"],
        "resident_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "all_ms": times,
    }


def said_of(name: str, row: dict[str, Any]) -> str:
    """A row in words."""
    if "none" in row:
        return f"{name}: no result: {row['none']}"
    ms = ", ".join(f"{label} {x:.1f} ms" for label, x in row["median_ms"].items())
    memory = f", {row['memory_mib']:,.0f} MiB" if "memory_mib" in row else ""
    lines = [
        f"{name}: {ms}; floor {row['floor_ms']:.1f} ms ({row['operations_ms']:.1f} of {row['gflop']:.2f} GFLOP at "
        f"{row['matrix_gflops']:.0f} GFLOP/s, {row['bytes_ms']:.1f} of {row['moved_mb']:.0f} MB at "
        f"{row['copy_gbs']:.1f} GB/s); {row['of_peak']:.0%} of peak, {row['images_per_s']:,.0f} images/s{memory}; "
        f"traced in {row['trace_s']:.1f} s, compiled in {row['compile_s']:.1f} s"
    ]
    for label, ratio in row["ratios"].items():
        goal = f" (goal {CASES[name].goal})" if label == "PyTorch eager" else ""
        lines.append(f"  {ratio:.2f} times as fast as {label}{goal}")
    return "\n".join(lines)


def too_long(name: str, args: Args, gflops: float) -> str:
    """Why a preset is left out: a row of it would take longer than the limit by its operations alone; "" if not."""
    if name in CASES or "generator" not in sizes().get(name, {}):
        return ""
    g, d = (sizes()[name][player]["flops"] for player in ("generator", "discriminator"))
    config = get_preset(name)
    batch = args.batch_size or config.batch_size
    seconds = batch * (3 * g + (2 + 6 * config.d_steps) * d) / gflops / 1e9
    least = 2 + 3 * 2  # steps: of three turns, with one timed in each
    if least * seconds < args.limit:
        return ""
    return f"{least} steps would take {least * seconds:,.0f} s by their operations alone"


def apart(name: str, args: Args) -> dict[str, Any]:
    """The row, measured in a process of its own; or the stage that it had come to at the limit."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "row.json"
        command = [sys.executable, __file__, "--here", "--cases", name, "--json", str(path)]
        command += ["--rounds", str(args.rounds), "--steps", str(args.steps), "--seconds", str(args.seconds)]
        command += ["--peer", args.peer] if args.peer else []
        command += ["--batch-size", str(args.batch_size)] if args.batch_size else []
        try:
            done = subprocess.run(command, timeout=args.limit, capture_output=True, text=True, check=False)
            why = "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["?"])[-1]
        except subprocess.TimeoutExpired:
            why = f"{args.limit:.0f} s are over"
        row = json.loads(path.read_text()) if path.exists() else {"stage": "importing"}
    return {**row, "none": f"{why} ({row['stage']})"} if why else row


def main(args: Args) -> None:
    if args.peer is not None:
        need([args.peer], f"--peer {args.peer}", "pip install torch")
    gans = [name for name in PRESETS if "generator" in sizes().get(name, {})]
    names = [*CASES, *gans] if args.all else list(args.cases)
    for name in names:
        if name not in CASES:
            find_preset(name)
    if args.here:
        (name,), path = names, args.json
        assert path is not None
        said = lambda stage, **found: write_atomically(path, json.dumps({"stage": stage, **found}))
        write_atomically(path, json.dumps(measured(name, args, said)))
        return
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # a row's process needs the memory
    env, speed = environment(), rates()
    if args.peer:
        env["packages"]["torch"] = version_of("torch")
    print(
        f"{env['processor']}, {env['cores']} cores; jax {env['packages']['jax']}; matrix product "
        f"{speed['matrix_gflops']:.0f} GFLOP/s, copy {speed['copy_gbs']:.1f} GB/s"
    )
    results: dict[str, Any] = {}
    for name in names:
        why = too_long(name, args, speed["matrix_gflops"])
        results[name] = {"none": why} if why else apart(name, args)
        print(said_of(name, results[name]), flush=True)
        if args.json is not None:
            record = {
                "args": {**asdict(args), "json": args.json.name},
                "environment": env,
                "load": os.getloadavg(),
                **speed,
                "results": results,
            }
            write_atomically(args.json, json.dumps(record, indent=1) + "\n")
    if args.json is not None:
        print(f"wrote {args.json}")


if __name__ == "__main__":
    sys.exit(run_script(main, Args, __doc__))
