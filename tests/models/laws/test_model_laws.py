"""Every family of networks of the package obeys every law: the first half of them, and that none is left out."""

import pytest
from small_models import FIRST, SECOND

from jaxgan.models import MODELS, laws


@pytest.mark.parametrize("name", FIRST)
def test_the_first_families_obey_every_law(name):
    assert [v for v in laws.check(FIRST[name]) if v.outcome != "holds"] == []


def test_no_family_is_left_out():
    assert {type(config) for config in (FIRST | SECOND).values()} == set(MODELS.values())
