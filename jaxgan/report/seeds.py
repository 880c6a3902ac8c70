"""What several seeds amount to: means with intervals, and the report beside the members' own."""

from __future__ import annotations

from typing import Any

from jaxgan.common.files import write_atomically
from jaxgan.report import pictures
from jaxgan.report.html import Html, figure, html, page, table, tag
from jaxgan.report.scores import format_number
from jaxgan.runs.folder import RunFolder
from jaxgan.runs.seeds import RECORD, member_folder


def _interval(entry: dict[str, Any] | None) -> str:
    """Mean and interval, and of how many seeds where not of all."""
    if entry is None:
        return "–"
    text = format_number(entry["mean"])
    if entry["low"] is not None:
        text += f" [{format_number(entry['low'])}, {format_number(entry['high'])}]"
    return text if entry["n"] == entry["of"] else f"{text} ({entry['n']} of {entry['of']})"


def summary_lines(summary: dict[str, Any]) -> list[str]:
    """The summary as text: one line a score."""
    width = max(map(len, summary["scores"]), default=0)
    lines = (
        []
        if not summary["scores"]
        else [f"{'':{width}}  {'final':28} {'best':28} floor   (mean and 95 % interval over seeds)"]
    )
    lines += [
        f"{name:{width}}  {_interval(entry['final']):28} {_interval(entry['best']):28} {format_number(entry['floor'])}"
        for name, entry in summary["scores"].items()
    ]
    if summary["diverged"]:
        lines.append(f"diverged: seeds {', '.join(map(str, summary['diverged']))}")
    return lines


def write_summary(folder: RunFolder, summary: dict[str, Any]) -> None:
    """Writes summary.json and report.html."""
    folder.write("summary.json", summary)
    record = folder.read(RECORD)
    members = {seed: member_folder(folder, seed) for seed in summary["seeds"]}
    lead = (
        f"{len(members)} seeds, trained in one program ({record['how']}); {len(summary['diverged'])} diverged"
    )
    text = page(
        folder.path.name,
        tag("h1", folder.path.name),
        tag("p", lead, class_="lead"),
        _scores(summary),
        _members(summary, members),
        _curves(summary["main"], members),
        _samples(members),
        tag("h2", "Reproduce"),
        tag("pre", record["command"]),
    )
    write_atomically(folder.report, text)


def _scores(summary: dict[str, Any]) -> Html:
    rows = [
        (
            tag("b", name),
            _interval(entry["final"]),
            _interval(entry["best"]),
            format_number(entry["floor"]),
            entry["better"],
        )
        for name, entry in summary["scores"].items()
    ]
    note = f"{summary['interval']}. Best: each member's own, by the main score on the way."
    return html(
        tag("h2", "Scores"),
        table(("score", "final", "best", "floor", "better"), rows, numbers=range(1, 4)),
        tag("p", note[0].upper() + note[1:], class_="note"),
    )


def _members(summary: dict[str, Any], members: dict[int, RunFolder]) -> Html:
    rows, names = [], list(summary["scores"])
    for member in members.values():
        scored = (member.path / "scores.json").exists()
        final = member.read("scores.json")["final"]["scores"] if scored else {}
        link = tag("a", member.path.name, href=f"{member.path.name}/report.html")
        values = (format_number(final.get(name, {}).get("value")) for name in names)
        rows.append((link, member.read("run.json")["status"], *values))
    head = ("run", "status", *names)
    return html(tag("h2", "Members"), table(head, rows, numbers=range(2, len(head))))


def _curves(main: str, members: dict[int, RunFolder]) -> Html | None:
    curves = {}
    for seed, member in members.items():
        scored = [r for r in member.records() if r.get("score") is not None]
        points = [(r["step"], r["score"]) for r in scored]
        main = scored[-1].get("score_name", main) if scored else main  # NAME@N of fewer fakes
        if points:
            curves[f"seed {seed}"] = tuple(map(list, zip(*points, strict=True)))
    if not curves:
        return None
    plot = pictures.curves({f"{main} on the way": curves}, "generator steps")
    return html(tag("h2", "Curves"), Html(plot))


def _samples(members: dict[int, RunFolder]) -> Html | None:
    """The last grids, by their addresses beside the report."""
    figures = []
    for seed, member in members.items():
        grids, caption = sorted(member.samples.glob("step-*.png")), f"seed {seed}"
        if grids:
            figures.append(figure(f"{member.path.name}/samples/{grids[-1].name}", caption, caption))
    return html(tag("h2", "Samples"), tag("div", figures, class_="pair")) if figures else None
