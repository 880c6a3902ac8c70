"""The report of a study: tables, plots and protocol in one HTML file that needs nothing but a browser."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Sequence

from jaxgan.common.files import write_atomically
from jaxgan.common.progress import duration
from jaxgan.common.statistics import smallest_p
from jaxgan.common.user_files import short_name
from jaxgan.report.html import Html, chips, data_url, details, figure, html, page, table, tag
from jaxgan.study.analysis import WHOLE, DatasetAnalysis, analyse
from jaxgan.study.plots import curve_name, draw_curves, draw_pairs, draw_samples, draw_scores
from jaxgan.study.results import CellResult, Store
from jaxgan.study.tables import (
    comparison_rows,
    comparisons_csv,
    csv_text,
    header,
    interval_text,
    jsonl,
    markdown,
    variant_row,
)

_MOST_PAIRS = 20  # of the page; all are in comparisons.csv
_MOST_VARIANTS_PLOTTED = 60  # against each other


def write_outputs(
    results: Sequence[CellResult], out: pathlib.Path, *, title: str, command: str, test: str = "auto"
) -> list[pathlib.Path]:
    """Writes the results of a study: tables, plots and the report.

    Args:
      results: of all cells.
      out: folder of the study, with its cells/.
      title: of the report.
      command: that ran the study.
      test: of pairs of variants, as `analyse` takes it.

    Returns:
      Paths of summary.md, results.csv, results.jsonl, comparisons.csv, the plots and report.html.
    """
    analyses = analyse(results, test)
    files: dict[str, str | bytes] = {
        "summary.md": markdown(analyses),
        "results.csv": csv_text(results),
        "results.jsonl": jsonl(results),
        "comparisons.csv": comparisons_csv(analyses),
    }
    pictures: dict[str, dict[str, bytes]] = {}
    for analysis in analyses:
        made = pictures[analysis.dataset] = _plots(analysis, Store(out / "cells"))
        files |= {f"plots/{analysis.dataset}-{name}.png": picture for name, picture in made.items()}
    files["report.html"] = _page(results, analyses, pictures, title, command)
    for name, content in files.items():
        write_atomically(out / name, content)
    return [out / name for name in files]


def _plots(analysis: DatasetAnalysis, store: Store) -> dict[str, bytes]:
    if not analysis.variants:
        return {}
    made = {
        "scores": draw_scores(analysis),
        "curves": draw_curves(analysis),
        "samples": draw_samples(analysis, store),
        "pairs": draw_pairs(analysis) if 2 < len(analysis.variants) <= _MOST_VARIANTS_PLOTTED else None,
    }
    return {name: picture for name, picture in made.items() if picture is not None}


def _page(
    results: Sequence[CellResult],
    analyses: Sequence[DatasetAnalysis],
    pictures: dict[str, dict[str, bytes]],
    title: str,
    command: str,
) -> str:
    failed = sum(result.failed for result in results)
    seeds = sum(len(result.cell.seeds) for result in results)
    diverged = sum(outcome.diverged for result in results for outcome in result.outcomes)
    lead = (
        f"{len(results)} cells, {seeds} runs, {duration(sum(result.seconds for result in results))} of training; "
        f"{diverged} runs diverged, {failed} cells failed."
    )
    return page(
        title,
        tag("h1", title),
        tag(
            "div",
            [_findings(analysis, named=len(analyses) > 1) for analysis in analyses if analysis.variants],
            tag("p", lead, class_="bad" if failed else "note"),
            _chips(results),
            class_="card",
        ),
        [_section(analysis, pictures[analysis.dataset]) for analysis in analyses],
        _failures(results),
        _protocol(analyses),
        _reproduction(results, command),
    )


def _section(analysis: DatasetAnalysis, pictures: dict[str, bytes]) -> Html:
    if not analysis.variants:
        return html(tag("h2", analysis.dataset), tag("p", "No cell of it has scores."))
    score = analysis.metrics[0].name
    rows = [variant_row(analysis, i) for i in range(len(analysis.variants))]
    lost = [i for i, variant in enumerate(analysis.variants) if 2 * variant.diverged >= variant.n]
    on_the_way = curve_name(analysis.variants[0].result, analysis.metrics[0])
    captions = {
        "scores": f"{score} of each seed (dots), mean and 95 % interval at the end, mean at the best step "
        "(diamonds).",
        "curves": f"{on_the_way} on the way: mean over the seeds, band: 95 % interval.",
        "samples": "Samples at the end, of the seed with the median score; grey: the data.",
        "pairs": "Cliff's delta of every pair, in the order of the table; a dot: adjusted p at most 0.05.",
    }
    figures = {
        key: figure(data_url(png), captions[key], f"{key} of {analysis.dataset}", scrolls=True)
        for key, png in pictures.items()
    }
    names = header(analysis)
    return html(
        tag("h2", analysis.dataset),
        tag("p", _order(analysis)),
        table(names, rows, numbers=range(1, len(names)), marked=lost),
        tag("p", _reading(), class_="note"),
        [figures.get(key) for key in ("scores", "curves", "samples")],
        _comparisons(analysis, figures.get("pairs")),
    )


def _chips(results: Sequence[CellResult]) -> Html:
    """What was varied, and over how many seeds."""
    values: dict[str, object] = {}
    for axis, many in (
        ("dataset", "datasets"),
        ("loss", "losses"),
        ("penalty", "penalties"),
        ("dynamics", "dynamics"),
    ):
        found = list(dict.fromkeys(short_name(getattr(result.cell, axis)) for result in results))
        few = len(found) <= 3
        values[axis if few else many] = ", ".join(found) if few else len(found)
    values["seeds"] = " or ".join(map(str, sorted({len(result.cell.seeds) for result in results})))
    return chips(values)


def _findings(analysis: DatasetAnalysis, *, named: bool) -> Html:
    """The findings in a sentence or two."""
    first = analysis.variants[0]
    name, score = first.result.cell.variant, analysis.metrics[0].name
    text = f", {score} {interval_text(first.final[score], first.n)}."
    rivals = [c for c in analysis.comparisons if c.a == 0]
    if rivals:
        apart = sum(c.adjusted is not None and c.adjusted <= 0.05 for c in rivals)
        text += f" It differs significantly (adjusted p at most 0.05) from {apart} of {len(rivals)} others."
    lost = sum(bool(variant.diverged or variant.collapsed) for variant in analysis.variants)
    text += f" {lost} of {len(analysis.variants)} variants lost at least one seed to divergence or collapse."
    where = f" of {analysis.dataset}" if named else ""
    return tag("p", f"Best{where} at the end: ", tag("b", name), text)


def _order(analysis: DatasetAnalysis) -> str:
    by = analysis.ordered_by
    why = "" if by == "mean" else " (not the mean, as seeds that diverged have no value)"
    score = analysis.metrics[0]
    whole = ""
    if score.kind.key in WHOLE:
        whole = f" It is of the whole distribution ({score.kind.meaning}), so that dropping modes cannot win."
    return f"Ordered by the {by} of the final {score.name}{why}.{whole}"


def _reading() -> str:
    return (
        "Mean [95 % interval] over the seeds. Rows in red: at least half of the seeds diverged. p compares a "
        "row with the first one, which these same data have put first, and is adjusted by Holm's method over all "
        "pairs. –: no seed has a value, or there is one seed only."
    )


def _comparisons(analysis: DatasetAnalysis, plot: Html | None) -> Html | None:
    if not analysis.comparisons:
        return None
    tests = {"welch": "Welch's t-test", "mann_whitney": "Mann-Whitney test (exact up to 9 against 9)"}
    n, pairs = min(variant.n for variant in analysis.variants), len(analysis.comparisons)
    floor = smallest_p(n, n)
    sure = sum(c.adjusted is not None and c.adjusted <= 0.05 for c in analysis.comparisons)
    text = (
        f"{tests[analysis.test]}, two-sided and unpaired, of the final {analysis.metrics[0].name}, adjusted for "
        f"{pairs} pairs by Holm's method: {sure} differ at the 5 % level. With {n} seeds each, the Mann-Whitney test "
        f"cannot give less than {floor:.2g} before adjustment"
        + (f", so on its own it could not tell any of {pairs} pairs apart." if floor * pairs > 0.05 else ".")
    )
    rows = comparison_rows(analysis, _MOST_PAIRS)
    shown = f"The {len(rows)} smallest of {pairs}; all are in comparisons.csv." if len(rows) < pairs else None
    names = ("a", "b", "difference of means", "Cliff's delta", "p", "p, Holm", "p, Mann-Whitney")
    return html(
        tag("h3", "Pairs"),
        tag("p", text),
        plot,
        table(names, rows, numbers=range(2, len(names))),
        tag("p", shown, class_="note") if shown else None,
    )


def _failures(results: Sequence[CellResult]) -> Html | None:
    found = [
        details(
            f"{result.cell.label}: {result.error or ''}",
            tag("pre", result.traceback or "no traceback: the process died"),
        )
        for result in results
        if result.failed
    ]
    return html(tag("h2", "Failed cells"), found) if found else None


def _protocol(analyses: Sequence[DatasetAnalysis]) -> Html:
    scores = {a.dataset: a.metrics[0] for a in analyses if a.metrics}
    named = "; ".join(
        f"{dataset}: {score.name}, {'higher' if score.higher else 'lower'} is better"
        for dataset, score in scores.items()
    )
    items = [
        f"Headline score: {named}. All scores are of the averaged (EMA) generator.",
        "Final is the last step. Best is, for each seed, the last evaluated step whose main score (mode_kl of "
        "mixtures, Frechet distance of images) is not higher than the lowest by more than its noise.",
        "A seed has diverged when a loss, a gradient norm or its main score was no longer finite. It is not "
        "dropped: at the end it counts as the worst value of the scale (0 for shares and counts). Where the "
        "scale has no end (distances), it takes the worst rank in orders and tests, and the mean is that of "
        "the other seeds, whose number is stated. Its best score is the best that it had before.",
        "A seed has collapsed when it ends with fewer than half of the mixture's modes, or of the classes.",
        "Intervals: 95 %, of the mean over seeds, by Student's t, which covers as often for 3 seeds as for many.",
        "Pairs: Welch's t-test of the final headline if every seed has a value, otherwise the Mann-Whitney "
        "test; both are unpaired, as the same seed has little in common between variants. Holm's method over "
        "all pairs of a dataset keeps the chance of any false difference at 5 %. Cliff's delta is P(a better "
        "than b) - P(b better than a) over seeds.",
        "All variants have the same budget and the same other settings, and none was tuned: a variant that "
        "does badly here may do well with a learning rate of its own.",
    ]
    return html(
        tag("h2", "Protocol"),
        details("how it was scored and compared", tag("ul", [tag("li", item) for item in items])),
    )


def _reproduction(results: Sequence[CellResult], command: str) -> Html:
    environments: dict[str, int] = {}
    for result in results:
        if result.environment:
            known = {name: value for name, value in result.environment.items() if name != "date"}
            text = json.dumps(known, indent=1)
            environments[text] = environments.get(text, 0) + 1
    dates = sorted(result.environment["date"] for result in results if "date" in result.environment)
    cells = [(result.cell.label, f"{result.seconds:.1f} s", result.status, result.key) for result in results]
    fields = [(result.cell.label, json.dumps(dict(result.cell.fields))) for result in results]
    return html(
        tag("h2", "Reproduce"),
        tag("pre", command) if command else None,
        tag("p", f"Trained from {dates[0]} to {dates[-1]}.") if dates else None,
        [details(f"environment of {n} cells", tag("pre", text)) for text, n in environments.items()],
        details("cells", table(("cell", "time", "status", "key"), cells, numbers=(1,))),
        details("fields of the cells, over their preset's", table((), fields)),
    )
