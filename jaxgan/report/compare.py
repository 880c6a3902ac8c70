"""Runs side by side: one HTML file that needs nothing but a browser."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jaxgan.common.errors import InputError
from jaxgan.common.files import write_atomically
from jaxgan.common.progress import clock
from jaxgan.metrics.catalogue import kind_of
from jaxgan.report import plots
from jaxgan.report.html import Html, data_url, figure, html, page, table, tag
from jaxgan.report.scores import format_number, reasons, why_missing
from jaxgan.runs.folder import RunFolder
from jaxgan.runs.listing import Summary, summary_of
from jaxgan.runs.seeds import RECORD, member_folder

_WIDTH = 1.96  # of a normal distribution's 95 % interval, in standard errors
_PANELS = ("score", "d/loss", "g/loss", "d/accuracy")


@dataclass(frozen=True)
class _Run:
    """A run on the page.

    Attributes:
      name: that no other has.
      summary: it in a line.
      shown: its folder, or that of its first member.
      config: of that.
      records: of that.
      scores: name -> (value, low, high, the entry of scores.json or summary.json).
    """

    name: str
    summary: Summary
    shown: RunFolder
    config: Mapping[str, Any]
    records: Sequence[Mapping[str, Any]]
    scores: Mapping[str, tuple[float | None, float | None, float | None, Mapping[str, Any]]]


def write_comparison(folders: Sequence[RunFolder], out: pathlib.Path) -> None:
    """Writes a page with samples, what differs, curves on one axis, and final scores with intervals.

    Args:
      folders: of runs, of one seed or of several.
      out: the page.

    Raises:
      InputError: if one of them cannot be read.
    """
    names = _names([folder.path for folder in folders])
    runs = [_opened(folder, name) for folder, name in zip(folders, names, strict=True)]
    text = page(
        " and ".join(names) if len(names) < 4 else f"{len(names)} runs",
        tag("h1", "Runs compared"),
        _overview(runs),
        _samples(runs),
        _scores(runs),
        _changed(runs),
        _curves(runs),
    )
    write_atomically(out, text)


def _names(paths: Sequence[pathlib.Path]) -> list[str]:
    """What tells the folders apart: their names, with the folders around them as far as needed."""
    whole = [path.resolve() for path in paths]
    for depth in range(1, max(len(path.parts) for path in whole) + 1):
        names = ["/".join(path.parts[-depth:]) for path in whole]
        if len(set(names)) == len(names):
            return names
    raise InputError(f"runs: expected different runs, got {', '.join(map(str, paths))}")


def _opened(folder: RunFolder, name: str) -> _Run:
    several = (folder.path / RECORD).is_file()
    shown = member_folder(folder, folder.read(RECORD)["seeds"][0]) if several else folder
    config, records = shown.read("config.json"), shown.records()
    summary = summary_of(folder.path)
    if summary.state.startswith("damaged"):
        raise InputError(f"run: {summary.state.removeprefix('damaged: ')}")
    scores = _of_seeds(folder) if several else _of_one(folder, records)
    return _Run(name, summary, shown, config, records, scores)


def _of_one(folder: RunFolder, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if not (folder.path / "scores.json").exists():
        return {}
    found, final = {}, folder.read("scores.json")["final"]
    if any(record["step"] > final["step"] for record in records):  # the run went on: these are not its last
        return {}
    for name, score in final["scores"].items():
        value, error = score["value"], score.get("error")
        if value is None or error is None:
            found[name] = value, None, None, score
        else:
            found[name] = value, value - _WIDTH * error, value + _WIDTH * error, score
    return found


def _of_seeds(folder: RunFolder) -> dict[str, Any]:
    if not (folder.path / "summary.json").exists():
        return {}
    entries = folder.read("summary.json")["scores"]
    return {
        name: (entry["final"]["mean"], entry["final"]["low"], entry["final"]["high"], entry)
        for name, entry in entries.items()
        if entry["final"] is not None
    }


def _overview(runs: Sequence[_Run]) -> Html:
    rows = []
    for run in runs:
        s = run.summary
        seconds = "–" if s.seconds is None else clock(s.seconds)
        seeds = f" ({s.seeds} seeds)" if s.seeds > 1 else ""
        done = f"{s.step:,} of {s.steps:,}"
        rows.append((tag("b", run.name, seeds), s.data, s.network, s.loss, done, s.state, seconds))
    return table(("run", "data", "network", "loss", "steps", "state", "time"), rows, numbers=(4, 6))


def _samples(runs: Sequence[_Run]) -> Html | None:
    """The last grid of each, and the reals of each kind of data."""
    figures, reals = [], {}
    for run in runs:
        grids, real = run.shown.pictures(), run.shown.reals
        if real is not None:
            reals.setdefault(real.read_bytes(), run.summary.data)
        if grids:
            step, grid = grids[-1]
            caption = f"{run.name}, step {step:,}"
            figures.append(figure(data_url(grid.read_bytes()), caption, caption))
    figures += [figure(data_url(png), f"real: {name}", f"real: {name}") for png, name in reals.items()]
    return html(tag("h2", "Samples"), tag("div", figures, class_="pair")) if figures else None


def _scores(runs: Sequence[_Run]) -> Html | None:
    """Final scores; an interval is of the fakes' luck, or over seeds."""
    names = list(dict.fromkeys(name for run in runs for name in run.scores))
    if not names:
        return None
    rows, differing = [], []
    for name in names:
        entries = [run.scores[name][3] for run in runs if name in run.scores]
        kind = kind_of(name, entries[0])
        if len({(e["features"], e["n_fake"], e["n_real"], e.get("split")) for e in entries}) > 1:
            differing.append(name)
        cells = [_interval(run.scores.get(name)) for run in runs]
        rows.append((tag("b", name), *cells, format_number(entries[0]["floor"]), kind.better, kind.meaning))
    head = ("score", *(run.name for run in runs), "real data", "better", "meaning")
    notes = [
        "Of the averaged generators at the last step, with 95 % intervals: of one seed, of the fakes' luck alone, "
        "which says nothing of other seeds; of several, of the mean over seeds. Real data: what held-out real data "
        "get in the generator's place, by the first run."
    ]
    if differing:
        notes.append(f"Of different protocols, and so not to be compared: {', '.join(differing)}.")
    firsts = {name: next(run.scores[name][3] for run in runs if name in run.scores) for name in names}
    notes += reasons({name: why_missing({**entry, "value": 0.0}) for name, entry in firsts.items()})
    said = [tag("p", note, class_="note") for note in notes]
    return html(tag("h2", "Scores"), table(head, rows, numbers=range(1, len(runs) + 2)), said)


def _interval(score: tuple[float | None, float | None, float | None, Any] | None) -> str:
    if score is None:
        return "–"
    value, low, high, _ = score
    return format_number(value) + (
        "" if low is None or low == high else f" [{format_number(low)}, {format_number(high)}]"
    )


def _changed(runs: Sequence[_Run]) -> Html:
    """The fields of the configurations that are not the same in all runs."""
    flat = [dict(_flat(run.config)) for run in runs]
    names = list(dict.fromkeys(name for fields in flat for name in fields))
    rows = [
        (name, *values)
        for name in names
        if name not in ("out", "preset") and len(set(values := [_text(fields, name) for fields in flat])) > 1
    ]
    shown = (
        table(("field", *(run.name for run in runs)), rows)
        if rows
        else tag("p", "All settings are the same.")
    )
    return html(tag("h2", "What differs"), shown)


def _flat(plain: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found = []
    for name, value in plain.items():
        found += _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [(prefix + name, value)]
    return found


def _text(fields: Mapping[str, Any], name: str) -> str:
    return str(fields[name]) if name in fields else "–"


def _curves(runs: Sequence[_Run]) -> Html | None:
    """What most runs record, one panel a number and one line a run; scores of different names are different numbers."""
    panels: dict[str, dict[str, Any]] = {}
    for name in _PANELS:
        for run in runs:
            pairs = [(r["step"], r[name]) for r in run.records if r.get(name) is not None]
            if pairs:
                called = next((r["score_name"] for r in reversed(run.records) if "score_name" in r), "score")
                panel = f"{called} on the way" if name == "score" else name
                panels.setdefault(panel, {})[run.name] = tuple(map(list, zip(*pairs, strict=True)))
    if not panels:
        return None
    return html(tag("h2", "Curves"), plots.curves(panels, "generator steps"))
