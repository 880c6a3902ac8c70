"""Scores: pure functions over features, feature networks, and evaluators that bring both together."""

from jaxgan.metrics.distances import (
    frechet_distance,
    histogram_kl,
    inception_score,
    moments,
    prdc,
    sliced_wasserstein,
)
from jaxgan.metrics.evaluator import Evaluation, Evaluator, Score, make_evaluator
from jaxgan.metrics.mixtures import mode_coverage, stacked_modes

__all__ = [
    "Evaluation",
    "Evaluator",
    "Score",
    "frechet_distance",
    "histogram_kl",
    "inception_score",
    "make_evaluator",
    "mode_coverage",
    "moments",
    "prdc",
    "sliced_wasserstein",
    "stacked_modes",
]
