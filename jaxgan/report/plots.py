"""Line plots and bars as SVG in a page: its colours follow the page's, dark or light, and each fits its place."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from jaxgan.report.html import Html, html, tag
from jaxgan.report.scores import format_number

Line = tuple[Sequence[float], Sequence[float]]

_WIDTH, _HEIGHT = 345, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 20, 8, 34  # margins, which hold the numbers of the axes
_COLOURS = 5
_LOG_FROM = 30.0  # times the smallest value
_EARLY = 0.1  # share of the axis whose values may leave the frame
_MOST = 600  # points of a line
_SQUASHED = 3.0  # times the range of the others


def curves(panels: Mapping[str, Mapping[str, Line]], x_label: str) -> Html:
    """Line plots side by side, as many in a row as there is room for.

    Axes are logarithmic where positive values span more than a factor of 30. Values of the first tenth of the steps
    that would squash all others leave the frame, and the caption says so.

    Args:
      panels: title -> line -> (x, y). Lines without points are left out, and panels without lines.
      x_label: what x is.
    """
    made = []
    for title, lines in panels.items():
        finite = {name: points for name, xy in lines.items() if (points := _finite(*xy))}
        if finite:
            made.append(_panel(title, finite, x_label))
    return tag("div", made, class_="plots")


_Points = list[tuple[float, float]]


def _finite(x: Sequence[float], y: Sequence[float]) -> _Points:
    points = [(a, b) for a, b in zip(x, y, strict=True) if b is not None and math.isfinite(b)]
    if len(points) <= _MOST:
        return points
    size = -(-2 * len(points) // _MOST)  # of each so many, the lowest and the highest: spikes are kept
    parts = [points[i : i + size] for i in range(0, len(points), size)]
    by_height = lambda point: point[1]
    kept = {f(part, key=by_height) for part in parts for f in (min, max)}
    return sorted(kept | {points[0], points[-1]})


def _panel(title: str, lines: Mapping[str, _Points], x_label: str) -> Html:
    scale, low, high, cut = _scale([point for points in lines.values() for point in points])
    first = min(points[0][0] for points in lines.values())
    last = max(points[-1][0] for points in lines.values())
    across = lambda x: (
        _LEFT + (_WIDTH - _LEFT - _RIGHT) * ((x - first) / (last - first) if last > first else 0.5)
    )
    bottom, top = scale(low), scale(high)
    share = lambda y: min(max((scale(y) - bottom) / (top - bottom), -0.2), 1.2)  # what is outside is clipped
    down = lambda y: _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share(y)
    drawn: list[Html] = []
    for y in _ticks(low, high, scale is math.log10):
        drawn += [_rule(down(y)), _text(_LEFT - 5, down(y) + 4, _tick(y), "end")]
    for x in _ticks(first, last, False, 4):
        drawn.append(_text(across(x), _HEIGHT - _BOTTOM + 15, _tick(x), "middle"))
    drawn.append(_text((_LEFT + _WIDTH) / 2, _HEIGHT - 4, x_label, "middle"))
    inside = [_line(points, across, down, i) for i, points in enumerate(lines.values())]
    width, height = _WIDTH - _LEFT - _RIGHT + 2, _HEIGHT - _TOP - _BOTTOM + 4
    place = {"x": _LEFT, "y": _TOP - 2, "width": width, "height": height}
    frame = tag("svg", inside, viewBox=f"{_LEFT} {_TOP - 2} {width} {height}", **place)  # clips
    says = f"{title} against {x_label}: {', '.join(lines)}"
    svg = tag("svg", drawn, frame, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img", aria_label=says)
    keys = (
        [tag("span", _key(i), f" {name}") for i, name in enumerate(lines)]
        if [name.lower() for name in lines] != [title.lower()]
        else []
    )
    notes = ["log scale"] * (scale is math.log10) + ["first steps off the scale"] * cut
    note = tag("small", f" ({', '.join(notes)})") if notes else None
    return tag(
        "figure", tag("figcaption", title, note, tag("div", keys, class_="keys") if keys else None), svg
    )


def _scale(points: _Points) -> tuple[Callable[[float], float], float, float, bool]:
    """What y goes through, the ends of the axis, and whether early values are beyond them."""
    values = [y for _, y in points]
    if min(values) > 0 and max(values) > _LOG_FROM * min(values):
        return math.log10, min(values) / 1.15, max(values) * 1.15, False
    first, last = min(x for x, _ in points), max(x for x, _ in points)
    late = [y for x, y in points if x > first + _EARLY * (last - first)] or values
    low, high, cut = min(values), max(values), False
    if len(late) > 3 and high - low > _SQUASHED * (max(late) - min(late)) > 0:
        low, high, cut = min(late), max(late), True
    room = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
    return lambda y: y, low - room, high + room, cut


def _ticks(low: float, high: float, log: bool, most: int = 5) -> Iterable[float]:
    """Round numbers between two ends."""
    if log:
        powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
        step = -(-len(powers) // most) or 1
        ticks = [10.0**power for power in powers][::step]
        if len(ticks) < 2:
            decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
            ticks = [factor * 10.0**power for power in decades for factor in (1, 2, 5)]
        return [tick for tick in ticks if low <= tick <= high]
    if high <= low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first = math.ceil(low / step)
    return [i * step for i in range(first, math.floor(high / step) + 1)]


def _tick(value: float) -> str:
    if value and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.4g}".replace("e-0", "e-").replace("e+0", "e")
    return f"{value:,.6g}" if abs(value) < 1000 else f"{value:,.0f}"


def _text(x: float, y: float, text: str, anchor: str) -> Html:
    return tag("text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor)


def _rule(y: float) -> Html:
    return tag("path", d=f"M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}", style="stroke:var(--line)")


def _line(points: _Points, across: Callable[[float], float], down: Callable[[float], float], i: int) -> Html:
    colour = f"var(--c{i % _COLOURS})"
    if len(points) < 3:
        places = [{"cx": f"{across(x):.1f}", "cy": f"{down(y):.1f}"} for x, y in points]
        return html([tag("circle", r=3, style=f"fill:{colour}", **place) for place in places])
    path = "M" + "L".join(f"{across(x):.1f} {down(y):.1f}" for x, y in points)
    dashes = ";stroke-dasharray:5 3" if i >= _COLOURS else ""
    return tag(
        "path", d=path, style=f"fill:none;stroke:{colour};stroke-width:1.4;stroke-linejoin:round{dashes}"
    )


def _key(i: int) -> Html:
    return tag("b", "―", style=f"color:var(--c{i % _COLOURS})")


def histogram(counts: Mapping[str, int], expected: Mapping[str, float] | None = None) -> Html:
    """Bars of counts by name, with a line where each would stand if all were as `expected` (by default, equal).

    Args:
      counts: by name, in order.
      expected: by name.
    """
    total = sum(counts.values())
    even = expected or dict.fromkeys(counts, total / max(len(counts), 1))
    most = max([*counts.values(), *even.values(), 1])
    step = min(60.0, 680 / max(len(counts), 1))
    named, height, width = step >= 22, 130, max(step * len(counts), 200.0)
    drawn: list[Html] = []
    for i, (name, count) in enumerate(counts.items()):
        x, tall = i * step, (height - 30) * count / most
        box = {"x": f"{x + 0.1 * step:.1f}", "width": f"{0.8 * step:.1f}"}
        box |= {"y": f"{height - 15 - tall:.1f}", "height": f"{tall:.1f}"}
        drawn.append(tag("rect", tag("title", f"{name}: {count:,}"), style="fill:var(--c0)", **box))
        level = height - 15 - (height - 30) * even.get(name, 0.0) / most
        drawn.append(
            tag("path", d=f"M{x:.1f} {level:.1f}h{step:.1f}", style="stroke:var(--c1);stroke-width:1.5")
        )
        if named:
            room = max(1, int(step / 6))
            short = name if len(name) <= room else name[: room - 1] + "…"
            drawn.append(_text(x + step / 2, height - 3, short, "middle"))
            if count:
                drawn.append(_text(x + step / 2, height - 19 - tall, format_number(count), "middle"))
    says = "fakes of each class: " + ", ".join(f"{name} {count:,}" for name, count in counts.items())
    svg = tag(
        "svg", drawn, viewBox=f"0 0 {width:.0f} {height}", width=f"{width:.0f}", role="img", aria_label=says
    )
    return tag(
        "figure",
        svg,
        tag("figcaption", "Fakes of each class, by the classifier; the line: all equally often."),
    )
