"""The report of a study: tables, plots and protocol in one HTML file that needs nothing but a browser."""

from __future__ import annotations

import base64
import html
import json
import pathlib
from collections.abc import Sequence

from jaxgan.common.files import write_atomically
from jaxgan.common.statistics import smallest_p
from jaxgan.study.analysis import DatasetAnalysis, analyse
from jaxgan.study.plots import draw_curves, draw_pairs, draw_samples, draw_scores
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

_STYLE = """
:root{color-scheme:light}body{font:15px/1.5 system-ui,sans-serif;max-width:1180px;margin:2rem auto;padding:0 1rem;
color:#1e293b;background:#fff}h1{font-size:1.6rem;margin:0}h2{font-size:1.25rem;margin:2.6rem 0 .6rem;
border-bottom:1px solid #e2e8f0}h3{font-size:1rem;margin:1.6rem 0 .4rem}p.lead{color:#475569;margin:.3rem 0 1rem}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.88em}th{vertical-align:bottom}
th,td{text-align:left;padding:.25rem .7rem .25rem 0;border-bottom:1px solid #eef2f6;font-variant-numeric:tabular-nums}
td.n,th.n{text-align:right;white-space:nowrap}th.n{white-space:normal}tr.bad td{color:#b91c1c}
small,.note{color:#64748b;font-size:.88em}
img{max-width:100%;height:auto}figure{margin:.6rem 0}figcaption{color:#64748b;font-size:.88em}
pre,code{background:#f1f5f9;border-radius:4px}pre{padding:.7rem;overflow:auto}code{padding:.1em .3em}li{margin:.2rem 0}
"""


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
        "pairs": draw_pairs(analysis) if 1 < len(analysis.variants) <= _MOST_VARIANTS_PLOTTED else None,
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
        f"{len(results)} cells, {seeds} runs; {diverged} runs diverged, {failed} cells failed; "
        f"{sum(result.seconds for result in results) / 60:.1f} minutes of training"
    )
    parts = [
        f'<h1>{html.escape(title)}</h1><p class="lead">{html.escape(lead)}</p>',
        *(_section(analysis, pictures[analysis.dataset]) for analysis in analyses),
        _failures(results),
        _protocol(analyses),
        _reproduction(results, command),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _section(analysis: DatasetAnalysis, pictures: dict[str, bytes]) -> str:
    name = html.escape(analysis.dataset)
    if not analysis.variants:
        return f"<h2>{name}</h2><p>No cell of it has scores.</p>"
    score = analysis.metrics[0].name
    rows = [variant_row(analysis, i) for i in range(len(analysis.variants))]
    bad = [2 * v.diverged >= v.n for v in analysis.variants]
    captions = {
        "scores": f"{score} of each seed (dots), mean and 95 % bootstrap interval at the end, mean at the best step "
        "(diamonds).",
        "curves": f"{score} on the way: mean over the seeds, band: 95 % bootstrap interval.",
        "samples": "Samples at the end, of the seed with the median score; grey: the data.",
        "pairs": "Cliff's delta of every pair, in the order of the table; a dot: adjusted p at most 0.05.",
    }
    figures = {
        key: f'<figure><img alt="{key} of {name}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
        f"<figcaption>{html.escape(captions[key])}</figcaption></figure>"
        for key, png in pictures.items()
    }
    return (
        f"<h2>{name}</h2>{_findings(analysis)}{_table(header(analysis), rows, bad)}"
        f"<p class=note>{_order(analysis)}</p>"
        f"{figures.get('scores', '')}{figures.get('curves', '')}{figures.get('samples', '')}"
        f"{_comparisons(analysis, figures.get('pairs', ''))}"
    )


def _findings(analysis: DatasetAnalysis) -> str:
    """The findings in a sentence or two."""
    first = analysis.variants[0]
    name, score = first.result.cell.variant, analysis.metrics[0].name
    text = (
        f"Best at the end: <b>{html.escape(name)}</b>, {score} {interval_text(first.final[score], first.n)}. "
    )
    rivals = [c for c in analysis.comparisons if c.a == 0]
    if rivals:
        level = [c for c in rivals if c.adjusted is None or c.adjusted > 0.05]
        apart = len(rivals) - len(level)
        text += f"It differs significantly (adjusted p at most 0.05) from {apart} of {len(rivals)} others."
    lost = [v for v in analysis.variants if v.diverged or v.collapsed]
    text += (
        f" {len(lost)} of {len(analysis.variants)} variants lost at least one seed to divergence or collapse."
    )
    return f"<p>{text}</p>"


def _order(analysis: DatasetAnalysis) -> str:
    by = "mean" if analysis.ordered_by == "mean" else "mean rank, as some seeds have no value"
    score = analysis.metrics[0].name
    return (
        f"Ordered by the {by} of the final {score}. Mean [95 % bootstrap interval] over the seeds. Rows in red: "
        "at least half of the seeds diverged. p compares a row with the first one, which these same data have "
        "put first, and is adjusted by Holm's method over all pairs."
    )


def _table(
    names: Sequence[str], rows: Sequence[Sequence[str]], bad: Sequence[bool] = (), text: int = 1
) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        kinds = ["" if i < text else " class=n" for i in range(len(cells))]
        return "".join(f"<{tag}{k}>{html.escape(c)}</{tag}>" for k, c in zip(kinds, cells, strict=True))

    marks = [*bad] or [False] * len(rows)
    body = "".join(
        f"<tr{' class=bad' if mark else ''}>{line(cells, 'td')}</tr>"
        for cells, mark in zip(rows, marks, strict=True)
    )
    return f'<div class="wide"><table><tr>{line(names, "th")}</tr>{body}</table></div>'


def _comparisons(analysis: DatasetAnalysis, figure: str) -> str:
    if not analysis.comparisons:
        return ""
    test = {"welch": "Welch's t-test", "mann_whitney": "Mann-Whitney test (exact up to 9 against 9)"}[
        analysis.test
    ]
    sizes = sorted({v.n for v in analysis.variants})
    n, pairs = sizes[0], len(analysis.comparisons)
    floor = smallest_p(n, n)
    names = ["a", "b", "difference of means", "Cliff's delta", "p", "p, Holm", "p, Mann-Whitney"]
    sure = sum(c.adjusted is not None and c.adjusted <= 0.05 for c in analysis.comparisons)
    text = (
        f"{test}, two-sided and unpaired, of the final {analysis.metrics[0].name}, adjusted for {pairs} pairs by "
        f"Holm's method: {sure} differ at the 5 % level. With {n} seeds each, the Mann-Whitney test cannot give less "
        f"than {floor:.2g} before adjustment"
        + (f", so on its own it could not tell any of {pairs} pairs apart." if floor * pairs > 0.05 else ".")
    )
    rows = comparison_rows(analysis, _MOST_PAIRS)
    shown = f"The {len(rows)} smallest of {pairs}; all are in comparisons.csv." if len(rows) < pairs else ""
    table = _table(names, rows, text=2)
    return f"<h3>Pairs</h3><p>{html.escape(text)}</p>{figure}{table}<p class=note>{shown}</p>"


def _failures(results: Sequence[CellResult]) -> str:
    found = [result for result in results if result.failed]
    items = "".join(
        f"<details><summary>{html.escape(result.cell.label)}: {html.escape(result.error or '')}</summary>"
        f"<pre>{html.escape(result.traceback or 'no traceback: the process died')}</pre></details>"
        for result in found
    )
    return f"<h2>Failed cells</h2>{items}" if found else ""


def _protocol(analyses: Sequence[DatasetAnalysis]) -> str:
    scores = {a.dataset: a.metrics[0] for a in analyses if a.metrics}
    named = "; ".join(
        f"{dataset}: {score.name}, {'higher' if score.higher else 'lower'} is better"
        for dataset, score in scores.items()
    )
    items = [
        f"Headline score: {named}. All scores are of the averaged (EMA) generator.",
        "Final is the last step. Best is, for each seed, the evaluated step with the lowest main score "
        "(sliced Wasserstein distance of points, Frechet distance of images): this flatters a variant in "
        "that score, though not always in others.",
        "A seed has diverged when a loss, a gradient norm or its main score was no longer finite. It is not "
        "dropped: at the end it counts as the worst value of the scale (0 for shares and counts). Where the "
        "scale has no end (distances), it takes the worst rank in orders and tests, and the mean is that of "
        "the other seeds, whose number is stated. Its best score is the best that it had before.",
        "A seed has collapsed when it ends with fewer than half of the mixture's modes, or of the classes.",
        "Intervals: percentile bootstrap of the mean over seeds, 95 % nominal, over all resamples of up to 9 "
        "seeds. For so few seeds they are too narrow: they cover the mean of 5 normal values in 84 % of "
        "cases, of 10 in 90 %.",
        "Pairs: Welch's t-test of the final headline if every seed has a value, otherwise the Mann-Whitney "
        "test; both are unpaired, as the same seed has little in common between variants. Holm's method over "
        "all pairs of a dataset keeps the chance of any false difference at 5 %. Cliff's delta is P(a better "
        "than b) - P(b better than a) over seeds.",
        "All variants have the same budget and the same other settings, and none was tuned: a variant that "
        "does badly here may do well with a learning rate of its own.",
    ]
    return "<h2>Protocol</h2><ul>" + "".join(f"<li>{html.escape(item)}</li>" for item in items) + "</ul>"


def _reproduction(results: Sequence[CellResult], command: str) -> str:
    environments: dict[str, int] = {}
    for result in results:
        if result.environment:
            known = {name: value for name, value in result.environment.items() if name != "date"}
            text = json.dumps(known, indent=1)
            environments[text] = environments.get(text, 0) + 1
    dates = sorted(result.environment["date"] for result in results if result.environment)
    when = f"<p>Trained from {dates[0]} to {dates[-1]}.</p>" if dates else ""
    machines = "".join(
        f"<details><summary>environment of {count} cells</summary><pre>{html.escape(text)}</pre></details>"
        for text, count in environments.items()
    )
    cells = [[result.cell.label, f"{result.seconds:.1f} s", result.status, result.key] for result in results]
    table = _table(["cell", "time", "status", "key"], cells)
    fields = "".join(
        f"<tr><td>{html.escape(result.cell.label)}</td><td>{html.escape(json.dumps(dict(result.cell.fields)))}</td></tr>"
        for result in results
    )
    return (
        f"<h2>Reproduce</h2><pre>{html.escape(command)}</pre>{when}{machines}"
        f"<details><summary>cells</summary>{table}</details>"
        f"<details><summary>fields of the cells, over their preset's</summary><table>{fields}</table></details>"
    )
