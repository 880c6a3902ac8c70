"""Every family of networks of the package obeys every law: the first half of them, and that none is left out."""

import pytest
from helpers import some
from small_models import FIRST, FORMS, SECOND

from jaxgan.models import MODELS, laws


@pytest.mark.parametrize("name", some(FIRST, *(name for name in FIRST if name not in FORMS)))
def test_the_first_families_obey_every_law(name):
    assert [v for v in laws.check(FIRST[name]) if v.outcome != "holds"] == []


def test_no_family_is_left_out():
    tried = {name: config for name, config in (FIRST | SECOND).items() if name not in FORMS}
    assert {type(config) for config in tried.values()} == set(MODELS.values())
