"""Scores, as people read them: numbers, rows, and how far from untrained to real each of them has come."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxgan.metrics.catalogue import Kind, kind_of

_NOTHING = 5e-5
"""Errors below this share of their value do not show in four digits of it."""
_ROUNDING = 1e-12
"""Errors below this are rounding, not noise."""
_LOG_FROM = 20.0
"""Distances that fell by more than this are looked at on a logarithmic scale."""


class Row(NamedTuple):
    """A score as text.

    Attributes:
      name: of the score.
      final: its value and error at the end.
      best: the same of the best checkpoint; a dash where there is none.
      real: what real data get.
      better: "lower", "higher" or "".
      meaning: what it says, in a few words.
      protocol: of how many examples and which features.
      why: why there is a dash for real data or for the value; "" where there is none.
      progress: share of the way from untrained to real, from 0 to 1; None where that is not known.
    """

    name: str
    final: str
    best: str
    real: str
    better: str
    meaning: str
    protocol: str
    why: str = ""
    progress: float | None = None


def format_number(value: float | None) -> str:
    """Four significant digits; whole numbers as they are; a dash for what is undefined."""
    if value is None or not math.isfinite(value):
        return "–"
    if 1 <= abs(value) < 1e15 and (value == round(value) or abs(value) >= 1000):
        return f"{value:,.0f}"
    return f"{value:.4g}"


def format_real(value: float | None) -> str:
    """A number of real data with three significant digits: it is there to compare with."""
    return format_number(value if value is None or not math.isfinite(value) else float(f"{value:.3g}"))


def with_error(score: Mapping[str, Any]) -> str:
    """The value of a score and its standard error, rounded to two digits of the error.

    An error of nothing, as counts have it, and one that four digits of the value do not show are left out.
    """
    value, error = score["value"], score.get("error")
    if value is None or not math.isfinite(value) or error is None or not math.isfinite(error):
        return format_number(value)
    if error <= max(_NOTHING * abs(value), _ROUNDING):
        return format_number(value)
    two = float(f"{error:.2g}")  # 0.0996 is 0.10
    digits = 1 - math.floor(math.log10(two))  # after the point
    if f"{value:.{max(digits, 0)}f} {two:.{max(digits, 0)}f}".count("0 ") and f"{two:.2g}" == f"{two:.1g}":
        digits -= 1  # no zeros behind both
    if digits > 6:
        return f"{value:.3g} ± {error:.2g}"
    value, error, shown = round(value, digits) + 0.0, round(error, digits), max(digits, 0)  # + 0.0: no -0
    return f"{value:,.{shown}f} ± {error:,.{shown}f}"


def protocol_of(score: Mapping[str, Any]) -> str:
    """Of how many examples and which features a score is."""
    text, split = f"{score['n_fake']:,} fakes", score.get("split", "")
    if score["n_real"]:
        text += f", {score['n_real']:,} reals of {split}"
    elif split:
        text += f"; {split}"
    if score["features"] != "none":
        text += f"; features {score['features']}"
    return text.replace("; floor: ", "; real data: ")


def why_missing(score: Mapping[str, Any]) -> str:
    """Why a score has no value, or none of real data; "" where it has both."""
    if score["value"] is None:
        return "the value is undefined for these fakes"
    if score.get("floor") is not None:
        return ""
    split = score.get("split", "")
    _, _, told = split.partition("; floor: none")
    if told := told.strip().removeprefix("(").removesuffix(")"):
        return f"no value of real data: {told}"
    if split.endswith("; floor: none"):
        return "no value of real data: the reals are known by their statistics only"
    return "no value of real data: too few images are held out for it, or it says nothing of real data"


def progress(kind: Kind, value: float | None, real: float | None, untrained: float | None) -> float | None:
    """The share of the way from untrained to real that a score has come, from 0 to 1.

    Distances, which have no worst value, are compared by their logarithms: half the way is then the geometric mean.

    Args:
      kind: of the score.
      value: of the score.
      real: what real data get; None: the best value that there is, if there is one.
      untrained: what the generator got before it was trained; None: the worst value that there is.

    Returns:
      The share; None where an end of the way is not known, or the ends do not differ.
    """
    start = kind.worst if untrained is None or not math.isfinite(untrained) else untrained
    end = kind.best if real is None else real
    if value is None or not kind.better or not all(map(math.isfinite, (value, start, end))):
        return None
    if (start >= end) if kind.better == "higher" else (start <= end):
        return None
    if kind.better == "lower" and start > _LOG_FROM * abs(end):
        end = abs(end) or 1e-3 * start  # estimates without bias get below 0
        start, value, end = math.log(start), math.log(max(value, end)), math.log(end)
    return min(max((value - start) / (end - start), 0.0), 1.0)


def score_rows(scores: Mapping[str, Any]) -> list[Row]:
    """Every score in scores.json."""
    best = (scores.get("best") or {}).get("scores", {})
    before = (scores.get("untrained") or {}).get("scores", {})
    rows = []
    for name, score in scores["final"]["scores"].items():
        kind = kind_of(name, score)
        untrained = before.get(name, {}).get("value")
        rows.append(
            Row(
                name,
                with_error(score),
                with_error(best[name]) if name in best else "–",
                format_real(score["floor"]),
                kind.better,
                kind.meaning,
                protocol_of(score),
                why_missing(score),
                progress(kind, score["value"], score["floor"], untrained),
            )
        )
    return rows


def footnotes(rows: list[Row]) -> list[str]:
    """What the dashes in rows mean, one line a reason."""
    return reasons({row.name: row.why for row in rows})


def reasons(whys: Mapping[str, str]) -> list[str]:
    """Why scores have dashes, by their names, as one line a reason; "" is none."""
    names: dict[str, list[str]] = {}
    for name, why in whys.items():
        if why:
            names.setdefault(why, []).append(name)
    return [f"–: {', '.join(of)}: {why}" for why, of in names.items()]


def held_out_line(entry: Mapping[str, Any]) -> str:
    """What the scores of a checkpoint are against held-out examples, in a line; "" where there are none."""
    if not (held_out := entry.get("held_out")):
        return ""
    numbers = ", ".join(
        f"{name} {format_number(pair['held_out'])} ({format_number(pair['train'])})"
        for name, pair in held_out["scores"].items()
    )
    what = (
        f"against {held_out['n']:,} of {held_out['name']} (in brackets: against as many of the training data)"
    )
    return f"{what}: {numbers}"
