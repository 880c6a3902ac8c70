"""Members that are trained only to be scored, as studies do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.config.config import Config
from jaxgan.data import Source
from jaxgan.games.step import Metrics
from jaxgan.metrics import Evaluator, make_evaluator
from jaxgan.metrics.catalogue import Kind
from jaxgan.runs import evaluation
from jaxgan.train.members import Ensemble

SAMPLES = 2500


@dataclass
class Member:
    """What became of one member.

    Attributes:
      seed: its seed.
      status: "finished" or "diverged".
      diverged_at: step of its first number that was not finite; None if there was none.
      curve: one record every `evaluate_every` steps: "step", "images", "score" (the main score) and,
        for mixtures, the other scores of the moment, and means of the metrics since the last record.
      final: scores of the last step, by name; empty if it diverged.
      best: the same at the step with the lowest main score on the way, with "step"; None if there
        was none.
      samples: points [n, 2] or uint8 images [n, h, w, c] of the last step (64 images, 2,500 points);
        None if it diverged.
      kinds: how the scores of `final` and `best` are read, by name.
    """

    seed: int
    status: str
    diverged_at: int | None
    curve: list[dict[str, Any]]
    final: dict[str, float]
    best: dict[str, float] | None
    samples: np.ndarray | None
    kinds: dict[str, Kind] = field(default_factory=dict)


def run_members(
    config: Config,
    seeds: Sequence[int],
    *,
    hyper: Mapping[str, Sequence[float]] | None = None,
    how: str = "auto",
    devices: int | None = None,
    source: Source | None = None,
    on_record: Callable[[int], None] | None = None,
) -> list[Member]:
    """Trains members side by side and scores them; writes no files.

    Members that diverge do not stop the others.

    Args:
      config: of all members.
      seeds: of each.
      hyper: as of `Ensemble`.
      how: as of `Ensemble`.
      devices: as of `Ensemble`.
      source: as of `Ensemble`.
      on_record: called with the step after every record.

    Returns:
      One `Member` for each seed, in their order.

    Raises:
      InputError: as `Ensemble`.
    """
    ensemble = Ensemble(config, seeds, hyper=hyper, how=how, devices=devices, source=source)
    recorder = _Recorder(ensemble)
    states, inputs, step = ensemble.init(), ensemble.inputs(0), 0
    while step < config.steps:
        states, metrics = ensemble.advance(states, inputs)
        step += ensemble.repeat
        recorder.add(metrics)
        if step % config.evaluate_every == 0 or step >= config.steps:
            recorder.record(states, step)
            if on_record is not None:
                on_record(step)
    return recorder.members(states)


class _Recorder:
    """Curves, best states and ends of the members of an ensemble."""

    def __init__(self, ensemble: Ensemble) -> None:
        self._ensemble = ensemble
        self._evaluator: Evaluator = make_evaluator(ensemble.source)
        self._pending: list[Metrics] = []
        n = len(ensemble.seeds)
        self._curves: list[list[dict[str, Any]]] = [[] for _ in range(n)]
        self._diverged: list[int | None] = [None] * n
        self._best: list[tuple[float, int, Any] | None] = [None] * n
        self._kinds: dict[str, Kind] = {}

    def add(self, metrics: Metrics) -> None:
        """Keeps the metrics of a dispatch, on the device."""
        self._pending.append(metrics)

    def record(self, states: Any, step: int) -> None:
        """Reads the metrics since the last record, and scores every member that is still finite."""
        pending = [jax.device_get(metrics) for metrics in self._pending]
        self._pending.clear()
        series = {name: np.concatenate([m[name] for m in pending], axis=1) for name in pending[0]}
        config, length = self._ensemble.config, next(iter(series.values())).shape[1]
        for k, curve in enumerate(self._curves):
            if self._diverged[k] is not None:
                continue
            finite = np.all([np.isfinite(values[k]) for values in series.values()], axis=0)
            if not finite.all():
                self._diverged[k] = step - length + 1 + int(np.argmin(finite))
                continue
            variables = self._ensemble.member(states, k).ema
            scores = self._quick(variables)
            main = scores[self._evaluator.main]
            if not (np.isfinite(main) and evaluation.is_finite(variables)):
                self._diverged[k] = step
                continue
            images = step * config.batch_size * config.d_steps
            means = {name: float(values[k].mean()) for name, values in series.items()}
            curve.append({"step": step, "images": images, "score": main, **scores, **means})
            best = self._best[k]
            if best is None or main <= best[0]:
                # a copy: the program reuses the buffers of the states that it is given
                self._best[k] = (main, step, jax.tree.map(jnp.copy, variables))

    def _quick(self, variables: Any) -> dict[str, float]:
        generate = self._ensemble.sampler.stream(variables, evaluation.QUICK_SEED)
        if len(self._ensemble.source.shape) == 1:  # scores of points are cheap: all of them
            scores = self._evaluator(generate, self._ensemble.config.quick_n).scores
            return {name: score.value for name, score in scores.items()}
        return {self._evaluator.main: self._evaluator.quick(generate, self._ensemble.config.quick_n)}

    def _full(self, variables: Any) -> dict[str, float]:
        generate = self._ensemble.sampler.stream(variables, evaluation.FIRST_SEED)
        scores = self._evaluator(generate, self._ensemble.config.final_n).scores
        self._kinds |= {name: score.kind for name, score in scores.items()}
        return {name: score.value for name, score in scores.items()}

    def members(self, states: Any) -> list[Member]:
        """Scores the last and the best states in full."""
        members = []
        for k, seed in enumerate(self._ensemble.seeds):
            best = self._best[k]
            curve, diverged = self._curves[k], self._diverged[k]
            best_scores = None if best is None else {"step": best[1], **self._full(best[2])}
            if diverged is not None:
                members.append(Member(seed, "diverged", diverged, curve, {}, best_scores, None, self._kinds))
                continue
            variables = self._ensemble.member(states, k).ema
            n = SAMPLES if len(self._ensemble.source.shape) == 1 else 64
            samples = self._ensemble.sampler.by_seed(variables, range(n))
            final = self._full(variables)
            members.append(Member(seed, "finished", None, curve, final, best_scores, samples, self._kinds))
        return members
