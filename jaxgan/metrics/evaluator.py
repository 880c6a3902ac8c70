"""Scores of a generator against the data it was trained on, each with its floor and its protocol."""

from __future__ import annotations

import contextlib
import json
import math
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from jaxgan.data import Images, Points, cache_dir, open_source, stacked
from jaxgan.data.mnist import load_mnist
from jaxgan.errors import InputError
from jaxgan.files import write_atomically
from jaxgan.metrics import distances
from jaxgan.metrics.features import FeatureNetwork, features_for
from jaxgan.metrics.mixtures import mode_coverage, stacked_modes

PRDC_EXAMPLES = 5000  # at most: the cost grows with the square
MIXTURE_POINTS = 2500  # the published protocol
_EVALUATION_SEED = 20140610  # of the points and the real examples that scores are computed with

Generate = Callable[[int], np.ndarray]


@dataclass(frozen=True)
class Score:
    """One number and what is needed to read it.

    Attributes:
      value: of the generator.
      floor: of real held-out data in the generator's place: what a perfect generator would get.
      better: "lower" or "higher".
      n_real: real examples used.
      n_fake: generated examples used.
      split: of the real examples, and what the floor was computed from.
      features: network and the hash of its weights, or "none".
    """

    value: float
    floor: float | None
    better: str
    n_real: int
    n_fake: int
    split: str
    features: str

    def to_json(self) -> dict[str, Any]:
        """A plain dict; infinite and undefined numbers become None."""
        finite = lambda x: None if isinstance(x, float) and not math.isfinite(x) else x
        return {name: finite(value) for name, value in asdict(self).items()}


class Evaluation(NamedTuple):
    """What an evaluator says of a generator.

    Attributes:
      scores: by name, the main one first.
      class_histogram: fakes that the feature network assigns to each class; None without classes.
    """

    scores: dict[str, Score]
    class_histogram: list[int] | None = None


class Evaluator(Protocol):
    """Scores any function n -> n generated examples."""

    main: str
    """Name of the score that the best checkpoint is chosen by; lower is better."""

    def __call__(self, generate: Generate, n: int) -> Evaluation:
        """All scores on `n` examples."""
        ...

    def quick(self, generate: Generate, n: int) -> float:
        """The main score alone, without its floor."""
        ...


def make_evaluator(source: Images | Points) -> Evaluator:
    """The evaluator that fits the data."""
    if isinstance(source, Points):
        return MixtureEvaluator(source)
    is_stacked = source.name.split(":")[0] == stacked.NAME and source.shape == (28, 28, 3)
    return StackedEvaluator(source) if is_stacked else ImageEvaluator(source)


class MixtureEvaluator:
    """Points in the plane: sliced Wasserstein distance and, for mixtures, mode coverage."""

    main = "sliced_wasserstein"

    def __init__(self, source: Points) -> None:
        """Draws the real points and two more sets for the floor."""
        self._source = source
        keys = jax.random.split(jax.random.key(_EVALUATION_SEED), 2)
        self._real, self._held_out = (np.asarray(source.sample(key, MIXTURE_POINTS)[0]) for key in keys)

    def quick(self, generate: Generate, n: int) -> float:
        """The sliced Wasserstein distance; always on the protocol's 2,500 points."""
        return distances.sliced_wasserstein(generate(MIXTURE_POINTS), self._real)

    def __call__(self, generate: Generate, n: int) -> Evaluation:
        """All scores; always on the protocol's 2,500 points."""
        points = generate(MIXTURE_POINTS)
        values = {"sliced_wasserstein": distances.sliced_wasserstein(points, self._real)}
        floors = {"sliced_wasserstein": distances.sliced_wasserstein(self._held_out, self._real)}
        if len(self._source.modes):
            values |= mode_coverage(points, self._source.modes, self._source.std)
            floors |= mode_coverage(self._held_out, self._source.modes, self._source.std)
        better = {"modes": "higher", "high_quality": "higher"}
        real = {"sliced_wasserstein": MIXTURE_POINTS}
        scores = {
            name: Score(
                value,
                floors[name],
                better.get(name, "lower"),
                real.get(name, 0),
                MIXTURE_POINTS,
                f"{self._source.name}, fresh draws; floor: other fresh draws",
                "none",
            )
            for name, value in values.items()
        }
        return Evaluation(scores)


class StackedEvaluator:
    """Stacked MNIST: modes found and reverse KL, by the digit classifier on each channel."""

    main = "reverse_kl"

    def __init__(self, source: Images) -> None:
        """Loads the classifier; nothing is computed yet."""
        self._source = source
        self._split = "train" if source.name.endswith(":test") else "test"
        self._network = features_for(load_mnist(self._split))

    def quick(self, generate: Generate, n: int) -> float:
        """The reverse KL of `n` fakes, at least about 999 / 2n: compare scores of as many fakes only."""
        return stacked_modes(self._digits(generate(n)))["reverse_kl"]

    def __call__(self, generate: Generate, n: int) -> Evaluation:
        """Both scores on `n` fakes; the published protocol has 26,000."""
        values = stacked_modes(self._digits(generate(n)))
        floors, floor_split = self._floors(n)
        scores = {
            name: Score(
                values[name],
                floors[name],
                better,
                0,  # the reference is uniform, not a sample
                n,
                f"{self._source.name}, uniform over {stacked.N_MODES:,} modes; floor: {floor_split}",
                f"{self._network.name}@{self._network.identity}",
            )
            for name, better in (("reverse_kl", "lower"), ("modes", "higher"))
        }
        return Evaluation(scores)

    def _digits(self, images: np.ndarray) -> np.ndarray:
        """The class of each channel of uint8 images [n, 28, 28, 3]: int64 [n, 3]."""
        return self._classes(np.moveaxis(images, 3, 1).reshape(-1, 28, 28, 1)).reshape(-1, 3)

    def _classes(self, digits: np.ndarray) -> np.ndarray:
        logits = self._network(digits)[1]
        assert logits is not None  # a classifier has them
        return logits.argmax(1)

    def _floors(self, n: int) -> tuple[dict[str, float], str]:
        """The scores of `n` stacks of held-out digits, as the classifier sees them."""

        def compute() -> tuple[dict[str, float], str]:
            digits = load_mnist(self._split)
            chosen = stacked.stack_indices(len(digits), n, _EVALUATION_SEED)
            used, positions = np.unique(chosen, return_inverse=True)  # each is classified once
            classes = self._classes(digits.images[used])[positions.reshape(chosen.shape)]
            return stacked_modes(classes), f"{stacked.NAME}:{self._split}, {n:,} other stacks"

        return _cached_floors(f"{stacked.NAME}-{self._split}-{self._network.identity}-{n}-v1", compute)


@dataclass(frozen=True)
class _Reals:
    features: np.ndarray
    logits: np.ndarray | None
    moments: tuple[np.ndarray, np.ndarray]


class ImageEvaluator:
    """Images: Fréchet distance, precision/recall/density/coverage, and what the classes allow."""

    def __init__(self, source: Images) -> None:
        """Chooses the feature network; nothing is computed yet."""
        self._source = source
        self._network: FeatureNetwork = features_for(source)
        self.main = f"fd_{self._network.name}"
        self._reals: dict[int, _Reals] = {}

    def quick(self, generate: Generate, n: int) -> float:
        """The Fréchet distance of `n` fakes to `n` reals."""
        return distances.frechet_distance(
            *distances.moments(self._network(generate(n))[0]), *self._real(n).moments
        )

    def __call__(self, generate: Generate, n: int) -> Evaluation:
        """All scores on up to `n` fakes and `n` reals."""
        real = self._real(n)
        features, logits = self._network(generate(n))
        values = self._scores(features, logits, real)
        floors, floor_split = self._floors(n, real)
        better = {"precision", "recall", "density", "coverage", "inception_score", "classes_present"}
        used = {"inception_score": 0, "precision": PRDC_EXAMPLES, "recall": PRDC_EXAMPLES}
        used |= {"density": PRDC_EXAMPLES, "coverage": PRDC_EXAMPLES}
        scores = {
            name: Score(
                value,
                floors.get(name),
                "higher" if name in better else "lower",
                min(len(real.features), used.get(name, len(real.features))),
                min(n, PRDC_EXAMPLES) if used.get(name) else n,
                f"{self._source.name}; floor: {floor_split}",
                f"{self._network.name}@{self._network.identity}",
            )
            for name, value in values.items()
        }
        counts = None if logits is None else np.bincount(logits.argmax(1), minlength=logits.shape[1]).tolist()
        return Evaluation(scores, counts)

    def _scores(self, features: np.ndarray, logits: np.ndarray | None, real: _Reals) -> dict[str, float]:
        if len(features) <= features.shape[1]:
            warnings.warn(
                f"{self.main}: {len(features)} examples cannot fill a covariance of {features.shape[1]} features; "
                "compare it only with scores of as many examples",
                stacklevel=3,
            )
        scores = {self.main: distances.frechet_distance(*distances.moments(features), *real.moments)}
        fewest = min(len(features), len(real.features))
        if fewest > 5:
            scores |= distances.prdc(real.features[:PRDC_EXAMPLES], features[:PRDC_EXAMPLES])
        if logits is not None and real.logits is not None:
            classes = logits.shape[1]
            counts = np.bincount(logits.argmax(1), minlength=classes)
            real_counts = np.bincount(real.logits.argmax(1), minlength=classes)
            scores["inception_score"] = distances.inception_score(logits, splits=min(10, len(logits)))[0]
            scores["classes_present"] = float((counts > 0).sum())
            scores["class_kl"] = distances.histogram_kl(counts, np.maximum(real_counts, 1e-9))
        return scores

    def _pick(self, images: np.ndarray, n: int) -> np.ndarray:
        """n images at random, without replacement, the same in every run, in random order."""
        chosen = np.random.default_rng(_EVALUATION_SEED).permutation(len(images))[:n]
        order = np.argsort(chosen)  # a memory map is read front to back
        picked = np.empty((len(chosen), *images.shape[1:]), images.dtype)
        picked[order] = images[chosen[order]]
        return picked

    def _real(self, n: int) -> _Reals:
        n = min(n, len(self._source))
        if n not in self._reals:
            features, logits = self._network(self._pick(self._source.images, n))
            self._reals[n] = _Reals(features, logits, distances.moments(features))
        return self._reals[n]

    def _held_out(self) -> tuple[Images, str] | None:
        parts = self._source.name.split(":")
        height, width, channels = self._source.shape
        for split in ("test", "train"):
            if parts[0] not in ("mnist", stacked.NAME, "tfds") or parts[-1] == split:
                continue
            try:
                other = open_source(
                    ":".join(parts[:-1]),
                    split,
                    resolution=height if height == width else None,
                    channels=channels,
                )
            except InputError:
                continue
            if isinstance(other, Images) and other.shape == self._source.shape:
                return other, other.name
        return None

    def _floors(self, n: int, real: _Reals) -> tuple[dict[str, float], str]:
        """The scores of held-out reals; none where there are too few of them."""

        def compute() -> tuple[dict[str, float], str]:
            held_out = self._held_out()
            if held_out is not None:
                images, split = held_out[0].images, held_out[1]
            else:  # no other split: the half that the reals were not picked from
                order = np.random.default_rng(_EVALUATION_SEED).permutation(len(self._source))
                rest = np.sort(order[n:])
                if len(rest) < max(2, len(self._source) // 4):
                    return {}, "none (no held-out images)"
                images, split = self._source.images[rest[:n]], "other images of the same source"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # said of the generator's own score
                floors = self._scores(*self._network(self._pick(images, n)), real)
            return floors, f"{split}, {min(n, len(images)):,} images"

        network = f"{self._network.name}-{self._network.identity}"
        return _cached_floors(f"{self._source.fingerprint[:16]}-{network}-{n}-v2", compute)


def _cached_floors(
    key: str, compute: Callable[[], tuple[dict[str, float], str]]
) -> tuple[dict[str, float], str]:
    """Floors and what they are of, cached by content: they are the same for every run."""
    path = cache_dir() / "floors" / f"{key}.json"
    with contextlib.suppress(OSError, ValueError, KeyError):  # missing or damaged: computed again
        stored = json.loads(path.read_text())
        return stored["floors"], stored["split"]
    floors, split = compute()
    if floors:
        with contextlib.suppress(OSError):  # no room for a cache is no reason to lose scores
            write_atomically(path, json.dumps({"floors": floors, "split": split}))
    return floors, split
