"""Times distances of features against the packages that people use for them, side by side in one process.

    pip install scikit-learn && pip install --no-deps prdc==0.2
    python experiments/bench_metrics.py [--n 10000] [--d 2048] [--no-prdc] [--json FILE]

Fréchet: two covariances [d, d], eigenvalues of A S2 A against SciPy's sqrtm of the product. PRDC: n reals and
n fakes of d features, against the package prdc. Each pair takes turns; the smallest of the times is
shown. Goals on two cores: Fréchet below 10 s, PRDC at least 3 times as fast, same values to 1e-6.
2026-11-21, two idle cores (results/bench_metrics.json): Fréchet 0.86 s against 9.98 s, equal to 1e-13; PRDC 5.06 s
against 15.3 s, equal values; in five runs 3.0 to 3.2 times as fast. With other jobs on the same cores all of
it takes four to six times as long.
"""

from __future__ import annotations

import importlib.metadata
import json
import pathlib
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg

from jaxgan.cli.arguments import run_script
from jaxgan.common.files import write_atomically
from jaxgan.common.packages import need
from jaxgan.metrics import frechet_distance, kernel_distance, moments, prdc
from jaxgan.runs import environment


@dataclass(frozen=True)
class Args:
    """What to time."""

    n: int = 10000
    """Examples of each set for PRDC."""
    d: int = 2048
    """Features."""
    rounds: int = 2
    """Turns."""
    prdc: bool = True
    """Also time PRDC, which takes a minute or two."""
    json: pathlib.Path | None = None
    """Write the figures to this file."""


def features(seed: int, n: int, d: int) -> np.ndarray:
    """Features as of a ReLU network: correlated, not negative, of some 50 directions that matter."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(0).normal(size=(50, d)) / 50**0.5
    x = rng.normal(0.05 * seed, 1, (n, 50)) @ mix + 0.3 * rng.normal(size=(n, d))
    return np.maximum(x, 0).astype(np.float32)


def turns(jobs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, tuple[list[float], Any]]:
    """Seconds of each turn, and the last results."""
    found: dict[str, tuple[list[float], Any]] = {name: ([], None) for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            begun = time.perf_counter()
            value = job()
            found[name] = ([*found[name][0], time.perf_counter() - begun], value)
    return found


def by_sqrtm(m1: np.ndarray, c1: np.ndarray, m2: np.ndarray, c2: np.ndarray) -> float:
    """The usual formula."""
    root: Any = scipy.linalg.sqrtm(c1 @ c2)
    return float(np.square(m1 - m2).sum() + np.trace(c1) + np.trace(c2) - 2 * np.trace(root.real))


def main(args: Args) -> None:
    """Times, prints and writes."""
    if args.prdc:
        command = "pip install scikit-learn && pip install --no-deps prdc==0.2, or --no-prdc"
        need(["prdc", "sklearn"], "the comparison of PRDC", command)
    environment.start()
    x, y = features(1, args.n, args.d), features(2, args.n, args.d)
    statistics = *moments(x), *moments(y)
    found = turns(
        {"jaxgan": lambda: frechet_distance(*statistics), "sqrtm": lambda: by_sqrtm(*statistics)}, args.rounds
    )
    result: dict[str, Any] = {
        "command": shlex.join(["python", *sys.argv]),
        "environment": environment.environment(),
        "n": args.n,
        "d": args.d,
    }
    show("Fréchet distance", found, result)
    mine, theirs = found["jaxgan"][1], found["sqrtm"][1]
    print(f"  values {mine:.9g} and {theirs:.9g}: {abs(mine - theirs) / theirs:.1e} relative")
    result["Fréchet relative difference"] = abs(mine - theirs) / theirs
    found = turns({"jaxgan": lambda: kernel_distance(x, y)}, 1)
    show("Kernel distance, 100 subsets of 1,000", found, result)
    if args.prdc:
        from prdc import compute_prdc  # pyright: ignore[reportMissingImports]

        result["prdc"] = importlib.metadata.version("prdc")
        wide = x.astype(np.float64), y.astype(np.float64)
        found = turns({"jaxgan": lambda: prdc(x, y), "prdc": lambda: compute_prdc(*wide, 5)}, args.rounds)
        show(f"PRDC {args.n:,} x {args.n:,} x {args.d:,}", found, result)
        gap = max(abs(found["jaxgan"][1][k] - float(found["prdc"][1][k])) for k in found["jaxgan"][1])
        print(f"  values differ by at most {gap:.1e}: {found['jaxgan'][1]}")
        result["PRDC largest difference"] = gap
    if args.json is not None:
        write_atomically(args.json, json.dumps(result, indent=1) + "\n")
        print(f"wrote {args.json}")


def show(title: str, found: dict[str, tuple[list[float], Any]], result: dict[str, Any]) -> None:
    """Prints and keeps seconds and ratios."""
    print(title)
    first = min(found["jaxgan"][0])
    for name, (seconds, _) in found.items():
        print(f"  {name:<8} {min(seconds):7.2f} s   {min(seconds) / first:5.2f}", flush=True)
    result[title] = {name: seconds for name, (seconds, _) in found.items()}


if __name__ == "__main__":
    sys.exit(run_script(main, Args, __doc__))
