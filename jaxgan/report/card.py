"""The first card of a report: what was trained on what, how near to real it came in how long, and one verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jaxgan.common.progress import counted, duration
from jaxgan.common.user_files import short_name
from jaxgan.data import Spec
from jaxgan.health import LOOKS, Verdict
from jaxgan.metrics.catalogue import kind_of
from jaxgan.report.html import Html, chips, html, tag
from jaxgan.report.scores import format_real, progress, why_missing, with_error

AS_REAL, NEAR = 1.5, 10.0  # times what real data get
FAR = 0.5  # of the way from untrained to real


class Said(NamedTuple):
    """One verdict in plain words, and how it is meant: "good", "warn" or "bad"."""

    mood: str
    text: str


def card(
    verdict: Said,
    run: Mapping[str, Any],
    config: Mapping[str, Any],
    last: Mapping[str, Any],
    scores: Mapping[str, Any] | None,
) -> Html:
    """The first card of a report as HTML: the verdict, what was trained, how near to real it came, and the settings.

    Args:
      verdict: on the run, as of `said`.
      run: its run.json.
      config: its config.json.
      last: the last record of metrics.jsonl.
      scores: its scores.json; None if there is none.
    """
    return tag(
        "div",
        tag("p", tag("b", verdict.text, class_=verdict.mood)),
        tag("p", what(run, config, last)),
        tag("p", reached(scores)) if scores and scores.get("main") else None,
        facts(run, config),
        class_="card",
    )


def said(
    run: Mapping[str, Any],
    config: Mapping[str, Any],
    last: Mapping[str, Any],
    scores: Mapping[str, Any] | None,
    verdicts: Sequence[Verdict],
    looked: int,
) -> Said:
    """The verdict on a run.

    Args:
      run: its run.json.
      config: its config.json.
      last: the last record of metrics.jsonl, with "step" and "images".
      scores: its scores.json; None if there is none.
      verdicts: what the monitors and the final scores say.
      looked: how often the run was looked at.
    """
    status, steps = run["status"], config.get("steps")
    of = f"step {last['step']:,}" + (f" of {steps:,}" if steps else "")
    if status in ("diverged", "failed"):
        return Said("bad", f"It {status} at {of}: {run.get('error') or 'no reason was kept'}")
    since = lambda v: "" if v.since is None else f" ({v.when})"
    trouble = "; ".join(f"{v.name}{since(v)}: {v.evidence}" for v in verdicts)
    if status != "finished":
        state = {"running": "Still training", "stopped": "Stopped, and can be resumed"}.get(status, status)
        return Said("warn", f"{state}: {of}." + (f" {_capital(trouble)}." if trouble else ""))
    if trouble:
        return Said("bad", f"{_capital(trouble)}.")
    near = nearness(scores)
    if looked < LOOKS and config.get("health", {}).get("enabled"):
        text = f"What lasts is not judged yet: {looked} of {LOOKS} looks."
        return Said(near.mood if near else "warn", f"{near.text} {text}" if near else text)
    return near or Said("good", "Finished; nothing wrong was seen.")


def nearness(scores: Mapping[str, Any] | None) -> Said | None:
    """How near to real a run came by the main score of its scores.json; None where there is none."""
    score = _main(scores)
    if score is None or scores is None or score["value"] is None:
        return None
    value, real, before = score["value"], score.get("floor"), _untrained(scores)
    if real and real > 0:
        times = value / real
        if times <= AS_REAL:
            return Said("good", "As near to the data as other real data are.")
        if times <= NEAR:
            return Said(
                "good", f"Near to real: {times:.2g} times as far from the data as other real data are."
            )
    way = progress(kind_of(scores["main"], score), value, real, before)
    if way is None:
        return Said("good", "Finished; nothing wrong was seen.")
    if way >= FAR:
        apart = f": {value / real:,.0f} times as far from the data as other real data are" if real else ""
        return Said("warn", f"On the way, and not yet near to real{apart}.")
    return Said("bad", "Far from real: nearer to where it began than to the data.")


def what(run: Mapping[str, Any], config: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    """Says what was trained on what, and for how long; run.json, config.json and the last record are as of `card`."""
    data, spec = run["data"], Spec.from_json(run["data"])
    noun = f"{spec.modality.name}s"
    size = f"{data['n']:,} {noun}" if data["n"] else f"{noun} drawn anew"
    try:
        form = spec.modality.in_words(spec.shape, spec.stored).removeprefix(f"{noun} ")
    except ValueError:  # a modality of the user's own that is called as one of the package's
        form = f"{'x'.join(map(str, spec.shape))}, {spec.stored}"
    conditional = " of " + counted(data["n_classes"], "class", "classes") if data.get("n_classes") else ""
    text = f"Trained on {size} of {data['name']} ({form}){conditional}"
    if data.get("skipped"):
        text += f", {counted(data['skipped'], 'file')} that cannot be read left out"
    text += f": {counted(last['step'], 'step')}, {last.get('images', 0):,} {noun} shown to the discriminator"
    if seconds := run.get("train_seconds"):
        devices = run["environment"].get("devices", [])
        kind = devices[0].replace("cpu", "CPU") if devices else ""
        where = f" on a {kind}" if len(devices) == 1 else f" on {len(devices)} × {kind}"
        where = where if devices else ""
        text += f", in {duration(seconds)}{where}"
    return text + "."


def reached(scores: Mapping[str, Any]) -> str:
    """Shows how near to real a run came: its main score, between those of real data and of the first weights."""
    score = _main(scores)
    if score is None:
        return "It was not scored."
    kind = kind_of(scores["main"], score)
    text = f"{scores['main']}, the {kind.meaning or 'main score'}, is {with_error(score)}"
    parts = []
    if score.get("floor") is not None:
        parts.append(f"real data get {format_real(score['floor'])}")
    elif score["value"] is not None:
        parts.append(why_missing(score))
    before = _untrained(scores)
    if before is not None:
        parts.append(f"it was {format_real(before)} before training")
    return text + (f" ({'; '.join(parts)}; {kind.better} is better)." if parts else ".")


def facts(run: Mapping[str, Any], config: Mapping[str, Any]) -> Html:
    """Chips of data, network, loss, penalty, learning rates, batch, and whatever else is not as usual."""
    model, penalty = config.get("model", {}), config.get("penalty", {})
    own = {name: f" every {every}" for name, every in penalty.get("every_of", ())}
    weights = " ".join(
        f"{short_name(name)} {weight:g}{own.get(name, '')}" for name, weight in penalty.get("weights", ())
    )
    if weights and penalty.get("every", 1) > 1:
        weights += f" every {penalty['every']}"
    values: dict[str, object] = {"data": run["data"]["name"]}
    if config.get("game", "gan") != "gan":
        values["game"] = short_name(config["game"])
    if model:
        values["network"] = _network(model)
    if "loss" in config:
        values |= {"loss": short_name(config["loss"]), "penalty": weights or "none"}
    both = (config.get(name, {}).get("learning_rate") for name in ("g_optimizer", "d_optimizer"))
    rates = [rate for rate in both if rate is not None]
    if rates:
        same = len(set(rates)) == 1
        values["learning rate"] = f"{rates[0]:g}" if same else f"G {rates[0]:g}, D {rates[1]:g}"
    if "batch_size" in config:
        values["batch"] = f"{config['batch_size']:,}"
    if config.get("d_steps", 1) > 1:
        values["discriminator updates a step"] = config["d_steps"]
    if config.get("augment"):
        values["augmentation"] = ", ".join(map(short_name, config["augment"]))
    return chips(values)


def _network(model: Mapping[str, Any]) -> str:
    name = short_name(str(model.get("name", "")))
    if model.get("width"):
        name += f", width {model['width']}"
    return name + (", conditional" if model.get("conditional") else "")


def state_of(status: str) -> Html | None:
    """The words behind the title of a run that is not finished; `status` is that of run.json."""
    return None if status == "finished" else html(" ", tag("span", f"({status})", class_="bad"))


def _main(scores: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return scores["final"]["scores"].get(scores.get("main")) if scores and scores.get("final") else None


def _untrained(scores: Mapping[str, Any]) -> float | None:
    before = (scores.get("untrained") or {}).get("scores", {}).get(scores["main"], {}).get("value")
    return before if before is not None and math.isfinite(before) else None


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
