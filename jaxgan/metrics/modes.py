"""Evaluators of points and of stacked digits, by the published protocols."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from jaxgan.data import Images, Source, stacked
from jaxgan.data.mnist import load_mnist
from jaxgan.metrics.catalogue import SCORES
from jaxgan.metrics.features import features_for
from jaxgan.metrics.features.network import polled
from jaxgan.metrics.floors import Floors, cached_floors
from jaxgan.metrics.score import Evaluation, Generate, Measured, Score
from jaxgan.metrics.scores.classes import histogram_kl, histogram_kl_error
from jaxgan.metrics.scores.mixtures import mode_counts, mode_coverage, mode_shares, stacked_modes
from jaxgan.metrics.scores.resampling import distinct_error
from jaxgan.metrics.scores.sliced import sliced_wasserstein, sliced_wasserstein_error

MIXTURE_POINTS = 2500  # the published protocol
_ERRORS = {
    "mode_kl": "error: delta method, second order where it is near 0",
    "reverse_kl": "error: delta method, second order where it is near 0",
    "modes": "error: Good-Toulmin",
    "high_quality": "error: binomial",
    "sliced_wasserstein": "error: delta method, of the fakes",
}
EVALUATION_SEED = 20140610  # of the reals that scores are computed with


class MixtureEvaluator:
    """Scores points of any dimension by their sliced Wasserstein distance and, for mixtures, their mode coverage.

    Scores are always of the protocol's 2,500 points; where the data have fewer than twice as many, of half of them.
    The main score of a mixture is `mode_kl`, which orders as the coverage does and varies little; the distance of so
    few points does not.
    """

    features = "none"
    cheap = True

    def __init__(self, source: Source) -> None:
        """Draws the real points and another set for the floor."""
        self._source: Any = source  # with modes and their deviation, where it has any
        sets = source.two_sets(MIXTURE_POINTS, EVALUATION_SEED)
        self._real, self._held_out = (points[source.example] for points in sets)
        self.main = "mode_kl" if source.n_modes else "sliced_wasserstein"
        self._n = len(self._real)

    def takes(self, n: int) -> int:
        """How many points are scored, whatever n is."""
        return self._n

    @property
    def names(self) -> tuple[str, ...]:
        """Of the scores."""
        of_modes = ("mode_kl", "modes", "high_quality", "reverse_kl") if self._source.n_modes else ()
        return (*of_modes, "sliced_wasserstein")

    def quick(self, generate: Generate, n: int) -> Measured:
        """The main score."""
        points = generate(self._n)
        return (self._of_modes if self._source.n_modes else self._distance)(points)[self.main]

    def __call__(self, generate: Generate, n: int) -> Evaluation:
        """All scores."""
        points = generate(self._n)
        values, floors = self._values(points), self._floors
        endless = self._source.n is None
        drawn = "fresh draws; floor: other fresh draws" if endless else "a half; floor: the other"
        scores = {
            name: Score(
                float(value),
                float(floors[name]),
                SCORES[name],
                n_real=len(self._real) if name == "sliced_wasserstein" else 0,
                n_fake=len(points),
                split=f"{self._source.name}, {drawn}",
                features="none",
                error=value.error if np.isfinite(points).all() else None,
                protocol=_ERRORS[name],
            )
            for name, value in values.items()
        }
        return Evaluation(scores)

    @cached_property
    def _floors(self) -> dict[str, Measured]:
        return self._values(self._held_out)

    def _values(self, points: np.ndarray) -> dict[str, Measured]:
        return (self._of_modes(points) if self._source.n_modes else {}) | self._distance(points)

    def _distance(self, points: np.ndarray) -> dict[str, Measured]:
        value = sliced_wasserstein(points, self._real)
        error = sliced_wasserstein_error(points, self._real) if np.isfinite(points).all() else 0.0
        return {"sliced_wasserstein": Measured(value, error)}

    def _of_modes(self, points: np.ndarray) -> dict[str, Measured]:
        modes, std, n = self._source.modes, self._source.std, len(points)
        counts, shares = mode_counts(points, modes, std), mode_shares(len(modes), modes.shape[1])
        found, uniform = mode_coverage(points, modes, std), np.ones(len(modes))
        good = found["high_quality"]
        errors = {
            "modes": distinct_error(counts[:-1]),
            "high_quality": (good * (1 - good) / n) ** 0.5,
            "reverse_kl": histogram_kl_error(counts[:-1], uniform),
        }
        value = (
            histogram_kl(counts, shares) if np.isfinite(points).all() else math.nan
        )  # lost, and not only far
        main = Measured(value, histogram_kl_error(counts, shares))
        return {"mode_kl": main} | {name: Measured(value, errors[name]) for name, value in found.items()}


class StackedEvaluator:
    """Scores stacked digits by the modes found and the reverse KL, with the digit classifier on each channel."""

    main = "reverse_kl"
    names = ("reverse_kl", "modes")
    cheap = False

    def __init__(self, source: Images) -> None:
        """Loads the classifier; nothing is computed yet."""
        self._source = source
        self._split = "train" if source.name.endswith(":test") else "test"
        self._network = features_for(load_mnist(self._split))
        self.features = self._network.signature

    def poll_with(self, poll: Callable[[], None]) -> None:
        """Calls `poll` between batches of digits from now on; what it raises ends the work."""
        self._network = polled(self._network, poll)

    def quick(self, generate: Generate, n: int) -> Measured:
        """The reverse KL of `n` fakes. It is at least about 999 / 2n: compare only scores of as many fakes."""
        digits = self.digits(generate(n))
        return Measured(stacked_modes(digits)["reverse_kl"], self._errors(digits)["reverse_kl"])

    def _errors(self, digits: np.ndarray) -> dict[str, float]:
        counts = np.bincount(stacked.mode_of(digits), minlength=stacked.N_MODES)
        uniform = np.ones(stacked.N_MODES)
        return {"reverse_kl": histogram_kl_error(counts, uniform), "modes": distinct_error(counts)}

    def __call__(self, generate: Generate, n: int) -> Evaluation:
        """Both scores of `n` fakes; the published protocol has 26,000."""
        digits = self.digits(generate(n))
        values, errors = stacked_modes(digits), self._errors(digits)
        floors = self._floors(n)
        scores = {
            name: Score(
                values[name],
                floors.values[name],
                SCORES[name],
                n_real=0,  # the reference is uniform, not a sample
                n_fake=n,
                split=f"{self._source.name}, uniform over {stacked.N_MODES:,} modes; floor: {floors.split}",
                features=self.features,
                error=errors[name],
                protocol=_ERRORS[name],
            )
            for name in ("reverse_kl", "modes")
        }
        return Evaluation(scores)

    def digits(self, images: np.ndarray) -> np.ndarray:
        """The digit in each channel of uint8 images [n, 28, 28, 3]: int64 [n, 3]."""
        return self._classes(np.moveaxis(images, 3, 1).reshape(-1, 28, 28, 1)).reshape(-1, 3)

    def _classes(self, digits: np.ndarray) -> np.ndarray:
        logits = self._network(digits)[1]
        assert logits is not None  # a classifier has them
        return logits.argmax(1)

    def _floors(self, n: int) -> Floors:
        """The scores of `n` stacks of held-out digits, as the classifier sees them."""

        def compute() -> Floors:
            digits = load_mnist(self._split)
            chosen = stacked.stack_indices(len(digits), n, EVALUATION_SEED)
            used, positions = np.unique(chosen, return_inverse=True)  # each is classified once
            classes = self._classes(digits.images[used])[positions.reshape(chosen.shape)]
            return Floors(stacked_modes(classes), f"{stacked.NAME}:{self._split}, {n:,} other stacks")

        return cached_floors(f"{stacked.NAME}-{self._split}-{self._network.identity}-{n}-v2", compute)
