"""From results to conclusions."""

import dataclasses

import numpy as np
import pytest
from studies import SPEC, made

from jaxgan.common import statistics as st
from jaxgan.common.errors import InputError
from jaxgan.study import CellResult, analyse
from jaxgan.study.analysis import collapsed, final_values, metric
from jaxgan.study.plots import band, curve_name


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
    assert [score.name for score in found.metrics] == ["sliced_wasserstein", "high_quality", "modes"]


def test_results_that_lack_a_newer_score_are_ordered_by_one_that_all_have():
    older = made("hinge", [0.1, 0.2], "sliced_wasserstein")
    newer = made("minimax", [0.3, 0.4], "sliced_wasserstein")
    newer = dataclasses.replace(
        newer,
        outcomes=tuple(dataclasses.replace(o, final={**o.final, "mode_kl": 0.01}) for o in newer.outcomes),
    )
    (found,) = analyse([newer, older])
    assert found.metrics[0].name == "sliced_wasserstein"
    assert [variant.result.cell.loss for variant in found.variants] == ["hinge", "minimax"]
    assert analyse([newer])[0].metrics[0].name == "mode_kl"


def test_a_curve_of_fewer_fakes_says_so():
    result = made("hinge", [2.0], "fd_x")
    assert curve_name(result, metric("fd_x")) == "fd_x"
    fewer = [{"step": 5, "score": 3.0, "fd_x@2000": 3.0}]
    result = dataclasses.replace(result, outcomes=(dataclasses.replace(result.outcomes[0], curve=fewer),))
    assert curve_name(result, metric("fd_x")) == "fd_x@2000"
    assert band(result, metric("fd_x"))[1].tolist() == [3.0]


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
