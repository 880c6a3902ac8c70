"""Tables of a study: Markdown of the variants, CSV of the seeds, JSON Lines of the cells."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

import numpy as np

from jaxgan.common.statistics import Interval
from jaxgan.report.scores import format_number
from jaxgan.study.analysis import WHOLE, DatasetAnalysis, Summary, collapsed
from jaxgan.study.results import CellResult

_AXES = ("dataset", "loss", "penalty", "dynamics")


def interval_text(interval: Interval | None, seeds: int) -> str:
    """Mean [low, high] to three digits, with the number of seeds if some have no value."""
    if interval is None:
        return "–"
    text = f"{interval.mean:.3g}"
    if interval.low is not None and interval.low != interval.high:
        text += f" [{interval.low:.3g}, {interval.high:.3g}]"
    return text if interval.n == seeds else f"{text} ({interval.n} of {seeds} seeds)"


def p_text(p: float | None) -> str:
    """A p-value to two digits."""
    if p is None:
        return "–"
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def header(analysis: DatasetAnalysis) -> list[str]:
    """Names of the columns of `variant_row`."""
    first, *others = (score.name for score in analysis.metrics)
    arrow = "higher" if analysis.metrics[0].higher else "lower"
    return [
        "variant",
        f"{first}, final ({arrow} is better)",
        f"{first}, best",
        *(f"{name}, final" for name in others[:2]),
        "diverged",
        "collapsed",
        "p against the first",
    ]


def variant_row(analysis: DatasetAnalysis, index: int) -> list[str]:
    """The row of one variant, as text."""
    variant = analysis.variants[index]
    first, *others = (score.name for score in analysis.metrics)
    return [
        variant.result.cell.variant,
        interval_text(variant.final[first], variant.n),
        interval_text(variant.best[first], variant.n),
        *(interval_text(variant.final[name], variant.n) for name in others[:2]),
        share_text(variant.diverged, variant),
        share_text(variant.collapsed, variant),
        p_text(p_against_first(analysis, index)),
    ]


def share_text(count: int | None, variant: Summary) -> str:
    """A count of the seeds of a variant, such as "2/5"; a dash if it is not known."""
    return "–" if count is None else f"{count}/{variant.n}"


def p_against_first(analysis: DatasetAnalysis, index: int) -> float | None:
    """The adjusted p of a variant against the first one of the table."""
    found = (c.adjusted for c in analysis.comparisons if c.a == 0 and c.b == index)
    return next(found, None)


def markdown(analyses: Sequence[DatasetAnalysis]) -> str:
    """A table for each dataset, in Markdown."""
    parts = []
    for analysis in analyses:
        seeds = sorted({variant.n for variant in analysis.variants})
        parts.append(f"### {analysis.dataset}\n")
        if analysis.variants:
            names = header(analysis)
            order = f"; ordered by {analysis.metrics[0].name}"
            if analysis.metrics[0].kind.key in WHOLE:
                order += ", a score of the whole distribution"
            parts.append(f"{' or '.join(map(str, seeds))} seeds; mean [95 % interval]{order}.\n")
            parts.append("| " + " | ".join(names) + " |")
            parts.append("|---|" + "---:|" * (len(names) - 1))
            rows = (variant_row(analysis, i) for i in range(len(analysis.variants)))
            parts += ["| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |" for cells in rows]
        parts += [f"\nFailed: {result.cell.variant}: {result.error}" for result in analysis.failed]
        parts.append("")
    return "\n".join(parts)


def jsonl(results: Sequence[CellResult]) -> str:
    """A line of JSON for each cell, with the curves of all its seeds."""
    return "".join(json.dumps(result.to_json(), allow_nan=False) + "\n" for result in results)


def csv_text(results: Sequence[CellResult]) -> str:
    """A row of CSV for each seed; seeds of a failed cell have its error and no scores."""
    scores = {
        f"{when}_{name}"
        for result in results
        for outcome in result.outcomes
        for when, found in (("final", outcome.final), ("best", outcome.best or {}))
        for name in found
    }
    names = [*_AXES, "variant", "seed", "status", "diverged_at", "collapsed", *sorted(scores)]
    names += ["cell_seconds", "error", "cell"]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, names, lineterminator="\n")
    writer.writeheader()
    for result in results:
        cell = result.cell
        common = {axis: getattr(cell, axis) for axis in _AXES}
        common |= {"variant": cell.variant, "cell_seconds": round(result.seconds, 3), "cell": result.key}
        if result.failed:
            for seed in cell.seeds:
                writer.writerow({**common, "seed": seed, "status": "failed", "error": result.error})
        for outcome in result.outcomes:
            writer.writerow(
                {
                    **common,
                    "seed": outcome.seed,
                    "status": outcome.status,
                    "diverged_at": outcome.diverged_at,
                    "collapsed": collapsed(result, outcome),
                    **{f"final_{name}": value for name, value in outcome.final.items()},
                    **{f"best_{name}": value for name, value in (outcome.best or {}).items()},
                }
            )
    return buffer.getvalue()


def comparison_rows(analysis: DatasetAnalysis, most: int | None = None) -> list[list[str]]:
    """The pairs as text, smallest p first: a, b, difference, Cliff's delta, p, adjusted p, Mann-Whitney p."""
    order = sorted(analysis.comparisons, key=lambda c: (np.inf if c.p is None else c.p, -abs(c.delta)))
    names = [variant.result.cell.variant for variant in analysis.variants]
    return [
        [
            names[c.a],
            names[c.b],
            format_number(c.difference),
            f"{c.delta:+.2f}",
            p_text(c.p),
            p_text(c.adjusted),
            p_text(c.mann_whitney),
        ]
        for c in order[:most]
    ]


def comparisons_csv(analyses: Sequence[DatasetAnalysis]) -> str:
    """A row of CSV for each pair of variants of each dataset."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(
        ["dataset", "score", "test", "a", "b", "difference", "cliffs_delta", "p", "p_holm", "p_mann_whitney"]
    )
    for analysis in analyses:
        names = [variant.result.cell.variant for variant in analysis.variants]
        for c in analysis.comparisons:
            first = [analysis.dataset, analysis.metrics[0].name, analysis.test, names[c.a], names[c.b]]
            writer.writerow([*first, c.difference, c.delta, c.p, c.adjusted, c.mann_whitney])
    return buffer.getvalue()
