"""Scores of the first weights: where they cannot be had one line says so, and no other score is lost."""

from types import SimpleNamespace

import jax
import pytest

from jaxgan import InputError
from jaxgan.train.untrained import untrained_scores


def members(error):
    """Whose first weights cannot be made."""

    def init_member(k):
        raise error

    return SimpleNamespace(init_member=init_member, whole=None, game=SimpleNamespace(averaged=None))


@pytest.mark.parametrize("error", [InputError, jax.errors.JaxRuntimeError])
def test_what_keeps_the_first_weights_from_their_scores_is_one_line(error):
    said = []
    assert untrained_scores(members(error("INTERNAL: no file\nand more")), 0, None, said.append) is None
    assert said == ["no scores of the first weights, to compare with: INTERNAL: no file"]


def test_what_is_none_of_these_is_raised():
    with pytest.raises(KeyError):
        untrained_scores(members(KeyError("k")), 0, None, print)
