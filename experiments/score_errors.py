"""Whether the standard errors of scores are right: each against the spread of its score over fresh fakes.

    python experiments/score_errors.py [--draws 30] [--metrics fd,kd,...]

The reals are one set; fakes are drawn anew, from Gaussians in feature space (and images and logits made of them), so
that one draw takes milliseconds. Printed is, for each score, the mean value, the spread over the draws, the root mean
square of the stated errors, and their ratio, which should be between 0.8 and 1.25. The spread of 30 draws is itself
uncertain by 13 %, so a ratio at the edge asks for more draws (--draws 200).

Hardware: any CPU, some ten minutes, most of them for swd (--metrics names the others). Expected: every ratio in
the range.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np

from jaxgan.data import open_source
from jaxgan.metrics.collect import Sample
from jaxgan.metrics.image_scores import METRICS
from jaxgan.metrics.modes import MixtureEvaluator
from jaxgan.metrics.scores.frechet import MomentStream

N, D, CLASSES, SIDE = 500, 8, 8, 16


def sample(rng: np.random.Generator, n: int, shift: float, scale: float) -> Sample:
    """n examples: features, the logits of a linear classifier of them, images with their statistics, and labels."""
    labels = np.arange(n) % CLASSES
    centres = np.eye(CLASSES, D) * 2
    features = rng.normal(size=(n, D)) * scale + shift + centres[labels]
    logits = features @ (centres.T * np.linspace(0.5, 2, CLASSES))
    basis = np.random.default_rng(1).normal(size=(D, SIDE * SIDE)) / D**0.5
    images = np.clip(128 + 40 * (features @ basis), 0, 255).astype(np.uint8).reshape(n, SIDE, SIDE, 1)
    stream = MomentStream(n)
    stream.add(features)
    parts = stream.leave_one_out()
    gaussian = stream.gaussian()
    return Sample(
        n,
        gaussian,
        leave_one_out=parts,
        features=features,
        logits=logits,
        images=images,
        spatial=gaussian,
        spatial_leave_one_out=tuple(parts),
        labels=labels,
    )


def of_images(metrics: list[str], seed: int) -> Iterator[Callable[[], dict[str, tuple[float, float | None]]]]:
    """For each metric a function that scores one fresh set of fakes: name -> (value, stated error)."""
    real = sample(np.random.default_rng([seed, 0]), N, 0.0, 1.0)
    for m, name in enumerate(metrics):
        rng = np.random.default_rng([seed, 1, m])

        def once(name: str = name, rng: np.random.Generator = rng) -> dict[str, tuple[float, float | None]]:
            found = METRICS[name].compute(real, sample(rng, N, 0.15, 1.1))
            return {f"{v.key}{v.height or ''}": (v.value, v.error) for v in found}

        yield once


def of_points(seed: int) -> Callable[[], dict[str, tuple[float, float | None]]]:
    """The same for the scores of a mixture in the plane, of which a mode in eight is left out and some points stray."""
    source = open_source("ring")
    evaluator, rng = MixtureEvaluator(source), np.random.default_rng([seed, 2])

    def fakes(n: int) -> np.ndarray:
        points = source.modes[rng.integers(0, 7, n)] + rng.normal(size=(n, 2)) * source.std  # pyright: ignore
        return np.where(rng.random((n, 1)) < 0.1, rng.normal(size=(n, 2)), points).astype(np.float32)

    return lambda: {name: (s.value, s.error) for name, s in evaluator(fakes, 2500).scores.items()}


def ratios(
    once: Callable[[], dict[str, tuple[float, float | None]]], draws: int
) -> dict[str, tuple[float, ...]]:
    """Name -> mean of the score, its spread, the stated error (root mean square), and the ratio of the two."""
    found = [once() for _ in range(draws)]
    results = {}
    for name in found[0]:
        values = np.asarray([one[name][0] for one in found])
        errors = np.asarray([np.nan if one[name][1] is None else one[name][1] for one in found], np.float64)
        spread, stated = values.std(ddof=1), np.sqrt(np.square(errors).mean())
        results[name] = (values.mean(), spread, stated, stated / spread if spread > 0 else np.nan)
    return results


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=30, help="fresh sets of fakes")
    parser.add_argument("--seed", type=int, default=0, help="of all sets")
    known = [name for name, metric in METRICS.items() if not metric.trains]
    parser.add_argument(
        "--metrics", default=",".join([*known, "points"]), help="names with commas, or points"
    )
    args = parser.parse_args()
    names = args.metrics.split(",")
    print(f"{'score':<20} {'mean':>10} {'spread':>10} {'stated':>10} {'ratio':>6}", flush=True)
    cases = list(of_images([name for name in names if name != "points"], args.seed))
    for once in [*cases, *([of_points(args.seed)] if "points" in names else [])]:
        for name, (mean, spread, stated, ratio) in ratios(once, args.draws).items():
            mark = "" if np.isnan(ratio) or 0.8 <= ratio <= 1.25 else "  <-"
            print(f"{name:<20} {mean:>10.4g} {spread:>10.3g} {stated:>10.3g} {ratio:>6.2f}{mark}", flush=True)


if __name__ == "__main__":
    main()
