"""Distances between two sets of feature vectors, and scores of a set of predictions.

Statistics are computed in float64 on the host, whatever the features' type.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from jaxgan.errors import InputError


def moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean [d] and covariance [d, d] (ddof 1) of features [n, d].

    Raises:
      InputError: for fewer than two examples.
    """
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or len(features) < 2:
        raise InputError(f"features: expected [n, d] with n >= 2, got shape {features.shape}")
    return features.mean(0), np.cov(features, rowvar=False, ddof=1).reshape(features.shape[1], -1)


def frechet_distance(mean1: np.ndarray, cov1: np.ndarray, mean2: np.ndarray, cov2: np.ndarray) -> float:
    """Squared Fréchet (2-Wasserstein) distance of two Gaussians.

    ||m1 - m2||^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), the last term by eigenvalues of A S2 A with
    A = S1^(1/2), which are real and clipped at 0: rank-deficient covariances are fine.

    Args:
      mean1: [d].
      cov1: [d, d], symmetric, positive semi-definite.
      mean2: [d].
      cov2: [d, d].

    Raises:
      InputError: if the shapes do not fit each other or a value is not finite.

    References:
      Dowson, Landau (1982); Heusel et al. (2017), GANs trained by a two time-scale update rule, eq. 6.
    """
    mean1, cov1, mean2, cov2 = (np.asarray(a, np.float64) for a in (mean1, cov1, mean2, cov2))
    d = mean1.shape[0]
    if mean1.shape != mean2.shape or not cov1.shape == cov2.shape == (d, d):
        raise InputError(
            "frechet_distance: expected means [d] and covariances [d, d], got "
            f"{mean1.shape}, {cov1.shape}, {mean2.shape}, {cov2.shape}"
        )
    if not all(np.isfinite(a).all() for a in (mean1, cov1, mean2, cov2)):
        raise InputError("frechet_distance: expected finite means and covariances, got NaN or infinity")
    values, vectors = np.linalg.eigh(cov1)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ cov2 @ root), 0, None)).sum()
    distance = np.square(mean1 - mean2).sum() + np.trace(cov1) + np.trace(cov2) - 2 * cross
    return float(max(distance, 0.0))


def inception_score(logits: np.ndarray, *, splits: int = 10) -> tuple[float, float]:
    """exp of the mean KL(p(y|x) || p(y)), over `splits` consecutive parts: mean and deviation (ddof 0).

    Args:
      logits: class logits [n, classes] of a classifier.
      splits: number of parts; p(y) is that of the part.

    Raises:
      InputError: for fewer examples than parts.

    References:
      Salimans et al. (2016), Improved techniques for training GANs, section 4.
    """
    logits = np.asarray(logits, np.float64)
    if len(logits) < splits:
        raise InputError(
            f"logits: expected at least {splits} examples for {splits} splits, got {len(logits)}"
        )
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    scores = []
    for part in np.array_split(log_p, splits):
        marginal = np.exp(part).mean(0)
        scores.append(np.exp((np.exp(part) * (part - np.log(np.maximum(marginal, 1e-300)))).sum(1).mean()))
    return float(np.mean(scores)), float(np.std(scores))


def prdc(real: np.ndarray, fake: np.ndarray, *, k: int = 5, block: int = 1000) -> dict[str, float]:
    """Precision, recall, density and coverage by k-nearest-neighbour balls, Euclidean, strict <.

    The radius of an example is the distance to its k-th neighbour in its own set, itself excluded.
    Precision: share of fakes inside some real's ball. Recall: share of reals inside some fake's
    ball. Density: mean number of real balls around a fake, over k. Coverage: share of reals
    whose ball holds a fake.

    Args:
      real: [n, d].
      fake: [m, d].
      k: neighbour that sets the radius.
      block: rows of the distance matrix that are held at once.

    Returns:
      "precision", "recall", "density", "coverage".

    Raises:
      InputError: unless both sets have more than k examples of the same dimension.

    References:
      Kynkäänniemi et al. (2019), Improved precision and recall metric; Naeem et al. (2020), Reliable
      fidelity and diversity metrics.
    """
    real, fake = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1] or min(len(real), len(fake)) <= k:
        raise InputError(
            f"prdc: expected two sets [n > k={k}, d] of one dimension, got {real.shape} and {fake.shape}"
        )
    real_radius, fake_radius = _radii(real, k, block), _radii(fake, k, block)
    in_real = np.zeros(len(fake), np.int64)  # real balls around each fake
    in_fake = np.zeros(len(real), bool)
    covered = np.zeros(len(real), bool)
    for start in range(0, len(real), block):
        rows = slice(start, start + block)
        squared = _squared_distances(real[rows], fake)
        inside = squared < real_radius[rows, None]
        in_real += inside.sum(0)
        covered[rows] = inside.any(1)
        in_fake[rows] = (squared < fake_radius[None]).any(1)
    return {
        "precision": float((in_real > 0).mean()),
        "recall": float(in_fake.mean()),
        "density": float(in_real.mean() / k),
        "coverage": float(covered.mean()),
    }


def _squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    squared = np.square(x).sum(1)[:, None] + np.square(y).sum(1)[None] - 2 * x @ y.T
    return np.maximum(squared, 0.0, out=squared)


def _radii(x: np.ndarray, k: int, block: int) -> np.ndarray:
    """Squared distance of each row of x to its k-th nearest other row."""
    radii = np.empty(len(x))
    for start in range(0, len(x), block):
        rows = np.arange(start, min(start + block, len(x)))
        squared = _squared_distances(x[rows], x)
        squared[np.arange(len(rows)), rows] = -1.0  # itself comes first, exactly
        radii[rows] = np.partition(squared, k, axis=1)[:, k]
    return radii


def sliced_wasserstein(x: np.ndarray, y: np.ndarray, *, projections: int = 128, seed: int = 0) -> float:
    """Square root of the mean squared 2-Wasserstein distance of 1-D projections on random directions.

    Args:
      x: [n, d].
      y: [n, d].
      projections: number of directions, uniform on the sphere.
      seed: of the directions.

    Raises:
      InputError: if the sets differ in shape.

    References:
      Rabin et al. (2012), Wasserstein barycenter and its application to texture mixing.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.shape != y.shape or x.ndim != 2:
        raise InputError(
            f"sliced_wasserstein: expected two sets of one shape [n, d], got {x.shape} and {y.shape}"
        )
    directions = np.random.default_rng(seed).normal(size=(x.shape[1], projections))
    directions /= np.linalg.norm(directions, axis=0)
    gaps = np.sort(x @ directions, axis=0) - np.sort(y @ directions, axis=0)
    return float(np.sqrt(np.square(gaps).mean()))


def histogram_kl(counts: ArrayLike, reference: ArrayLike) -> float:
    """KL(p || q) in nats of two histograms; an empty bin of p adds nothing, one of q only makes it infinite."""
    p = np.asarray(counts, np.float64) / np.sum(counts)
    q = np.asarray(reference, np.float64) / np.sum(reference)
    with np.errstate(divide="ignore"):
        terms = np.where(p > 0, p * (np.log(np.where(p > 0, p, 1.0)) - np.log(q)), 0.0)
    return float(terms.sum())
