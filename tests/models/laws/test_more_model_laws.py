"""Every family of networks of the package obeys every law: the second half of them."""

import pytest
from helpers import shallow_eyes, some
from small_models import FORMS, SECOND

from jaxgan.models import laws


@pytest.mark.parametrize("name", some(SECOND, *(name for name in SECOND if name not in FORMS)))
def test_the_other_families_obey_every_law(name):
    with shallow_eyes():
        assert [v for v in laws.check(SECOND[name]) if v.outcome != "holds"] == []
