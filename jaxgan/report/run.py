"""The report of a run: one HTML file that needs nothing but a browser."""

from __future__ import annotations

import html
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from jaxgan.common.files import write_atomically
from jaxgan.health import MONITORS, diagnose
from jaxgan.metrics.catalogue import SCORES, kind_of
from jaxgan.report import pictures
from jaxgan.report.html import _flat, _image, _table, page
from jaxgan.report.scores import format_number, score_rows, with_error
from jaxgan.runs.folder import RunFolder

_MAX_GRIDS = 16


def write_report(folder: RunFolder) -> pathlib.Path:
    """Writes report.html from the files of a run's folder, finished or not, and returns its path."""
    run, config = folder.read("run.json"), folder.read("config.json")
    records = folder.records()
    scores = folder.read("scores.json") if (folder.path / "scores.json").exists() else None
    parts = [
        _header(folder, run, config, records),
        _pictures(folder),
        _scores(scores) if scores else "",
        _health(records, bool(run["data"]["n"])) if config.get("health", {}).get("enabled") else "",
        _evaluations(folder),
        _film(folder),
        _curves(records),
        _reproduction(run, config),
    ]
    write_atomically(folder.report, page(folder.path.name, "".join(parts)))
    return folder.report


def _header(folder: RunFolder, run: Mapping[str, Any], config: Mapping[str, Any], records: list[Any]) -> str:
    data = run["data"]
    last = records[-1] if records else {"step": 0, "images": 0}
    seconds = run.get("train_seconds")
    size = (
        f"{data['n']:,} examples of shape {'x'.join(map(str, data['shape']))}"
        if data["n"]
        else "sampled points"
    )
    skipped = f", {data['skipped']} broken files left out" if data.get("skipped") else ""
    facts = [
        f"{last['step']:,} generator steps, {last['images']:,} images shown to the discriminator",
        f"data: {data['name']} ({size}{skipped})",
        *([f"trained for {seconds:.0f} s on {', '.join(run['environment']['devices'])}"] if seconds else []),
    ]
    status = run["status"]
    state = "" if status == "finished" else f' <span class="bad">({html.escape(status)})</span>'
    note = f'<p class="bad">{html.escape(run["error"])}</p>' if run.get("error") else ""
    return (
        f"<h1>{html.escape(folder.path.name)}{state}</h1>"
        f'<p class="lead">{"<br>".join(html.escape(fact) for fact in facts)}</p>{note}'
    )


def _grids(folder: RunFolder) -> list[pathlib.Path]:
    return sorted(folder.samples.glob("step-*.png"))


def _step(path: pathlib.Path) -> int:
    return int(path.stem.removeprefix("step-"))


def _pictures(folder: RunFolder) -> str:
    grids, reals = _grids(folder), folder.samples / "reals.png"
    figures = []
    if grids:
        caption = f"generated, step {_step(grids[-1]):,} (averaged generator, fixed latents)"
        figures.append(
            f'<figure><img alt="generated" src="{_image(grids[-1])}"><figcaption>{caption}</figcaption></figure>'
        )
    if reals.exists():
        figures.append(
            f'<figure><img alt="real" src="{_image(reals)}"><figcaption>real</figcaption></figure>'
        )
    return f'<h2>Samples</h2><div class="pair">{"".join(figures)}</div>' if figures else ""


def _scores(scores: Mapping[str, Any]) -> str:
    best = scores.get("best")
    head = f"<th>score</th><th class=n>final (step {scores['final']['step']:,})</th>"
    head += f"<th class=n>best (step {best['step']:,})</th>" if best else "<th class=n>best</th>"
    head += "<th class=n>floor</th><th>better</th><th>meaning</th>"
    body = "".join(
        f"<tr><td><b>{html.escape(name)}</b></td><td class=n>{final}</td><td class=n>{top}</td>"
        f"<td class=n>{floor}</td><td>{better}</td>"
        f"<td>{html.escape(meaning)}<br><small>{html.escape(protocol)}</small></td></tr>"
        for name, final, top, floor, better, meaning, protocol in score_rows(scores)
    )
    note = (
        "Of the averaged (EMA) generator; ±: standard error, of these fakes alone. The floor is what real held-out "
        "data gets in the generator's place. "
        f"The best checkpoint is the one with the lowest {html.escape(scores['main'])} on the way "
        "(fewer fakes), scored again here."
    )
    histogram = scores["final"].get("class_histogram")
    classes = ""
    if histogram:
        names = scores.get("class_names") or [str(i) for i in range(len(histogram))]
        cells = "".join(f"<th class=n>{html.escape(name)}</th>" for name in names)
        counts = "".join(f"<td class=n>{count:,}</td>" for count in histogram)
        classes = (
            "<p><small>Classes of the final fakes, by the classifier:</small></p>"
            f"<table><tr>{cells}</tr><tr>{counts}</tr></table>"
        )
    return f"<h2>Scores</h2><table><tr>{head}</tr>{body}</table><p><small>{note}</small></p>{classes}"


def _evaluations(folder: RunFolder) -> str:
    """What `jaxgan evaluate` found since."""
    if not (folder.path / "evaluations.json").exists():
        return ""
    rows = ""
    for entry in folder.read("evaluations.json"):
        for name, s in entry["final"]["scores"].items():
            reals = f", {s['n_real']:,} reals of {s['split']}" if s["n_real"] else ""
            protocol = f"{s['n_fake']:,} fakes{reals}; features {s['features']}; {s['protocol']}"
            kind = kind_of(name, s)
            rows += (
                f"<tr><td>{entry['final']['step']:,}<br><small>{html.escape(entry['date'])}</small></td>"
                f"<td><b>{html.escape(name)}</b></td><td class=n>{with_error(s)}</td>"
                f"<td class=n>{format_number(s['floor'])}</td><td>{kind.better}</td>"
                f"<td>{html.escape(kind.meaning)}<br><small>{html.escape(protocol)}</small></td></tr>"
            )
    head = "<th>step</th><th>score</th><th class=n>value ± error</th><th class=n>floor</th><th>better</th>"
    return f"<h2>Evaluations</h2><table><tr>{head}<th>meaning</th></tr>{rows}</table>"


def _health(records: list[dict[str, Any]], images: bool) -> str:
    """What the monitors saw last, and what is wrong by them."""
    verdicts = diagnose(records)
    said = "".join(
        f'<p><b class="bad">{html.escape(v.name)}</b> since step {v.since:,}: {html.escape(v.evidence)}.<br>'
        f"<small>What usually helps: {html.escape(v.advice)}</small></p>"
        for v in verdicts
    )
    rows = ""
    for key in MONITORS:
        name = f"health/{key}"
        values = [(r["step"], r[name]) for r in records if name in r]
        if values:
            (step, last), numbers = values[-1], [value for _, value in values]
            rows += (
                f"<tr><td><b>{key}</b></td><td class=n>{format_number(last)}</td>"
                f"<td class=n>{format_number(min(numbers))}</td><td class=n>{format_number(max(numbers))}</td>"
                f"<td class=n>{step:,}</td><td>{html.escape(SCORES[key].meaning)}</td></tr>"
            )
    head = "<th>monitor</th>" + "".join(
        f"<th class=n>{name}</th>" for name in ("last", "least", "most", "step")
    )
    table = f"<table><tr>{head}<th>meaning</th></tr>{rows}</table>" if rows else ""
    gone = sorted({name for r in records for name in r.get("verdicts", [])} - {v.name for v in verdicts})
    notes = [f"Seen on the way, and gone: {name}, {_span(records, name)}." for name in gone]
    if rows and images and not any("health/overfitting" in r for r in records):
        notes.append(
            "Whether the discriminator overfits was not seen: these data have no held-out split, or it never "
            "told reals from fakes clearly."
        )
    said = said or "<p>Nothing wrong was seen at the end.</p>"
    return f"<h2>Health</h2>{said}{table}" + "".join(f"<p><small>{note}</small></p>" for note in notes)


def _span(records: list[dict[str, Any]], verdict: str) -> str:
    steps = [r["step"] for r in records if verdict in r.get("verdicts", [])]
    return f"steps {steps[0]:,} to {steps[-1]:,}"


def _film(folder: RunFolder) -> str:
    grids = _grids(folder)
    if len(grids) < 2:
        return ""
    if len(grids) > _MAX_GRIDS:  # evenly, with both ends
        grids = [grids[round(i * (len(grids) - 1) / (_MAX_GRIDS - 1))] for i in range(_MAX_GRIDS)]
    frames = json.dumps([[f"step {_step(path):,}", _image(path)] for path in grids])
    return (
        "<h2>Samples over time</h2>"
        f'<input type="range" id="t" min="0" max="{len(grids) - 1}" value="{len(grids) - 1}" aria-label="time">'
        '<figure class="film"><img id="f" alt="samples over time"><figcaption id="c"></figcaption></figure>'
        f"<script>const F={frames},t=document.getElementById('t');"
        "function show(){const [c,s]=F[t.value];document.getElementById('f').src=s;"
        "document.getElementById('c').textContent=c}t.oninput=show;show()</script>"
    )


_PANELS = {
    "losses": ("d/loss", "g/loss"),
    "logits": ("d/real_logits", "d/fake_logits"),
    "gradient norms": ("d/grad_norm", "g/grad_norm"),
    "discriminator accuracy": ("d/accuracy",),
    "images a second": ("images_per_second",),
    "discriminator on fixed sets": ("health/real_sign", "health/overfitting"),
    "variety on fixed sets": ("health/diversity", "health/precision", "health/recall", "health/coverage"),
    "distance of the average": ("health/ema_distance",),
}


def _curves(records: list[dict[str, Any]]) -> str:
    def line(name: str) -> tuple[list[float], list[float]] | None:
        pairs = [(r["step"], r[name]) for r in records if r.get(name) is not None]
        return ([p[0] for p in pairs], [p[1] for p in pairs]) if pairs else None

    shown = {name for names in _PANELS.values() for name in names} | {"d/adversarial"}
    penalties = sorted({name for r in records for name in r if name.startswith("d/")} - shown)
    panels = {**_PANELS, "penalties": tuple(penalties)}
    found = {title: {n: xy for n in names if (xy := line(n))} for title, names in panels.items()}
    if score := line("score"):
        found = {"score on the way": {"score": score}, **found}
    found = {title: lines for title, lines in found.items() if lines}
    return f"<h2>Curves</h2>{pictures.curves(found, 'generator steps')}" if found else ""


def _reproduction(run: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    return (
        f"<h2>Reproduce</h2><pre>{html.escape(run['command'])}</pre>"
        f"<details><summary>configuration</summary>{_table(_flat(config))}</details>"
        f"<details><summary>data</summary>{_table(_flat(run['data']))}</details>"
        f"<details><summary>environment</summary>{_table(_flat(run['environment']))}</details>"
    )
