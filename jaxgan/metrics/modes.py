"""Evaluators of points and of stacked digits, by the published protocols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxgan.data import Images, Source, stacked
from jaxgan.data.mnist import load_mnist
from jaxgan.metrics.catalogue import SCORES
from jaxgan.metrics.features import features_for
from jaxgan.metrics.features.network import polled
from jaxgan.metrics.floors import cached_floors
from jaxgan.metrics.score import Evaluation, Generate, Score
from jaxgan.metrics.scores.mixtures import mode_coverage, stacked_modes
from jaxgan.metrics.scores.resampling import bootstrap_errors
from jaxgan.metrics.scores.sliced import sliced_wasserstein

MIXTURE_POINTS = 2500  # the published protocol
_BOOTSTRAP = "error: bootstrap of the fakes"
EVALUATION_SEED = 20140610  # of the reals that scores are computed with


class MixtureEvaluator:
    """Scores points of any dimension by their sliced Wasserstein distance and, for mixtures, their mode coverage.

    Scores are always of the protocol's 2,500 points; where the data have fewer than twice as many, of half of them.
    """

    main = "sliced_wasserstein"
    features = "none"
    cheap = True

    def __init__(self, source: Source) -> None:
        """Draws the real points and another set for the floor."""
        self._source: Any = source  # with modes and their deviation, where it has any
        sets = source.two_sets(MIXTURE_POINTS, EVALUATION_SEED)
        self._real, self._held_out = (points[source.example] for points in sets)

    def quick(self, generate: Generate, n: int) -> float:
        """The sliced Wasserstein distance."""
        return sliced_wasserstein(generate(len(self._real)), self._real)

    def __call__(self, generate: Generate, n: int) -> Evaluation:
        """All scores."""
        points = generate(len(self._real))
        values, floors, errors = self._values(points), self._values(self._held_out), {}
        if np.isfinite(points).all():
            errors = bootstrap_errors(self._values, points)
        endless = self._source.n is None
        drawn = "fresh draws; floor: other fresh draws" if endless else "a half; floor: the other"
        scores = {
            name: Score(
                value,
                floors[name],
                SCORES[name],
                len(self._real) if name == "sliced_wasserstein" else 0,
                len(points),
                f"{self._source.name}, {drawn}",
                "none",
                errors.get(name),
                _BOOTSTRAP,
            )
            for name, value in values.items()
        }
        return Evaluation(scores)

    def _values(self, points: np.ndarray) -> dict[str, float]:
        values = {"sliced_wasserstein": sliced_wasserstein(points, self._real)}
        if self._source.n_modes:
            values |= mode_coverage(points, self._source.modes, self._source.std)
        return values


class StackedEvaluator:
    """Scores stacked digits by the modes found and the reverse KL, with the digit classifier on each channel."""

    main = "reverse_kl"
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

    def quick(self, generate: Generate, n: int) -> float:
        """The reverse KL of `n` fakes. It is at least about 999 / 2n: compare only scores of as many fakes."""
        return stacked_modes(self.digits(generate(n)))["reverse_kl"]

    def __call__(self, generate: Generate, n: int) -> Evaluation:
        """Both scores of `n` fakes; the published protocol has 26,000."""
        digits = self.digits(generate(n))
        values, errors = stacked_modes(digits), bootstrap_errors(stacked_modes, digits)
        floors, floor_split = self._floors(n)
        scores = {
            name: Score(
                values[name],
                floors[name],
                SCORES[name],
                0,  # the reference is uniform, not a sample
                n,
                f"{self._source.name}, uniform over {stacked.N_MODES:,} modes; floor: {floor_split}",
                self.features,
                errors[name],
                _BOOTSTRAP,
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

    def _floors(self, n: int) -> tuple[dict[str, float], str]:
        """The scores of `n` stacks of held-out digits, as the classifier sees them."""

        def compute() -> tuple[dict[str, float], str]:
            digits = load_mnist(self._split)
            chosen = stacked.stack_indices(len(digits), n, EVALUATION_SEED)
            used, positions = np.unique(chosen, return_inverse=True)  # each is classified once
            classes = self._classes(digits.images[used])[positions.reshape(chosen.shape)]
            return stacked_modes(classes), f"{stacked.NAME}:{self._split}, {n:,} other stacks"

        return cached_floors(f"{stacked.NAME}-{self._split}-{self._network.identity}-{n}-v1", compute)
