"""Scores as people read them: rounded to what is known, with a reason for every dash and the way that was come."""

import math

import pytest

from jaxgan.metrics.catalogue import SCORES
from jaxgan.report.scores import footnotes, format_number, progress, score_rows, why_missing, with_error
from jaxgan.report.seeds import summary_lines


def test_numbers_are_short():
    values = (None, math.nan, 0.0, 10.0, 12345.0, 12345.678, 0.123456, 1.5e-7, 3.14159)
    assert [format_number(x) for x in values] == [
        "–", "–", "0", "10", "12,345", "12,346", "0.1235", "1.5e-07", "3.142",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (10.0, 0.0, "10"),
        (0.2, 1.6e-18, "0.2"),
        (45.868551, 0.000022, "45.87"),
        (0.47312, 5.8e-7, "0.4731"),
        (45.868551, 0.0044, "45.8686 ± 0.0044"),
        (0.0, 0.0, "0"),
        (0.15023456, 0.00214, "0.1502 ± 0.0021"),
        (0.0005, 0.0005, "0.0005 ± 0.0005"),
        (-0.0001, 0.27, "0.00 ± 0.27"),
        (1234.5678, 12.4, "1,235 ± 12"),
        (123456.0, 1234.0, "123,500 ± 1,200"),
        (35.1, 0.996, "35.1 ± 1.0"),
        (1.5e-9, 2e-10, "1.5e-09 ± 2e-10"),
        (0.5, None, "0.5"),
        (None, 0.1, "–"),
    ],
)
def test_values_are_rounded_to_their_errors(value, error, text):
    assert with_error({"value": value, "error": error}) == text


def test_the_way_from_untrained_to_real():
    fd, share, kd = SCORES["fd"], SCORES["precision"], SCORES["kd"]
    assert progress(share, 0.45, 0.9, None) == pytest.approx(0.5)  # from 0, the worst
    assert progress(share, 0.95, 0.9, 0.1) == 1
    assert progress(fd, 1.0, 0.1, 10.0) == pytest.approx(0.5)  # the geometric mean
    assert progress(fd, 5.05, 1.0, 9.1) == pytest.approx(0.5)  # near ends: the mean
    assert progress(fd, 20.0, 0.1, 10.0) == 0
    assert progress(kd, 1.0, -0.01, 100.0) == pytest.approx(0.5)  # an estimate below 0
    assert progress(fd, 1.0, 0.1, None) is None  # a distance has no worst value
    assert progress(fd, 1.0, None, 10.0) == pytest.approx(
        1 / 3
    )  # the best value is 0, a thousandth of the way
    assert progress(SCORES["real_sign"], 0.1, 0.5, 0.0) is None  # no way is better
    assert progress(fd, 1.0, 2.0, 1.5) is None  # it began nearer than real data are
    assert progress(fd, None, 0.1, 10.0) is None


def entry(value=0.5, floor=None, split="mnist:train; floor: mnist:test", **more):
    return {
        "value": value,
        "floor": floor,
        "split": split,
        "n_fake": 9,
        "n_real": 9,
        "features": "none",
        **more,
    }


def test_every_dash_has_a_reason():
    assert why_missing(entry(floor=0.1)) == ""
    few = entry(split="x; floor: none (no held-out images)")
    assert why_missing(few) == "no value of real data: no held-out images"
    left = entry(split="x; floor: none (undefined for the 3 images of folder:a (test))")
    assert why_missing(left) == "no value of real data: undefined for the 3 images of folder:a (test)"
    assert "statistics only" in why_missing(entry(split="statistics of a.npz; floor: none"))
    assert "too few images" in why_missing(entry())
    assert "undefined" in why_missing(entry(value=None, floor=0.1))
    rows = score_rows({"final": {"scores": {"a": few, "b": few, "c": entry(floor=1.0)}}})
    assert footnotes(rows) == ["–: a, b: no value of real data: no held-out images"]


def test_a_summary_of_seeds_gives_the_reasons_on_the_terminal():
    of = {"final": {"mean": 1.0, "low": 0.9, "high": 1.1, "n": 3, "of": 3}}
    scores = {name: entry(**extra) | of | {"best": of["final"]} for name, extra in (
        ("a", {"split": "x; floor: none (one)"}), ("b", {"floor": 0.1}), ("c", {"split": "x; floor: none (one)"}),
    )}  # fmt: skip
    lines = summary_lines({"scores": scores, "diverged": []})
    assert lines[1:] == [
        *(line for line in lines if line[0] in "abc"),
        "–: a, c: no value of real data: one",
    ]


def test_rows_say_how_far_they_have_come_and_of_what_they_are():
    scores = {"fd_x": entry(1.0, 0.1, key="fd", meaning="m", better="lower", scale=[None, 0.0])}
    (row,) = score_rows({"final": {"scores": scores}, "untrained": {"scores": {"fd_x": entry(10.0)}}})
    assert row.progress == pytest.approx(0.5)
    assert row.protocol == "9 fakes, 9 reals of mnist:train; real data: mnist:test"
    assert score_rows({"final": {"scores": scores}})[0].progress is None
