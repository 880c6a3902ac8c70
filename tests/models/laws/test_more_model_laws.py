"""Every family of networks of the package obeys every law: the second half of them."""

import pytest
from helpers import shallow_eyes
from small_models import SECOND

from jaxgan.models import laws


@pytest.mark.parametrize("name", SECOND)
def test_the_other_families_obey_every_law(name):
    with shallow_eyes():
        assert [v for v in laws.check(SECOND[name]) if v.outcome != "holds"] == []
