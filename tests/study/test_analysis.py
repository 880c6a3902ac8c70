"""From results to conclusions."""

import dataclasses

import numpy as np
import pytest
from studies import SPEC, made

from jaxgan.common import statistics as st
from jaxgan.common.errors import InputError
from jaxgan.study import CellResult, analyse
from jaxgan.study.analysis import collapsed, final_values, metric
from jaxgan.study.plots import band


def test_a_diverged_seed_counts_as_the_worst():
    good, bad = made("hinge", [0.5, 0.6, 0.7]), made("minimax", [0.9, 0.9, 0.9], diverged=(0, 2))
    (found,) = analyse([bad, good])
    assert [v.result.cell.loss for v in found.variants] == ["hinge", "minimax"]
    second = found.variants[1]
    assert second.final["high_quality"].mean == pytest.approx(0.3)  # (0 + 0.9 + 0) / 3
    assert second.best["high_quality"].mean == pytest.approx(0.9)
    assert (second.diverged, second.n, found.test) == (2, 3, "welch")
    (pair,) = found.comparisons
    assert pair.p == pair.adjusted == st.welch([0.5, 0.6, 0.7], [0, 0.9, 0])
    steps, means, _, _ = band(bad, metric("high_quality"))
    assert dict(zip(steps, means, strict=True)) == {5: pytest.approx(0.45), 10: pytest.approx(0.3)}


def test_where_the_scale_has_no_end_ranks_decide():
    results = [
        made("hinge", [2.0, 2.1, 2.2], "fd_mnist_cnn"),
        made("minimax", [1.0, 1.1, 1.2], "fd_mnist_cnn", diverged=(1, 2)),
        made("wasserstein", [1.9, 1.8, 1.7], "fd_mnist_cnn"),
    ]
    (found,) = analyse(results)
    assert (found.metrics[0].higher, found.test, found.ordered_by) == (False, "mann_whitney", "mean rank")
    assert [v.result.cell.loss for v in found.variants] == ["wasserstein", "hinge", "minimax"]
    lost = found.variants[2]
    assert final_values(lost.result, found.metrics[0]).tolist() == [1.0, np.inf, np.inf]
    assert lost.final["fd_mnist_cnn"] == (1.0, None, None, 1)
    by_name = {(c.a, c.b): c for c in found.comparisons}
    assert by_name[0, 1].delta == 1.0  # lower is better
    assert by_name[0, 2].difference is None
    assert by_name[0, 2].p == st.mann_whitney([1.9, 1.8, 1.7], [1.0, np.inf, np.inf])
    adjusted = st.holm([c.p for c in found.comparisons])
    assert [c.adjusted for c in found.comparisons] == pytest.approx(adjusted)
    with pytest.raises(InputError, match="expected one of auto"):
        analyse(results, "t")


def test_dropping_modes_cannot_win():
    """Perfect points of 3 of 8 modes are far from the data: the order is by a score of the whole distribution."""
    narrow, whole = made("hinge", [0.99, 0.99], modes=[3, 2]), made("minimax", [0.9, 0.91], modes=[8, 8])
    far = {"hinge": 0.5, "minimax": 0.05}
    results = [
        dataclasses.replace(
            result,
            outcomes=tuple(
                dataclasses.replace(o, final={**o.final, "sliced_wasserstein": far[result.cell.loss]})
                for o in result.outcomes
            ),
        )
        for result in (narrow, whole)
    ]
    (found,) = analyse(results)
    assert [variant.result.cell.loss for variant in found.variants] == ["minimax", "hinge"]
    assert [score.name for score in found.metrics] == ["sliced_wasserstein", "modes", "high_quality"]


def test_collapse_is_fewer_than_half_of_the_modes():
    result = made("hinge", [0.1] * 4, modes=[8, 4, 3, 0], diverged=(3,))
    assert [collapsed(result, outcome) for outcome in result.outcomes] == [False, False, True, None]
    assert analyse([result])[0].variants[0].collapsed == 1
    images = made("hinge", [4.0, 5.0], "classes_present", modes=None)
    images = dataclasses.replace(images, data={"modes": 0, "classes": 10})
    assert [collapsed(images, outcome) for outcome in images.outcomes] == [True, False]
    assert collapsed(made("hinge", [0.1]), made("hinge", [0.1]).outcomes[0]) is None  # nothing was counted


def test_one_seed_and_failed_cells_alone():
    one = analyse([made("hinge", [0.5]), made("minimax", [0.2])])[0]
    assert one.variants[0].final["high_quality"].low is None
    assert (one.comparisons[0].p, one.comparisons[0].adjusted) == (None, None)
    cell = SPEC.cells()[0]
    (none,) = analyse([CellResult.failure(cell, cell.key, "gone")])
    assert not none.variants
    assert none.failed
