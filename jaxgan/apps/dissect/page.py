"""The page of a dissection: units by concept, their top images, and images with and without them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgan.apps.dissect.dissect import LEAST, Dissection, Intervention, top_images, units_by_concept
from jaxgan.apps.sheets import sheet
from jaxgan.report.html import chips, data_url, details, figure, html, page, table, tag
from jaxgan.report.pictures import png

_SHOWN = 3  # units of a concept with their top images


def told(found: Dissection, **about: Any) -> dict[str, Any]:
    """What was found, as plain values for JSON."""
    rows = [
        {"unit": unit, "concept": concept, "iou": iou, "quantile": quantile}
        for unit, concept, iou, quantile in units_by_concept(found.agreement)
    ]
    interventions = [
        {
            "concept": x.concept,
            "how": x.how,
            "chosen_by": x.chosen_by,
            "units": x.units,
            "best_iou": x.iou,
            "area_before": x.effect.before,
            "area_after": x.effect.after,
            "difference": x.effect.difference,
            "interval": list(x.effect.interval),
            "images_changed": x.effect.images,
            "random_difference": x.random[0],
            "random_images_changed": x.random[1],
            "elsewhere": x.elsewhere,
        }
        for x in found.interventions
    ]
    return {**about, "layer": found.layer, "units": rows, "interventions": interventions}


def write_page(found: Dissection, title: str, facts: Mapping[str, object]) -> str:
    """The page, which needs nothing but a browser."""
    rows = units_by_concept(found.agreement)
    standing = [row for row in rows if row[2] > LEAST]
    head = ("unit", "concept", "IoU", "quantile")
    units = table(head, [(u, c, f"{v:.3f}", f"{q:g}") for u, c, v, q in rows], numbers=(0, 2, 3))
    intro = (
        f"Of {len(rows)} units, {len(standing)} agree with a concept by an intersection over union above {LEAST:g}, "
        "measured on other images than those that chose their thresholds. Below: for each concept the units that agree "
        "best, the images in which they are most active (bright where they are above their threshold), and images as "
        "they are, with these units silent, and with them forced to their 0.99 quantile everywhere."
    )
    shown = dict.fromkeys(x.concept for x in found.interventions)
    return page(
        title,
        tag("h1", title),
        chips({"layer": found.layer, "units": len(rows), "images": len(found.images), **facts}),
        tag("p", intro),
        tag("h2", "Without and with"),
        _effects(found.interventions),
        [_concept(found, concept) for concept in shown],
        tag("h2", "All units"),
        details("each with the concept that it agrees with best", units),
    )


def _effects(interventions: list[Intervention]) -> Any:
    head = (
        "concept",
        "units",
        "chosen by",
        "are",
        "area before",
        "after",
        "difference (95 %)",
        "random units",
        "images",
    )
    percent = lambda x: f"{100 * x:.2f} %"
    rows = [
        (
            x.concept,
            ", ".join(map(str, x.units)),
            x.chosen_by,
            x.how,
            percent(x.effect.before),
            percent(x.effect.after),
            f"{100 * x.effect.difference:+.2f} ({100 * x.effect.interval[0]:+.2f} to "
            f"{100 * x.effect.interval[1]:+.2f})",
            f"{100 * x.random[0]:+.2f}",
            f"{100 * x.effect.images:.0f} % {'gained' if x.how == 'forced' else 'lost'} it "
            f"(random {100 * x.random[1]:.0f} %)",
        )
        for x in interventions
    ]
    return table(head, rows, numbers=(4, 5, 6, 7))


def _concept(found: Dissection, concept: str) -> Any:
    k = found.agreement.concepts.index(concept)
    best = found.agreement.best(concept, _SHOWN)
    limits = found.agreement.threshold[best, k]
    tops = [
        top_images(found.images, found.maps, unit, limit) for unit, limit in zip(best, limits, strict=True)
    ]
    names = [f"unit {unit}, IoU {found.agreement.iou[unit, k]:.2f}" for unit in best]
    parts = [tag("h3", concept), _figure(sheet(tops, names), f"most active images of the units of {concept}")]
    changed = [(how, by, images) for (name, how, by), images in found.after.items() if name == concept]
    if changed:
        says = {"silent": "silent", "forced": "forced"}
        names = ["as they are", *(f"{says[how]} (by {by})" for how, by, _ in changed)]
        rows = [found.before, *(images for *_, images in changed)]
        parts.append(_figure(sheet(rows, names), f"images with units of {concept} changed"))
    return html(parts)


def _figure(pixels: np.ndarray, says: str) -> Any:
    return figure(data_url(png(pixels)), says, says)
