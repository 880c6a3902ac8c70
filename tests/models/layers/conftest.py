"""Layers are asked in one program a call: each of their operations would be compiled by itself."""

import pytest
from models.compiled import one_program_a_call


@pytest.fixture(autouse=True)
def _one_program_a_call():
    with one_program_a_call():
        yield
