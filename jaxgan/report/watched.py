"""What was seen of a run on the way: its health, and its curves under readable names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from jaxgan.health import LOOKS, MONITORS, Verdict
from jaxgan.metrics.catalogue import SCORES
from jaxgan.report import plots
from jaxgan.report.html import Html, html, in_words, lines, table, tag
from jaxgan.report.scores import format_number

Records = Sequence[Mapping[str, Any]]

# --- health ----------------------------------------------------------------------------------------


def health(
    records: Records,
    verdicts: Sequence[Verdict],
    looked: int,
    *,
    endless: bool,
    final: Collection[str],
    ended: bool = True,
) -> Html:
    """What is wrong, and what the monitors saw.

    Args:
      records: of metrics.jsonl.
      verdicts: of the records and of the final scores.
      looked: how often the run was looked at.
      endless: whether the data are drawn anew for ever, so that nothing can be known by heart.
      final: names of the final scores: monitors of the same name, of fewer examples, are not shown beside them.
      ended: whether there are final scores of the last step, or there will be none.
    """
    told: list[Html] = [
        tag(
            "p",
            lines(
                [
                    [tag("b", v.name, class_="bad"), f" {v.when}: {v.evidence}."],
                    tag("small", "What usually helps: ", in_words(v.advice)),
                ]
            ),
        )
        for v in verdicts
    ]
    if looked < LOOKS:
        told.append(
            tag("p", f"Not judged yet: {looked} of {LOOKS} looks. What must last is told from noise by then.")
        )
    elif not verdicts:
        until = "at the end." if ended else "so far. Whether modes are missing is judged by the final scores."
        told.append(tag("p", f"Nothing wrong was seen {until}"))
    rows = []
    for key in MONITORS:
        values = [(r["step"], r[f"health/{key}"]) for r in records if f"health/{key}" in r]
        if values and key not in final:
            (step, last), numbers = values[-1], [value for _, value in values]
            shown = map(format_number, (last, min(numbers), max(numbers)))
            rows.append(
                (tag("b", _NAMES.get(f"health/{key}", key)), *shown, f"{step:,}", SCORES[key].meaning)
            )
    gone = sorted({name for r in records for name in r.get("verdicts", [])} - {v.name for v in verdicts})
    notes = [f"Seen on the way, and gone: {name}, {_span(records, name)}." for name in gone]
    if rows and not endless and not any("health/overfitting" in r for r in records):
        notes.append(
            "Whether the discriminator overfits was not seen: too few examples are held out, or it never told reals "
            "from fakes clearly."
        )
    names = ["monitor", "last", "least", "most", "step", "meaning"]
    return html(
        tag("h2", "Health"),
        told,
        table(names, rows, numbers=range(1, 5)) if rows else None,
        [tag("p", note, class_="note") for note in notes],
    )


def _span(records: Records, verdict: str) -> str:
    steps = [r["step"] for r in records if verdict in r.get("verdicts", [])]
    return f"steps {steps[0]:,} to {steps[-1]:,}"


# --- curves ----------------------------------------------------------------------------------------

_PANELS = {  # names of metrics, or how they end
    "Losses": ("/loss",),
    "Logits": ("d/real_logits", "d/fake_logits"),
    "Length of the gradients": ("/grad_norm",),
    "Discriminator is right": ("d/accuracy",),
    "Discriminator on fixed sets": ("health/real_sign", "health/overfitting"),
    "Variety on fixed sets": ("health/diversity", "health/precision", "health/recall", "health/coverage"),
    "Distance of the average": ("health/ema_distance",),
    "Images a second": ("images_per_second",),
}
_NAMES = {
    "d/real_logits": "of reals",
    "d/fake_logits": "of fakes",
    "d/accuracy": "share of reals and fakes",
    "images_per_second": "images a second",
    "health/real_sign": "sure of training reals",
    "health/overfitting": "overfitting",
    "health/ema_distance": "distance of the average",
    "health/diversity": "diversity",
    "health/precision": "precision of few",
    "health/recall": "recall of few",
    "health/coverage": "coverage of few",
}
_PLAYERS = {"d": "discriminator", "g": "generator"}
_ENDS = ("loss", "grad_norm")


def readable(name: str) -> str:
    """The name of a metric in words: "g/loss" is that of the generator, "d/r1" the term r1 of the discriminator."""
    if name in _NAMES:
        return _NAMES[name]
    turn, _, term = name.partition("/")
    who = _PLAYERS.get(turn, turn.replace("_", " "))
    return who if term in _ENDS or not term else f"{term.replace('_', ' ')} ({who})"


def curves(records: Records) -> Html | None:
    """All curves of a run; None where there is nothing to draw."""

    def line(name: str) -> tuple[list[float], list[float]] | None:
        pairs = [(r["step"], r[name]) for r in records if r.get(name) is not None]
        return ([p[0] for p in pairs], [p[1] for p in pairs]) if pairs else None

    known = list(dict.fromkeys(name for record in records for name in record))
    names: dict[str, list[str]] = {"Score on the way": [name for name in known if name == "score"]}
    for title, patterns in _PANELS.items():
        ends = tuple(pattern for pattern in patterns if pattern.startswith("/"))
        names[title] = [name for name in known if name in patterns or (ends and name.endswith(ends))]
    shown = {"d/adversarial", "g/adversarial", *(name for each in names.values() for name in each)}
    names["Terms of the losses"] = [name for name in known if "/" in name and name not in shown]
    score = next((r["score_name"] for r in reversed(records) if "score_name" in r), "score")
    main, _, n = score.rpartition("@")
    score = f"{main}, of {n} fakes" if n.isdigit() and main else score
    called = lambda name: score if name == "score" else readable(name)
    panels = {title: {called(n): xy for n in each if (xy := line(n))} for title, each in names.items()}
    panels = {title: found for title, found in panels.items() if found}
    return html(tag("h2", "Curves"), plots.curves(panels, "generator steps")) if panels else None
