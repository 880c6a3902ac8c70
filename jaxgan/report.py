"""The report of a run: one HTML file that needs nothing but a browser."""

from __future__ import annotations

import base64
import html
import json
import math
import pathlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from jaxgan import pictures
from jaxgan.files import write_atomically
from jaxgan.health import MEANINGS as MONITORS
from jaxgan.health import diagnose
from jaxgan.metrics.catalogue import METRICS
from jaxgan.run import RunFolder

MEANINGS = {
    "fd": "Fréchet distance of feature statistics: fakes against reals",
    "precision": "share of fakes that lie among the reals: fidelity",
    "recall": "share of reals that lie among the fakes: variety",
    "density": "how densely reals surround the fakes; can exceed 1",
    "coverage": "share of reals with a fake nearby: variety",
    "inception_score": "sure and evenly spread classes, by the classifier",
    "classes_present": "classes that the classifier finds among the fakes",
    "class_kl": "KL divergence of the fakes' class histogram from the data's, in nats",
    "sliced_wasserstein": "distance of point clouds along random directions",
    "modes": "modes with at least one fake (of a mixture: within 3 standard deviations)",
    "high_quality": "share of fakes within 3 standard deviations of a mode",
    "reverse_kl": "KL divergence of fakes over modes from uniform, in nats",
}
_MAX_GRIDS = 16

_STYLE = """
:root{color-scheme:light}body{font:15px/1.5 system-ui,sans-serif;max-width:1080px;margin:2rem auto;padding:0 1rem;
color:#1e293b;background:#fff}h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2.2rem 0 .6rem;
border-bottom:1px solid #e2e8f0}p.lead{color:#475569;margin:.3rem 0 1rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .7rem .3rem 0;border-bottom:1px solid #eef2f6;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}small,td.s{color:#64748b;font-size:.86em}
.pair{display:flex;gap:1.2rem;flex-wrap:wrap}.pair figure{margin:0;flex:1 1 320px}
img{width:100%;image-rendering:pixelated;border-radius:4px}figcaption{color:#64748b;font-size:.86em}pre,code{background:#f1f5f9;border-radius:4px}
pre{padding:.7rem;overflow:auto}code{padding:.1em .3em}input[type=range]{width:100%}svg{width:100%;height:auto}
.film{max-width:660px;margin:auto}.bad{color:#b91c1c}details{margin:.4rem 0}
"""


def meaning(name: str) -> str:
    """What a score says, in a few words; empty for an unknown one."""
    if name in MEANINGS:
        return MEANINGS[name]
    for key, metric in METRICS.items():
        if any(_matches(pattern, name) for pattern in metric.names):
            return MEANINGS.get(key, metric.measures)
    return ""


def _matches(pattern: str, name: str) -> bool:
    kinds = {"{fd}": "(fid|fd_.+?)", "{kd}": "(kid|kd_.+)", "{mmd}": "(mmd_.+)", "HEIGHT": "[0-9]+"}
    for placeholder, expression in kinds.items():
        pattern = pattern.replace(placeholder, expression)
    return re.fullmatch(pattern, name) is not None


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


def page(title: str, body: str) -> str:
    """A whole HTML page, with the style of all reports."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body>{body}</body></html>\n"
    )


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


def _image(path: pathlib.Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"


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


def format_number(value: float | None) -> str:
    """Four significant digits; whole numbers as they are; a dash for what is undefined."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if value == round(value) and abs(value) >= 1 else f"{value:.4g}"


def with_error(score: Mapping[str, Any]) -> str:
    """The value of a score and its standard error, where it is known."""
    error = score.get("error")
    return format_number(score["value"]) + ("" if error is None else f" ± {error:.2g}")


def score_rows(scores: Mapping[str, Any]) -> list[tuple[str, str, str, str, str, str, str]]:
    """(name, final, best, floor, better, meaning, protocol) of every score in scores.json, as text."""
    rows = []
    best = (scores.get("best") or {}).get("scores", {})
    for name, score in scores["final"]["scores"].items():
        protocol = f"{score['n_fake']:,} fakes"
        if score["n_real"]:
            protocol += f", {score['n_real']:,} reals of {score['split']}"
        if score["features"] != "none":
            protocol += f"; features {score['features']}"
        rows.append(
            (
                name,
                with_error(score),
                with_error(best[name]) if name in best else "–",
                format_number(score["floor"]),
                score["better"],
                meaning(name),
                protocol,
            )
        )
    return rows


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
            rows += (
                f"<tr><td>{entry['final']['step']:,}<br><small>{html.escape(entry['date'])}</small></td>"
                f"<td><b>{html.escape(name)}</b></td><td class=n>{with_error(s)}</td>"
                f"<td class=n>{format_number(s['floor'])}</td><td>{s['better']}</td>"
                f"<td>{html.escape(meaning(name))}<br><small>{html.escape(protocol)}</small></td></tr>"
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
    for name, says in MONITORS.items():
        values = [(r["step"], r[name]) for r in records if name in r]
        if values:
            (step, last), numbers = values[-1], [value for _, value in values]
            rows += (
                f"<tr><td><b>{name.removeprefix('health/')}</b></td><td class=n>{format_number(last)}</td>"
                f"<td class=n>{format_number(min(numbers))}</td><td class=n>{format_number(max(numbers))}</td>"
                f"<td class=n>{step:,}</td><td>{html.escape(says)}</td></tr>"
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


def _table(rows: Iterable[tuple[str, Any]]) -> str:
    cells = (f"<tr><td>{html.escape(str(k))}</td><td>{html.escape(str(v))}</td></tr>" for k, v in rows)
    return f"<table>{''.join(cells)}</table>"


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, item in value.items():
        if isinstance(item, Mapping):
            yield from _flat(item, f"{prefix}{name}.")
        else:
            yield prefix + name, item


def _reproduction(run: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    return (
        f"<h2>Reproduce</h2><pre>{html.escape(run['command'])}</pre>"
        f"<details><summary>configuration</summary>{_table(_flat(config))}</details>"
        f"<details><summary>data</summary>{_table(_flat(run['data']))}</details>"
        f"<details><summary>environment</summary>{_table(_flat(run['environment']))}</details>"
    )
