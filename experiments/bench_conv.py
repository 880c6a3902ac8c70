"""Times the forms of convolutions and products on this machine, and writes the table by which a form is chosen.

    python experiments/bench_conv.py [--kinds conv grouped ...] [--rounds 5] [--json FILE] [--table]

Hardware: as measured on, printed with the result; 12 minutes with --rounds 3 on two busy cores of an Intel Xeon.
With --table it writes jaxgan/models/layers/fast/table.py anew, from all results in FILE: the old ones alone, if
--kinds names none.

Every form is timed at three things: forward; forward and the gradients for images and kernel ("both"); and the
gradient for the kernel of a gradient penalty, the squared norm of the gradient for the images ("second"). All
programs of a case take turns in one process, after a call that is not timed. The time that counts is what the
process spends on all cores, which other programs on the machine disturb much less than the time on the clock;
the latter is recorded too. Figures are medians over the rounds, with the smallest and the largest.

A form is chosen over XLA's where the geometric mean of "both" and "second" is at least a twentieth lower.

"modulated" compares the two ways of a convolution with a kernel of each example's own; no table is made of it.
"""

from __future__ import annotations

import json
import math
import os
import pathlib
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.cli.arguments import run_script
from jaxgan.common.files import write_atomically
from jaxgan.models.layers.fast import forms, table
from jaxgan.runs.environment import environment

Kind = Literal[
    "conv",
    "pointwise",
    "grouped",
    "depthwise",
    "doubled",
    "halved",
    "spread",
    "strided",
    "dense",
    "modulated",
]
Row = tuple[int, int, int, int, int]  # examples, side, inputs, outputs, groups

CASES: dict[Kind, list[Row]] = {
    "conv": [
        (64, 32, 64, 64, 1),
        (64, 16, 64, 64, 1),
        (64, 4, 64, 64, 1),
        (64, 32, 16, 16, 1),
        (64, 32, 3, 64, 1),
        (64, 32, 64, 3, 1),
        (64, 8, 256, 256, 1),
    ],
    "pointwise": [(64, 16, 64, 64, 1)],
    "grouped": [(64, 16, 96, 96, 12), (64, 4, 96, 96, 12)],
    "depthwise": [(64, 16, 64, 64, 64)],
    "doubled": [(64, 16, 64, 64, 1), (64, 4, 64, 64, 1), (64, 16, 16, 16, 1), (64, 4, 256, 256, 1)],
    "halved": [(64, 32, 64, 64, 1), (64, 8, 64, 64, 1), (64, 32, 16, 16, 1), (64, 8, 256, 256, 1)],
    "spread": [(32, 16, 64, 64, 1), (32, 4, 128, 128, 1)],
    "strided": [(32, 34, 64, 64, 1), (32, 10, 128, 128, 1)],
    "dense": [(64, 1, *sizes, 1) for sizes in ((1024, 784), (512, 1024), (784, 512), (256, 512), (100, 256))],
    "modulated": [(32, 8, 64, 64, 1)],
}


@dataclass(frozen=True)
class Args:
    """What to time."""

    kinds: tuple[Kind, ...] = get_args(Kind)
    """Which convolutions."""
    rounds: int = 5
    """Turns of each program."""
    json: pathlib.Path | None = None
    """Write every figure to this file; kinds in it that are not timed now are kept."""
    table: bool = False
    """Write the table of the fastest forms."""


def scaled(x: jax.Array, kernel: jax.Array, style: jax.Array) -> jax.Array:
    """A kernel of each example's own: the input is scaled."""
    return forms.conv_plain(x * style[:, None, None], kernel)


def with_own_kernels(x: jax.Array, kernel: jax.Array, style: jax.Array) -> jax.Array:
    """The same by as many groups as examples, each with its scaled kernel."""
    n, h, w, c = x.shape
    own = (kernel * style[:, None, None, :, None]).transpose(1, 2, 3, 0, 4).reshape(*kernel.shape[:3], -1)
    y = forms.conv_plain(x.transpose(1, 2, 0, 3).reshape(1, h, w, n * c), own)
    return y.reshape(h, w, n, -1).transpose(2, 0, 1, 3)


def forms_of(kind: Kind) -> dict[str, Callable[..., jax.Array]]:
    """Those of a kind, with XLA's first."""
    if kind == "modulated":
        return {"scaled": scaled, "grouped": with_own_kernels}
    return {"plain": forms.FORMS[kind]["plain"], **forms.FORMS[kind]}


def arguments(kind: Kind, row: Row) -> list[jax.Array]:
    """Images and a kernel, and styles if there are any; of "dense" vectors and a matrix."""
    batch, side, inputs, outputs, groups = row
    if kind == "dense":
        keys = jax.random.split(jax.random.key(0))
        kernel = jax.random.normal(keys[1], (inputs, outputs)) / math.sqrt(inputs)
        return [jax.random.normal(keys[0], (batch, inputs)), kernel]
    k = 1 if kind == "pointwise" else 3
    keys = jax.random.split(jax.random.key(0), 3)
    kernel = jax.random.normal(keys[1], (k, k, inputs // groups, outputs)) / math.sqrt(
        k * k * inputs // groups
    )
    x = jax.random.normal(keys[0], (batch, side, side, inputs))
    return [x, kernel, *([jax.random.normal(keys[2], (batch, inputs))] if kind == "modulated" else [])]


def programs(form: Callable[..., jax.Array], inputs: list[jax.Array]) -> dict[str, Callable[[], Any]]:
    """What is timed, by name, compiled."""
    scalar = lambda *inputs: jnp.sum(jnp.square(form(*inputs)))
    everything = tuple(range(len(inputs)))
    penalty = lambda *inputs: jnp.sum(jnp.square(jax.grad(scalar)(*inputs)))
    functions = {
        "forward": form,
        "both": jax.grad(scalar, everything),
        "second": jax.grad(penalty, everything[1:]),
    }
    compiled = {name: jax.jit(f).lower(*inputs).compile() for name, f in functions.items()}
    return {name: lambda f=f: jax.block_until_ready(f(*inputs)) for name, f in compiled.items()}


def timed(every: dict[tuple[str, str], Callable[[], Any]], rounds: int) -> dict[str, dict[str, Any]]:
    """{form: {what: {"cpu_ms": ..., "wall_ms": ..., "cpu_range_ms": ...}}} of programs that take turns.

    A turn calls a program until a tenth of a second has passed, as processor time is counted in hundredths.
    """
    for run in every.values():
        run()
    turns: dict[tuple[str, str], list[tuple[float, float]]] = {key: [] for key in every}
    for _ in range(rounds):
        for key, run in every.items():
            calls, cpu, wall = 0, time.process_time(), time.perf_counter()
            while time.perf_counter() - wall < 0.1:
                run()
                calls += 1
            turns[key].append(
                (
                    1e3 * (time.process_time() - cpu) / calls,
                    1e3 * (time.perf_counter() - wall) / calls,
                )
            )
    found: dict[str, dict[str, Any]] = {}
    for (form, what), pairs in turns.items():
        cpu, wall = np.asarray(pairs).T
        found.setdefault(form, {})[what] = {
            "cpu_ms": float(np.median(cpu)),
            "cpu_range_ms": [float(cpu.min()), float(cpu.max())],
            "wall_ms": float(np.median(wall)),
        }
    return found


def cost(times: dict[str, Any]) -> float:
    """By which forms are compared."""
    return math.sqrt(times["both"]["cpu_ms"] * times["second"]["cpu_ms"])


def measure(kind: Kind, row: Row, rounds: int) -> dict[str, Any]:
    """The times of all forms, and which is the fastest. Forms by definition are compiled with fast ones off."""
    every, inputs = {}, arguments(kind, row)
    usual = os.environ.get("JAXGAN_FAST_CONV")
    for name, form in forms_of(kind).items():
        os.environ["JAXGAN_FAST_CONV"] = "0" if name == "plain" else "1"
        every |= {(name, what): program for what, program in programs(form, inputs).items()}
    os.environ.pop("JAXGAN_FAST_CONV")
    if usual is not None:
        os.environ["JAXGAN_FAST_CONV"] = usual
    times = timed(every, rounds)
    first = next(iter(times))
    best = min(times, key=lambda name: cost(times[name]))
    fastest = best if cost(times[best]) < 0.95 * cost(times[first]) else first
    print(f"{kind} {row}: {fastest}")
    for name, of_form in times.items():
        parts = [f"{what} {t['cpu_ms']:.1f} ms" for what, t in of_form.items()]
        ratios = [of_form[what]["cpu_ms"] / times[first][what]["cpu_ms"] for what in of_form]
        print(
            f"  {name:8} {', '.join(parts)}; of {first}: {', '.join(f'{r:.2f}' for r in ratios)}", flush=True
        )
    return {"fastest": fastest, "times": times}


def write_table(results: dict[str, list[dict[str, Any]]]) -> None:
    """Writes table.py, in which kinds without results stay."""
    path = pathlib.Path(table.__file__)
    text = path.read_text()
    rows = dict(table.FASTEST)
    for kind in rows.keys() & results.keys():
        rows[kind] = {tuple(found["case"].values()): found["fastest"] for found in results[kind]}
    lines = ["FASTEST: dict[str, dict[tuple[int, int, int, int, int], str]] = {"]
    for kind, named in rows.items():
        lines += [
            f'    "{kind}": {{',
            *(f'        {row}: "{form}",' for row, form in named.items()),
            "    },",
        ]
    write_atomically(path, text[: text.index("FASTEST")] + "\n".join([*lines, "}"]) + "\n")
    print(f"wrote {path}")


def main(args: Args) -> None:
    env = environment()
    print(f"{env['processor']}, {env['cores']} cores; jax {env['packages']['jax']}")
    known = json.loads(args.json.read_text())["results"] if args.json and args.json.exists() else {}
    for kind in args.kinds:
        results = {row: measure(kind, row, args.rounds) for row in CASES[kind]}
        known[kind] = [
            {"case": dict(zip(("batch", "side", "inputs", "outputs", "groups"), row, strict=True)), **result}
            for row, result in results.items()
        ]
        if args.json is not None:
            asked = {**asdict(args), "json": args.json.name}
            record = {
                "command": " ".join(sys.argv),
                "args": asked,
                "date": time.strftime("%Y-%m-%d"),
                "environment": env,
                "load": os.getloadavg(),
                "results": known,
            }
            write_atomically(args.json, json.dumps(record, indent=1) + "\n")
    if args.table:
        write_table(known)


if __name__ == "__main__":
    sys.exit(run_script(main, Args, __doc__))
