"""Scoring after the fact: runs, checkpoints, images of any origin, and two of them against each other."""

from __future__ import annotations

import dataclasses
import pathlib
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.common.checks import check_range
from jaxgan.common.devices import make_mesh, replicated
from jaxgan.common.errors import InputError
from jaxgan.common.files import expanded
from jaxgan.config.data import located, open_data
from jaxgan.config.fields import with_fields
from jaxgan.data import Images, Source, as_images, describe
from jaxgan.data.splits import as_recorded, with_classes_of
from jaxgan.metrics import Evaluation, Evaluator, ImageEvaluator, make_evaluator
from jaxgan.metrics.catalogue import SCORES
from jaxgan.metrics.collect import collect
from jaxgan.metrics.features import FEATURES, get_features
from jaxgan.metrics.given import FIRST_SEED, FixedImages, open_images
from jaxgan.metrics.image_scores import DEFAULT, KERNEL_EXAMPLES, METRICS, distance_error, parse_metrics
from jaxgan.metrics.reference import is_reference, load_reference
from jaxgan.metrics.score import Notify, Score
from jaxgan.metrics.scores.frechet import Gaussian
from jaxgan.runs.checkpoint import Unreadable
from jaxgan.runs.folder import RunFolder
from jaxgan.runs.images.making import examples_of
from jaxgan.runs.opened import Run, changed_data, found_again
from jaxgan.runs.sampling import Sampler

_all_finite = jax.jit(lambda leaves: jnp.asarray([jnp.isfinite(x).all() for x in leaves], bool).all())
QUICK_SEED = 2_000_000  # of the scores on the way: the best is scored again on other fakes


def is_finite(variables: Any) -> bool:
    """Whether all numbers of the variables are finite (images of uint8 would hide a NaN)."""
    return bool(_all_finite(jax.tree.leaves(variables)))


def as_json(evaluation: Evaluation, what: str = "averaged (EMA)") -> dict[str, Any]:
    """An evaluation as scores.json keeps it; `what` says which generator was scored."""
    held_out = {} if evaluation.held_out is None else {"held_out": evaluation.held_out.to_json()}
    return {
        "generator": what,
        "scores": {name: score.to_json() for name, score in evaluation.scores.items()},
        "class_histogram": evaluation.class_histogram,
        **held_out,
    }


def score(
    evaluator: Evaluator, sampler: Sampler, variables: Any, n: int, poll: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """All scores of a generator on the fakes of `n` fixed seeds, as scores.json keeps them; `poll` may raise."""
    return as_json(evaluator(sampler.stream(variables, FIRST_SEED, poll), n))


@dataclass(frozen=True)
class Protocol:
    """What is computed, and on what.

    Attributes:
      n: fakes.
      metrics: names with commas, as of `jaxgan.metrics.image_scores.parse_metrics`; None: the usual ones.
      features: name of a feature network, "FILE.py:NAME" of one's own, or "auto".
      weights: file of its weights, for those that would be downloaded.
      notify: is told of progress.
      n_real: reals to score against; None: as many as fakes.
    """

    n: int = 10000
    metrics: str | None = None
    features: str = "auto"
    weights: pathlib.Path | None = None
    notify: Notify | None = None
    n_real: int | None = None

    def evaluator(self, source: Source) -> Evaluator:
        """The evaluator of a source by this protocol.

        Raises:
          InputError: for unknown metrics or features, ones that do not fit the data, or more reals than there are.
        """
        check_range("n", self.n, at_least=2, unit="images")
        usual = make_evaluator(source)
        if not usual.main:
            raise InputError(
                f"run: expected examples that can be scored, got the {source.modality.name}s of {source.name!r}"
            )
        if not isinstance(usual, ImageEvaluator):
            own = ", ".join(getattr(usual, "names", (usual.main,)))
            for name, got, none in (("metrics", self.metrics, None), ("features", self.features, "auto")):
                if got != none:
                    raise InputError(
                        f"{name}: expected none for {source.name!r}, which has its own scores ({own}), got {got!r}"
                    )
            if self.n_real is not None:
                raise InputError(
                    f"n_real: expected none for {source.name!r}, scored by a protocol without it, got {self.n_real}"
                )
            return usual
        keys = list(DEFAULT) if self.metrics is None else parse_metrics(self.metrics)
        asked = set((self.metrics or "").replace(" ", "").split(","))
        features = self.features
        if features == "auto" and asked & {"fid", "kid", "sfid", "fid_infinity"}:
            features = "inception"  # these names mean its features and no others
        images = as_images(source, "data.source")
        network = get_features(features, images, self.weights)
        return ImageEvaluator(images, network=network, metrics=keys, notify=self.notify, n_real=self.n_real)


# --- runs ------------------------------------------------------------------------------------------


def open_run(
    path: pathlib.Path, checkpoint: str | int, place: str | None = None, *, trust: bool = False
) -> tuple[Run, Source]:
    """A run, on all local devices, and the data it was trained on.

    Args:
      path: of the run.
      checkpoint: "last", "best" or a step.
      place: where the data are to be found now; None: where they were.
      trust: as of `jaxgan.load`.

    Raises:
      InputError: if the run, the checkpoint or the data cannot be opened, or the data have changed.
    """
    run = on_all_devices(Run.at(path, checkpoint, trust=trust))
    config = run.config if place is None else with_fields(run.config, **{"data.source": located(place)})
    with found_again():
        source = as_recorded(open_data(config), run.data)
    if source.fingerprint != run.data["fingerprint"]:
        raise changed_data(run.data, describe(source))
    run.sampler = examples_of(run.sampler, source)
    return run, source


def on_all_devices(run: Run) -> Run:
    """The run, with its generator on all local devices, which share the work."""
    if len(jax.local_devices()) > 1:
        run.variables = jax.device_put(run.variables, replicated(make_mesh(jax.local_devices())))
    return run


def evaluate_run(
    path: pathlib.Path,
    checkpoint: str | int,
    n: int,
    protocol: Protocol | None = None,
    place: str | None = None,
    *,
    trust: bool = False,
) -> dict[str, Any]:
    """The scores of one checkpoint of a run, in the form of scores.json; `place` and `trust` are as of `open_run`.

    Raises:
      InputError: if the run, the checkpoint or the data cannot be opened.
    """
    run, source = open_run(path, checkpoint, place, trust=trust)
    return _scored_run(run, (protocol or Protocol(n)).evaluator(source), n)[0]


def _scored_run(run: Run, evaluator: Evaluator, n: int) -> tuple[dict[str, Any], Evaluation]:
    evaluation = evaluator(run.sampler.stream(run.variables, FIRST_SEED), n)
    return {
        "main": evaluator.main,
        "class_names": run.data["class_names"],
        "final": {"step": run.step, **as_json(evaluation)},
    }, evaluation


def evaluate_checkpoints(
    path: pathlib.Path,
    checkpoints: Sequence[str | int],
    protocol: Protocol,
    place: str | None = None,
    *,
    trust: bool = False,
) -> list[tuple[dict[str, Any], Evaluation]]:
    """The scores of several checkpoints of a run, with the same reals and seeds; the rest is as of `open_run`.

    Checkpoints that cannot be read are told of in warnings, and the others scored.

    Raises:
      InputError: as `evaluate_run`; for checkpoints only if none can be read.
    """
    results, damaged, evaluator = [], [], None
    for checkpoint in checkpoints:
        try:
            if evaluator is None:
                run, source = open_run(path, checkpoint, place, trust=trust)
                evaluator = protocol.evaluator(source)
            else:
                run = on_all_devices(Run.at(path, checkpoint, trust=trust))
                run.sampler = examples_of(run.sampler, source)
        except Unreadable as error:
            damaged.append(error)
            continue
        results.append(_scored_run(run, evaluator, protocol.n))
    if not results:
        raise damaged[0]
    for error in damaged:
        warnings.warn(f"no scores: {error}", stacklevel=2)
    return results


def evaluate_two_runs(
    a: pathlib.Path,
    b: pathlib.Path,
    checkpoint: str | int,
    protocol: Protocol,
    place: str | None = None,
    *,
    trust: bool = False,
) -> list[tuple[dict[str, Any], Evaluation]]:
    """The scores of two runs on the same reals, with the same seeds; the rest is as of `open_run`.

    Raises:
      InputError: as `evaluate_run`, or if they were trained on different data.
    """
    first, source = open_run(a, checkpoint, place, trust=trust)
    second, other = open_run(b, checkpoint, place, trust=trust)
    if source.fingerprint != other.fingerprint:
        raise InputError(
            f"compare: expected two runs on the same data, got {_unlike(source, other)}; give --real and folders of "
            "images to compare generators of different data"
        )
    evaluator = protocol.evaluator(source)
    return [_scored_run(run, evaluator, protocol.n) for run in (first, second)]


def _unlike(a: Source, b: Source) -> str:
    """Two sources that differ, in words."""
    if a.name != b.name:
        return f"{a.name!r} and {b.name!r}"
    whole = lambda source: getattr(source, "whole", "") or source.fingerprint
    size = lambda source: "" if a.shape == b.shape else f" of {'x'.join(map(str, source.shape))}"
    parts = " and ".join(
        f"{x.n:,} examples{size(x)}, with {'none' if x.held_out is None else f'{x.held_out.n:,} more'} held out"
        for x in (a, b)
        if x.n is not None
    )
    why = "of which they trained on different parts" if whole(a) == whole(b) else "opened in different ways"
    return f"{a.name!r}, {why}: {parts}"


# --- images of any origin --------------------------------------------------------------------------


def evaluate_images(
    fake: str, real: str, protocol: Protocol, *, n: int | None = None, **opened: Any
) -> tuple[dict[str, Any], Evaluation]:
    """The scores of images of any origin against reals, in the form of scores.json.

    Args:
      fake: as of `open_images`.
      real: the same, or an npz file of "mu" and "sigma", for the Fréchet distance alone.
      protocol: what to compute; its n is not used.
      n: how many of the fakes; None: all.
      **opened: resolution, channels, skip_broken and follow_links of both, and keep_classes of the reals, as of
        `open_images`.

    Raises:
      InputError: for what cannot be opened, shapes that differ, or too few images.
    """
    of_fakes: dict[str, Any] = {**opened, "keep_classes": ""}
    fakes = open_images(fake, "fake", **of_fakes)
    n = len(fakes) if n is None else n
    check_range("n", n, at_least=2, at_most=len(fakes), unit=f"(the images of {fakes.name!r})")
    if is_reference(path := expanded(real)):
        return _against_reference(fakes, path, protocol, n)
    reals = open_images(real, "real", **opened)
    if fakes.shape != reals.shape:
        raise InputError(
            f"fake: expected images of the reals' shape {reals.shape} (height, width, channels), got {fakes.shape}"
        )
    fakes = _with_labels_of(reals, fakes)
    if len(reals) < 2:
        raise InputError(f"real: expected at least 2 images, got {len(reals)}")
    if protocol.n_real is None and 2 * n <= len(reals):
        warnings.warn(
            f"real: {n:,} of {len(reals):,} images are used, as many as fakes; --n-real {len(reals)} uses them all",
            stacklevel=2,
        )
    evaluator = protocol.evaluator(reals)
    evaluation = evaluator(FixedImages(fakes), n)
    return {
        "main": evaluator.main,
        "class_names": list(reals.class_names),
        "final": {"step": 0, **as_json(evaluation, fakes.name)},
    }, evaluation


def _with_labels_of(reals: Images, fakes: Images) -> Images:
    """Fakes whose labels are numbers of the reals' classes, by name; without labels if they have others."""
    if not (reals.class_names and fakes.class_names) or reals.class_names == fakes.class_names:
        return fakes
    if unknown := sorted({*fakes.class_names} - {*reals.class_names}):
        warnings.warn(
            f"fake: its labels are not used, as the reals have no class {', '.join(map(repr, unknown[:5]))}",
            stacklevel=3,
        )
        return dataclasses.replace(fakes, labels=None, class_names=())
    return with_classes_of(reals, fakes)


def _against_reference(
    fakes: Images, path: pathlib.Path, protocol: Protocol, n: int
) -> tuple[dict[str, Any], Evaluation]:
    """The Fréchet distance to published statistics."""
    real, stored = load_reference(path)
    if protocol.metrics is not None and parse_metrics(protocol.metrics) != ["fd"]:
        raise InputError(
            f"metrics: expected fd alone against the statistics of {str(path)!r}, got {protocol.metrics!r}"
        )
    if protocol.n_real is not None:
        raise InputError(
            f"n_real: expected none against the statistics of {str(path)!r}, which hold no reals to choose from, "
            f"got {protocol.n_real}"
        )
    by_size = {2048: "inception", 384: "dinov2_vits14", 1024: "dinov2_vitl14"}
    features = protocol.features
    if features == "auto":
        features = str(stored.get("features", "")).partition("@")[0] or by_size.get(len(real.mean), "auto")
        if features not in FEATURES:  # a file of statistics names no code that is run
            raise InputError(
                f"features: expected --features FILE.py:FUNCTION beside {str(path)!r}, which was computed with "
                f"{features[:200]!r}, got none"
            )
    network = get_features(features, fakes, protocol.weights)
    wanted = str(stored.get("features", network.signature))
    if wanted != network.signature:
        raise InputError(
            f"features: expected {wanted}, which {str(path)!r} was computed with, got {network.signature}"
        )
    generate = FixedImages(fakes)
    kept = n if n <= KERNEL_EXAMPLES else 0
    sample = collect(generate.batches(n, network.batch_for(n)), network, n, keep=kept)
    if len(sample.gaussian.mean) != len(real.mean):
        raise InputError(
            f"features: expected {len(real.mean)} of them, as in {str(path)!r}, got {len(sample.gaussian.mean)} "
            f"of {network.name}"
        )
    value = Score(
        real.distance(sample.gaussian),
        None,
        SCORES["fd"],
        n_real=int(stored.get("n", 0)),
        n_fake=n,
        split=f"statistics of {path.name}; floor: none",
        features=network.signature,
        error=distance_error(real, sample),
        protocol=METRICS["fd"].protocol,
    )
    name = SCORES["fd"].name(network.label)
    evaluation = Evaluation({name: value})
    return {
        "main": name,
        "class_names": [],
        "final": {"step": 0, **as_json(evaluation, fakes.name)},
    }, evaluation


def reference_of(source: Images, protocol: Protocol) -> tuple[Gaussian, dict[str, str | int]]:
    """Mean and covariance of the features of the protocol's n_real reals (None: all), and what they are of.

    Raises:
      InputError: as `Protocol.evaluator`.
    """
    evaluator = protocol.evaluator(source)
    if not isinstance(evaluator, ImageEvaluator):
        raise InputError(f"real: expected images with features, got {source.name!r}")
    return evaluator.reference(len(source) if protocol.n_real is None else protocol.n_real)


# --- comparison --------------------------------------------------------------------------------------


def record_evaluation(folder: RunFolder, scores: dict[str, Any]) -> None:
    """Adds scores to evaluations.json of a run, in place of earlier ones of that step and protocol."""
    name = "evaluations.json"
    earlier = folder.read(name) if (folder.path / name).exists() else []

    def key(entry: dict[str, Any]) -> tuple[Any, ...]:
        scores = entry["final"]["scores"].items()
        protocols = sorted((name, s["n_fake"], s["n_real"], s["features"]) for name, s in scores)
        return entry["final"]["step"], *protocols

    kept = [entry for entry in earlier if key(entry) != key(scores)]
    kept.append({**scores, "date": time.strftime("%Y-%m-%d %H:%M")})
    folder.write(name, kept)
