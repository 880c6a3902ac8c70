"""Scores of generated images against the data they were trained on, each with its floor and its protocol."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.data import Images, Source, as_images, other_split, stacked
from jaxgan.data.files.pairs import one_domain
from jaxgan.data.rows import Rows, encoded
from jaxgan.metrics.catalogue import SCORES
from jaxgan.metrics.collect import Batches, Sample, batches_of, collect, cut
from jaxgan.metrics.features import FeatureNetwork, features_for, random_cnn
from jaxgan.metrics.features.network import polled
from jaxgan.metrics.floors import Floors, cached_floors
from jaxgan.metrics.image_scores import DEFAULT, KERNEL_EXAMPLES, METRICS, Metric, Value
from jaxgan.metrics.modes import EVALUATION_SEED, MixtureEvaluator, StackedEvaluator
from jaxgan.metrics.picked import cannot, order_of, pick, picked_labels
from jaxgan.metrics.reference import cached_reference
from jaxgan.metrics.restoration import PairEvaluator
from jaxgan.metrics.score import (
    Evaluation,
    Evaluator,
    Generate,
    HeldOut,
    Measured,
    Notify,
    Score,
    Unscored,
)
from jaxgan.metrics.scores.frechet import Gaussian, frechet_error
from jaxgan.metrics.scores.neighbours import Memorisation

_COPIES = 16
# Scores that have the same mean for any number of fakes: of a few held-out images, only these say what is perfect.
_OF_ANY_NUMBER = ("kd", "precision", "density", "authenticity", "ms_ssim_pairs")


def make_evaluator(
    source: Source, features: str | None = None, poll: Callable[[], None] | None = None
) -> Evaluator:
    """The evaluator that fits the data, by the modality of the source.

    Args:
      source: the reals.
      features: signature ("NAME@IDENTITY") of the feature network that a run has been scored with so far. It
        is used again if it can still be had.
      poll: is called between batches of features and between metrics of the package's own evaluators; what it
        raises ends the work.
    """
    if source.modality.score is not None:
        return source.modality.score(source)
    make = EVALUATORS.get(source.modality.name, lambda source, features: Unscored())
    evaluator = make(source, features)
    if poll is not None and isinstance(evaluator, ImageEvaluator | StackedEvaluator):
        evaluator.poll_with(poll)
    return evaluator


def _of_images(source: Source, features: str | None) -> Evaluator:
    if source.n is None:
        return Unscored()
    source = as_images(source, "data.source")
    if source.name.split(":")[0] == stacked.NAME and source.shape == (28, 28, 3):
        return StackedEvaluator(source)
    evaluator = ImageEvaluator(source)
    if features not in (None, evaluator.features):  # a classifier has been trained since, or is gone
        other = ImageEvaluator(source, network=random_cnn(source.shape[2]))
        return other if other.features == features else evaluator
    return evaluator


EVALUATORS: dict[str, Callable[[Source, str | None], Evaluator]] = {
    "image": _of_images,
    "point": lambda source, features: MixtureEvaluator(source),
    "pair": lambda source, features: PairEvaluator(source),
    "translated image": lambda source, features: _of_images(one_domain(source, "b"), features),
}
"""Name of a modality -> what makes the evaluator of a source, as of `make_evaluator`."""


class ImageEvaluator:
    """Scores images by any of METRICS.

    The reals are a random subset of the data, the same in every run. What is computed of them is kept.
    """

    cheap = False

    def __init__(
        self,
        source: Images,
        *,
        network: FeatureNetwork | None = None,
        metrics: Sequence[str] = DEFAULT,
        notify: Notify | None = None,
        n_real: int | None = None,
    ) -> None:
        """Chooses the feature network; nothing is computed yet.

        Args:
          source: the reals; of data of which a share is trained on, the complete ones are taken.
          network: the feature network; None takes the best at hand for the source.
          metrics: keys of METRICS. Those that the data or the network do not allow are left out, unless
            nothing is left.
          notify: called with the progress.
          n_real: reals to score against; None takes as many as fakes, or all where there are fewer.

        Raises:
          InputError: for more reals than there are, or fewer than 2.
        """
        check_range(
            "n_real", n_real, at_least=2, at_most=len(source), unit=f"(the images of {source.name!r})"
        )
        self._n_real = n_real
        source = source.complete or source
        self._source = source
        self._network = features_for(source) if network is None else network
        self._metrics = [METRICS[name] for name in metrics]
        self._keys = list(metrics)
        self._notify, self._poll = notify, lambda: None
        self.main = SCORES["fd"].name(self._network.label)
        self.features = self._network.signature
        self._reals: dict[tuple[int, bool], Sample] = {}
        self._held_out_samples: dict[str, Sample] = {}

    def poll_with(self, poll: Callable[[], None]) -> None:
        """Calls `poll` between batches and between metrics from now on; what it raises ends the work."""
        self._network, self._poll = polled(self._network, poll), poll

    def reference(self, n: int) -> tuple[Gaussian, dict[str, str | int]]:
        """Mean and covariance of n reals (at most all of them), and the settings that they depend on."""
        n = min(n, len(self._source))
        return self._reference(n), self._settings(n)

    def quick(self, generate: Generate, n: int) -> Measured:
        """The Fréchet distance of `n` fakes to `n` reals."""
        fakes = collect(batches_of(generate, n, self._network.batch_for(n)), self._network, n, keep=n)
        reals = self._reference(n)
        return Measured(reals.distance(fakes.gaussian), frechet_error(reals, fakes.features))

    def __call__(self, generate: Generate, n: int) -> Evaluation:
        """The scores of `n` fakes against up to `n` reals."""
        check_range("n", n, at_least=2, unit="images")
        labels = getattr(generate, "labels", lambda n: None)(n)
        fakes = self._collect("fakes", batches_of(generate, n, self._network.batch_for(n)), n, labels=labels)
        if n <= len(fakes.gaussian.mean) and "fd" in self._keys:
            warnings.warn(
                f"{self.main}: {n} images cannot fill a covariance of {len(fakes.gaussian.mean)} features; "
                "compare it only with scores of as many images, and take its error for up to 1.6 times too large",
                stacklevel=2,
            )
        values = self._values(self._real(self._reals_for(n)), fakes)
        floors = self._floors(n)
        scores = {}
        for name, (value, protocol) in values.items():
            everything = value.n_real is None
            floor = floors.values.get(name) if value.floor is None else value.floor
            why = floors.missing.get(value.key) if floor is None else None
            scores[name] = Score(
                value.value,
                floor,
                SCORES[value.key],
                n_real=self._reals_for(n) if everything else int(value.n_real or 0),
                n_fake=n if value.n_fake is None else value.n_fake,
                split=f"{self._source.name}; floor: {floors.split if why is None else f'none ({why})'}",
                features=self.features,
                error=value.error,
                protocol=protocol,
            )
        counts = None
        if fakes.logits is not None:
            counts = np.bincount(fakes.logits.argmax(1), minlength=fakes.logits.shape[1]).tolist()
        memory = [value.copies for value, _ in values.values() if value.copies is not None]
        copies = self._closest(fakes, memory[0]) if memory else None
        return Evaluation(scores, counts, copies, self._against_held_out(fakes, n, values))

    def _against_held_out(self, fakes: Sample, n: int, known: dict[str, tuple[Value, str]]) -> HeldOut | None:
        """The scores against reals that are held out, and against as many of the others; `known` are the usual ones."""
        held_out = other_split(self._source)
        if held_out is None or not any(metric.both for metric in self._metrics):
            return None
        m = min(n, len(held_out), len(self._source))
        if m < 2:
            return None
        fakes = replace(fakes, errors=False)
        both = lambda metric: metric.both
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # said of the scores themselves
            held = self._values(self._held_out_sample(held_out, m), fakes, only=both)
            as_many = m == self._reals_for(n)
            train = known if as_many else self._values(self._real(m), fakes, only=both)
        scores = {name: (held[name][0].value, train[name][0].value) for name in held if name in train}
        return HeldOut(held_out.name, m, scores) if scores else None

    def _values(
        self,
        real: Sample,
        fake: Sample,
        *,
        every_real: Sample | None = None,
        only: Callable[[Metric], bool] | None = None,
        missing: dict[str, str] | None = None,
    ) -> dict[str, tuple[Value, str]]:
        """Values and protocols by the name of the score; `only` says of which, and then there may be none.

        Why a kind of score is not among them is added to `missing`.
        """
        values, missing = {}, {} if missing is None else missing
        for key, metric in zip(self._keys, self._metrics, strict=True):
            if only is not None and not only(metric):
                continue
            why = cannot(metric, real, fake)
            if not why and metric.trains and self._held_out() is None:
                why = f"{self._source.name!r} has no held-out split with labels"
            elif not why and metric.trains and encoded(self._source.images):
                why = "it trains on all images at once, and these are streamed (--data.pipeline resident)"
            if why:
                missing |= dict.fromkeys(metric.scores, why)
                if self._keys != list(DEFAULT):  # these were asked for by name
                    warnings.warn(f"{key}: left out, as {why}", stacklevel=3)
                continue
            self._poll()
            if self._notify is not None:
                self._notify(f"computing {key}", 0, 0)
            try:
                if metric.trains:
                    found = metric.compute(self._to_train_on(real), fake, notify=self._notify)
                else:
                    reals = (every_real or self._every_real()) if metric.every_real else real
                    found = metric.compute(reals, fake)
            except InputError as error:
                if only is None:
                    raise
                missing |= dict.fromkeys(metric.scores, str(error))
                continue  # too few held-out images, or none of a class
            for value in found:
                name = SCORES[value.key].name(self._network.label, value.height)
                values[name] = (value, metric.protocol)
        if not values and only is None:
            raise InputError(
                f"metrics: none of {', '.join(self._keys)} can be computed with features {self._network.name!r} "
                f"of {fake.n} fakes"
            )
        return values

    # --- what is computed of images ---

    def _collect(
        self, what: str, batches: Batches, n: int, *, every: bool = False, labels: np.ndarray | None = None
    ) -> Sample:
        progress = None
        if self._notify is not None:
            notify = self._notify
            progress = lambda done, total: notify(f"features of {what}", done, total)
        keep = n if every else max((m.features for m in self._metrics), default=0)
        if what == "fakes" and "fd" in self._keys and n <= KERNEL_EXAMPLES:
            keep = max(keep, n)  # its error comes from them
        sample = collect(
            batches,
            self._network,
            n,
            keep=keep,
            keep_images=0 if every else max((m.images for m in self._metrics), default=0),
            spatial="spatial" in self._network.outputs and any(m.spatial for m in self._metrics),
            labels=labels,
            on_progress=progress,
        )
        return replace(sample, poll=self._poll)

    def _reals_for(self, n: int) -> int:
        """How many reals n fakes are scored against."""
        return min(n if self._n_real is None else self._n_real, len(self._source))

    def _real(self, n: int) -> Sample:
        n = min(n, len(self._source))
        if (n, False) not in self._reals:
            batches = cut(pick(self._source.images, n), self._network.batch_for(n))
            labels = picked_labels(self._source.labels, n)
            self._reals[n, False] = self._collect("reals", batches, n, labels=labels)
        return self._reals[n, False]

    def _every_real(self) -> Sample:
        n = len(self._source)
        if (n, True) not in self._reals:
            batches = cut(self._source.images, self._network.batch_for(len(self._source.images)))
            self._reals[n, True] = self._collect("all reals", batches, n, every=True)
        return self._reals[n, True]

    def _held_out_sample(self, held_out: Images, n: int) -> Sample:
        """What is computed of n held-out reals."""
        key = f"{held_out.fingerprint} {n}"
        if key not in self._held_out_samples:
            labels = picked_labels(held_out.labels, n)
            batches = cut(pick(held_out.images, n), self._network.batch_for(n))
            self._held_out_samples[key] = self._collect("held-out reals", batches, n, labels=labels)
        return self._held_out_samples[key]

    def _held_out(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Images and labels of the other split, which generators of this one have not been trained on."""
        other = other_split(self._source)
        return None if other is None or other.labels is None else (other.images, other.labels)

    def _to_train_on(self, real: Sample) -> Sample:
        """All images, with the held-out ones beside them."""
        images, labels = self._source.images, self._source.labels
        return replace(real, n=len(images), images=images, labels=labels, held_out=self._held_out())

    def _reference(self, n: int) -> Gaussian:
        """Mean and covariance of n reals, from memory or the cache."""
        n = min(n, len(self._source))
        if (n, False) in self._reals:
            return self._reals[n, False].gaussian
        return cached_reference(self._settings(n), lambda: self._real(n).gaussian)

    def _settings(self, n: int) -> dict[str, str | int]:
        return {
            "images": self._source.fingerprint,
            "n": n,
            "pick": f"permutation of seed {EVALUATION_SEED}" if n < len(self._source) else "all",
            "features": self.features,
        }

    # --- floors ---

    def _floors(self, n: int) -> Floors:
        """The scores of held-out reals and where these are from; none, with the reason, of too few of them."""
        held_out = other_split(self._source)

        def compute() -> Floors:
            every_real, lacks = None, dict[str, str]()
            if held_out is not None:
                images, labels, split = held_out.images, held_out.labels, held_out.name
            else:  # no other split: the half that the reals were not picked from
                reals = self._reals_for(n)
                rest = np.sort(order_of(len(self._source))[reals:])
                if len(rest) < max(2, len(self._source) // 4):
                    left = f"{len(rest):,} of {len(self._source):,} are left beside the {reals:,} reals"
                    return Floors({}, f"none (no second split, nothing held out, and {left})")
                images, split = Rows(self._source.images, rest[:n]), "other images of the same source"
                labels = None if self._source.labels is None else self._source.labels[rest[:n]]
                if any(metric.every_real for metric in self._metrics):  # none of them may find itself
                    every = self._every_real()
                    others = np.delete(every.features, rest[:n], axis=0)
                    every_real = replace(every, n=len(others), features=others)
            if len(images) < 2:
                return Floors({}, f"none (too few held out: {len(images)}, of {split})")
            images, labels = pick(images, n), picked_labels(labels, n)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # said of the generator's own score
                batches = cut(images, self._network.batch_for(len(images)))
                sample = self._collect("held-out reals", batches, len(images), labels=labels)
                sample = replace(sample, errors=False)
                found = self._values(
                    self._real(self._reals_for(n)),
                    sample,
                    every_real=every_real,
                    only=lambda metric: not metric.trains,
                    missing=lacks,
                )
            missing = {key: f"with held-out data as fakes, {why}" for key, why in lacks.items()}
            few = self._source.held_out is not None and 2 * len(images) < n
            values = {}
            for name, (value, _) in found.items():
                if few and value.key not in _OF_ANY_NUMBER:
                    missing[value.key] = f"too few held out: {len(images):,}, while {n:,} fakes are compared"
                elif not math.isfinite(value.value):
                    missing[value.key] = f"undefined for the {len(images):,} images of {split}"
                else:
                    values[name] = value.value
            return Floors(values, f"{split}, {len(images):,} images", missing)

        network = f"{self._network.name}-{self._network.identity}"
        keys = "-".join(self._keys)
        prints = self._source.fingerprint[:16]
        if held_out is not None:
            prints += f"-{held_out.fingerprint[:16]}"
        asked = "" if self._n_real is None else f"-against-{self._reals_for(n)}"
        return cached_floors(f"{prints}-{network}-{n}{asked}-{keys}-v6", compute)

    def _closest(self, fakes: Sample, found: Memorisation) -> tuple[np.ndarray, np.ndarray]:
        """The fakes that lie closest to a training image, relative to its own neighbours, and those images."""
        first = np.argsort(found.ratio, kind="stable")[:_COPIES]
        return fakes.images[first], np.stack([self._source.images[i] for i in found.index[first]])
