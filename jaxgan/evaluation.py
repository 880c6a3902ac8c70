"""Scoring a run after the fact."""

from __future__ import annotations

import pathlib
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.errors import InputError
from jaxgan.metrics import Evaluator, make_evaluator
from jaxgan.run import load
from jaxgan.sampling import Sampler
from jaxgan.setup import open_data

FIRST_SEED = 1_000_000  # of scored fakes; those of grids start at 0
QUICK_SEED = 2_000_000  # of the scores on the way: the best is scored again on other fakes


def is_finite(variables: Any) -> bool:
    """Whether all arrays are (uint8 images would hide a NaN)."""
    return all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(variables))


def score(evaluator: Evaluator, sampler: Sampler, variables: Any, n: int) -> dict[str, Any]:
    """All scores of a generator on the fakes of `n` fixed seeds, as scores.json keeps them."""
    evaluation = evaluator(sampler.stream(variables, FIRST_SEED), n)
    return {
        "generator": "averaged (EMA)",
        "scores": {name: score.to_json() for name, score in evaluation.scores.items()},
        "class_histogram": evaluation.class_histogram,
    }


def evaluate_run(path: pathlib.Path, checkpoint: str | int, n: int) -> dict[str, Any]:
    """The scores of one checkpoint of a run, in the form of scores.json.

    Raises:
      InputError: if the run, the checkpoint or the data cannot be opened.
    """
    run = load(path, checkpoint)
    source = open_data(run.config)
    if source.fingerprint != run.data["fingerprint"]:
        raise InputError(
            f"data.source: {source.name!r} has changed since the run began: expected the fingerprint "
            f"{run.data['fingerprint']}, got {source.fingerprint}"
        )
    evaluator = make_evaluator(source)
    scored = score(evaluator, run.sampler, run.variables, n)
    return {
        "main": evaluator.main,
        "class_names": run.data["class_names"],
        "final": {"step": run.step, **scored},
    }
