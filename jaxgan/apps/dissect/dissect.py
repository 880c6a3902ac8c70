"""A layer dissected: which units agree with which concepts, and what images are without them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jaxgan.apps.dissect.agreement import Agreement, agreement
from jaxgan.apps.dissect.concepts import Segmenter
from jaxgan.apps.dissect.units import (
    Effect,
    Units,
    by_effect,
    changed_images,
    effect,
    find_layer,
    forced_values,
    maps_of,
)
from jaxgan.apps.network import Network
from jaxgan.common.checks import check_range
from jaxgan.common.errors import unknown

LEAST = 0.05
"""IoU above which a unit is said to stand for a concept (Bau et al. 2019, section 4.1)."""
_RANDOM = 5  # draws of as many random units


class Intervention(NamedTuple):
    """Units of a concept silenced, or forced, on images that chose none of them.

    Attributes:
      concept: its name.
      how: "silent" or "forced".
      chosen_by: "agreement", or "effect".
      units: their positions.
      iou: of the best of them.
      effect: on the concept.
      random: mean effect of as many units drawn at random: difference of area, and share of the images.
      elsewhere: mean absolute change of the areas of all other concepts.
    """

    concept: str
    how: str
    chosen_by: str
    units: list[int]
    iou: float
    effect: Effect
    random: tuple[float, float]
    elsewhere: float


class Dissection(NamedTuple):
    """What was found.

    Attributes:
      layer: its name.
      agreement: of its units with all concepts.
      interventions: one or two for each concept for which a unit stands.
      images: those that were looked at, [n, h, w, c].
      maps: of the units on them, [n, h', w', units].
      seeds: of the interventions' images.
      before: these images as they are.
      after: by (concept, how, chosen_by) with the units changed.
    """

    layer: str
    agreement: Agreement
    interventions: list[Intervention]
    images: np.ndarray
    maps: np.ndarray
    seeds: list[int]
    before: np.ndarray
    after: dict[tuple[str, str, str], np.ndarray]


def dissect(
    network: Network,
    segment: Segmenter,
    *,
    layer: str | None = None,
    n: int = 400,
    units: int = 4,
    concepts: Sequence[str] | None = None,
    most: int = 12,
    choose: Sequence[str] = ("agreement",),
    poll: Callable[[str], None] = lambda text: None,
) -> Dissection:
    """Dissects a layer of a generator.

    Args:
      network: of the run.
      segment: images -> masks of concepts.
      layer: as of `find_layer`.
      n: images that agreement is measured on, half of them to choose thresholds; n / 4 others show the interventions.
      units: how many are changed together.
      concepts: of which units are changed; None: those for which a unit stands (IoU above `LEAST`), at most `most`, and
        that are not in the same place in all images.
      most: as said.
      choose: how units are chosen: "agreement" (largest IoU), "effect" (whose silence alone takes most of the concept).
      poll: told what is done.

    Raises:
      InputError: for a layer or a concept that there is not, or numbers out of range.

    References:
      Bau, Zhu, Strobelt, Zhou, Tenenbaum, Freeman, Torralba (2019), GAN dissection: visualizing and understanding
      generative adversarial networks.
    """
    check_range("n", n, at_least=8)
    check_range("units", units, at_least=1)
    layer = find_layer(network, layer)
    z, labels = network.drawn(range(n))
    poll(f"{n} images, layer {layer}")
    images, maps = maps_of(network, layer, z, labels)
    check_range("units", units, at_most=maps.shape[-1])
    seen = segment(images)
    found = agreement(maps, seen)
    fixed = {name for name, mask in seen.items() if (mask == mask[:1]).all()}  # which no change can move
    names = _standing(found, fixed, most) if concepts is None else list(concepts)
    for name in names:
        if name not in found.concepts:
            raise unknown("concept", name, found.concepts)
    orders = {"agreement": {c: found.best(c, units) for c in names}}
    if "effect" in choose:
        poll("every unit alone silent")
        few = slice(0, max(n // 4, 2))
        told, lost = by_effect(network, layer, z[few], None if labels is None else labels[few], segment)
        orders["effect"] = {
            c: np.argsort(-lost[:, told.index(c)], kind="stable")[:units].tolist() for c in names
        }
    seeds = list(range(n, n + max(n // 4, 2)))
    z, labels = network.drawn(seeds)
    silent, forced = np.zeros(maps.shape[3]), forced_values(maps)
    change = lambda chosen, values: changed_images(network, Units(layer, chosen, values), z, labels)
    before = change([], silent)
    masks = segment(before)
    rng, draws = np.random.default_rng(0), []
    made: list[Intervention] = []
    after: dict[tuple[str, str, str], np.ndarray] = {}
    for how, values in (("silent", silent), ("forced", forced)):
        poll(f"units {how}")
        draws = [
            segment(change(rng.choice(len(silent), min(units, len(silent)), replace=False), values))
            for _ in range(_RANDOM)
        ]
        for by in orders if how == "silent" else ["agreement"]:
            for concept in names:
                chosen = orders[by][concept]
                images_now = change(chosen, values)
                now, appears = segment(images_now), how == "forced"
                others = [abs(now[c].mean() - masks[c].mean()) for c in now if c != concept and c in masks]
                random = [effect(masks[concept], d[concept], appears=appears) for d in draws]
                made.append(
                    Intervention(
                        concept,
                        how,
                        by,
                        chosen,
                        float(found.iou[chosen, found.concepts.index(concept)].max()),
                        effect(masks[concept], now[concept], appears=appears),
                        (
                            float(np.mean([r.difference for r in random])),
                            float(np.mean([r.images for r in random])),
                        ),
                        float(np.mean(others)) if others else 0.0,
                    )
                )
                after[concept, how, by] = images_now[:8]
    return Dissection(layer, found, made, images, maps, seeds, before[:8], after)


def _standing(found: Agreement, fixed: set[str], most: int) -> list[str]:
    """Concepts for which a unit stands, those of the largest IoU first, without the `fixed` ones."""
    best = found.iou.max(0)
    order = np.argsort(-best, kind="stable")
    return [found.concepts[i] for i in order if best[i] > LEAST and found.concepts[i] not in fixed][:most]


def units_by_concept(found: Agreement) -> list[tuple[int, str, float, float]]:
    """Every unit with the concept that it agrees with best: (unit, concept, IoU, quantile), the best first."""
    best = found.iou.argmax(1)
    rows = [
        (unit, found.concepts[k], float(found.iou[unit, k]), float(found.quantile[unit, k]))
        for unit, k in enumerate(best)
    ]
    return sorted(rows, key=lambda row: -row[2])


def top_images(images: np.ndarray, maps: np.ndarray, unit: int, threshold: float, n: int = 6) -> np.ndarray:
    """The n images with the largest values of a unit; what is not above its threshold is dimmed: uint8 [n, h, w, 3]."""
    from jaxgan.apps.dissect.concepts import resized_maps
    from jaxgan.report.pictures import displayed

    order = np.argsort(-maps[..., unit].max((1, 2)), kind="stable")[:n]
    seen = resized_maps(maps[order][..., unit : unit + 1], images.shape[1:3]) > threshold
    shown = displayed(images[order])
    rgb = np.broadcast_to(shown, (*shown.shape[:3], 3)).astype(np.float32)
    return np.where(seen, rgb, 0.3 * rgb).astype(np.uint8)
