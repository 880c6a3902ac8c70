"""The report of a run: one HTML file that needs nothing but a browser, made at any time from the run's files."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from jaxgan.common.files import write_atomically
from jaxgan.health import diagnose, judge, looks
from jaxgan.metrics.catalogue import kind_of
from jaxgan.report import plots
from jaxgan.report.card import card, said, state_of
from jaxgan.report.html import (
    Html,
    bar,
    beside,
    data_url,
    details,
    entries,
    figure,
    html,
    lines,
    page,
    table,
    tag,
)
from jaxgan.report.scores import (
    Row,
    footnotes,
    format_number,
    held_out_line,
    protocol_of,
    score_rows,
    why_missing,
    with_error,
)
from jaxgan.report.watched import curves, health
from jaxgan.runs.folder import KINDS, RunFolder

_MAX_GRIDS = 16
_MAX_ROWS = 40  # that have their class beside them


def write_report(folder: RunFolder) -> pathlib.Path:
    """Writes report.html from the files of a run's folder, finished or not, and returns its path."""
    run, config, records = folder.read("run.json"), folder.read("config.json"), folder.records()
    has = lambda name: (folder.path / name).exists()
    scores = folder.read("scores.json") if has("scores.json") else None
    final = scores["final"]["scores"] if scores and scores["main"] else {}
    past = scores is not None and any(r["step"] > scores["final"]["step"] for r in records)  # the run went on
    reached, final = (None, {}) if past or not final else (scores, final)
    watched, looked = config.get("health", {}).get("enabled"), looks(records)
    last = records[-1] if records else {"step": 0, "images": 0}
    # the scores of an earlier end say nothing of a run that goes on
    of_now = scores is not None and scores["final"]["step"] >= last["step"]
    losses = {name for record in records for name in record if name.endswith("/loss")}
    judged = run.get("judged", not losses or "d/loss" in losses)  # which runs of version 0.1.0 do not say
    unread = run.get("unread", () if config.get("game", "gan") == "gan" else None)  # older runs do not say
    played = {"judged": judged, "unread": unread, "settings": config}
    before = ((scores or {}).get("untrained") or {}).get("scores")
    ending = judge(final, main=scores["main"], untrained=before, **played) if scores and of_now else []
    verdicts = ending + diagnose(records, **played) if watched else []
    classes = _class_names(run, config)
    text = page(
        folder.path.name,
        tag("h1", folder.path.name, state_of(run["status"])),
        card(said(run, config, last, reached, verdicts, looked), run, config, last, reached),
        _samples(folder, classes),
        _also(folder),
        _scores(scores, past=past) if scores and scores["main"] and scores["final"]["scores"] else None,
        health(
            records,
            verdicts,
            looked,
            endless=not run["data"]["n"],
            final=final if of_now else (),
            ended=of_now or run["status"] == "finished",
        )
        if watched
        else None,
        _evaluations(folder.read("evaluations.json")) if has("evaluations.json") else None,
        _film(folder, classes),
        curves(records),
        _reproduction(run, config),
    )
    write_atomically(folder.report, text)
    return folder.report


def _class_names(run: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """The names beside the rows of the grids, which have a row a class; empty where they have not."""
    data = run["data"]
    by_class = config.get("model", {}).get("conditional") and data.get("modality", "") not in _SHOWN
    n = data.get("n_classes", 0) if by_class else 0
    names = data.get("class_names") or [str(i) for i in range(n)]
    return list(map(str, names[:n])) if 0 < n <= _MAX_ROWS else []


# --- samples ---------------------------------------------------------------------------------------

_SHOWN = {
    "pair": "Input, output and what it should be, of images that are held out,",
    "translated image": "There and back: example, translation and the way back, in both directions,",
}
"""Modality -> what its pictures show."""


def _samples(folder: RunFolder, classes: Sequence[str]) -> Html | None:
    grids, reals, figures = folder.pictures(), folder.reals, []
    if grids:
        step, grid = grids[-1]
        kind = folder.read("run.json")["data"].get("modality", "")
        caption = f"{_SHOWN.get(kind, 'Generated')} at step {step:,}, by the averaged generator."
        figures.append(figure(data_url(grid.read_bytes()), caption, "generated", classes))
    if reals is not None:
        figures.append(figure(data_url(reals.read_bytes()), "Real.", "real", classes))
    return html(tag("h2", "Samples"), tag("div", figures, class_="pair")) if figures else None


def _also(folder: RunFolder) -> Html | None:
    """The last picture of each other kind."""
    figures = []
    for kind, says in KINDS.items():
        if grids := folder.pictures(kind):
            step, grid = grids[-1]
            figures.append(figure(data_url(grid.read_bytes()), f"{says} Step {step:,}.", kind))
    return html(tag("h2", "Encoding"), tag("div", figures, class_="pair")) if figures else None


def _film(folder: RunFolder, classes: Sequence[str]) -> Html | None:
    grids = folder.pictures()
    if len(grids) < 2:
        return None
    if len(grids) > _MAX_GRIDS:  # evenly, with both ends
        grids = [grids[round(i * (len(grids) - 1) / (_MAX_GRIDS - 1))] for i in range(_MAX_GRIDS)]
    frames = json.dumps([[f"step {step:,}", data_url(path.read_bytes())] for step, path in grids])
    last = len(grids) - 1
    return html(
        tag("h2", "Samples over time"),
        tag("input", type="range", id="t", min=0, max=last, value=last, aria_label="time"),
        tag(
            "figure",
            beside(tag("img", id="f", alt="samples over time"), classes),
            tag("figcaption", id="c"),
            class_="film",
        ),
        Html(
            f"<script>const F={frames.replace('<', chr(92) + 'u003c')},t=document.getElementById('t');"
            "function show(){const [c,s]=F[t.value];document.getElementById('f').src=s;"
            "document.getElementById('c').textContent=c}t.oninput=show;show()</script>"
        ),
    )


# --- scores ----------------------------------------------------------------------------------------


def _scores(scores: Mapping[str, Any], *, past: bool) -> Html:
    best, last = scores.get("best"), scores["final"]["step"]
    own = best is not None and best["step"] != last  # a best that is the final is not said twice
    rows = score_rows(scores)
    names = ["score", f"final (step {last:,})" if own else "value"]
    names += [f"best (step {best['step']:,})"] if own and best else []
    names += ["real data", "untrained to real", "better", "meaning"]
    body = [
        (
            tag("b", row.name),
            row.final,
            *([row.best] if own else []),
            _dash(row),
            bar(row.progress, f"{row.progress:.0%} of the way" if row.progress is not None else ""),
            row.better,
            row.meaning,
        )
        for row in rows
    ]
    note = (
        "Of the averaged (EMA) generator; ±: standard error, of these fakes alone. Real data: what held-out real data "
        "get in the generator's place."
    )
    if own:
        note += (
            f" Best: the last checkpoint whose {scores['main']} on the way, of other, mostly fewer fakes, noise cannot "
            "tell from the lowest, scored again here."
        )
    return html(
        tag("h2", "Scores"),
        tag("p", f"Of step {last:,}, from which the run has gone on since.") if past else None,
        table(names, body, numbers=range(1, 4 if own else 3)),
        [tag("p", text, class_="note") for text in (note, *footnotes(rows))],
        tag("p", f"{held_out[:1].upper()}{held_out[1:]}.")
        if (held_out := held_out_line(scores["final"]))
        else None,
        _protocol(rows, scores),
        _classes(scores),
    )


def _dash(row: Row) -> object:
    """What real data get, or a dash that says why there is none."""
    return tag("span", row.real, title=row.why) if row.why else row.real


def _protocol(rows: Sequence[Row], scores: Mapping[str, Any]) -> Html:
    """How the scores were computed, folded away."""
    final = scores["final"]["scores"]
    told = [(tag("b", row.name), row.protocol, final[row.name].get("protocol", "")) for row in rows]
    before = scores.get("untrained")
    n = max((s["n_fake"] for s in before["scores"].values()), default=0) if before else 0
    bars = (
        f"The bars go from what the first weights got, of {n:,} fakes, to what real data get"
        if n
        else "The bars go from the worst value that there is to what real data get"
    )
    return details(
        "protocol",
        tag("p", "±: standard error, of these fakes alone. ", bars, "; distances on a logarithmic scale."),
        table(("score", "of", "settings"), told),
    )


def _classes(scores: Mapping[str, Any]) -> Html | None:
    histogram = scores["final"].get("class_histogram")
    if not histogram:
        return None
    names = scores.get("class_names") or []
    named = [str(names[i]) if i < len(names) else str(i) for i in range(len(histogram))]
    unique = [name if named.count(name) == 1 else f"{name} ({i})" for i, name in enumerate(named)]
    return plots.histogram(dict(zip(unique, histogram, strict=True)))


def _evaluations(evaluations: list[dict[str, Any]]) -> Html:
    """What `jaxgan evaluate` has found since the training."""
    rows, told = [], []
    for entry in evaluations:
        step = f"{entry['final']['step']:,}"
        for name, s in entry["final"]["scores"].items():
            kind, real = kind_of(name, s), format_number(s["floor"])
            cell = tag("span", real, title=why) if (why := why_missing(s)) else real
            rows.append(
                (
                    lines([step, tag("small", entry["date"])]),
                    tag("b", name),
                    with_error(s),
                    cell,
                    kind.better,
                    kind.meaning,
                )
            )
            told.append((step, tag("b", name), protocol_of(s), s.get("protocol", "")))
    names = ["step", "score", "value", "real data", "better", "meaning"]
    return html(
        tag("h2", "Evaluations"),
        table(names, rows, numbers=(2, 3)),
        details("protocol", table(("step", "score", "of", "settings"), told)),
    )


# --- how it can be done again ------------------------------------------------------------------------


def _reproduction(run: Mapping[str, Any], config: Mapping[str, Any]) -> Html:
    return html(
        tag("h2", "Reproduce"),
        tag("pre", run["command"]),
        details("configuration", entries(config)),
        details("data", entries(run["data"])),
        details("environment", entries(run["environment"])),
    )
