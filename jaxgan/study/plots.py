"""Plots of a study, each returned as the bytes of a PNG file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxgan.common import statistics
from jaxgan.config.data import open_data
from jaxgan.data.modality import Modality, find_modality
from jaxgan.report import pictures
from jaxgan.study.analysis import DatasetAnalysis, Metric, Summary
from jaxgan.study.results import CellResult, Store

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = ("#2563eb", "#c2410c", "#059669", "#7c3aed", "#eab308", "#0891b2", "#ec4899", "#64748b", "#84cc16")


def _treatment(result: CellResult) -> str:
    """What a variant has besides its loss: the names of its penalties and dynamics."""
    cell = result.cell
    parts = [x for x in (cell.penalty, cell.dynamics) if x not in ("none", "default")]
    return ", ".join(parts) or ("no penalty" if cell.penalty == "none" else "as in the preset")


def _colours(variants: Sequence[Summary]) -> dict[str, str]:
    names = dict.fromkeys(_treatment(variant.result) for variant in variants)
    return {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(sorted(names))}


def _png(figure: Figure) -> bytes:
    return pictures.png_of_figure(pictures.on_any_ground(figure))


def _figure(width: float, height: float, dpi: int = 110) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=dpi, layout="constrained")


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.tick_params(labelsize=8)


def draw_scores(analysis: DatasetAnalysis) -> bytes:
    """Draws the headline of each variant: its seeds, mean and interval at the end, and the mean of the best steps."""
    variants, score = analysis.variants, analysis.metrics[0]
    colours = _colours(variants)
    figure = _figure(9.0, 1.1 + 0.24 * len(variants))
    axes = figure.add_subplot()
    for y, variant in enumerate(variants):
        colour = colours[_treatment(variant.result)]
        finite = variant.values[np.isfinite(variant.values)]
        axes.scatter(finite, np.full(len(finite), y), s=9, color=colour, alpha=0.35, linewidths=0)
        final, best = variant.final[score.name], variant.best[score.name]
        if final is not None:
            axes.plot(final.mean, y, "o", color=colour, markersize=5)
            if final.low is not None and final.high is not None:
                axes.plot([final.low, final.high], [y, y], color=colour, linewidth=1.8)
        if best is not None:
            axes.plot(best.mean, y, "D", markerfacecolor="none", markeredgecolor=colour, markersize=5)
    axes.set_yticks(range(len(variants)), [_short(variant) for variant in variants])
    axes.set_ylim(len(variants) - 0.4, -0.6)
    axes.set_xlabel(f"{score.name} ({'higher' if score.higher else 'lower'} is better)", fontsize=9)
    if not score.higher and np.isfinite(pooled := np.concatenate([v.values for v in variants])).any():
        pooled = pooled[np.isfinite(pooled)]
        if pooled.min() > 0 and pooled.max() > 30 * pooled.min():
            axes.set_xscale("log")
    _tidy(axes)
    handles = [axes.plot([], [], "o", color=colour, markersize=5)[0] for colour in colours.values()]
    handles.append(axes.plot([], [], "D", markerfacecolor="none", markeredgecolor="#475569", markersize=5)[0])
    figure.legend(
        handles,
        [*colours, "mean of the best step"],
        loc="outside upper center",
        ncols=4,
        fontsize=8,
        frameon=False,
    )
    return _png(figure)


def _short(variant: Summary) -> str:
    name = variant.result.cell.variant
    lost = f" ({variant.diverged}/{variant.n} diverged)" if variant.diverged else ""
    return name + lost


def draw_curves(analysis: DatasetAnalysis) -> bytes | None:
    """Draws the headline on the way in a panel for each loss: means over the seeds with 95 % bands.

    None if there are no curves. The axis is logarithmic where the means of a distance span more than a factor of 30.
    """
    losses: dict[str, list[Summary]] = {}
    score, colours = analysis.metrics[0], _colours(analysis.variants)
    for variant in sorted(analysis.variants, key=lambda v: v.result.cell.variant):
        if len(band(variant.result, score)[0]):  # no empty panels
            losses.setdefault(variant.result.cell.loss, []).append(variant)
    if not losses:
        return None
    columns = min(4, len(losses))
    rows = -(-len(losses) // columns)
    figure = _figure(3.0 * columns + 0.4, 2.2 * rows + 0.5, dpi=100)
    shared: Any = None
    every: list[np.ndarray] = []
    for i, (loss, variants) in enumerate(losses.items()):
        shared = axes = figure.add_subplot(rows, columns, i + 1, sharex=shared, sharey=shared)
        for variant in variants:
            steps, means, lows, highs = band(variant.result, score)
            colour = colours[_treatment(variant.result)]
            axes.plot(steps, means, color=colour, linewidth=1.2, marker="." if len(steps) < 3 else None)
            axes.fill_between(steps, lows, highs, color=colour, alpha=0.18, linewidth=0)
            every.append(means)
        axes.set_title(loss.rpartition("/")[2], fontsize=9, loc="left")
        _tidy(axes)
        if i % columns == 0:
            axes.set_ylabel(curve_name(variants[0].result, score), fontsize=8)
        if i >= len(losses) - columns:
            axes.set_xlabel("generator steps", fontsize=8)
    means = np.concatenate(every)
    if not score.higher and 0 < 30 * means.min() < means.max():
        shared.set_yscale("log")
    lines = [figure.axes[0].plot([], [], color=colour)[0] for colour in colours.values()]
    figure.legend(lines, list(colours), loc="outside upper center", ncols=4, fontsize=8, frameon=False)
    return _png(figure)


def curve_name(result: CellResult, score: Metric) -> str:
    """What a cell's curve is called: the score, or NAME@N of fewer fakes; "score", the main one, if it has neither."""
    names = {name for outcome in result.outcomes for record in outcome.curve for name in record}
    fewer = sorted(name for name in names if name.startswith(f"{score.name}@"))
    return score.name if score.name in names else [*fewer, "score"][0]


def band(result: CellResult, score: Metric) -> tuple[np.ndarray, ...]:
    """(steps, means, lows, highs) of a cell's curve.

    A seed that has diverged counts as the worst value from then on if the scale has one, and is left
    out otherwise. The curve is that of `curve_name`.
    """
    records, rows = [record for outcome in result.outcomes for record in outcome.curve], []
    name = curve_name(result, score)
    for step in sorted({record["step"] for record in records}):
        values = [_at(outcome.curve, step, name) for outcome in result.outcomes]
        lost = score.worst if name == score.name else np.inf
        values = [lost if value is None else value for value in values]
        finite = [value for value in values if np.isfinite(value)]
        if finite:
            mean, low, high, _ = statistics.mean_interval(finite)
            rows.append((step, mean, mean if low is None else low, mean if high is None else high))
    return tuple(np.array(rows, np.float64).reshape(-1, 4).T)


def _at(curve: Sequence[Mapping[str, Any]], step: int, name: str) -> float | None:
    return next((record.get(name) for record in curve if record["step"] == step), None)


def draw_samples(analysis: DatasetAnalysis, store: Store) -> bytes | None:
    """Draws samples of each variant at the end, from the seed with the median score; None if none were kept."""
    chosen = [(variant, *_median_samples(variant, store)) for variant in analysis.variants]
    shown = [samples for _, _, samples in chosen if samples is not None]
    if not shown:
        return None
    modality = _modality(chosen[0][0].result)
    if not pictures.is_drawn(modality):
        return None
    reference = _reference(chosen[0][0].result) if modality.name in _ON_AXES else None
    columns = min(6, len(chosen))
    rows = -(-len(chosen) // columns)
    figure = _figure(1.75 * columns, 1.95 * rows, dpi=100)
    for i, (variant, seed, samples) in enumerate(chosen):
        axes = figure.add_subplot(rows, columns, i + 1)
        axes.set_xticks([])
        axes.set_yticks([])
        lines = variant.result.cell.variant.split(", ")
        title = "\n".join(line if len(line) <= 31 else line[:30] + "…" for line in lines)
        axes.set_title(title, fontsize=6.2, loc="left")
        mean = variant.final[analysis.metrics[0].name]
        axes.set_xlabel(f"seed {seed}" + (f"; mean {mean.mean:.3g}" if mean else ""), fontsize=6.5)
        if samples is None or not np.isfinite(samples).all():
            axes.text(
                0.5, 0.5, "diverged", ha="center", va="center", transform=axes.transAxes, color="#b91c1c"
            )
        elif modality.name in _ON_AXES:
            _ON_AXES[modality.name](axes, samples, reference)
        else:
            png = pictures.picture(samples[:36], modality, 6)
            assert png is not None
            axes.imshow(pictures.pixels_of(png), interpolation="nearest")
    return _png(figure)


def _points(axes: Axes, points: np.ndarray, reference: np.ndarray | None) -> None:
    pictures.draw_points(axes, points, reference, size=1.5)


_ON_AXES = {"point": _points}  # modalities that are plotted and not pasted, so that they fit a small panel


def _median_samples(variant: Summary, store: Store) -> tuple[int, np.ndarray | None]:
    order = np.argsort(variant.values, kind="stable")
    seed = variant.result.outcomes[order[(len(order) - 1) // 2]].seed
    return seed, store.with_samples(variant.result).samples.get(seed)


def _modality(result: CellResult) -> Modality:
    """That of the data; cells that were kept before it was recorded are asked for their data."""
    name = result.data.get("modality")
    return open_data(result.cell.config()).modality if name is None else find_modality(name)


def _reference(result: CellResult) -> np.ndarray:
    source = open_data(result.cell.config())
    return source.some(1000, 0)[source.example]


def draw_pairs(analysis: DatasetAnalysis) -> bytes:
    """Draws Cliff's delta of every pair, rows against columns, with a dot if the adjusted p is at most 0.05."""
    n = len(analysis.variants)
    matrix = np.full((n, n), np.nan)
    sure = []
    for c in analysis.comparisons:
        matrix[c.a, c.b], matrix[c.b, c.a] = c.delta, -c.delta
        if c.adjusted is not None and c.adjusted <= 0.05:
            sure += [(c.b, c.a), (c.a, c.b)]
    size = 4.0 + 0.18 * n
    figure = _figure(size + 0.8, size, dpi=100)
    axes = figure.add_subplot()
    image = axes.imshow(matrix, cmap="RdBu", vmin=-1, vmax=1)
    if sure:
        axes.scatter(*np.array(sure).T, s=5, c="white", edgecolors="#334155", linewidths=0.5)
    names = [variant.result.cell.variant for variant in analysis.variants]
    axes.set_xticks(range(n), names, rotation=90, fontsize=6.5)
    axes.set_yticks(range(n), names, fontsize=6.5)
    bar = figure.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label("blue: the row is better", fontsize=7)
    bar.ax.tick_params(labelsize=7)
    return _png(figure)
