"""What several seeds amount to: means with intervals, and the report beside the members' own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxgan.common.files import write_atomically
from jaxgan.metrics.catalogue import kind_of
from jaxgan.report import plots
from jaxgan.report.card import facts, what
from jaxgan.report.html import Html, bar, details, figure, html, page, table, tag
from jaxgan.report.scores import (
    format_number,
    format_real,
    progress,
    protocol_of,
    reasons,
    why_missing,
    with_error,
)
from jaxgan.runs.folder import RunFolder
from jaxgan.runs.seeds import RECORD, member_folder

_Members = Mapping[int, RunFolder]


def _interval(entry: dict[str, Any] | None) -> str:
    """Mean and interval, rounded to two digits of its width, and of how many seeds where not of all."""
    if entry is None:
        return "–"
    low, high = entry["low"], entry["high"]
    if low is None:
        text = format_number(entry["mean"])
    else:
        half = (high - low) / 2
        shown = lambda value: with_error({"value": value, "error": half}).partition(" ±")[0]
        text = f"{shown(entry['mean'])} [{shown(low)}, {shown(high)}]" if half > 0 else shown(entry["mean"])
    return text if entry["n"] == entry["of"] else f"{text} ({entry['n']} of {entry['of']})"


def _same(summary: dict[str, Any]) -> bool:
    """Whether every best is the final one."""
    return all(entry["best"] == entry["final"] for entry in summary["scores"].values())


def _reasons(summary: dict[str, Any]) -> list[str]:
    """Why scores have no value of real data, one line a reason."""
    return reasons({name: why_missing({**entry, "value": 0.0}) for name, entry in summary["scores"].items()})


def summary_lines(summary: dict[str, Any]) -> list[str]:
    """The summary as text: one line a score."""
    width, best = max(map(len, summary["scores"]), default=0), not _same(summary)
    named = f"{'':{width}}  {'final':28} " + (f"{'best':28} " if best else "")
    lines = [f"{named}real data   (mean and 95 % interval over seeds)"] if summary["scores"] else []
    for name, entry in summary["scores"].items():
        values = f"{_interval(entry['final']):28} " + (f"{_interval(entry['best']):28} " if best else "")
        lines.append(f"{name:{width}}  {values}{format_real(entry['floor'])}")
    lines += _reasons(summary)
    if summary["diverged"]:
        lines.append(f"diverged: seeds {', '.join(map(str, summary['diverged']))}")
    return lines


def write_summary(folder: RunFolder, summary: dict[str, Any]) -> None:
    """Writes summary.json and report.html."""
    folder.write("summary.json", summary)
    record = folder.read(RECORD)
    members = {seed: member_folder(folder, seed) for seed in summary["seeds"]}
    text = page(
        folder.path.name,
        tag("h1", folder.path.name),
        _card(summary, record, members),
        _samples(members),
        _scores(summary, members) if summary["scores"] else None,
        _members(summary, members),
        _curves(summary["main"], members),
        tag("h2", "Reproduce"),
        tag("pre", record["command"]),
    )
    write_atomically(folder.report, text)


def _card(summary: dict[str, Any], record: dict[str, Any], members: _Members) -> Html:
    lost = summary["diverged"]
    n = f"{len(members)} seeds"
    gone = (
        f"{len(lost)} of {n} diverged: {', '.join(f'seed {seed}' for seed in lost)}."
        if lost
        else f"All {n} came to the end."
    )
    first = next(iter(members.values()))
    run, config, records = first.read("run.json"), first.read("config.json"), first.records()
    last = records[-1] if records else {"step": 0, "images": 0}
    main = summary["scores"].get(summary["main"])
    reached = None
    if main is not None and main["final"] is not None:
        reached = tag(
            "p",
            f"{summary['main']}: {_interval(main['final'])} at the end, mean and 95 % interval; real data get "
            f"{format_real(main['floor'])}; {kind_of(summary['main'], main).better} is better.",
        )
    each = {k: v for k, v in run.items() if k != "train_seconds"}
    return tag(
        "div",
        tag("p", tag("b", gone, class_="bad" if lost else "good")),
        tag("p", what(each, config, last).rstrip("."), f", each; in one program ({record['how']})."),
        reached,
        facts(run, config),
        class_="card",
    )


def _scores(summary: dict[str, Any], members: _Members) -> Html:
    best, before = not _same(summary), _untrained(members)
    rows, told = [], []
    for name, entry in summary["scores"].items():
        mean = None if entry["final"] is None else entry["final"]["mean"]
        kind = kind_of(name, entry)
        share = progress(kind, mean, entry["floor"], before.get(name))
        rows.append(
            (
                tag("b", name),
                _interval(entry["final"]),
                *([_interval(entry["best"])] if best else []),
                format_real(entry["floor"]),
                bar(share, "" if share is None else f"{share:.0%} of the way"),
                kind.better,
                kind.meaning,
            )
        )
        told.append((tag("b", name), protocol_of(entry), entry.get("protocol", "")))
    names = [
        "score",
        "final",
        *(["best"] if best else []),
        "real data",
        "untrained to real",
        "better",
        "meaning",
    ]
    notes = [f"{summary['interval'][:1].upper()}{summary['interval'][1:]}."]
    if best:
        notes.append(
            "Best: each member's own, the last checkpoint that noise cannot tell from its lowest main score on the way."
        )
    notes += _reasons(summary)
    return html(
        tag("h2", "Scores"),
        table(names, rows, numbers=range(1, 4 if best else 3)),
        [tag("p", note, class_="note") for note in notes],
        details("protocol", table(("score", "of", "settings"), told)),
    )


def _untrained(members: _Members) -> dict[str, float]:
    """What the first member with scores got before it was trained, by score."""
    for member in members.values():
        if (member.path / "scores.json").exists():
            found = (member.read("scores.json").get("untrained") or {}).get("scores", {})
            return {name: score["value"] for name, score in found.items() if score["value"] is not None}
    return {}


def _members(summary: dict[str, Any], members: _Members) -> Html:
    rows, names, lost = [], list(summary["scores"]), []
    for member in members.values():
        scored = (member.path / "scores.json").exists()
        final = member.read("scores.json")["final"]["scores"] if scored else {}
        link = tag("a", member.path.name, href=f"{member.path.name}/report.html")
        values = (with_error(final[name]) if name in final else "–" for name in names)
        status = member.read("run.json")["status"]
        lost += [len(rows)] if status == "diverged" else []
        rows.append((link, status, *values))
    head = ("run", "status", *names)
    return html(tag("h2", "Members"), table(head, rows, numbers=range(2, len(head)), marked=lost))


def _curves(main: str, members: _Members) -> Html | None:
    curves = {}
    for seed, member in members.items():
        scored = [r for r in member.records() if r.get("score") is not None]
        points = [(r["step"], r["score"]) for r in scored]
        main = scored[-1].get("score_name", main) if scored else main  # NAME@N of fewer fakes
        if points:
            curves[f"seed {seed}"] = tuple(map(list, zip(*points, strict=True)))
    if not curves:
        return None
    return html(tag("h2", "Curves"), plots.curves({f"{main} on the way": curves}, "generator steps"))


def _samples(members: _Members) -> Html | None:
    """The last grids, by their addresses beside the report."""
    figures = []
    for seed, member in members.items():
        grids, caption = member.pictures(), f"seed {seed}"
        if grids:
            figures.append(figure(f"{member.path.name}/samples/{grids[-1][1].name}", caption, caption))
    return html(tag("h2", "Samples"), tag("div", figures, class_="pair")) if figures else None
