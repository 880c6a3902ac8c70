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
from jaxgan.games.game import GameState
from jaxgan.metrics import Evaluator
from jaxgan.metrics.catalogue import Kind
from jaxgan.metrics.choice import better_of
from jaxgan.metrics.score import name_on_the_way
from jaxgan.runs import evaluation
from jaxgan.train.loop import Keeper, loop
from jaxgan.train.members import Members, evaluator_of
from jaxgan.train.sinks.base import Sink
from jaxgan.train.stops import Diverged


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
      best: the same at the step that `better_of` chose by the main score on the way, with "step"; None if there
        was none.
      samples: examples [n, ...] of the last step, as many as a picture shows (64 images, 2,500 points);
        None if it diverged, or makes nothing to look at.
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
      hyper: as of `Members`.
      how: as of `Members`.
      devices: as of `Members`.
      source: as of `Members`.
      on_record: called with the step after every record.

    Returns:
      One `Member` for each seed, in their order.

    Raises:
      InputError: as `Members`.
    """
    members = Members(config, seeds, hyper=hyper, how=how, devices=devices, source=source)
    evaluator = evaluator_of(members)
    keepers = [_Curve(members, evaluator) for _ in members.seeds]
    sinks = [] if on_record is None else [_Told(on_record)]
    states, _ = loop(members, keepers, sinks, members.init(), 0, wanted=("evaluate",))
    ends = enumerate(zip(members.seeds, keepers, strict=True))
    return [keeper.member(seed, members.member(states, k)) for k, (seed, keeper) in ends]


class _Told(Sink):
    """Passes the steps of records on."""

    def __init__(self, on_record: Callable[[int], None]) -> None:
        self._on_record = on_record

    def record(self, record: Mapping[str, Any]) -> None:
        self._on_record(record["step"])


class _Curve(Keeper):
    """The curve of a member, a copy of its best, and its end."""

    def __init__(self, members: Members, evaluator: Evaluator | None) -> None:
        self._members, self._evaluator, self._config = members, evaluator, members.config
        self._curve: list[dict[str, Any]] = []
        self._best_variables: Any = None
        self._kinds: dict[str, Kind] = {}

    def keep(self, state: GameState, record: dict[str, Any], due: set[str], seconds: float) -> dict[str, Any]:
        """Scores the member; raises Diverged if its average or its score is not finite."""
        del record["images_per_second"]  # the machine's and not the member's
        if self._evaluator is not None:
            record |= self._scored(self._evaluator, state, record["step"])
        self._curve.append(record)
        return record

    def _scored(self, evaluator: Evaluator, state: GameState, step: int) -> dict[str, float]:
        variables = self._members.game.averaged(state)
        scores = self._quick(evaluator, variables)
        main, error = scores[self._name(evaluator)]
        if not (np.isfinite(main) and evaluation.is_finite(variables)):
            raise Diverged(f"step {step}: not finite: the average, or its {evaluator.main}", step)
        self.best = better_of(self.best, step, main, error or 0.0)
        if self.best["step"] == step:
            # a copy: the program reuses the buffers of the states that it is given
            self._best_variables = jax.tree.map(jnp.copy, variables)
        return {"score": main, "score_error": error or 0.0} | {
            name: value for name, (value, _) in scores.items()
        }

    def _name(self, evaluator: Evaluator) -> str:
        return name_on_the_way(evaluator, self._config.quick_n, self._config.final_n)

    def _quick(self, evaluator: Evaluator, variables: Any) -> dict[str, tuple[float, float | None]]:
        if evaluator.cheap:  # all of them
            found = self._scores(evaluator, variables, evaluation.QUICK_SEED, self._config.quick_n)
            of_fewer = self._name(evaluator).removeprefix(
                evaluator.main
            )  # "@N" where final scores do not compare
            return {f"{name}{of_fewer}": score for name, score in found.items()}
        generate = self._members.sampler.stream(variables, evaluation.QUICK_SEED)
        score = evaluator.quick(generate, self._config.quick_n)
        return {self._name(evaluator): (float(score), getattr(score, "error", None))}

    def _scores(
        self, evaluator: Evaluator, variables: Any, seed: int, n: int
    ) -> dict[str, tuple[float, float | None]]:
        scores = evaluator(self._members.sampler.stream(variables, seed), n).scores
        self._kinds |= {name: score.kind for name, score in scores.items()}
        return {name: (score.value, score.error) for name, score in scores.items()}

    def _full(self, variables: Any) -> dict[str, float]:
        if self._evaluator is None:
            return {}
        scores = self._scores(self._evaluator, variables, evaluation.FIRST_SEED, self._config.final_n)
        return {name: value for name, (value, _) in scores.items()}

    def member(self, seed: int, state: GameState) -> Member:
        """What became of it: the last and the best state are scored in full."""
        best = None
        if self.best is not None:
            best = {"step": self.best["step"], **self._full(self._best_variables)}
        if self.error is not None:
            return Member(seed, "diverged", self.error.step, self._curve, {}, best, None, self._kinds)
        final, samples = {}, None
        if self._members.sampler is not None:
            variables = self._members.game.averaged(state)
            final = self._full(variables)
            shown = range(self._members.source.modality.shown)
            samples = self._members.sampler.by_seed(variables, shown)
        return Member(seed, "finished", None, self._curve, final, best, samples, self._kinds)
