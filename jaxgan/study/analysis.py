"""From results to conclusions: the scores of each variant with intervals, its collapses, and comparisons."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from jaxgan.common import statistics
from jaxgan.common.errors import InputError
from jaxgan.common.statistics import Interval
from jaxgan.metrics.catalogue import Kind, kind_of
from jaxgan.study.results import CellResult, Outcome

_SHOWN = (
    "high_quality",
    "modes",
    "precision",
    "recall",
    "coverage",
    "classes_present",
    "sliced_wasserstein",
    "reverse_kl",
)
WHOLE = ("mode_kl", "sliced_wasserstein", "fd", "reverse_kl")
"""Kinds of scores of the whole distribution, by which variants are ordered."""
TESTS = ("auto", "welch", "mann_whitney")


class Metric(NamedTuple):
    """A score, and how it is read.

    Attributes:
      name: of the score.
      kind: what it means, which way is better, and where its scale ends.
    """

    name: str
    kind: Kind

    @property
    def higher(self) -> bool:
        """Whether higher is better."""
        return self.kind.better == "higher"

    @property
    def worst(self) -> float:
        """What a diverged seed counts as: the worst end of the scale, or infinity where there is none."""
        return self.kind.worst


def metric(name: str, results: Sequence[CellResult] = ()) -> Metric:
    """The score called `name`, read as these results say; where none says it, as the catalogue does."""
    stored = (result.kinds[name] for result in results if name in result.kinds)
    return Metric(name, kind_of(name, next(stored, {})))


def headline(results: Sequence[CellResult]) -> Metric:
    """The score by which the variants of a dataset are compared.

    It is one of the whole distribution, which cannot be won by dropping modes: `mode_kl` for mixtures (the sliced
    Wasserstein distance where some results are older and lack it), the Fréchet distance for images, the divergence
    over modes for stacked digits, and the first score of the results for anything else.
    """
    found = [metric(name, results) for name in _score_names(results)]
    scored = [names for result in results if (names := set(_score_names([result])))]
    of_all = [score for score in found if all(score.name in names for names in scored)]
    for scores, key in itertools.product((of_all, found), WHOLE):
        for score in scores:
            if score.kind.key == key:
                return score
    return [*of_all, *found, metric("score")][0]


def _score_names(results: Sequence[CellResult]) -> list[str]:
    found = (
        name
        for result in results
        for outcome in result.outcomes
        for name in {**outcome.final, **(outcome.best or {})}
        if name != "step"
    )
    return list(dict.fromkeys(found))


def shown_metrics(results: Sequence[CellResult]) -> list[Metric]:
    """The scores of a table: the headline, then the others that are worth a column."""
    first, names = headline(results), _score_names(results)
    return [first, *(metric(name, results) for name in _SHOWN if name in names and name != first.name)]


def final_values(result: CellResult, score: Metric) -> np.ndarray:
    """The score of each seed at the end; the worst value where a seed diverged or has no score."""
    return _values(result, score, lambda outcome: None if outcome.diverged else outcome.final.get(score.name))


def best_values(result: CellResult, score: Metric) -> np.ndarray:
    """The score of each seed at its best step; the worst value where it diverged before its first score."""
    return _values(result, score, lambda outcome: (outcome.best or {}).get(score.name))


def _values(result: CellResult, score: Metric, value: Callable[[Outcome], float | None]) -> np.ndarray:
    found = (value(outcome) for outcome in result.outcomes)
    return np.array([score.worst if v is None or not math.isfinite(v) else v for v in found], np.float64)


def collapsed(result: CellResult, outcome: Outcome) -> bool | None:
    """Whether a seed ended with fewer than half of the modes, or of the classes.

    None if it diverged, or if no score counts modes or classes.
    """
    if outcome.diverged:
        return None
    # where the modes of images are counted (stacked digits), each class is one
    for name, there in (
        ("modes", result.data.get("modes") or result.data.get("classes")),
        ("classes_present", result.data.get("classes")),
    ):
        found = outcome.final.get(name)
        if found is not None and there:
            return found < there / 2
    return None


# --- by variant ----------------------------------------------------------------------------------


class Summary(NamedTuple):
    """One variant on one dataset.

    Attributes:
      result: of its cell.
      final: interval of each shown score at the end, over the seeds that have a value.
      best: the same at the best step of each seed.
      n: number of seeds.
      diverged: number of seeds that diverged.
      collapsed: number of seeds that collapsed; None if no score can tell.
      values: the headline of each seed at the end; the worst value for a seed that diverged.
    """

    result: CellResult
    final: Mapping[str, Interval | None]
    best: Mapping[str, Interval | None]
    n: int
    diverged: int
    collapsed: int | None
    values: np.ndarray


class Comparison(NamedTuple):
    """Two variants on one dataset, by the headline at the end.

    Attributes:
      a: index of the variant that stands higher in the table.
      b: index of the other.
      difference: mean of a minus mean of b; None if a seed has no value.
      delta: Cliff's delta, positive if a is better.
      p: of the test; None with a single seed.
      adjusted: p, adjusted by Holm's method for all pairs of the dataset.
      mann_whitney: p of the Mann-Whitney test, which assumes less, to check the other.
    """

    a: int
    b: int
    difference: float | None
    delta: float
    p: float | None
    adjusted: float | None
    mann_whitney: float | None


class DatasetAnalysis(NamedTuple):
    """All variants of one dataset.

    Attributes:
      dataset: name of the preset.
      metrics: the scores that are shown, the headline first.
      variants: the best one first.
      failed: cells without scores.
      comparisons: of all pairs of variants.
      test: of the pairs: "welch" or "mann_whitney".
      ordered_by: what the variants are ordered by: "mean" or "mean rank" of the headline.
    """

    dataset: str
    metrics: Sequence[Metric]
    variants: Sequence[Summary]
    failed: Sequence[CellResult]
    comparisons: Sequence[Comparison]
    test: str
    ordered_by: str


def analyse(results: Sequence[CellResult], test: str = "auto") -> list[DatasetAnalysis]:
    """An analysis of each dataset, in the order in which the datasets first appear.

    Args:
      results: of all cells.
      test: "welch", "mann_whitney", or "auto": Welch's test if every seed has a value (that of a diverged
        seed is the worst of a bounded scale), and otherwise Mann-Whitney's, which needs ranks only.

    Raises:
      InputError: for a test that does not exist.
    """
    if test not in TESTS:
        raise InputError(f"test: expected one of {', '.join(TESTS)}, got {test!r}")
    datasets = dict.fromkeys(result.cell.dataset for result in results)
    return [_analyse(name, [r for r in results if r.cell.dataset == name], test) for name in datasets]


def _analyse(dataset: str, results: Sequence[CellResult], test: str) -> DatasetAnalysis:
    failed = [result for result in results if result.failed or not result.outcomes]
    good = [result for result in results if result not in failed]
    if not good:
        return DatasetAnalysis(dataset, [], [], failed, [], "welch" if test == "auto" else test, "mean")
    metrics = shown_metrics(good)
    variants = [_summary(result, metrics) for result in good]
    sign = -1 if metrics[0].higher else 1
    pooled = np.concatenate([v.values for v in variants])
    finite = bool(np.isfinite(pooled).all())
    ranks = np.split(stats.rankdata(sign * pooled), np.cumsum([v.n for v in variants])[:-1])
    place = [sign * v.values.mean() if finite else r.mean() for v, r in zip(variants, ranks, strict=True)]
    variants = [variants[i] for i in np.argsort(place, kind="stable")]
    test = ("welch" if finite else "mann_whitney") if test == "auto" else test
    comparisons = _compare([v.values for v in variants], metrics[0], test)
    ordered_by = "mean" if finite else "mean rank"
    return DatasetAnalysis(dataset, metrics, variants, failed, comparisons, test, ordered_by)


def _summary(result: CellResult, metrics: Sequence[Metric]) -> Summary:
    final = {score.name: final_values(result, score) for score in metrics}
    best = {score.name: best_values(result, score) for score in metrics}
    judged = [collapsed(result, outcome) for outcome in result.outcomes]
    diverged = sum(outcome.diverged for outcome in result.outcomes)
    known = any(j is not None for j in judged) or diverged == len(judged)
    return Summary(
        result,
        {name: _interval(values) for name, values in final.items()},
        {name: _interval(values) for name, values in best.items()},
        n=len(result.outcomes),
        diverged=diverged,
        collapsed=sum(j is True for j in judged) if known else None,
        values=final[metrics[0].name],
    )


def _interval(values: np.ndarray) -> Interval | None:
    values = values[np.isfinite(values)]
    return statistics.mean_interval(values) if len(values) else None


def _compare(samples: Sequence[np.ndarray], score: Metric, test: str) -> list[Comparison]:
    chosen = statistics.welch if test == "welch" else statistics.mann_whitney
    sign = 1 if score.higher else -1
    pairs = list(itertools.combinations(range(len(samples)), 2))
    tested = [i for i, (a, b) in enumerate(pairs) if min(len(samples[a]), len(samples[b])) > 1]
    p: dict[int, float | None] = {i: chosen(*(samples[k] for k in pairs[i])) for i in tested}
    known = {i: value for i, value in p.items() if value is not None}
    adjusted = dict(zip(known, statistics.holm(list(known.values())), strict=True))
    found = []
    for i, (a, b) in enumerate(pairs):
        x, y = samples[a], samples[b]
        finite = np.isfinite(x).all() and np.isfinite(y).all()
        found.append(
            Comparison(
                a,
                b,
                float(x.mean() - y.mean()) if finite else None,
                sign * statistics.cliffs_delta(x, y),
                p.get(i),
                adjusted.get(i),
                statistics.mann_whitney(x, y) if i in p else None,
            )
        )
    return found


def summary_line(result: CellResult, score: Metric) -> str:
    """The mean score of a cell over its seeds, as the progress says it."""
    values = final_values(result, score)
    values = values[np.isfinite(values)]
    diverged = sum(outcome.diverged for outcome in result.outcomes)
    mean = f"{values.mean():.4g}" if len(values) else "–"
    gone = f", {diverged} diverged" if diverged else ""
    return f"{score.name} {mean} ({len(result.outcomes)} seeds{gone})"
