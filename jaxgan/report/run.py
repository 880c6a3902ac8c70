"""The report of a run: one HTML file that needs nothing but a browser."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from jaxgan.common.files import write_atomically
from jaxgan.data import Spec
from jaxgan.health import MONITORS, diagnose
from jaxgan.metrics.catalogue import SCORES, kind_of
from jaxgan.report import pictures
from jaxgan.report.html import (
    Html,
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
from jaxgan.report.scores import format_number, score_rows, with_error
from jaxgan.runs.folder import RunFolder

_MAX_GRIDS = 16


def write_report(folder: RunFolder) -> pathlib.Path:
    """Writes report.html from the files of a run's folder, finished or not, and returns its path."""
    run, config, records = folder.read("run.json"), folder.read("config.json"), folder.records()
    has = lambda name: (folder.path / name).exists()
    scores = folder.read("scores.json") if has("scores.json") else None
    watched = config.get("health", {}).get("enabled")
    text = page(
        folder.path.name,
        _header(folder, run, records),
        _samples(folder),
        _scores(scores) if scores and scores["main"] else None,
        _health(records, bool(run["data"]["n"])) if watched else None,
        _evaluations(folder.read("evaluations.json")) if has("evaluations.json") else None,
        _film(folder),
        _curves(records),
        _reproduction(run, config),
    )
    write_atomically(folder.report, text)
    return folder.report


def _header(folder: RunFolder, run: Mapping[str, Any], records: list[dict[str, Any]]) -> Html:
    data, seconds, status = run["data"], run.get("train_seconds"), run["status"]
    last = records[-1] if records else {"step": 0, "images": 0}
    spec = Spec.from_json(data)
    shape = f"of shape {'x'.join(map(str, spec.shape))}"
    size = f"{data['n']:,} examples {shape}" if data["n"] else f"sampled {spec.modality.name}s {shape}"
    skipped = f", {data['skipped']} broken files left out" if data.get("skipped") else ""
    facts = [
        f"{last['step']:,} generator steps, {last['images']:,} images shown to the discriminator",
        f"data: {data['name']} ({size}{skipped})",
    ]
    if seconds:
        facts.append(f"trained for {seconds:.0f} s on {', '.join(run['environment']['devices'])}")
    state = None if status == "finished" else [" ", tag("span", f"({status})", class_="bad")]
    return html(
        tag("h1", folder.path.name, state),
        tag("p", lines(facts), class_="lead"),
        tag("p", run["error"], class_="bad") if run.get("error") else None,
    )


# --- samples ---------------------------------------------------------------------------------------


def _grids(folder: RunFolder) -> list[pathlib.Path]:
    return sorted(folder.samples.glob("step-*.png"))


def _step(path: pathlib.Path) -> int:
    return int(path.stem.removeprefix("step-"))


def _samples(folder: RunFolder) -> Html | None:
    grids, reals, figures = _grids(folder), folder.samples / "reals.png", []
    if grids:
        caption = f"generated, step {_step(grids[-1]):,} (averaged generator, fixed latents)"
        figures.append(figure(data_url(grids[-1].read_bytes()), caption, "generated"))
    if reals.exists():
        figures.append(figure(data_url(reals.read_bytes()), "real", "real"))
    return html(tag("h2", "Samples"), tag("div", figures, class_="pair")) if figures else None


def _film(folder: RunFolder) -> Html | None:
    grids = _grids(folder)
    if len(grids) < 2:
        return None
    if len(grids) > _MAX_GRIDS:  # evenly, with both ends
        grids = [grids[round(i * (len(grids) - 1) / (_MAX_GRIDS - 1))] for i in range(_MAX_GRIDS)]
    frames = json.dumps([[f"step {_step(path):,}", data_url(path.read_bytes())] for path in grids])
    last = len(grids) - 1
    return html(
        tag("h2", "Samples over time"),
        tag("input", type="range", id="t", min=0, max=last, value=last, aria_label="time"),
        tag(
            "figure",
            tag("img", id="f", alt="samples over time"),
            tag("figcaption", id="c"),
            class_="film",
        ),
        Html(
            f"<script>const F={frames},t=document.getElementById('t');"
            "function show(){const [c,s]=F[t.value];document.getElementById('f').src=s;"
            "document.getElementById('c').textContent=c}t.oninput=show;show()</script>"
        ),
    )


# --- scores ----------------------------------------------------------------------------------------


def _explained(meaning: str, protocol: str) -> Html:
    return lines([meaning, tag("small", protocol)])


def _scores(scores: Mapping[str, Any]) -> Html:
    best = scores.get("best")
    names = [
        "score",
        f"final (step {scores['final']['step']:,})",
        f"best (step {best['step']:,})" if best else "best",
        *("floor", "better", "meaning"),
    ]
    rows = [
        (tag("b", name), final, top, floor, better, _explained(says, protocol))
        for name, final, top, floor, better, says, protocol in score_rows(scores)
    ]
    note = (
        "Of the averaged (EMA) generator; ±: standard error, of these fakes alone. The floor is what real held-out "
        "data gets in the generator's place. The best checkpoint is the last whose "
        f"{scores['main']} on the way (of other, mostly fewer fakes) noise cannot tell from the lowest, scored again "
        "here."
    )
    return html(
        tag("h2", "Scores"),
        table(names, rows, numbers=range(1, 4)),
        tag("p", note, class_="note"),
        _classes(scores),
    )


def _classes(scores: Mapping[str, Any]) -> Html | None:
    histogram = scores["final"].get("class_histogram")
    if not histogram:
        return None
    names = scores.get("class_names") or list(range(len(histogram)))
    return html(
        tag("p", "Classes of the final fakes, by the classifier:", class_="note"),
        table(names, [[f"{count:,}" for count in histogram]], numbers=range(len(names))),
    )


def _evaluations(evaluations: list[dict[str, Any]]) -> Html:
    """What `jaxgan evaluate` has found since the training."""
    rows = []
    for entry in evaluations:
        for name, s in entry["final"]["scores"].items():
            reals = f", {s['n_real']:,} reals of {s['split']}" if s["n_real"] else ""
            protocol = f"{s['n_fake']:,} fakes{reals}; features {s['features']}; {s['protocol']}"
            step = lines([f"{entry['final']['step']:,}", tag("small", entry["date"])])
            kind, numbers = kind_of(name, s), (with_error(s), format_number(s["floor"]))
            rows.append((step, tag("b", name), *numbers, kind.better, _explained(kind.meaning, protocol)))
    names = ["step", "score", "value ± error", "floor", "better", "meaning"]
    return html(tag("h2", "Evaluations"), table(names, rows, numbers=(2, 3)))


# --- health and curves -----------------------------------------------------------------------------


def _health(records: list[dict[str, Any]], images: bool) -> Html:
    """What the monitors saw last, and what is wrong by them."""
    verdicts = diagnose(records)
    said = [
        tag(
            "p",
            lines(
                [
                    [tag("b", v.name, class_="bad"), f" since step {v.since:,}: {v.evidence}."],
                    tag("small", f"What usually helps: {v.advice}"),
                ]
            ),
        )
        for v in verdicts
    ]
    rows = []
    for key in MONITORS:
        values = [(r["step"], r[f"health/{key}"]) for r in records if f"health/{key}" in r]
        if values:
            (step, last), numbers = values[-1], [value for _, value in values]
            shown = map(format_number, (last, min(numbers), max(numbers)))
            rows.append((tag("b", key), *shown, f"{step:,}", SCORES[key].meaning))
    gone = sorted({name for r in records for name in r.get("verdicts", [])} - {v.name for v in verdicts})
    notes = [f"Seen on the way, and gone: {name}, {_span(records, name)}." for name in gone]
    if rows and images and not any("health/overfitting" in r for r in records):
        notes.append(
            "Whether the discriminator overfits was not seen: these data have no held-out split, or it never "
            "told reals from fakes clearly."
        )
    names = ["monitor", "last", "least", "most", "step", "meaning"]
    return html(
        tag("h2", "Health"),
        said or tag("p", "Nothing wrong was seen at the end."),
        table(names, rows, numbers=range(1, 5)) if rows else None,
        [tag("p", note, class_="note") for note in notes],
    )


def _span(records: list[dict[str, Any]], verdict: str) -> str:
    steps = [r["step"] for r in records if verdict in r.get("verdicts", [])]
    return f"steps {steps[0]:,} to {steps[-1]:,}"


_PANELS = {  # names of metrics, or how they end
    "losses": ("/loss",),
    "logits": ("d/real_logits", "d/fake_logits"),
    "gradient norms": ("/grad_norm",),
    "discriminator accuracy": ("d/accuracy",),
    "images a second": ("images_per_second",),
    "discriminator on fixed sets": ("health/real_sign", "health/overfitting"),
    "variety on fixed sets": ("health/diversity", "health/precision", "health/recall", "health/coverage"),
    "distance of the average": ("health/ema_distance",),
}


def _curves(records: list[dict[str, Any]]) -> Html | None:
    def line(name: str) -> tuple[list[float], list[float]] | None:
        pairs = [(r["step"], r[name]) for r in records if r.get(name) is not None]
        return ([p[0] for p in pairs], [p[1] for p in pairs]) if pairs else None

    known = list(dict.fromkeys(name for record in records for name in record))
    named = [record["score_name"] for record in records if record.get("score_name")]
    title = f"{named[-1] if named else 'score'} on the way"
    panels = {title: [name for name in known if name == "score"]}
    for title, patterns in _PANELS.items():
        ends = tuple(pattern for pattern in patterns if pattern.startswith("/"))
        panels[title] = [name for name in known if name in patterns or (ends and name.endswith(ends))]
    shown = {"d/adversarial", "g/adversarial", *(name for names in panels.values() for name in names)}
    panels["terms of the losses"] = [name for name in known if "/" in name and name not in shown]
    found = {title: {n: xy for n in names if (xy := line(n))} for title, names in panels.items()}
    found = {title: curves for title, curves in found.items() if curves}
    if not found:
        return None
    return html(tag("h2", "Curves"), Html(pictures.curves(found, "generator steps")))


def _reproduction(run: Mapping[str, Any], config: Mapping[str, Any]) -> Html:
    return html(
        tag("h2", "Reproduce"),
        tag("pre", run["command"]),
        details("configuration", entries(config)),
        details("data", entries(run["data"])),
        details("environment", entries(run["environment"])),
    )
