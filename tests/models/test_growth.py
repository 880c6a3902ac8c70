"""When networks grow: against the authors' schedule, written anew."""

import itertools
import math

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import InputError
from jaxgan.models import ProGANConfig
from jaxgan.models.growth import GROWN, Growth

GROWTH = Growth(stages=4, stable=70, fade=50, images=8)
STEPS = range(60)


def detail(step, growth=GROWTH):
    """How many sizes are still missing, in part: the level of detail of the authors' code."""
    images, cycle = step * growth.images, growth.stable + growth.fade
    passed = images // cycle
    fading = max(images - passed * cycle - growth.stable, 0) / growth.fade
    return max(growth.stages - 1 - passed - fading, 0.0)


def test_sizes_come_as_in_the_authors_schedule():
    for step in STEPS:
        level = GROWTH.stages - 1 - detail(step)
        stage = int(GROWTH.index(step))
        assert stage == math.ceil(level) == GROWTH.stage(step)
        np.testing.assert_allclose(stage - 1 + GROWTH.share(stage, step), max(level, 0), rtol=1e-6)
        assert [float(GROWTH.share(k, step)) for k in range(stage)] == [1] * stage
        assert [float(GROWTH.share(k, step)) for k in range(stage + 1, 4)] == [0] * (3 - stage)
    assert {int(GROWTH.index(step)) for step in STEPS} == {0, 1, 2, 3}


def test_one_stage_serves_all_steps_in_which_the_next_has_not_begun():
    """Of some steps: those that end in a stage begin in it, or when the one before has been faded in."""
    served = set()
    for first, steps in itertools.product(STEPS, (8, 12)):
        stages = [math.ceil(GROWTH.stages - 1 - detail(step)) for step in range(first, first + steps)]
        found = GROWTH.stage(first, steps)
        served.add(found)
        if found is None:
            assert stages[0] < stages[-1]
            assert detail(first) > GROWTH.stages - stages[-1]
        else:
            assert found == stages[-1]
            assert detail(first) <= GROWTH.stages - found
    assert served == {0, 1, 2, 3, None}


def test_changes_are_where_the_authors_code_forgets_moments():
    """Where either end of the level of detail has changed since the step before."""
    pairs = [(math.floor(detail(step)), math.ceil(detail(step))) for step in STEPS]
    assert GROWTH.changes() == [step for step in STEPS if step and pairs[step] != pairs[step - 1]]
    assert len(GROWTH.changes()) == 6


def test_a_long_run_counts_no_images_beyond_32_bits():
    growth = Growth(stages=3, stable=600_000, fade=600_000, images=4096)
    for step in (10**6, 2**30, GROWN):
        assert (int(growth.index(step)), float(growth.share(2, step))) == (2, 1)


def test_the_next_size_comes_at_once_without_a_fade():
    growth = Growth(stages=2, stable=80, fade=0, images=8)
    assert [int(growth.index(step)) for step in (0, 9, 10, 11)] == [0, 0, 1, 1]
    assert [growth.stage(step) for step in (0, 9, 10, 11)] == [0, 0, 1, 1]
    assert [float(growth.share(1, step)) for step in (9, 10)] == [0, 1]
    assert growth.changes() == [10]


def test_reals_are_as_coarse_as_fakes():
    x = np.random.default_rng(0).normal(size=(2, 8, 4, 3)).astype(np.float32)
    growth = Growth(stages=3, stable=8, fade=16, images=8)  # sizes 2x1, 4x2, 8x4
    mean = lambda k: x.reshape(2, 8 // k, k, 4 // k, k, 3).mean((2, 4)).repeat(k, 1).repeat(k, 2)
    for step, expected in [
        (0, mean(4)),
        (2, 0.5 * mean(4) + 0.5 * mean(2)),
        (3, mean(2)),
        (5, 0.5 * mean(2) + 0.5 * x),
        (6, x),
        (GROWN, x),
    ]:
        for stage in (None, growth.stage(step)):
            np.testing.assert_allclose(growth.detail(stage, step, jnp.asarray(x)), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"stable_kimg": 0.0}, "stable_kimg: expected"),
        ({"fade_kimg": -1.0}, "fade_kimg: expected"),
        ({"start": 0}, "start: expected"),
        ({"width": 0}, "width: expected"),
        ({"base": 4}, "base: expected"),
        ({"dtype": "float16"}, "dtype: expected"),
    ],
)
def test_networks_that_cannot_be(fields, message):
    with pytest.raises(InputError, match=message):
        ProGANConfig(**fields).build((32, 32, 3), 0)


def test_points_are_refused():
    with pytest.raises(InputError, match=r"a progan needs images .* got examples of shape \(2,\)"):
        ProGANConfig().build((2,), 0)
