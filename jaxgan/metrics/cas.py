"""The classification accuracy score: how well a classifier of generated images does on real ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.metrics.features.fitting import BATCH_SIZE, STEPS, check_examples, fit, predict

OnProgress = Callable[[str, int, int, int, float], None]
"""Receives (name of the training set, seed, steps done, all steps, loss) now and then."""


def classification_accuracy_score(
    fake_images: np.ndarray,
    fake_labels: np.ndarray,
    test_images: np.ndarray,
    test_labels: np.ndarray,
    *,
    n_classes: int,
    real: tuple[np.ndarray, np.ndarray] | None = None,
    steps: int = STEPS,
    seeds: Sequence[int] = (0,),
    batch_size: int = BATCH_SIZE,
    flip: bool = False,
    on_progress: OnProgress | None = None,
) -> dict[str, Any]:
    """Trains classifiers on generated images and tests them on real ones.

    With `real`, the same classifier is also trained on the reals alone, for comparison, and on reals and
    fakes together, which tells whether the fakes serve as augmentation (the paper's naive augmentation
    score). All are trained for as many steps, so that the images of a larger set are seen less often.

    The published protocol trains a ResNet-50 on ImageNet. The network here is the small
    `features.residual_cnn.ResidualCNN`, so numbers compare only with others of the same steps and batch size.

    Args:
      fake_images: uint8 [n, h, w, c], with h and w at least 16.
      fake_labels: the classes that the fakes were generated for, integers [n].
      test_images: real images that the generator has not been trained on, uint8 [m, h, w, c].
      test_labels: their classes, integers [m].
      n_classes: number of classes, at least 2.
      real: images and labels that the generator was trained on.
      steps: number of updates of each classifier.
      seeds: each classifier is trained once for each seed.
      batch_size: number of images in a step.
      flip: whether half of the images are turned left to right in training.
      on_progress: called now and then.

    Returns:
      A dict of plain Python values, ready for JSON. "fake", and with `real` also "real" and "real_and_fake",
      are dicts of "accuracy" (mean over seeds), "spread" (standard deviation over seeds, ddof 1; None for one
      seed), "by_seed", "per_class" (mean over seeds of the accuracy on each class; None for a class without
      test images) and "n_train". Beside them stands the protocol: "n_test", "n_classes", "steps",
      "batch_size", "flip" and "seeds".

    Raises:
      InputError: for images or labels that do not fit each other, or for seeds that are none or repeated.

    References:
      Ravuri, Vinyals (2019), Classification accuracy score for conditional generative models, sections
      3 and 4.
    """
    sets = {"fake": (fake_images, fake_labels)}
    if real is not None:
        sets["real"] = real
    named = {f"{name}_images": pair for name, pair in (*sets.items(), ("test", (test_images, test_labels)))}
    for name, (images, labels) in named.items():
        check_examples(name, images, labels, n_classes)
        if images.shape[1:] != test_images.shape[1:]:
            raise InputError(
                f"{name}: expected the shape of the test images, {test_images.shape[1:]}, got {images.shape[1:]}"
            )
    if not len(seeds) or len(set(seeds)) < len(seeds):
        raise InputError(f"seeds: expected one or more different seeds, got {tuple(seeds)}")
    if real is not None:
        pairs = zip(real, (fake_images, fake_labels), strict=True)
        sets["real_and_fake"] = tuple(np.concatenate(pair) for pair in pairs)  # pyright: ignore

    def by_class(name: str, seed: int) -> np.ndarray:
        """After one training, the number of test images of each class that are classified correctly."""
        images, labels = sets[name]
        report = None if on_progress is None else partial(on_progress, name, seed)
        variables = fit(
            images,
            labels,
            n_classes,
            steps=steps,
            seed=seed,
            batch_size=batch_size,
            flip=flip,
            on_progress=report,
        )
        right = predict(variables, n_classes, test_images) == test_labels
        return np.bincount(np.asarray(test_labels)[right], minlength=n_classes)

    totals = np.bincount(test_labels, minlength=n_classes)
    scores: dict[str, Any] = {}
    for name, (_, labels) in sets.items():
        right = np.stack([by_class(name, int(seed)) for seed in seeds])
        scores[name] = {**_summary(right, totals), "n_train": len(labels)}
    return scores | {
        "n_test": len(test_labels),
        "n_classes": n_classes,
        "steps": steps,
        "batch_size": batch_size,
        "flip": flip,
        "seeds": [int(seed) for seed in seeds],
    }


def _summary(right: np.ndarray, totals: np.ndarray) -> dict[str, Any]:
    """Accuracies from the numbers of right answers [seed, class] and of test images, `totals` [class]."""
    by_seed = right.sum(1) / totals.sum()
    means = right.mean(0)
    return {
        "accuracy": float(by_seed.mean()),
        "spread": float(by_seed.std(ddof=1)) if len(by_seed) > 1 else None,
        "by_seed": by_seed.tolist(),
        "per_class": [float(m / t) if t else None for m, t in zip(means, totals, strict=True)],
    }
