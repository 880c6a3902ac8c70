"""`jaxgan metrics`: what scores there are, and feature networks trained on one's own data."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

from jaxgan.cli.arguments import Positional, dispatch, flags_named_for, parse, print_rows, with_flags_of
from jaxgan.common.errors import InputError
from jaxgan.common.files import write_atomically
from jaxgan.common.progress import Progress
from jaxgan.data import Images, as_images, open_source
from jaxgan.health import MONITORS
from jaxgan.metrics.catalogue import SCORES, Kind
from jaxgan.metrics.features import FEATURES, classifier, features_for, mnist_cnn
from jaxgan.metrics.image_scores import DEFAULT, METRICS, Metric
from jaxgan.runs import environment


@dataclass(frozen=True)
class Show:
    """List every score: its names, what it measures, by which protocol, and what it agrees with."""


@dataclass(frozen=True)
class TrainFeatures:
    """Train a small classifier on labelled data, two to three minutes on two cores for small images.

    It goes into the cache, and from then on scores of generators of these data are computed with its
    features. Train it before the generator: scores of other features do not compare.
    """

    source: Positional[str]
    """tfds:NAME, a folder or zip archive (sub-folders are classes), or an npz file (with labels)."""
    split: str = "train"
    """Split to train on; accuracy is that on the other one, else on a tenth that is held out."""
    resolution: int | None = None
    """As the generator's data are opened: scale and centre-crop images to this many pixels a side."""
    channels: int | None = None
    """As the generator's data are opened: 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGBA)."""
    hold_out: float = 0.1
    """As of the generator's data: share that is held out of data without a second split, and tested on."""
    skip_broken: bool = False
    """Leave broken image files out."""
    follow_links: bool = False
    """Follow links that lead out of a folder of images."""
    keep_classes: str = ""
    """As of the generator's data: only examples of these classes, by name or number, such as 0-8."""
    epochs: float | None = None
    """Times that every image is seen; by default as many as 2,000 batches of 128 see, at most 60."""
    flip: bool = False
    """Turn half of the images left to right: for objects and scenes, not for digits or letters."""
    seed: int = 0
    """Seed of weights, order and augmentation."""
    out: pathlib.Path | None = None
    """Also write the classifier to this file, a .safetensors."""


def metrics(args: list[str]) -> int | None:
    """Lists scores, or trains the features that they are computed with."""
    return dispatch("metrics", args, {"": show, "train-features": train_features})


def show(args: list[str]) -> None:
    """Lists every score: its names, what it measures, by which protocol, and what it agrees with."""
    parse(Show, args, "metrics")
    print(catalogue())
    print("jaxgan metrics train-features SOURCE    trains a feature network on your own labelled data")


def catalogue() -> str:
    """The list of scores and of feature networks as text."""
    lines = [
        "scores of images, by the name that `jaxgan evaluate --metrics` takes",
        "(FEATURES: name of the network; on the original Inception they are called fid, kid and sfid):",
        "",
    ]
    for key, metric in METRICS.items():
        needs = ", ".join(_needs(metric))
        lines += [
            f"{key}{'  (by default)' if key in DEFAULT else ''}",
            *(_line(SCORES[score]) for score in metric.scores),
            *([f"  needs:    {needs}"] if needs else []),
            f"  protocol: {metric.protocol}",
            f"  agrees:   {metric.agrees}",
            "",
        ]
    of_images = {score for metric in METRICS.values() for score in metric.scores}
    others = [kind for kind in SCORES.values() if kind.key not in {*of_images, *MONITORS}]
    lines += ["scores of points and of stacked digits:", *map(_line, others), ""]
    lines += ["monitors of a run, in its report:", *(_line(SCORES[name]) for name in MONITORS), ""]
    lines += [f"features: {', '.join(FEATURES)}, or FILE.py:FUNCTION", ""]
    return "\n".join(lines)


def _line(kind: Kind) -> str:
    direction = f", {kind.better} is better" if kind.better else ""
    return f"  {kind.name()}{direction}: {kind.meaning}"


def _needs(metric: Metric) -> list[str]:
    """What a metric needs beyond images and features."""
    needs = {
        "features with classes": metric.classes,
        "Inception's features": metric.spatial,
        "labels of reals and fakes": metric.labels,
        "the split that the generator was trained on and another one to test on": metric.trains,
        "minutes of training (so it is computed only if named)": metric.trains,
    }
    return [text for text, needed in needs.items() if needed]


@flags_named_for(TrainFeatures)
def train_features(args: list[str]) -> None:
    """Trains a classifier on the labelled data SOURCE; their generators are scored on its features then."""
    parsed = parse(TrainFeatures, args, "metrics train-features")
    if parsed.out is not None and parsed.out.suffix != ".safetensors":
        raise InputError(f"out: expected a .safetensors file, got {str(parsed.out)!r}")
    environment.start()
    opened = open_source(
        parsed.source,
        parsed.split,
        resolution=parsed.resolution,
        channels=parsed.channels,
        hold_out=parsed.hold_out,
        skip_broken=parsed.skip_broken,
        follow_links=parsed.follow_links,
        keep_classes=parsed.keep_classes,
    )
    source = as_images(opened, "source")
    if _is_shipped(source):
        raise InputError(
            f"source: {source.name!r} is scored with the shipped classifier {mnist_cnn.NAME!r}, "
            "and needs none of its own"
        )
    for note in source.notes:
        print(f"data: {with_flags_of(TrainFeatures, note)}")
    print(f"{source.name}: {len(source):,} images, {source.n_classes} classes; compiling and training")
    with Progress() as progress:

        def shown(done: int, steps: int, loss: float) -> None:
            progress.count("step", done, steps, f"loss {loss:.3f}", at_once=done == steps)

        trained = classifier.train(
            source, epochs=parsed.epochs, seed=parsed.seed, flip=parsed.flip, on_progress=shown
        )
    path = classifier.save(trained)
    network, metadata = classifier.load(path)
    if parsed.out is not None:
        write_atomically(parsed.out, path.read_bytes())
        print(f"wrote {parsed.out}")
    print_rows(
        {
            "accuracy": f"{trained.accuracy:.2%} of {int(metadata['n_test']):,} images: {metadata['tested_on']}",
            "trained on": f"{int(metadata['n_train']):,} images, {metadata['epochs']} epochs, seed {parsed.seed}",
            "file": path,
            "features": f"{network.name}@{network.identity}; the Fréchet distance is fd_{network.name}",
        }
    )


def _is_shipped(source: Images) -> bool:
    try:
        return features_for(source).name == mnist_cnn.NAME
    except InputError:  # a damaged classifier, which is replaced now
        return False
