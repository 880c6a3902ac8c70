"""Every source that is in the package obeys every law."""

import pytest

from jaxgan.data import SOURCES, laws, open_source


@pytest.mark.parametrize("name", [name for name in SOURCES if ":" not in name])
def test_every_source_obeys_every_law(name):
    assert [v for v in laws.check(lambda: open_source(name)) if v.outcome == "broken"] == []
