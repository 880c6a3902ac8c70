"""What `jaxgan anomalies` leaves in a folder: a table, heat maps, the most and least normal images, and a page."""

from __future__ import annotations

import csv
import io
import json
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxgan.apps.anomalies.curves import Threshold, auroc, average_precision, bootstrapped
from jaxgan.apps.anomalies.detector import Scored
from jaxgan.apps.anomalies.images import Given
from jaxgan.apps.sheets import sheet as in_rows
from jaxgan.common.files import write_atomically
from jaxgan.report import pictures
from jaxgan.report.html import data_url, figure, html, page, table, tag

SHOWN = 16  # images of a sheet
_LETTERS = 32  # of a name in it


def write(
    out: pathlib.Path,
    given: Given,
    scored: Scored,
    limit: Threshold,
    known: Sequence[str],
    facts: Mapping[str, Any],
    *,
    maps: int = 64,
) -> dict[str, Any]:
    """Writes DIR/scores.csv, most-normal.png, least-normal.png, maps/NAME.png, anomalies.json and anomalies.html.

    Args:
      out: the folder.
      given: the images.
      scored: what a detector says of them.
      limit: the threshold.
      known: classes of the run's data; images of another known class are anomalies, and areas under curves are given.
      facts: what else is to be told of the detector.
      maps: heat maps of so many images, those that score most.

    Returns:
      What anomalies.json holds, where null stands for an end of the threshold's interval that is not finite.
    """
    order = np.argsort(-scored.scores, kind="stable")
    above = scored.scores > limit.value
    _write_table(out / "scores.csv", given, scored.scores, above, order)
    sheets = {}
    for name, chosen in (("least-normal", order[:SHOWN]), ("most-normal", order[::-1][:SHOWN])):
        sheets[name] = sheet(given, scored, chosen)
        write_atomically(out / f"{name}.png", sheets[name])
    rebuilt = scored.rebuilt
    shown = order[:maps] if rebuilt is not None else order[:0]
    for i, name in zip(shown, png_names([given.names[i] for i in shown]), strict=True):
        assert rebuilt is not None
        row = pictures.png(pictures.enlarged(with_map(given.images[i], rebuilt[i], peak_of(scored)), 384))
        write_atomically(out / "maps" / name, row)
    found = {
        **facts,
        "images": len(given.names),
        "anomalous": int(above.sum()),
        "threshold": limit._asdict(),
        "left_out": [*given.broken, *given.notes],
        "changed": given.changed,
        **areas(given, scored, known),
    }
    ends = {name: value if math.isfinite(value) else None for name, value in limit._asdict().items()}
    write_atomically(out / "anomalies.json", json.dumps({**found, "threshold": ends}, indent=1) + "\n")
    write_atomically(out / "anomalies.html", _page(found, given, scored, above, order, sheets))
    return found


def areas(given: Given, scored: Scored, known: Sequence[str]) -> dict[str, Any]:
    """AUROC and average precision with 95 % bootstrap intervals, where both kinds of classes are known."""
    anomalous = np.asarray([name not in known for name in given.classes], bool)
    if not known or not anomalous.any() or anomalous.all():
        return {}
    measures = {"auroc": auroc, "average_precision": average_precision}
    found = {name: bootstrapped(measure, scored.scores, anomalous) for name, measure in measures.items()}
    return {name: {"value": v, "interval": [low, high]} for name, (v, low, high) in found.items()} | {
        "anomalies": int(anomalous.sum())
    }


def _write_table(
    path: pathlib.Path, given: Given, scores: np.ndarray, above: np.ndarray, order: np.ndarray
) -> None:
    """Images with their scores, the least normal first."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    classes = given.classes or [""] * len(given.names)
    rows.writerow(["image", "score", "anomalous", *(["class"] if given.classes else [])])
    for i in order:
        own = [classes[i]] if given.classes else []
        rows.writerow([given.names[i], f"{scores[i]:.8g}", int(above[i]), *own])
    write_atomically(path, text.getvalue())


def png_names(names: Sequence[str]) -> list[str]:
    """Files for heat maps of images of these names, each another, and none longer than file systems take."""
    taken: dict[str, None] = {}
    for name in names:
        flat = name.replace("/", "__").replace("\\", "__")
        flat = flat[:-4] if flat.lower().endswith(".png") else flat
        flat = flat.encode("utf-8", "surrogateescape")[-180:].decode("utf-8", "ignore")
        file, number = f"{flat}.png", 2
        while file in taken:
            file, number = f"{flat}-{number}.png", number + 1
        taken[file] = None
    return list(taken)


# --- pictures ------------------------------------------------------------------------------------------


def peak_of(scored: Scored) -> float:
    """The difference that heat maps show as brightest: that of 4 in the range [-1, 1] of pixels would be none."""
    return 1.0


def heat(difference: np.ndarray, peak: float) -> np.ndarray:
    """Differences [h, w], from 0 to `peak`, as colours uint8 [h, w, 3]: black, red, yellow, white."""
    share = np.clip(difference / peak, 0, 1)[..., None] * 3
    return np.round(255 * np.clip(np.concatenate([share, share - 1, share - 2], -1), 0, 1)).astype(np.uint8)


def with_map(image: np.ndarray, rebuilt: np.ndarray, peak: float = 1.0) -> np.ndarray:
    """`beside` in one picture, with lines between them: uint8 [h, 3 w + 2, 3]."""
    first, second, third = beside(image, rebuilt, peak)
    gap = np.full((len(image), 1, 3), 40, np.uint8)
    return np.concatenate([first, gap, second, gap, third], 1)


def beside(image: np.ndarray, rebuilt: np.ndarray, peak: float = 1.0) -> np.ndarray:
    """An image, what it was rebuilt as, and where they differ: uint8 [3, h, w, 3].

    Args:
      image: as it is stored [h, w, c].
      rebuilt: as the model sees images, in [-1, 1], [h, w, c].
      peak: mean absolute difference of the channels that is shown brightest.
    """
    full = np.iinfo(image.dtype).max
    seen = image.astype(np.float32) * (2 / full) - 1
    again = np.round((np.clip(rebuilt, -1, 1) + 1) / 2 * full).astype(image.dtype)
    both = pictures.displayed(np.stack([image, again]))
    colour = np.broadcast_to(both, (*both.shape[:3], 3))
    return np.stack([*colour, heat(np.abs(seen - rebuilt).mean(-1), peak)])


def sheet(given: Given, scored: Scored, chosen: np.ndarray) -> bytes:
    """A PNG of some images: a row each, with name, score, what it was rebuilt as and its heat map where there are."""
    names = [f"{given.names[i][-_LETTERS:]}  {scored.scores[i]:.3g}" for i in chosen]
    if scored.rebuilt is None:
        return pictures.png(in_rows([given.images[i][None] for i in chosen], names, ["image"]))
    rows = [beside(given.images[i], scored.rebuilt[i], peak_of(scored)) for i in chosen]
    return pictures.png(in_rows(rows, names, ["image", "rebuilt", "difference"]))


# --- the page ------------------------------------------------------------------------------------------


def _page(
    found: Mapping[str, Any],
    given: Given,
    scored: Scored,
    above: np.ndarray,
    order: np.ndarray,
    sheets: Mapping[str, bytes],
) -> str:
    limit = found["threshold"]
    told = [tag("p", text) for text in in_lines(found)]
    rows = [
        (
            given.names[i],
            *([given.classes[i]] if given.classes else []),
            f"{scored.scores[i]:.4g}",
            "yes" if above[i] else "",
        )
        for i in order[:100]
    ]
    names = ("image", *(["class"] if given.classes else []), "score", "anomalous")
    told_of = "" if scored.rebuilt is None else ": image, what it is rebuilt as, where they differ"
    captions = {
        "least-normal": f"Least normal{told_of}.",
        "most-normal": f"Most normal{told_of}.",
    }
    figures = [figure(data_url(sheets[name]), text, name) for name, text in captions.items()]
    return page(
        "Anomalies",
        tag("h1", "Anomalies"),
        html(told),
        tag("div", figures, class_="pair"),
        tag("h2", f"The {min(100, len(order))} least normal, threshold {limit['value']:.4g}"),
        table(names, rows, numbers=(len(names) - 2,)),
    )


def in_lines(found: Mapping[str, Any]) -> list[str]:
    """What was found, as lines for people."""
    limit = found["threshold"]
    lines = [
        f"score: {found['method']} ({found['says']}), checkpoint of step {found['step']:,}",
        f"threshold: {limit['value']:.4g} (95 % interval {limit['low']:.4g} to {limit['high']:.4g}): a normal image "
        f"lies beyond it with probability {limit['rate']:.3f} ({limit['rate_low']:.3f} to {limit['rate_high']:.3f}), "
        f"by {limit['n']:,} held-out normal images",
        f"anomalous: {found['anomalous']:,} of {found['images']:,} images",
    ]
    for name, label in (("auroc", "AUROC"), ("average_precision", "average precision")):
        if name in found:
            low, high = found[name]["interval"]
            lines.append(
                f"{label}: {found[name]['value']:.3f} ({low:.3f} to {high:.3f}), {found['anomalies']:,} of other "
                "classes"
            )
    return [*lines, *found["left_out"], *found["changed"]]
