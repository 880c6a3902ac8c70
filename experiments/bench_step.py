"""Times our compiled training step, of networks side by side with the same ones in PyTorch, or of presets.

    python experiments/bench_step.py [--peer torch] [--cases mlp dcgan-28 dcgan-32 dcgan-64 sngan-32 stylegan2-32
        r3gan-32] [--json FILE]
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
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
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
from jaxgan.models.latents import get_latent
from jaxgan.runs.environment import environment

LATENT, BATCH = 100, 64
LEARNING_RATE, B1, B2 = 2e-4, 0.5, 0.999


@dataclass(frozen=True)
class Case:
    """One comparison: networks, which `torch_peers.py` has in PyTorch.

    Attributes:
      model: ours.
      shape: of examples.
      published: ours at the published widths, and their latent size.
      goal: the ratio that is aimed at.
      per_dispatch: our steps in one.
      loss: of both.
      latent: size of the latent.
    """

    model: Any
    shape: tuple[int, int, int]
    goal: float = 1.2
    published: tuple[Any, int] | None = None
    per_dispatch: int = 1
    loss: Literal["non_saturating", "hinge"] = "non_saturating"
    latent: int = LATENT


Name = Literal["mlp", "dcgan-28", "dcgan-32", "dcgan-64", "sngan-32", "stylegan2-32", "r3gan-32"]


@dataclass(frozen=True)
class Args:
    """What to time."""

    cases: tuple[str, ...] = get_args(Name)
    """Which rows: networks of these names, or presets."""
    all: bool = False
    """All networks, and all presets."""
    peer: Literal["torch"] | None = None
    """Compare networks with PyTorch."""
    published: bool = False
    """Networks at the published widths, and those without any left out: for a GPU."""
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


def case_of(name: str, args: Args, dtype: str = "float32") -> Case:
    """A case, of the widths that are asked for, that computes in `dtype`."""
    case = CASES[name]
    if args.published and case.published is not None:
        model, latent = case.published
        case = replace(case, model=model, latent=latent)
    return replace(case, model=replace(case.model, dtype=dtype)) if dtype != "float32" else case


def game_of(name: str, args: Args, dtype: str) -> tuple[Game, dict[str, jax.ShapeDtypeStruct], int, int]:
    """A row's game, its batch, the steps of one dispatch, and the real images of a step."""
    if name in CASES:
        case = case_of(name, args, dtype)
        generator, discriminator = case.model.build(case.shape, 0)
        adam = lambda: OptimizerConfig(LEARNING_RATE, b1=B1, b2=B2).build(1)
        latent = get_latent("normal", case.latent)
        game = GAN(generator, discriminator, get_loss(case.loss), adam(), adam(), latent, reuse_fakes=True)
        n = args.batch_size or BATCH
        repeat = case.per_dispatch if jax.default_backend() == "cpu" else 16
        return game, {"image": jax.ShapeDtypeStruct((n, *case.shape), jnp.float32)}, repeat, n
    preset, config = find_preset(name), get_preset(name)
    if dtype != "float32":
        config = replace(config, model=replace(config.model, dtype=dtype))
    n = (args.batch_size or config.batch_size) * config.d_steps
    batch = {"image": jax.ShapeDtypeStruct((n, *preset.shape), jnp.float32)}
    if preset.n_classes:
        batch["label"] = jax.ShapeDtypeStruct((n,), jnp.int32)
    slow = jax.default_backend() == "cpu" and config.model.convolutional
    return config.build(preset.shape, preset.n_classes), batch, 1 if slow else 16, n


def ours(
    name: str, args: Args, said: Said, dtype: str = "float32"
) -> tuple[Callable[[], None], int, dict[str, float], Callable[[], float]]:
    """A function that makes the steps of one dispatch, their number, counts of one step, and what counts operations."""
    game, shapes, repeat, images = game_of(name, args, dtype)
    rng = np.random.default_rng(0)
    drawn = lambda x: rng.uniform(-1, 1, x.shape) if x.dtype == jnp.float32 else np.zeros(x.shape)
    batch = {name: jax.device_put(drawn(x).astype(x.dtype)) for name, x in shapes.items()}
    said("starting")
    holder, one = [init(game, jax.random.key(0), batch)], make_step(game)
    several: Any = one
    if repeat > 1:
        several = lambda state, batch: jax.lax.scan(lambda s, _: one(s, batch), state, length=repeat)
    options = options_of_loops() if repeat > 1 and jax.default_backend() == "cpu" else None
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

    def step() -> None:
        holder[0], metrics = compiled(holder[0], batch)
        jax.block_until_ready((holder[0], metrics))

    said("running", **counts)
    step()
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), (holder[0], batch))
    return step, repeat, counts, lambda: operations(one, *shapes)


def operations(step: Callable[..., Any], *args: Any) -> float:
    """Of a step, by the compiler's count, of convolutions by definition; its machine code is not made fast for it."""
    fast = os.environ.get("JAXGAN_FAST_CONV")
    os.environ["JAXGAN_FAST_CONV"] = "0"
    host = jax.local_devices(backend="cpu")[0]  # whose compiler counts convolutions; a GPU's calls them
    try:
        options = {"xla_backend_optimization_level": 0}
        plain = jax.jit(lambda *args: step(*args), compiler_options=options)
        with jax.default_device(host):
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


CASES: dict[str, Case] = {
    "mlp": Case(MLPConfig(), (28, 28, 1), 1.5, per_dispatch=16),
    "dcgan-28": Case(DCGANConfig(width=32), (28, 28, 1), 1.4),
    "dcgan-32": Case(DCGANConfig(width=64), (32, 32, 3)),
    "dcgan-64": Case(DCGANConfig(width=64), (64, 64, 3), published=(DCGANConfig(width=128), 100)),
    # 64 channels in all blocks; the published generator has 256, the discriminator 128.
    "sngan-32": Case(
        ResNetConfig(width=16, d_width=32), (32, 32, 3), 1.0, (ResNetConfig(), 128), loss="hinge"
    ),
    # 64 channels at 32 pixels, 128 at 16 and below; the published one has 512.
    "stylegan2-32": Case(
        StyleGAN2Config(base=2048, most=128, style=128, mapping_layers=4),
        (32, 32, 3),
        1.0,
        (StyleGAN2Config(mapping_layers=2, group=32), 512),  # residual, and with mixing
        latent=128,
    ),
    # 96 channels and 12 groups; the published one has 768 and 96.
    "r3gan-32": Case(
        R3GANConfig(width=96, cardinality=12),
        (32, 32, 3),
        1.0,
        (R3GANConfig(), 64),
        latent=64,
    ),
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
    """GFLOP/s of a large float32 product, and GB/s, read and written, of a large copy in place.

    On a GPU the product is in TensorFloat-32, as JAX's are there, with bfloat16's beside it.
    """
    gpu = jax.default_backend() != "cpu"
    n, numbers, chain = (8192, 2**28, 8) if gpu else (2048, 2**25, 1)
    drawn = jax.random.uniform(jax.random.key(0), (n, n))

    def products(a: jax.Array) -> jax.Array:
        for _ in range(chain):  # so that a call's own time does not show
            a = (a @ a) * (4 / n)
        return a

    rate = lambda a: chain * 2 * n**3 / seconds_of(jax.jit(products), a) / 1e9
    copy = seconds_of(jax.jit(lambda a: a + 1, donate_argnums=0), jnp.ones(numbers))
    found = {"matrix_gflops": rate(drawn), "copy_gbs": 2 * 4 * numbers / copy / 1e9}
    return {**found, "matrix_bfloat16_gflops": rate(drawn.astype(jnp.bfloat16))} if gpu else found


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


def measured(name: str, args: Args, said: Said) -> dict[str, Any]:
    """A row: medians, counts, the floor and the ratios."""
    gpu = jax.default_backend() != "cpu"
    speed = rates()
    step, repeat, counts, count = ours(name, args, said)
    programs: dict[str, Program] = {}
    alone: dict[str, float] = {}  # a first look at each program, which is kept where the limit ends the row

    def add(label: str, step: Callable[[], None], made: int) -> None:
        programs[label] = step, made
        times = measure({label: programs[label]}, replace(args, rounds=1))[label]
        alone[label] = float(np.median(times))
        said("first looks", median_ms=dict(alone), **speed, **counts)

    add("jaxgan", step, repeat)
    if gpu:
        low, _, low_counts, _ = ours(
            name, args, lambda stage, **_: said(f"bfloat16: {stage}", median_ms=alone, **counts), "bfloat16"
        )
        counts |= {
            f"bfloat16_{key}": low_counts[key] for key in ("compile_s", "memory_mib") if key in low_counts
        }
        add("jaxgan, bfloat16", low, repeat)
    without: dict[str, str] = {}
    if args.peer == "torch" and name in CASES:
        import torch  # pyright: ignore[reportMissingImports]
        from torch_peers import WAYS, torch_step

        torch.set_num_threads(os.cpu_count() or 1)
        several = repeat if gpu else 1  # of which the first are waited for as seldom as ours
        for label, way in WAYS.items():
            if way.get("compiled") and not gpu:
                continue
            said(f"starting {label}", median_ms=alone, **counts)
            try:
                peer, numbers = torch_step(
                    case_of(name, args), args.batch_size or BATCH, (LEARNING_RATE, B1, B2), several, **way
                )
            except RuntimeError as e:  # what torch.compile cannot do is told, and the others are compared
                without[label] = (str(e).strip().splitlines() or ["?"])[0][:200]
                continue
            assert numbers == counts["parameters"], "the networks differ"
            add(label, peer, several)
    said("running", median_ms=alone, **counts)
    times = measure(programs, args)
    speed = {rate: max(speed[rate], again) for rate, again in rates().items()}  # before and after
    medians = {label: float(np.median(values)) for label, values in times.items()}
    said("counting", median_ms=medians, **speed, **counts)
    counts["gflop"] = count() / 1e9
    floor = {
        "operations_ms": 1e3 * counts["gflop"] / speed["matrix_gflops"],
        "bytes_ms": counts["moved_mb"] / speed["copy_gbs"],
    }
    mine = lambda label: medians["jaxgan, bfloat16" if "AMP" in label else "jaxgan"]
    row = {
        "median_ms": medians,
        "ratios": {label: medians[label] / mine(label) for label in programs if "jaxgan" not in label},
        "floor_ms": sum(floor.values()),
        **floor,
        **speed,
        **counts,
        "images_per_s": 1e3 * counts["images"] / medians["jaxgan"],
        "of_peak": floor["operations_ms"] / medians["jaxgan"],
        "resident_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "all_ms": times,
    }
    if gpu:
        low_ms = medians["jaxgan, bfloat16"]
        row["bfloat16_images_per_s"] = 1e3 * counts["images"] / low_ms
        row["bfloat16_of_peak"] = 1e3 * counts["gflop"] / speed["matrix_bfloat16_gflops"] / low_ms
    return {**row, "without": without} if without else row


def said_of(name: str, row: dict[str, Any]) -> str:
    """A row in words."""
    if "none" in row:
        first = ", ".join(f"{label} {x:.1f} ms" for label, x in row.get("median_ms", {}).items())
        return f"{name}: no result: {row['none']}{'; first looks: ' * bool(first)}{first}"
    ms = ", ".join(f"{label} {x:.1f} ms" for label, x in row["median_ms"].items())
    memory = f", {row['memory_mib']:,.0f} MiB" if "memory_mib" in row else ""
    gpu = "bfloat16_of_peak" in row
    lines = [
        f"{name}: {ms}; floor {row['floor_ms']:.1f} ms ({row['operations_ms']:.1f} of {row['gflop']:.2f} GFLOP at "
        f"{row['matrix_gflops']:.0f} GFLOP/s, {row['bytes_ms']:.1f} of {row['moved_mb']:.0f} MB at "
        f"{row['copy_gbs']:.1f} GB/s); {row['of_peak']:.0%} of peak, {row['images_per_s']:,.0f} images/s{memory}; "
        f"traced in {row['trace_s']:.1f} s, compiled in {row['compile_s']:.1f} s"
    ]
    if gpu:
        lines.append(
            f"  bfloat16: {row['bfloat16_of_peak']:.0%} of its peak of {row['matrix_bfloat16_gflops']:,.0f} GFLOP/s, "
            f"{row['bfloat16_images_per_s']:,.0f} images/s"
        )
    for label, ratio in row["ratios"].items():
        goals = (
            {"PyTorch eager": 2.0, "PyTorch compiled, AMP": 1.2}
            if gpu
            else {"PyTorch eager": CASES[name].goal}
        )
        goal = f" (goal {goals[label]})" if label in goals else ""
        lines.append(f"  {ratio:.2f} times as fast as {label}{goal}")
    lines += [f"  no {label}: {why}" for label, why in row.get("without", {}).items()]
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
        command += ["--published"] if args.published else []
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
    if args.published:
        names = [name for name in names if name not in CASES or CASES[name].published]
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
