"""What the first weights of a member would score: it says from where its scores have come, and no more."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import jax

from jaxgan.common.checking.laws import first_line
from jaxgan.common.errors import InputError
from jaxgan.metrics import Evaluator
from jaxgan.runs import evaluation
from jaxgan.train.members import Members

_FAKES = 256  # in an instant, and more than enough to tell noise from images


def untrained_scores(
    members: Members, k: int, evaluator: Evaluator, tell: Callable[[str], object]
) -> dict[str, Any] | None:
    """Scores of few fakes of member k's first weights, as scores.json keeps them.

    Such fakes cannot have every score, and the file of a frozen network may be gone: the other scores of the run are
    not lost by that.

    Args:
      members: of the run.
      k: which of them.
      evaluator: of the run.
      tell: is told why there are none.

    Returns:
      "step", "scores" and more; None where they cannot be had.
    """
    try:
        variables = members.game.averaged(members.whole(members.init_member(k)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of too few fakes
            n = min(_FAKES, members.config.final_n)
            return {"step": 0, **evaluation.score(evaluator, members.sampler, variables, n)}
    except (InputError, jax.errors.JaxRuntimeError) as error:
        tell(f"no scores of the first weights, to compare with: {first_line(error)}")
        return None
