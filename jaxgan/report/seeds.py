"""What several seeds amount to: means with intervals, and the report beside the members' own."""

from __future__ import annotations

import html
from typing import Any

from jaxgan.common.files import write_atomically
from jaxgan.metrics.catalogue import kind_of
from jaxgan.report import pictures
from jaxgan.report.html import page
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
    width = max(map(len, summary["scores"]))
    lines = [f"{'':{width}}  {'final':28} {'best':28} floor   (mean and 95 % interval over seeds)"]
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
    cells = "".join(
        f"<tr><td><b>{html.escape(name)}</b></td><td class=n>{_interval(e['final'])}</td>"
        f"<td class=n>{_interval(e['best'])}</td><td class=n>{format_number(e['floor'])}</td>"
        f"<td>{kind_of(name, e).better}</td></tr>"
        for name, e in summary["scores"].items()
    )
    rows, curves, figures = [], {}, []
    for seed in summary["seeds"]:
        member = member_folder(folder, seed)
        run, name = member.read("run.json"), member.path.name
        links = f'<a href="{name}/report.html">{name}</a>'
        scored = member.read("scores.json") if (member.path / "scores.json").exists() else None
        final = scored["final"]["scores"] if scored else {}
        values = "".join(
            f"<td class=n>{format_number(final.get(score, {}).get('value'))}</td>"
            for score in summary["scores"]
        )
        rows.append(f"<tr><td>{links}</td><td>{html.escape(run['status'])}</td>{values}</tr>")
        points = [(r["step"], r["score"]) for r in member.records() if r.get("score") is not None]
        if points:
            curves[f"seed {seed}"] = tuple(map(list, zip(*points, strict=True)))
        figures.append(_figure(member, f"seed {seed}"))
    head = "".join(f"<th class=n>{html.escape(name)}</th>" for name in summary["scores"])
    plot = pictures.curves({f"{summary['main']} on the way": curves}, "generator steps") if curves else ""
    body = (
        f"<h1>{html.escape(folder.path.name)}</h1>"
        f'<p class="lead">{len(summary["seeds"])} seeds, trained in one program ({html.escape(record["how"])}); '
        f"{len(summary['diverged'])} diverged</p>"
        "<h2>Scores</h2><table><tr><th>score</th><th class=n>final</th><th class=n>best</th><th class=n>floor</th>"
        f"<th>better</th></tr>{cells}</table><p><small>{html.escape(summary['interval'])}. Best: each member's own "
        "checkpoint with the lowest main score on the way.</small></p>"
        f"<h2>Members</h2><table><tr><th>run</th><th>status</th>{head}</tr>{''.join(rows)}</table>"
        f"<h2>Curves</h2>{plot}<h2>Samples</h2><div class=pair>{''.join(figures)}</div>"
        f"<h2>Reproduce</h2><pre>{html.escape(record['command'])}</pre>"
    )
    write_atomically(folder.report, page(folder.path.name, body))


def _figure(member: RunFolder, caption: str) -> str:
    grids = sorted(member.samples.glob("step-*.png"))
    if not grids:
        return ""
    source = f"{member.path.name}/samples/{grids[-1].name}"
    return f'<figure><img alt="{caption}" src="{source}"><figcaption>{caption}</figcaption></figure>'
