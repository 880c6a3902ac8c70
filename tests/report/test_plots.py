"""Plots of a page: axes that show what there is, colours that follow the page, text that is escaped."""

import re

import numpy as np
import pytest
from matplotlib.figure import Figure

from jaxgan.report.pictures import draw_points
from jaxgan.report.plots import curves, histogram

STEPS = list(range(0, 1001, 50))


def ticks(page):
    return re.findall(r'text-anchor="end">([^<]*)</text>', page)


def test_axes_are_logarithmic_where_needed():
    falling = [1000 * 0.5**i for i in range(len(STEPS))]
    page = curves({"Score": {"fd": (STEPS, falling)}}, "steps")
    assert "log scale" in page
    assert ticks(page) == ["0.001", "0.1", "10", "1,000"]
    flat = [1 + 0.1 * i for i in range(len(STEPS))]
    assert "log scale" not in curves({"Loss": {"d": (STEPS, flat)}}, "steps")
    assert "log scale" not in curves({"Loss": {"d": (STEPS, [-1.0, *falling[1:]])}}, "steps")  # below 0


def test_no_two_ticks_have_one_name():
    for top in (1.8e6, 1.8e-5):
        named = ticks(curves({"d": {"d": (STEPS, [top * s / 1000 for s in STEPS])}}, "steps"))
        assert len(set(named)) == len(named) > 2
        values = [float(name.replace(",", "")) for name in named]
        assert values == pytest.approx([i * values[1] for i in range(len(values))])


def test_early_transients_do_not_squash_the_rest():
    late = [0.1 * (-1) ** i for i in range(len(STEPS))]
    page = curves({"Logits": {"fakes": (STEPS, [50.0, -80.0, *late[2:]])}}, "steps")
    assert "first steps off the scale" in page
    assert all(abs(float(tick)) <= 0.2 for tick in ticks(page))
    page = curves({"Logits": {"fakes": (STEPS, [*late[:10], 50.0, *late[11:]])}}, "steps")
    assert "off the scale" not in page  # what happens later is shown
    assert "50" in ticks(page) or "60" in ticks(page) or "40" in ticks(page)


def test_long_lines_are_thinned_and_keep_their_spikes():
    steps = list(range(100_000))
    page = curves({"Loss": {"d": (steps, [7.0 if i == 54_321 else 1.0 + i % 2 for i in steps])}}, "steps")
    assert len(page) < 20_000
    (path,) = re.findall(r'd="M([^"H]*)"', page)
    points = [tuple(map(float, point.split())) for point in path.split("L")]
    assert len(points) <= 602
    assert (points[0][0], points[-1][0]) == (50, 325)
    assert min(points, key=lambda point: point[1])[0] == pytest.approx(50 + 0.54321 * 275, abs=0.2)


def test_panels_stand_alone_and_follow_the_colours_of_the_page():
    evil = "<b>&"
    page = curves(
        {evil: {evil: ([1], [2.0])}, "Two": {"a": ([1, 2], [1.0, 2.0]), "b": ([1, 2], [2.0, 2.0])}}, evil
    )
    assert page.count("<figure>") == 2  # each its own, so that narrow screens stack them
    assert "<b>&" not in page
    assert "var(--c0)" in page
    assert "#" not in page.replace("&#", "")  # no colour of its own
    assert page.count("<circle") == 5  # lines of one or two points are dots
    whole = curves(
        {"Gap": {"a": ([1, 2, 3], [1.0, None, float("nan")]), "empty": ([], [])}, "Empty": {"x": ([], [])}},
        "s",
    )
    assert whole.count("<figure>") == 1
    assert "empty" not in whole
    assert "nan" not in whole


def test_histograms_are_pictures():
    page = histogram({"0": 100, "<1>": 50, "2": 0})
    assert page.count("<rect") == 3
    heights = [
        float(h) for h in re.findall(r'height="([\d.]+)" |height="([\d.]+)"><title', page) for h in h if h
    ]
    assert heights[0] == 2 * heights[1]
    assert "<1>" not in page
    assert "&lt;1&gt; 50" in page  # for those who do not see it
    many = histogram({str(i): 1 for i in range(200)})
    assert many.count("<rect") == 200
    assert "<text" not in many  # no room for names


@pytest.mark.parametrize("d", [1, 2])
def test_points_outside_the_frame_are_told(d):
    reals = np.linspace(-1, 1, 20)[:, None].repeat(d, 1)

    def said(points):
        axes = Figure().add_subplot()
        draw_points(axes, points, reals)
        return [text.get_text() for text in axes.texts]

    assert said(reals) == []
    assert said(np.concatenate([reals, np.full((3, d), 50.0), np.full((1, d), np.nan)])) == [
        "4 of 24 outside"
    ]
    assert said(reals + 100) == ["20 of 20 outside"]
