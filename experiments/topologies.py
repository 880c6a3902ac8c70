"""What a step of the presets costs on machines that are not here: memory, operations, collectives, what bounds it.

    python experiments/topologies.py [--presets dcgan-64 ...] [--machines v5e:2x2 h100:8 ...] [--fits] [--record]

Each row is a step compiled ahead of time, as `jaxgan compile` does; the batch a chip is the same on all machines, so
that operations, memory and collective bytes a chip should be, too. Times are what the published rates of the chip
allow if everything overlaps: no measured step is faster, and most are several times slower. Weak scaling is the speed
of a chip on a machine over that of a chip on the smallest one of its kind, by the same times.

Hardware: a CPU, some 4 GiB of memory, and the extras `compile-tpu` and `compile-gpu`; from half a minute to some
minutes a row. Rows that --out has already are kept (--again makes those that failed again), so it may be stopped and
started. Writes topologies.json and .md; --record keeps them under experiments/results.
"""

from __future__ import annotations

import json
import pathlib
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax

from jaxgan.cli.arguments import run_script
from jaxgan.cli.compile import accounts, plain, with_batch
from jaxgan.common.errors import lookup
from jaxgan.common.files import write_atomically
from jaxgan.config import Config, get_preset, with_fields
from jaxgan.runs.environment import environment, start
from jaxgan.train.ahead.machines import machine

RESULTS = pathlib.Path(__file__).parent / "results"
LOW = {"model.dtype": "bfloat16"}
# Preset -> (examples a chip, what differs from the preset)
ROWS: dict[str, tuple[int, dict[str, Any]]] = {
    "dcgan-mnist": (64, {}),
    "dcgan-64": (64, LOW),
    "mlp-mnist": (64, {}),
    "wgan-gp-cifar10": (64, {}),
    "sngan-cifar10": (64, {}),
    "sagan-128": (16, {}),
    "biggan-128": (8, LOW),
    "stylegan2-paper256": (8, LOW),
    "r3gan-cifar10": (64, LOW),
    "gat-pixels-64": (16, {}),
    "fastgan-256": (8, {}),
    "projected-gan-256": (8, {}),
    "progan-128": (16, {}),
    "stylegan3-t-256": (4, LOW),
}
MACHINES = ("v5e:2x2", "v5e:4x4", "v5e:16x16", "h100:8")


@dataclass(frozen=True)
class Topologies:
    """Compile steps of presets for machines that are not here, and write a table of what they cost."""

    presets: tuple[str, ...] = tuple(ROWS)
    """Those to compile."""
    machines: tuple[str, ...] = MACHINES
    """To compile them for, the smallest of a kind first."""
    how: str = "auto"
    """compute.how: auto, jit, shard_map."""
    fits: bool = False
    """Compile a second batch as well, and say which one would fit."""
    again: bool = False
    """Compile rows again that failed."""
    out: pathlib.Path = pathlib.Path("topologies")
    """Folder of the table, and of the rows so far."""
    record: bool = False
    """Write to experiments/results instead."""


def main(args: Topologies) -> int:
    """Compiles what is not there yet, and writes the table after every row."""
    for preset in args.presets:
        lookup("preset", preset, ROWS)
    start()
    jax.config.update("jax_platforms", "cpu")
    folder = RESULTS if args.record else args.out
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "topologies.json"
    found = json.loads(path.read_text()) if path.exists() else {"rows": {}}
    rows: dict[str, dict[str, Any]] = found["rows"]
    for name in args.machines:
        for preset in args.presets:
            key = f"{preset} {name} {args.how}"
            if key in rows and not (args.again and "failed" in rows[key]):
                continue
            rows[key] = {"failed": "the compiler ended the process"}  # what is written if it does
            _write(folder, rows)
            began = time.perf_counter()
            print(f"{key} ...", flush=True)
            rows[key] = {
                **_row(preset, name, args.how, args.fits),
                "seconds_to_compile": time.perf_counter() - began,
            }
            print(f"  {rows[key].get('failed') or rows[key]['bound']}", flush=True)
            _write(folder, rows)
            jax.clear_caches()
    return 0


def _row(preset: str, name: str, how: str, fits: bool) -> dict[str, Any]:
    each, changes = ROWS[preset]
    try:
        there, config = machine(name), config_of(preset, changes | {"compute.how": how})
        config = with_batch(config, there, None, each)
        told = plain(config, *accounts(config, there, quick=not fits))
        del told["config"]  # the preset's, but for what ROWS says
        return {**told, "per_chip": each, "how": how}
    except Exception as error:  # of any type: the others are compiled all the same
        said = (str(error).strip().splitlines() or ["nothing is said"])[0]
        return {"failed": f"{type(error).__name__}: {said[:300]}"}


def config_of(preset: str, changes: Mapping[str, Any]) -> Config:
    """The configuration of a preset, changed."""
    return with_fields(get_preset(preset), **changes)


def _write(folder: pathlib.Path, rows: Mapping[str, dict[str, Any]]) -> None:
    env = environment()
    kept = {name: env[name] for name in ("date", "packages", "processor")}
    write_atomically(
        folder / "topologies.json", json.dumps({"environment": kept, "rows": rows}, indent=1) + "\n"
    )
    write_atomically(folder / "topologies.md", table(rows))


# --- the table -------------------------------------------------------------------------------------

_HEAD = (
    "preset", "machine", "batch a chip", "MiB a chip", "GFLOP", "GB of memory", "MB sent", "collectives",
    "ms at least", "of it collectives", "bound by", "images/s", "weak scaling", "largest batch a chip",
)  # fmt: skip


def table(rows: Mapping[str, dict[str, Any]]) -> str:
    """The rows in Markdown, a chip each, those that failed below."""
    lines = [
        "# A step on machines that are not here",
        "",
        _ABOUT,
        "",
        " | ".join(_HEAD),
        "|".join(["---"] * len(_HEAD)),
    ]
    failed = []
    places = [*ROWS, *MACHINES]
    for key in sorted(
        rows, key=lambda key: [places.index(part) for part in key.split()[:2] if part in places]
    ):
        row, (preset, name, how) = rows[key], key.split()
        if "failed" in row:
            failed.append(f"- {preset} on {name} ({how}): {row['failed']}")
            continue
        lines.append(" | ".join(_cells(preset, name, how, row, rows)))
    if failed:
        lines += ["", "Not compiled:", "", *failed]
    return "\n".join(lines) + "\n"


_ABOUT = """Written by `python experiments/topologies.py`: compiled ahead of time, never run. A time is the largest of
operations, bytes of memory and bytes sent, each over the rate that is published of the chip
(`jaxgan/train/ahead/machines.py`); the share of the collectives is of that time. Operations and bytes are the
compiler's count; for GPUs, whose compiler gives none, those of the same step compiled for a CPU and the operands and
results of all instructions, which are more than go to memory. Every step is the dearest one, with all terms that are
taken now and then. The largest batch is a straight line through the memory of two compiled ones."""


def _cells(
    preset: str, name: str, how: str, row: dict[str, Any], rows: Mapping[str, dict[str, Any]]
) -> list[str]:
    sent = sum(own["sent"] for own in row["collectives"].values())
    count = ", ".join(f"{own['count']} {kind}" for kind, own in sorted(row["collectives"].items()))
    fit, chips = row["largest_batch"], row["devices"]
    return [
        f"{preset} ({row['dtype']}, {how})",
        name,
        f"{row['per_chip']}",
        f"{row['memory']['peak'] / 2**20:,.0f}",
        f"{row['flops'] / 1e9:,.1f}",
        f"{row['bytes'] / 1e9:.3g}",
        f"{sent / 1e6:.3g}",
        count or "none",
        f"{row['step'] * 1e3:.3g}",
        f"{row['seconds']['collectives'] / row['step']:.1%}",
        row["bound"],
        f"{row['images_per_second']:,.0f}",
        _scaling((preset, how), name, row, rows),
        "" if fit is None else f"{fit['batch'] // chips:,}",
    ]


def _scaling(own: tuple[str, str], name: str, row: dict[str, Any], rows: Mapping[str, dict[str, Any]]) -> str:
    """Speed of a chip, over that on the first machine of the kind."""
    for key, first in rows.items():
        preset, other, how = key.split()
        if (preset, how) == own and other.split(":")[0] == name.split(":")[0] and "failed" not in first:
            return f"{first['step'] / row['step']:.2f}"
    return ""


if __name__ == "__main__":
    sys.exit(run_script(main, Topologies, __doc__))
