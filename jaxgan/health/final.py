"""Verdicts on the final scores: of thousands of examples, so that one look is enough."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from jaxgan.health.advice import Settings, advice_for
from jaxgan.health.verdicts import MIN_PRECISION, Verdict
from jaxgan.metrics.catalogue import kind_of

UNTRAINED = 0.1
"""Below this share of what real data get, fakes do not look real at all. Random images have 0; measured: digits of
a fully connected network after 200 steps 0.02, blurred ones after 1,000 steps 0.4."""
MISSING = 0.02
"""Share of the modes or classes of real data; of few of them, one is enough."""
UNCOVERED = 0.25
"""Of the recall or coverage of real data. Measured: healthy runs 0.43 to 0.9."""

SAME = 0.05
"""Share of the main score from before the training within which it counts as the same."""

_FIDELITY = ("high_quality", "precision")
_COUNTS = {"modes": "modes", "classes_present": "classes"}
_VARIETY = ("recall", "coverage")


def judge(
    scores: Mapping[str, Mapping[str, Any]],
    *,
    main: str | None = None,
    untrained: Mapping[str, Mapping[str, Any]] | None = None,
    judged: bool = True,
    unread: Collection[str] | None = (),
    settings: Settings | None = None,
) -> list[Verdict]:
    """What is wrong by final scores.

    Args:
      scores: by name, as scores.json keeps them. Scores that are not there say nothing.
      main: name of the main one.
      untrained: the same scores from before the training; None: not known.
      judged: whether the game has a discriminator, of which advice may speak.
      unread: as of `advice_for`.
      settings: of the run, as of `advice_for`.

    Returns:
      At most one verdict: "not trained yet" where hardly a fake looks real or the main score is what it was before
      the training, and "modes are missing" where fakes look real and some of what the data have is not among them.
    """
    advice = partial(advice_for, judged=judged, unread=unread, settings=settings)
    found = {kind_of(name, score).key: score for name, score in scores.items()}
    values = {key: (s["value"], s["floor"]) for key, s in found.items() if s["value"] is not None}
    fidelity = next((key for key in _FIDELITY if key in values), None)
    poor = fidelity is not None and values[fidelity][0] < UNTRAINED * _real(fidelity, values)
    gone = _missing(values, found)
    same = _unmoved(main, scores.get(main or "", {}), (untrained or {}).get(main or "", {}))
    if poor or same:
        seen = [] if fidelity is None or same else [_said(fidelity, values)]
        evidence = "; ".join([*same, *seen, *gone])
        return [Verdict("not trained yet", evidence, advice("not trained yet"), None)]
    # bad fakes reach less of the reals: where half of them do not look real, as much less is asked for
    share = 1.0 if fidelity is None else values[fidelity][0] / (_real(fidelity, values) or 1.0)
    least = UNCOVERED * (1.0 if share >= MIN_PRECISION else share)
    gone += [
        _said(key, values)
        for key in _VARIETY
        if key in values and values[key][0] < least * _real(key, values)
    ]
    if gone:
        return [Verdict("modes are missing", "; ".join(gone), advice("modes are missing"), None)]
    return []


def _unmoved(main: str | None, score: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """Says that the main score is what it was before the training; nothing where it is not, or is not known."""
    now, then, real = score.get("value"), before.get("value"), score.get("floor")
    if now is None or then is None or real is None or then <= 2 * real:  # no distance, or begun near the data
        return []
    noise = 2 * math.hypot(score.get("error") or 0.0, before.get("error") or 0.0)
    if abs(now - then) > max(SAME * abs(then), noise):
        return []
    return [f"{main} is {now:.4g}, and was {then:.4g} before the training"]


_Values = Mapping[str, tuple[float, float | None]]


def _missing(values: _Values, found: Mapping[str, Any]) -> list[str]:
    """Counts of modes and classes that fall short, in words."""
    short = []
    for key, noun in _COUNTS.items():
        if key in values and (real := values[key][1]):
            value, least = values[key][0], 1.0
            if MISSING * real > 1:  # rare ones of many, such as stray classes, come and go
                least = max(MISSING * real, 3 * math.sqrt(2) * (found[key].get("error") or 0.0))
            if real - value >= least:
                short.append(f"{value:,.0f} of {real:,.0f} {noun} were found")
    return short


def _real(key: str, values: _Values) -> float:
    real = values[key][1]
    return 1.0 if real is None else real


def _said(key: str, values: _Values) -> str:
    what = {
        "high_quality": "of the fakes lie near a mode",
        "precision": "of the fakes look real",
        "recall": "of the reals lie among the fakes",
        "coverage": "of the reals have a fake nearby",
    }[key]
    value, real = values[key]
    return f"{_percent(value)} {what}" + (f" ({_percent(real)} of real data)" if real is not None else "")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if 0 < share < 0.095 else f"{share:.0%}".replace("%", " %")
