"""Scoring after the fact: runs, checkpoints, images of any origin, and two of them against each other."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import pictures
from jaxgan.data import Images, Source, open_source
from jaxgan.errors import InputError
from jaxgan.files import write_atomically
from jaxgan.metrics import Evaluation, Evaluator, ImageEvaluator, make_evaluator
from jaxgan.metrics.catalogue import DEFAULT, parse_metrics
from jaxgan.metrics.features import get_features
from jaxgan.metrics.frechet import Gaussian
from jaxgan.metrics.reference import is_reference, load_reference
from jaxgan.metrics.score import Notify, Score
from jaxgan.run import Run, load
from jaxgan.sampling import Sampler
from jaxgan.setup import open_data
from jaxgan.sharding import make_mesh, replicated

FIRST_SEED = 1_000_000  # of scored fakes; those of grids start at 0
QUICK_SEED = 2_000_000  # of the scores on the way: the best is scored again on other fakes


def is_finite(variables: Any) -> bool:
    """Whether all arrays are (uint8 images would hide a NaN)."""
    return all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(variables))


def as_json(evaluation: Evaluation, what: str = "averaged (EMA)") -> dict[str, Any]:
    """An evaluation as scores.json keeps it."""
    return {
        "generator": what,
        "scores": {name: score.to_json() for name, score in evaluation.scores.items()},
        "class_histogram": evaluation.class_histogram,
    }


def score(evaluator: Evaluator, sampler: Sampler, variables: Any, n: int) -> dict[str, Any]:
    """All scores of a generator on the fakes of `n` fixed seeds, as scores.json keeps them."""
    return as_json(evaluator(sampler.stream(variables, FIRST_SEED), n))


@dataclass(frozen=True)
class Protocol:
    """What is computed, and on what.

    Attributes:
      n: fakes.
      metrics: names with commas, as of `jaxgan.metrics.catalogue.parse_metrics`; None: the usual ones.
      features: name of a feature network, "FILE.py:NAME" of one's own, or "auto".
      weights: file of its weights, for those that would be downloaded.
      notify: is told of progress.
    """

    n: int = 10000
    metrics: str | None = None
    features: str = "auto"
    weights: pathlib.Path | None = None
    notify: Notify | None = None

    def evaluator(self, source: Source) -> Evaluator:
        """Of this source.

        Raises:
          InputError: for unknown metrics or features, or ones that do not fit the data.
        """
        if self.n < 2:
            raise InputError(f"n: expected at least 2 images, got {self.n}")
        usual = make_evaluator(source)
        if not isinstance(source, Images) or not isinstance(usual, ImageEvaluator):
            if self.metrics is not None or self.features != "auto":
                raise InputError(
                    f"metrics: expected none to be named for {source.name!r}, whose scores are those of its modes"
                )
            return usual
        keys = list(DEFAULT) if self.metrics is None else parse_metrics(self.metrics)
        asked = set((self.metrics or "").replace(" ", "").split(","))
        features = self.features
        if features == "auto" and asked & {"fid", "kid", "sfid", "fid_infinity"}:
            features = "inception"  # these names mean its features and no others
        network = get_features(features, source, self.weights)
        return ImageEvaluator(source, network=network, metrics=keys, notify=self.notify)


# --- runs ------------------------------------------------------------------------------------------


def open_run(path: pathlib.Path, checkpoint: str | int) -> tuple[Run, Source]:
    """A run, on all local devices, and the data it was trained on.

    Raises:
      InputError: if the run, the checkpoint or the data cannot be opened, or the data have changed.
    """
    run = load(path, checkpoint)
    if len(jax.local_devices()) > 1:
        run.variables = jax.device_put(run.variables, replicated(make_mesh()))
    source = open_data(run.config)
    if source.fingerprint != run.data["fingerprint"]:
        raise InputError(
            f"data.source: {source.name!r} has changed since the run began: expected the fingerprint "
            f"{run.data['fingerprint']}, got {source.fingerprint}"
        )
    return run, source


def evaluate_run(
    path: pathlib.Path, checkpoint: str | int, n: int, protocol: Protocol | None = None
) -> dict[str, Any]:
    """The scores of one checkpoint of a run, in the form of scores.json.

    Raises:
      InputError: if the run, the checkpoint or the data cannot be opened.
    """
    run, source = open_run(path, checkpoint)
    return _scored_run(run, (protocol or Protocol(n)).evaluator(source), n)[0]


def _scored_run(run: Run, evaluator: Evaluator, n: int) -> tuple[dict[str, Any], Evaluation]:
    evaluation = evaluator(run.sampler.stream(run.variables, FIRST_SEED), n)
    return {
        "main": evaluator.main,
        "class_names": run.data["class_names"],
        "final": {"step": run.step, **as_json(evaluation)},
    }, evaluation


def evaluate_checkpoints(
    path: pathlib.Path, checkpoints: Sequence[str | int], protocol: Protocol
) -> list[tuple[dict[str, Any], Evaluation]]:
    """The scores of several checkpoints of a run, with the same reals and seeds.

    Raises:
      InputError: as `evaluate_run`.
    """
    first, source = open_run(path, checkpoints[0])
    evaluator = protocol.evaluator(source)
    results = [_scored_run(first, evaluator, protocol.n)]
    for checkpoint in checkpoints[1:]:
        run, _ = open_run(path, checkpoint)
        results.append(_scored_run(run, evaluator, protocol.n))
    return results


def evaluate_two_runs(
    a: pathlib.Path, b: pathlib.Path, checkpoint: str | int, protocol: Protocol
) -> list[tuple[dict[str, Any], Evaluation]]:
    """The scores of two runs on the same reals, with the same seeds.

    Raises:
      InputError: as `evaluate_run`, or if they were trained on different data.
    """
    first, source = open_run(a, checkpoint)
    second, other = open_run(b, checkpoint)
    if source.fingerprint != other.fingerprint:
        raise InputError(
            f"compare: expected two runs on the same data, got {source.name!r} and {other.name!r}; give --real and "
            "folders of images to compare generators of different data"
        )
    evaluator = protocol.evaluator(source)
    return [_scored_run(run, evaluator, protocol.n) for run in (first, second)]


# --- images of any origin --------------------------------------------------------------------------


def open_images(spec: str, name: str) -> Images:
    """Images of a folder, a zip archive, an npz file, or anything that `open_source` knows.

    Raises:
      InputError: if they cannot be opened, or are points.
    """
    path = pathlib.Path(spec).expanduser()
    if path.suffix == ".npz" and path.is_file():
        spec = f"npz:{path}"
    elif path.is_dir() or (path.suffix == ".zip" and path.is_file()):
        spec = f"folder:{path}"
    elif ":" not in spec and (path.suffix or "/" in spec):
        raise InputError(
            f"{name}: expected a folder, a zip archive, an npz file or a data source, got {spec!r}"
        )
    source = open_source(spec)
    if not isinstance(source, Images):
        raise InputError(f"{name}: expected images, got {spec!r}, which is made of points")
    return source


class FixedImages:
    """Given images in a generator's place: the first n of them, in a fixed random order."""

    def __init__(self, images: Images) -> None:
        """Reads nothing yet."""
        self._images = images
        self._order = np.random.default_rng(FIRST_SEED).permutation(len(images))

    def __call__(self, n: int) -> np.ndarray:
        """n images. Raises InputError if there are fewer."""
        if n > len(self._order):
            raise InputError(
                f"n: expected at most the {len(self._order)} images of {self._images.name!r}, got {n}"
            )
        return np.stack([self._images.images[i] for i in self._order[:n]])

    def batches(self, n: int, size: int) -> Any:
        """The same in batches; a memory map is never read whole."""
        for start in range(0, n, size):
            chosen = self._order[start : min(start + size, n)]
            part = np.stack([self._images.images[i] for i in chosen])
            padding = np.zeros((size - len(part), *part.shape[1:]), part.dtype)
            yield np.concatenate([part, padding]), len(part)

    def labels(self, n: int) -> np.ndarray | None:
        """Labels of the same images, or None."""
        return None if self._images.labels is None else self._images.labels[self._order[:n]]


def evaluate_images(
    fake: str, real: str, protocol: Protocol, *, n: int | None = None
) -> tuple[dict[str, Any], Evaluation]:
    """The scores of images of any origin against reals, in the form of scores.json.

    Args:
      fake: as of `open_images`.
      real: the same, or an npz file of "mu" and "sigma", for the Fréchet distance alone.
      protocol: what to compute; its n is not used.
      n: how many of the fakes; None: all.

    Raises:
      InputError: for what cannot be opened, shapes that differ, or too few images.
    """
    fakes = open_images(fake, "fake")
    n = len(fakes) if n is None else n
    if not 2 <= n <= len(fakes):
        raise InputError(f"n: expected 2 to {len(fakes)} (the images of {fakes.name!r}), got {n}")
    if is_reference(path := pathlib.Path(real).expanduser()):
        return _against_reference(fakes, path, protocol, n)
    reals = open_images(real, "real")
    if fakes.shape != reals.shape:
        raise InputError(
            f"fake: expected images of the reals' shape {reals.shape} (height, width, channels), got {fakes.shape}"
        )
    if len(reals) < 2:
        raise InputError(f"real: expected at least 2 images, got {len(reals)}")
    evaluator = protocol.evaluator(reals)
    evaluation = evaluator(FixedImages(fakes), n)
    return {
        "main": evaluator.main,
        "class_names": list(reals.class_names),
        "final": {"step": 0, **as_json(evaluation, fakes.name)},
    }, evaluation


def _against_reference(
    fakes: Images, path: pathlib.Path, protocol: Protocol, n: int
) -> tuple[dict[str, Any], Evaluation]:
    """The Fréchet distance to published statistics."""
    from jaxgan.metrics.catalogue import METRICS, name_scores
    from jaxgan.metrics.collect import collect
    from jaxgan.metrics.evaluator import suffix
    from jaxgan.metrics.resampling import jackknife_error

    real, stored = load_reference(path)
    if protocol.metrics is not None and parse_metrics(protocol.metrics) != ["fd"]:
        raise InputError(
            f"metrics: expected fd alone against the statistics of {str(path)!r}, got {protocol.metrics!r}"
        )
    by_size = {2048: "inception", 384: "dinov2_vits14", 1024: "dinov2_vitl14"}
    features = protocol.features
    if features == "auto":
        features = str(stored.get("features", "")).partition("@")[0] or by_size.get(len(real.mean), "auto")
    network = get_features(features, fakes, protocol.weights)
    wanted = str(stored.get("features", f"{network.name}@{network.identity}"))
    if wanted != f"{network.name}@{network.identity}":
        raise InputError(
            f"features: expected {wanted}, which {str(path)!r} was computed with, got {network.name}@{network.identity}"
        )
    generate = FixedImages(fakes)
    sample = collect(generate.batches(n, network.batch), network, n)
    if len(sample.gaussian.mean) != len(real.mean):
        raise InputError(
            f"features: expected {len(real.mean)} of them, as in {str(path)!r}, got {len(sample.gaussian.mean)} "
            f"of {network.name}"
        )
    without = [real.distance(other) for other in sample.leave_one_out]
    value = Score(
        real.distance(sample.gaussian),
        None,
        "lower",
        int(stored.get("n", 0)),
        n,
        f"statistics of {path.name}; floor: none",
        f"{network.name}@{network.identity}",
        jackknife_error(without) if without else None,
        METRICS["fd"].protocol,
    )
    name = name_scores("{fd}", suffix(network))
    evaluation = Evaluation({name: value})
    return {
        "main": name,
        "class_names": [],
        "final": {"step": 0, **as_json(evaluation, fakes.name)},
    }, evaluation


def reference_of(
    source: Images, protocol: Protocol, n: int | None = None
) -> tuple[Gaussian, dict[str, str | int]]:
    """Mean and covariance of the features of n reals (None: all), and what they are of."""
    evaluator = protocol.evaluator(source)
    if not isinstance(evaluator, ImageEvaluator):
        raise InputError(f"real: expected images with features, got {source.name!r}")
    return evaluator.reference(len(source) if n is None else n)


# --- comparison --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """A score of two generators, and their difference B - A with its 95 % interval.

    Attributes:
      a: of the first.
      b: of the second.
      difference: b - a.
      error: standard error of the difference; None if it is not known.
      paired: whether the reals' own luck cancels in the error.
      better: "lower" or "higher".
    """

    a: float
    b: float
    difference: float
    error: float | None
    paired: bool
    better: str

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 %, by a normal approximation; None if the error is not known."""
        if self.error is None:
            return None
        return self.difference - 1.96 * self.error, self.difference + 1.96 * self.error

    @property
    def winner(self) -> str:
        """ "a" or "b", the better one if the interval leaves 0 out; else ""."""
        if self.interval is None or self.interval[0] <= 0 <= self.interval[1]:
            return ""
        return "b" if (self.difference > 0) == (self.better == "higher") else "a"


def compare(a: Evaluation, b: Evaluation) -> dict[str, Difference]:
    """Scores of two generators by the same evaluator and number of fakes, against each other.

    Where a score is a mean over reals, or over subsets of them that are the same for both, the error is that
    of the mean of differences. Elsewhere both errors are taken to be independent: they are of the
    fakes alone.

    Raises:
      InputError: if the two do not have the same scores.
    """
    if a.scores.keys() != b.scores.keys():
        raise InputError(
            f"compare: expected the same scores of both, got {list(a.scores)} and {list(b.scores)}"
        )
    differences = {}
    for name, first in a.scores.items():
        second = b.scores[name]
        error, paired = None, False
        x, y = a.paired.get(name), b.paired.get(name)
        if x is not None and y is not None and len(x) == len(y) > 1:
            gaps, paired = y - x, True
            overlap = _overlap(first, x)
            error = float(gaps.std(ddof=1) / len(gaps) ** 0.5) * overlap
        elif first.error is not None and second.error is not None:
            error = math.hypot(first.error, second.error)
        differences[name] = Difference(
            first.value, second.value, second.value - first.value, error, paired, first.better
        )
    return differences


def _overlap(score: Score, values: np.ndarray) -> float:
    """By how much subsets that overlap understate the error of their mean."""
    plain = float(values.std(ddof=1) / len(values) ** 0.5)
    return score.error / plain if score.error is not None and plain > 0 else 1.0


def save_copies(path: pathlib.Path, copies: tuple[np.ndarray, np.ndarray]) -> None:
    """A picture of fakes (left) beside the training images that they lie closest to (right)."""
    fakes, reals = copies
    pairs = np.stack([fakes, reals], axis=1).reshape(-1, *fakes.shape[1:])
    write_atomically(path, pictures.picture(pairs, columns=8))
