"""Rows of scores, as people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from jaxgan.metrics.catalogue import kind_of


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
        kind, protocol = kind_of(name, score), f"{score['n_fake']:,} fakes"
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
                kind.better,
                kind.meaning,
                protocol,
            )
        )
    return rows


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
