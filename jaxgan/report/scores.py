"""Rows of scores, as people read them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from jaxgan.metrics.catalogue import METRICS

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
