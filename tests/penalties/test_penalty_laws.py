"""Every penalty of the package obeys every law."""

import pytest

from jaxgan.penalties import PENALTIES, laws


@pytest.mark.parametrize("name", PENALTIES)
def test_every_penalty_obeys_every_law(name):
    assert [v for v in laws.check(PENALTIES[name]()) if v.outcome != "holds"] == []
