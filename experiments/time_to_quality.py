"""Score against seconds of training: our presets and the classic GAN in PyTorch, on MNIST, in one run.

    python experiments/time_to_quality.py                # 380 s of training each; an hour with its scores, on two cores
    python experiments/time_to_quality.py --quick        # 20 s each, few fakes: to see that it runs
    python experiments/time_to_quality.py --presets dcgan-mnist mlp-mnist --seconds 600 --seeds 4 --out DIR

The classic GAN is that of most tutorials: fully connected, binary cross-entropy, Adam at 2e-4, one update of each
player on a batch of 64, as plainly written as bench_step.py has it; it is scored with its own weights and with an
average of them (decay 0.999), which our presets have of themselves.

Seconds are those of training, compilation included, and not those of scoring. The scores are `fd_mnist_cnn` of the same
number of fakes, against as many training images. All trainings take turns, a stretch each, so that a change of the
machine's speed meets them all. It ends in DIR/time_to_quality.json, .md and .png.

PyTorch is no dependency (pip install torch, CPU build); without it our presets run alone.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import pathlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import numpy as np

from jaxgan.cli.arguments import run_script
from jaxgan.common.files import write_atomically
from jaxgan.config import get_preset
from jaxgan.config.fields import with_fields
from jaxgan.data import Images, open_source
from jaxgan.metrics import make_evaluator
from jaxgan.runs.environment import environment
from jaxgan.train.members import set_up

BATCH, LATENT, DECAY = 64, 100, 0.999


@dataclass(frozen=True)
class Args:
    """What is trained, for how long, and how it is scored."""

    presets: tuple[str, ...] = ("dcgan-mnist", "mlp-mnist")
    """Of MNIST."""
    seconds: float = 380.0
    """Of training, each."""
    first: float = 12.0
    """Seconds before the first score; every further one comes at about 1.4 times as many."""
    seeds: int = 1
    """Trainings of each."""
    fakes: int = 10_000
    """For each score."""
    target: float = 0.1
    """The score whose time is told."""
    quick: bool = False
    """20 seconds each, and 1,000 fakes."""
    out: pathlib.Path = pathlib.Path("runs/time_to_quality")
    """Folder of the results."""


class Training(Protocol):
    """Something that is trained for a while, and then asked for fakes."""

    steps: int

    def train(self, seconds: float) -> None:
        """Trains for about so many seconds more."""
        ...

    def fakes(self) -> dict[str, Callable[[int], np.ndarray]]:
        """What makes uint8 images [n, 28, 28, 1], by the end of the name that the score gets."""
        ...


class Ours:
    """A preset, as `jaxgan train` trains it; its schedules are those of its own number of steps."""

    def __init__(self, name: str, seed: int, source: Images) -> None:
        """Compiles nothing yet."""
        self.members = set_up(with_fields(get_preset(name), seed=seed), source=source)
        self.states, self.inputs, self.steps = self.members.init(), self.members.inputs(0), 0

    def train(self, seconds: float) -> None:
        """Steps, of which at most 32 are under way."""
        until = time.perf_counter() + seconds
        while time.perf_counter() < until and self.steps < self.members.config.steps:
            for _ in range(max(1, 32 // self.members.repeat)):
                self.states, metrics = self.members.advance(self.states, self.inputs, self.steps)
                self.steps += self.members.repeat
                if self.steps >= self.members.config.steps:
                    break
            jax.block_until_ready(metrics)

    def fakes(self) -> dict[str, Callable[[int], np.ndarray]]:
        """Of the averaged generator."""
        state = self.members.member(self.states, 0)
        return {"": self.members.sampler.stream(self.members.game.averaged(state), 2**20)}


class Classic:
    """The classic GAN in PyTorch."""

    def __init__(self, seed: int, source: Images) -> None:
        """The networks and the data."""
        import torch  # pyright: ignore[reportMissingImports]
        from bench_step import CASES
        from torch import nn  # pyright: ignore[reportMissingImports]
        from torch_peers import networks

        torch.manual_seed(seed)
        torch.set_num_threads(os.cpu_count() or 1)
        self.torch, self.nn, self.steps = torch, nn, 0
        self.g, self.d = networks(CASES["mlp"])
        self.average = copy.deepcopy(self.g)
        adam = lambda net: torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.g_optimizer, self.d_optimizer = adam(self.g), adam(self.d)
        pixels = np.asarray(source.images).transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1
        self.reals, self.order = torch.from_numpy(pixels), torch.randperm(0)

    def train(self, seconds: float) -> None:
        """Steps, until the time is over."""
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            self._step()

    def _step(self) -> None:
        torch, cross_entropy = self.torch, self.nn.functional.binary_cross_entropy_with_logits
        if len(self.order) < BATCH:
            self.order = torch.randperm(len(self.reals))
        real, self.order = self.reals[self.order[:BATCH]], self.order[BATCH:]
        ones, zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)
        fake = self.g(torch.randn(BATCH, LATENT))
        self.d_optimizer.zero_grad()
        loss = cross_entropy(self.d(real), ones) + cross_entropy(self.d(fake.detach()), zeros)
        loss.backward()
        self.d_optimizer.step()
        self.g_optimizer.zero_grad()
        cross_entropy(self.d(fake), ones).backward()
        self.g_optimizer.step()
        with torch.no_grad():
            for kept, now in zip(self.average.parameters(), self.g.parameters(), strict=True):
                kept.lerp_(now, 1 - DECAY)
        self.steps += 1

    def fakes(self) -> dict[str, Callable[[int], np.ndarray]]:
        """Of the weights, and of their average."""

        def make(net: Any, n: int) -> np.ndarray:
            self.torch.manual_seed(2**20)
            with self.torch.no_grad():
                images = net(self.torch.randn(n, LATENT)).permute(0, 2, 3, 1).numpy()
            return np.clip(np.rint((images + 1) * 127.5), 0, 255).astype(np.uint8)

        state = self.torch.get_rng_state()

        def of(net: Any) -> Callable[[int], np.ndarray]:
            def images(n: int) -> np.ndarray:
                try:
                    return make(net, n)
                finally:
                    self.torch.set_rng_state(state)  # scoring leaves the training as it was

            return images

        return {"": of(self.g), ", averaged": of(self.average)}


def times(first: float, seconds: float) -> list[float]:
    """When scores are made: from `first` on, at about 1.4 times as many seconds, and at the end."""
    found = [first]
    while found[-1] * 1.4 < 0.9 * seconds:
        found.append(found[-1] * 1.4)
    return [*found, seconds] if first < seconds else [seconds]


def run(args: Args) -> dict[str, list[dict[str, Any]]]:
    """Name -> one training a seed: {"seed": ..., "points": [[seconds, steps, score], ...]}."""
    source = open_source("mnist")
    assert isinstance(source, Images)
    evaluator, results = make_evaluator(source), {}
    for seed in range(args.seeds):
        trainings: dict[str, Training] = {name: Ours(name, seed, source) for name in args.presets}
        if importlib.util.find_spec("torch") is not None:
            trainings["PyTorch, classic"] = Classic(seed, source)
        spent = dict.fromkeys(trainings, 0.0)
        for until in times(args.first, args.seconds):
            for name, training in trainings.items():
                before, steps = time.perf_counter(), training.steps
                training.train(until - spent[name])
                spent[name] += time.perf_counter() - before
                if training.steps == steps:
                    continue  # it has come to its preset's end, or compiled for longer
                for end, fakes in training.fakes().items():
                    score = float(evaluator.quick(fakes, args.fakes))
                    print(
                        f"seed {seed}, {name}{end}: {spent[name]:.0f} s, step {training.steps:,}: {score:.3f}"
                    )
                    rows = results.setdefault(f"{name}{end}", [])
                    if len(rows) <= seed:
                        rows.append({"seed": seed, "points": []})
                    rows[seed]["points"].append([spent[name], training.steps, score])
    return results


def reached(points: list[list[float]], target: float) -> float | None:
    """Seconds to the first score at or below the target; None if there is none."""
    return next((seconds for seconds, _, score in points if score <= target), None)


def table(results: dict[str, list[dict[str, Any]]], args: Args) -> str:
    """What was found, in Markdown."""
    lines = [
        f"| training | seconds | steps | last score (mean of {args.seeds}) | least | seconds to {args.target:g} |",
        "|---|---|---|---|---|---|",
    ]
    for name, rows in results.items():
        last = [row["points"][-1] for row in rows]
        least = min(score for row in rows for _, _, score in row["points"])
        found = [reached(row["points"], args.target) for row in rows]
        when = ", ".join("never" if x is None else f"{x:.0f}" for x in found)
        mean = lambda k, last=last: float(np.mean([point[k] for point in last]))
        lines.append(f"| {name} | {mean(0):.0f} | {mean(1):,.0f} | {mean(2):.3f} | {least:.3f} | {when} |")
    return "\n".join(lines) + "\n"


def draw(results: dict[str, list[dict[str, Any]]], path: pathlib.Path) -> None:
    """The curves, both axes logarithmic."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for k, (name, rows) in enumerate(results.items()):
        for row in rows:
            seconds, _, scores = np.asarray(row["points"]).T
            axes.plot(seconds, scores, color=f"C{k}", marker=".", label=name if row is rows[0] else None)
    axes.set(xscale="log", yscale="log", xlabel="seconds of training", ylabel="fd_mnist_cnn")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.savefig(path, dpi=120)


def main(args: Args) -> None:
    if args.quick:
        args = Args(args.presets, 20.0, 8.0, 1, 1000, args.target, True, args.out)
    args.out.mkdir(parents=True, exist_ok=True)
    env = environment()
    print(f"{env['processor']}, {env['cores']} cores; jax {env['packages']['jax']}")
    results = run(args)
    record = {
        "command": " ".join(sys.argv),
        "environment": env,
        "load": os.getloadavg(),
        "fakes": args.fakes,
        "results": results,
    }
    write_atomically(args.out / "time_to_quality.json", json.dumps(record, indent=1) + "\n")
    write_atomically(args.out / "time_to_quality.md", table(results, args))
    draw(results, args.out / "time_to_quality.png")
    print(table(results, args))
    print(f"wrote {args.out}/time_to_quality.json, .md and .png")


if __name__ == "__main__":
    sys.exit(run_script(main, Args, __doc__))
