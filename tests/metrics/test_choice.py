"""Which checkpoint is the best, and that this is no worse than the last."""

import math

import numpy as np
import pytest

from jaxgan.data import Arrays, open_source
from jaxgan.data.modality import PAIR
from jaxgan.metrics import make_evaluator
from jaxgan.metrics.choice import better_of
from jaxgan.metrics.score import Measured, name_on_the_way, said_of_fakes, taken_by
from jaxgan.runs.folder import RunFolder
from jaxgan.runs.opened import best_step


def chosen(scores, error=0.0):
    best = None
    for step, score in enumerate(scores):
        best = better_of(best, step, score, error)
    return best["step"]


def test_the_last_that_noise_cannot_tell_from_the_lowest():
    assert chosen([3, 1, 2]) == 1
    assert chosen([3, 1, 1, 2]) == 2  # the later of equals
    assert chosen([3, 1, 1.2, 2], error=0.1) == 2
    assert chosen([3, 1, 1.3], error=0.1) == 1  # 2 standard errors of a difference are 0.28
    assert chosen(np.arange(1, 4, 0.2), error=0.1) == 1  # small steps for the worse do not add up


def test_a_record_of_an_older_version_goes_on():
    best = better_of({"step": 5, "score": 1.0}, 6, 0.9, 0.1)
    assert (best["step"], best["lowest"]) == (6, (0.9, 0.1))


def test_a_best_by_another_score_is_forgotten():
    best = better_of({"step": 5, "score": 0.01}, 6, 0.9, 0.1, "mode_kl")  # a distance, of an older version
    assert (best["step"], best["name"]) == (6, "mode_kl")
    assert better_of({"step": 5, "score": 0.01}, 6, 0.9, 0.0, "fd_x@2000")["step"] == 5
    assert better_of(best, 7, 5.0, 0.1, "mode_kl")["step"] == 6
    assert better_of(best, 7, 5.0, 0.1, "fd_x@2000")["step"] == 7


@pytest.mark.parametrize("error", [math.nan, math.inf])
def test_an_unknown_error_makes_no_bad_score_the_best(error):
    assert chosen([1, 5], error=error) == 0


def test_best_step_is_that_of_the_records(tmp_path):
    (tmp_path / "metrics.jsonl").write_text(
        '{"step": 1, "score": 1.0, "score_error": 0.1}\n{"step": 2, "score": 1.2, "score_error": 0.1}\n'
        '{"step": 3}\n{"step": 4, "score": 2.0, "score_error": 0.1}\n'
    )
    assert best_step(RunFolder(tmp_path)) == 2


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_the_best_of_a_toy_is_not_worse_than_the_final(name):
    """Seeds of a training whose modes come one by one and sharpen, by the full scores of its best and its last step."""
    source, worse = open_source(name), []
    evaluate = make_evaluator(source)

    def fakes(rng, modes, std, strays):
        def generate(n):
            which = rng.integers(0, modes, n)
            points = source.modes[which] + rng.normal(size=(n, 2)) * source.std * std
            return np.where(rng.random((n, 1)) < strays, rng.normal(size=(n, 2)), points)

        return generate

    k = source.n_modes
    stages = [
        (k // 2, 3.0, 0.4),
        (k - 1, 2.0, 0.3),
        (k, 1.6, 0.3),
        (k, 1.2, 0.1),
        (k, 1.05, 0.03),
        (k, 1.0, 0.02),
    ]
    for seed in range(5):
        rng, best = np.random.default_rng(seed), None
        for step, stage in enumerate(stages):
            score = evaluate.quick(fakes(rng, *stage), 100)
            best = better_of(best, step, float(score), score.error)
        if best["step"] == len(stages) - 1:
            continue
        full = [evaluate(fakes(rng, *stages[step]), 100).scores for step in (best["step"], len(stages) - 1)]
        at_best, final = ({name: score.value for name, score in scores.items()} for scores in full)
        worse.append(
            at_best["modes"] < final["modes"] or at_best["high_quality"] < final["high_quality"] - 0.02
        )
    assert not any(worse)


def test_points_that_are_not_finite_have_no_score():
    """A generator that makes NaN has diverged; it has not only missed the modes."""
    evaluate = make_evaluator(open_source("ring"))
    assert math.isnan(evaluate.quick(lambda n: np.full((n, 2), np.nan), 100))
    scores = evaluate(lambda n: np.full((n, 2), np.nan), 100).scores
    assert math.isnan(scores["mode_kl"].value)
    assert math.isfinite(evaluate.quick(lambda n: np.full((n, 2), 99.0), 100))  # far, but there


def test_a_score_on_the_way_bears_the_name_of_the_final_one_if_it_is_that():
    ring = make_evaluator(open_source("ring"))
    assert name_on_the_way(ring, 2000, 10_000) == "mode_kl"  # always of 2,500 points

    class Distance:
        main = "fd_x"

    assert name_on_the_way(Distance(), 2000, 10_000) == "fd_x@2000"
    assert name_on_the_way(Distance(), 500, 500) == "fd_x"


@pytest.mark.parametrize(("held", "name"), [(2, "rmse"), (5, "rmse@4")])
def test_a_score_of_fewer_images_than_are_asked_for_bears_their_number(held, name):
    """As of a restoration of which few images are held out."""
    pixels = np.random.default_rng(0).integers(0, 256, (held, 8, 8, 1)).astype(np.uint8)
    pairs = make_evaluator(Arrays("x", {"image": pixels, "input": pixels}, PAIR, example="image"))
    assert name_on_the_way(pairs, 4, 1000) == name
    assert taken_by(pairs, 1000) == held
    assert pairs.names == ("rmse", "psnr", "psnr_given")  # as small as they are
    assert said_of_fakes(pairs, 1000) == f"{held} fakes"
    assert taken_by(make_evaluator(open_source("ring")), 10_000) == 2500
    assert said_of_fakes(object(), 1000) == said_of_fakes(object(), 1000, 1000) == "1,000 fakes"
    assert said_of_fakes(object(), 1000, 2) == "1,000 fakes, of 2 images again and again"


def test_a_measured_number_is_a_number():
    assert Measured(2.0, 0.5) == 2.0
    assert Measured(2.0, 0.5).error == 0.5
