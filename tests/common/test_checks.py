"""Numbers in and out of their range."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError

HALF_OPEN = {"at_least": 0, "below": 1}


@pytest.mark.parametrize(
    ("bounds", "inside", "outside"),
    [
        ({"at_least": 1}, (1, 1.0, math.inf), (0, 0.999, -math.inf)),
        ({"above": 0}, (1e-300, 5), (0, 0.0, -1)),
        ({"above": 2}, (3,), (2,)),
        (HALF_OPEN, (0, 0.0, 0.999), (-1e-9, 1, 1.0)),
        ({"above": 0, "at_most": 1}, (1, 0.5), (0, 1.1)),
        ({"at_least": 0, "at_most": 3}, (0, 3), (-1, 4)),
        ({"below": 4}, (3.9, -9), (4,)),
    ],
)
def test_a_number_is_inside_or_it_is_named(bounds, inside, outside):
    for value in inside:
        check_range("group.leaf", value, **bounds)
    for value in (*outside, math.nan, *map(np.float32, outside)):
        with pytest.raises(InputError, match=rf"^group\.leaf: expected .*, got {value}$"):
            check_range("group.leaf", value, **bounds)


def test_what_cannot_be_checked_passes():
    check_range("devices", None, at_least=1)
    check_range("rate", lambda step: -1.0, above=0)
    jax.jit(lambda rate: check_range("rate", rate, above=0))(jnp.float32(-1))


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"at_least": 2, "unit": "fakes"}, "at least 2 fakes"),
        ({"above": 0}, "a positive number"),
        ({"above": 2}, "more than 2"),
        (HALF_OPEN, "0 <= b1 < 1"),
        ({"above": 0, "at_most": 1}, "0 < b1 <= 1"),
        ({"at_least": 0, "at_most": 3}, "an integer from 0 to 3"),
        ({"at_least": 0, "at_most": 3.5}, "a number from 0 to 3.5"),
        ({"below": -1}, "b1 < -1"),
    ],
)
def test_the_range_is_said_in_words_or_as_a_formula(bounds, expected):
    with pytest.raises(InputError) as error:
        check_range("g_optimizer.b1", math.nan, **bounds)
    assert str(error.value) == f"g_optimizer.b1: expected {expected}, got nan"
