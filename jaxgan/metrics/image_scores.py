"""The scores of images, by the name that `jaxgan evaluate --metrics` knows them by, and how each is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import NamedTuple

import numpy as np

from jaxgan.common.errors import InputError, unknown
from jaxgan.metrics.cas import classification_accuracy_score
from jaxgan.metrics.collect import Sample
from jaxgan.metrics.features.fitting import BATCH_SIZE, STEPS
from jaxgan.metrics.score import Notify
from jaxgan.metrics.scores import neighbours
from jaxgan.metrics.scores.classes import (
    histogram_kl,
    histogram_kl_error,
    inception_score,
    inception_score_error,
)
from jaxgan.metrics.scores.diversity import ndb
from jaxgan.metrics.scores.frechet import Gaussian, frechet_error, frechet_infinity, intra_class_frechet
from jaxgan.metrics.scores.kernel import gaussian_mmd, kernel_subsets
from jaxgan.metrics.scores.patches import swd_patches, swd_patches_errors
from jaxgan.metrics.scores.resampling import distinct_error, halves_errors, jackknife_error
from jaxgan.metrics.scores.similarity import MS_SSIM_WEIGHTS, ms_ssim_diversity

PRDC_EXAMPLES = 5000  # at most: the cost grows with the square
KERNEL_EXAMPLES = 50_000
PIXEL_EXAMPLES = 5000  # images that scores of pixels look at
_PRDC_K = 5


class Value(NamedTuple):
    """A number of one metric.

    Attributes:
      key: the kind of the score, of `jaxgan.metrics.catalogue.SCORES`.
      value: the number.
      error: its standard error; None if it is not known.
      n_real: number of reals that were used; None for all.
      n_fake: number of fakes that were used; None for all.
      copies: what was found of memorisation, example by example; None of other scores.
      floor: what reals get, of scores that find that out themselves.
      height: of the images in pixels, of scores that there is one of for each size.
    """

    key: str
    value: float
    error: float | None = None
    n_real: int | None = None
    n_fake: int | None = None
    copies: neighbours.Memorisation | None = None
    floor: float | None = None
    height: int = 0


@dataclass(frozen=True)
class Metric:
    """A score, or several that are computed together.

    Attributes:
      scores: kinds of the scores, of `jaxgan.metrics.catalogue.SCORES`.
      protocol: the settings that change the numbers, and how their errors are got.
      agrees: with which reference it agrees, and how closely (see tests).
      compute: (reals, fakes) -> values; what trains classifiers also takes `notify`.
      features: how many features of either set are needed.
      images: how many images of either set are needed.
      reals: fewer of them than this are too few.
      classes: whether a classifier is needed.
      every_real: whether features of all reals are needed.
      spatial: whether features that know where things are are needed.
      labels: whether both sets must have labels.
      trains: whether classifiers are trained, on all reals and images of a held-out split; takes minutes.
      both: whether it is also computed against held-out reals, to compare.
    """

    scores: tuple[str, ...]
    protocol: str
    agrees: str
    _: KW_ONLY
    compute: Callable[..., Sequence[Value]]
    features: int = 0
    images: int = 0
    reals: int = 0
    classes: bool = False
    every_real: bool = False
    spatial: bool = False
    labels: bool = False
    trains: bool = False
    both: bool = False


def _frechet(real: Sample, fake: Sample) -> list[Value]:
    return [Value("fd", real.gaussian.distance(fake.gaussian), distance_error(real.gaussian, fake))]


def distance_error(real: Gaussian, fake: Sample) -> float | None:
    """Standard error of the Fréchet distance: from all features where they were kept, else from tenths of the fakes."""
    if not fake.errors:
        return None
    if len(fake.features) == fake.n:
        return frechet_error(real, fake.features)
    return _without_parts(real, fake.leave_one_out)


def _without_parts(real: Gaussian, parts: Sequence[Gaussian]) -> float | None:
    return jackknife_error([real.distance(part) for part in parts]) if parts else None


def _frechet_infinity(real: Sample, fake: Sample) -> list[Value]:
    value, error = frechet_infinity(real.gaussian, fake.features)
    return [Value("fd_infinity", value, error, n_fake=len(fake.features))]


def _spatial(real: Sample, fake: Sample) -> list[Value]:
    assert real.spatial is not None
    assert fake.spatial is not None
    error = _without_parts(real.spatial, fake.spatial_leave_one_out if fake.errors else ())
    return [Value("sfd", real.spatial.distance(fake.spatial), error)]


def _intra(real: Sample, fake: Sample) -> list[Value]:
    n, m = len(real.features), len(fake.features)
    assert real.labels is not None
    assert fake.labels is not None
    value, error, _ = intra_class_frechet(real.features, real.labels[:n], fake.features, fake.labels[:m])
    return [Value("intra_fd", value, error, n_real=n, n_fake=m)]


def _kernel(real: Sample, fake: Sample) -> list[Value]:
    values, error = kernel_subsets(real.features, fake.features, poll=fake.poll)
    return [Value("kd", float(values.mean()), error, len(real.features), len(fake.features))]


def _mmd(real: Sample, fake: Sample) -> list[Value]:
    value, error = gaussian_mmd(real.features, fake.features)
    error = None if error is None else 1000 * error
    return [Value("mmd", 1000 * value, error, n_real=len(real.features), n_fake=len(fake.features))]


def _mean(key: str, numbers: np.ndarray, n_real: int, n_fake: int) -> Value:
    numbers = numbers.astype(np.float64)
    error = float(numbers.std(ddof=1) / np.sqrt(len(numbers)))
    return Value(key, float(numbers.mean()), error, n_real, n_fake)


def _prdc(real: Sample, fake: Sample) -> list[Value]:
    x, y = real.features[:PRDC_EXAMPLES], fake.features[:PRDC_EXAMPLES]
    balls = neighbours.balls(x, y, k=_PRDC_K)
    n = (len(x), len(y))
    errors = halves_errors(_of_reals, x, y, least=4 * _PRDC_K) if fake.errors else {}
    of_reals = lambda key, hit: _mean(key, hit, *n)._replace(error=errors.get(key))
    return [
        _mean("precision", balls.around_fakes > 0, *n),
        of_reals("recall", balls.reached),
        _mean("density", balls.around_fakes / _PRDC_K, *n),
        of_reals("coverage", balls.covered),
    ]


def _of_reals(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
    """The shares of reals, whose luck is not that of the reals."""
    found = neighbours.balls(real, fake, k=_PRDC_K)
    return {"recall": float(found.reached.mean()), "coverage": float(found.covered.mean())}


def _classes(real: Sample, fake: Sample) -> list[Value]:
    assert real.logits is not None
    assert fake.logits is not None
    classes = fake.logits.shape[1]
    counts, real_counts = (np.bincount(s.logits.argmax(1), minlength=classes) for s in (fake, real))  # pyright: ignore
    splits = min(10, fake.n)
    score, _ = inception_score(fake.logits, splits=splits)
    error = inception_score_error(fake.logits, splits=splits)
    present = lambda counts: float((counts > 0).sum())
    known = np.maximum(real_counts, 1e-9)
    return [
        Value("inception_score", score, error, n_real=0),
        Value("classes_present", present(counts), distinct_error(counts), n_real=0),
        Value("class_kl", histogram_kl(counts, known), histogram_kl_error(counts, known)),
    ]


def _memorisation(real: Sample, fake: Sample) -> list[Value]:
    found = neighbours.memorisation(real.features, fake.features[:PRDC_EXAMPLES])
    share = _mean("authenticity", found.authentic, len(real.features), len(found.authentic))
    return [share._replace(copies=found)]


def _diversity(real: Sample, fake: Sample) -> list[Value]:
    scales = int(np.log2(max(min(fake.images.shape[1:3]) / 11, 1))) + 1
    weights = np.asarray(MS_SSIM_WEIGHTS[:scales]) / sum(MS_SSIM_WEIGHTS[:scales])
    value, error = ms_ssim_diversity(fake.images, weights=weights.tolist())
    return [Value("ms_ssim_pairs", value, error, n_real=0, n_fake=len(fake.images))]


def _patches(real: Sample, fake: Sample) -> list[Value]:
    n = min(len(real.images), len(fake.images))
    levels = swd_patches(real.images[:n], fake.images[:n])
    errors = swd_patches_errors(real.images[:n], fake.images[:n]) if fake.errors else {}
    return [
        Value("swd", value, errors.get(height), n_real=n, n_fake=n, height=height)
        for height, value in levels.items()
    ]


def _bins(real: Sample, fake: Sample) -> list[Value]:
    flat = lambda s: s.images.reshape(len(s.images), -1).astype(np.float32) / 255
    found = ndb(flat(real), flat(fake))
    n, m = len(real.images), len(fake.images)
    return [
        Value("ndb_share", found["ndb_over_k"], found["ndb_over_k_error"], n_real=n, n_fake=m),
        Value("ndb_js", found["js"], found["js_error"], n_real=n, n_fake=m),
    ]


def _accuracy(real: Sample, fake: Sample, notify: Notify | None = None) -> list[Value]:
    assert real.labels is not None
    assert fake.labels is not None
    assert real.held_out is not None
    images, labels = real.held_out
    n = len(fake.images)
    says = {"fake": "fakes", "real": "reals", "real_and_fake": "reals and fakes"}

    def progress(name: str, seed: int, done: int, steps: int, loss: float) -> None:
        if notify is not None:
            notify(f"cas: training on {says[name]}", done, steps)

    found = classification_accuracy_score(
        fake.images,
        fake.labels[:n],
        images,
        labels,
        n_classes=int(max(real.labels.max(), labels.max(), fake.labels.max())) + 1,
        real=(real.images, real.labels),
        on_progress=progress,
    )

    def value(key: str, trained_on: str) -> Value:
        share = found[trained_on]["accuracy"]
        error = (share * (1 - share) / len(labels)) ** 0.5
        return Value(key, share, error, real.n, n, floor=found["real"]["accuracy"])

    return [value("cas", "fake"), value("cas_augmented", "real_and_fake")]


_JACKKNIFE = "error: delete-a-group jackknife over 10 tenths of the fakes"
METRICS: dict[str, Metric] = {
    "fd": Metric(
        ("fd",),
        f"ddof 1, float64; error: delta method, of the fakes; of more than {KERNEL_EXAMPLES:,}: jackknife over tenths",
        "torch-fidelity: 2e-15 relative, 2e-8 with fewer examples than dimensions; closed forms: 1e-10",
        compute=_frechet,
        both=True,
    ),
    "fd_infinity": Metric(
        ("fd_infinity",),
        "15 subset sizes from a tenth to all, a line in 1/n; error: delta method, of the fakes and of their subsets",
        "closed form: Gaussians",
        compute=_frechet_infinity,
        features=KERNEL_EXAMPLES,
    ),
    "sfd": Metric(
        ("sfd",),
        f"first 7 channels of the sixth mixed block, 17 x 17 positions; ddof 1, float64; {_JACKKNIFE}",
        "torch-fidelity's network: 3e-6 of the largest value (experiments/compare_inception.py)",
        compute=_spatial,
        spatial=True,
        both=True,
    ),
    "intra_fd": Metric(
        ("intra_fd",),
        "ddof 1, float64, unweighted mean; error: delta method, of the fakes",
        "closed form: Gaussians",
        compute=_intra,
        features=KERNEL_EXAMPLES,
        labels=True,
        both=True,
    ),
    "kd": Metric(
        ("kd",),
        "(x.y/d + 1)^3, 100 subsets of at most 1,000; error: of a U-statistic, of the fakes",
        "torch-fidelity (KID): 2e-14 relative on the same subset",
        compute=_kernel,
        features=KERNEL_EXAMPLES,
        both=True,
    ),
    "mmd": Metric(
        ("mmd",),
        "sigma 10, unit vectors, biased, times 1,000; error: of a V-statistic, of the fakes",
        "its definition by brute force: 1e-9",
        compute=_mmd,
        features=PRDC_EXAMPLES,
        both=True,
    ),
    "prdc": Metric(
        ("precision", "recall", "density", "coverage"),
        f"k = {_PRDC_K}, Euclidean, strict <, at most {PRDC_EXAMPLES:,} of each; error: of a mean over fakes; of "
        "recall and coverage: differences of halves of the fakes",
        "prdc 0.2: equal",
        compute=_prdc,
        features=PRDC_EXAMPLES,
        both=True,
    ),
    "is": Metric(
        ("inception_score", "classes_present", "class_kl"),
        "10 splits in order, ddof 0, mean; error: delta method; of the classes: Good-Toulmin",
        "torch-fidelity: 1e-14 relative",
        compute=_classes,
        classes=True,
    ),
    "memorisation": Metric(
        ("authenticity",),
        f"a copy lies closer to its nearest real than any other real does; {PRDC_EXAMPLES:,} fakes, all reals",
        "its definition by brute force: equal",
        compute=_memorisation,
        features=PRDC_EXAMPLES,
        images=PRDC_EXAMPLES,
        every_real=True,
    ),
    "ms_ssim": Metric(
        ("ms_ssim_pairs",),
        "1,000 pairs, as many scales as fit (window 11), weights of Wang et al. scaled to sum 1; error: allows for "
        "shared images",
        "pytorch-msssim: 4e-8",
        compute=_diversity,
        images=PIXEL_EXAMPLES,
    ),
    "swd": Metric(
        ("swd",),
        f"7x7 patches, 128 an image, 512 directions, times 1,000; {_JACKKNIFE}",
        "its definition by brute force; OpenCV's pyramid: 1e-6",
        compute=_patches,
        images=1000,
    ),
    "ndb": Metric(
        ("ndb_share", "ndb_js"),
        "100 cells of pixels, level 0.05: a perfect generator gets about 0.05; error: delta method, of the fakes",
        "SciPy: the test of each cell",
        compute=_bins,
        images=PIXEL_EXAMPLES,
        reals=100,
    ),
    "cas": Metric(
        ("cas", "cas_augmented"),
        f"residual CNN, {STEPS:,} steps of {BATCH_SIZE}, seed 0; error: binomial, of the tests; floor: of a classifier "
        "trained on the reals",
        "its definition: a classifier of copies does as the one of the originals",
        compute=_accuracy,
        images=KERNEL_EXAMPLES,
        labels=True,
        trains=True,
    ),
}
DEFAULT = ("fd", "kd", "prdc", "is")
_ALIASES = {
    "fid": "fd",
    "kid": "kd",
    "cmmd": "mmd",
    "inception_score": "is",
    "fid_infinity": "fd_infinity",
    "sfid": "sfd",
}


def parse_metrics(text: str) -> list[str]:
    """The keys of METRICS in a list with commas; "all" stands for all of them but those that train classifiers.

    Raises:
      InputError: for an unknown name, or none at all.
    """
    names = [part.strip() for part in text.split(",") if part.strip()]
    if not names:
        raise InputError(
            f"metrics: expected names of {', '.join([*METRICS, *_ALIASES])} or all, got {text!r}"
        )
    if names == ["all"]:
        return [name for name, metric in METRICS.items() if not metric.trains]
    found = [_ALIASES.get(name, name) for name in names]
    for name in found:
        if name not in METRICS:
            raise unknown("metric", name, [*METRICS, *_ALIASES, "all"])
    return list(dict.fromkeys(found))
