"""Fréchet distances of Gaussians fitted to features, and the moments that they need, gathered batch by batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.metrics.scores.resampling import GROUPS

_ROWS = 4096  # examples at once: those of 2,048 features take 64 MiB


def moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean [d] and covariance [d, d] (ddof 1) of features [n, d], in float64.

    Raises:
      InputError: for fewer than two examples.
    """
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or len(features) < 2:
        raise InputError(f"features: expected [n, d] with n >= 2, got shape {features.shape}")
    return features.mean(0), np.cov(features, rowvar=False, ddof=1).reshape(features.shape[1], -1)


@dataclass(frozen=True)
class Gaussian:
    """A mean [d] and a covariance [d, d] in float64. The covariance is factored once, on first use."""

    mean: np.ndarray
    cov: np.ndarray

    @cached_property
    def factor(self) -> np.ndarray:
        """A matrix A with A A' = covariance: Cholesky's factor, or one by eigenvalues where that does not exist.

        Negative eigenvalues, which come from rounding, count as 0.
        """
        try:
            return np.linalg.cholesky(self.cov)
        except np.linalg.LinAlgError:  # fewer examples than dimensions
            values, vectors = np.linalg.eigh(self.cov)
            return vectors * np.sqrt(np.clip(values, 0, None))

    def distance(self, other: Gaussian) -> float:
        """The squared Fréchet distance, as `frechet_distance`; it needs the factor of `self` only."""
        cross = self.factor.T @ other.cov @ self.factor
        root_trace = np.sqrt(np.clip(np.linalg.eigvalsh((cross + cross.T) / 2), 0, None)).sum()
        gap = np.square(self.mean - other.mean).sum()
        return float(max(gap + np.trace(self.cov) + np.trace(other.cov) - 2 * root_trace, 0.0))


def frechet_distance(mean1: np.ndarray, cov1: np.ndarray, mean2: np.ndarray, cov2: np.ndarray) -> float:
    """Squared Fréchet (2-Wasserstein) distance of two Gaussians.

    It is ||m1 - m2||^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)). The last term is computed by the eigenvalues of
    A' S2 A with A A' = S1, which are real, and clipped at 0. So covariances may be rank-deficient, without
    a small multiple of the identity added. "FID" in the literature is this square, not its root.

    Args:
      mean1: mean of the first Gaussian [d].
      cov1: its covariance [d, d], symmetric and positive semi-definite.
      mean2: mean of the second Gaussian [d].
      cov2: its covariance [d, d].

    Raises:
      InputError: if the shapes do not fit each other or a value is not finite.

    References:
      Dowson, Landau (1982); Heusel et al. (2017), GANs trained by a two time-scale update rule, eq. 6.
    """
    mean1, cov1, mean2, cov2 = (np.asarray(a, np.float64) for a in (mean1, cov1, mean2, cov2))
    d = mean1.shape[0] if mean1.ndim == 1 else -1
    if mean1.shape != mean2.shape or not cov1.shape == cov2.shape == (d, d):
        raise InputError(
            "frechet_distance: expected means [d] and covariances [d, d], got "
            f"{mean1.shape}, {cov1.shape}, {mean2.shape}, {cov2.shape}"
        )
    if not all(np.isfinite(a).all() for a in (mean1, cov1, mean2, cov2)):
        raise InputError("frechet_distance: expected finite means and covariances, got NaN or infinity")
    return Gaussian(mean1, cov1).distance(Gaussian(mean2, cov2))


def frechet_influence(real: Gaussian, features: np.ndarray) -> np.ndarray:
    """How much each fake moves the Fréchet distance, times the number of fakes, to first order: [n], of mean about 0.

    An example x moves the distance by 2 (m2 - m1).(x - m2) + (x - m2)'(I - T)(x - m2) over n,
    where T = A (A' S2 A)^(-1/2) A', with A A' = S1, takes one Gaussian to the other.

    Args:
      real: Gaussian of the reals.
      features: features of the fakes [n, d].

    References:
      van der Vaart (1998), Asymptotic statistics, chapter 20; the derivative of the trace of the root is
      that of Takatsu (2011), Wasserstein geometry of Gaussian measures.
    """
    features = np.asarray(features, np.float64)
    mean, cov = moments(features)
    values, vectors = np.linalg.eigh(real.factor.T @ cov @ real.factor)
    some = values > values.max(initial=0.0) * len(values) * np.finfo(np.float64).eps
    roots = real.factor @ vectors[:, some] / values[some] ** 0.25
    parts = []
    for start in range(0, len(features), _ROWS):
        centred = features[start : start + _ROWS] - mean
        moved = centred @ roots  # squared and summed: (x - m2)' T (x - m2)
        parts.append(2 * centred @ (mean - real.mean) + np.square(centred).sum(1) - np.square(moved).sum(1))
    return np.concatenate(parts)


def frechet_error(real: Gaussian, features: np.ndarray) -> float:
    """Standard error of the Fréchet distance that comes from the choice of the fakes, by the delta method.

    It is much cheaper than a jackknife, and varies less. It is too large where the first order does not say all: of
    equal Gaussians, where that vanishes, 1.2 times with eight times as many fakes as dimensions, and 1.3 to 1.6 times
    with twice as many or fewer; of Gaussians that clearly differ 1.0 to 1.2 times, seldom 1.4, with few fakes
    (measured, in 120 dimensions).

    Args:
      real: Gaussian of the reals.
      features: features of the fakes [n, d].
    """
    influence = frechet_influence(real, features)
    return float(influence.std(ddof=1) / np.sqrt(len(influence)))


def frechet_infinity(
    real: Gaussian, features: np.ndarray, *, points: int = 15, smallest: int | None = None, seed: int = 0
) -> tuple[float, float]:
    """Fréchet distance extrapolated to infinitely many fakes, and its standard error.

    The distance of n fakes is biased upwards by about c/n. It is computed for random subsets of `points`
    sizes, from `smallest` to all fakes, and a line in 1/n is fitted; its intercept is the estimate. The bias
    of finitely many reals stays. The error is that of the choice of all fakes (by the delta method) and of that of the
    subsets among them: with weights w of the fit, which add up to 1, the variance of the estimate is that of one
    fake's influence times 1 / n + sum w_k^2 (1 / n_k - 1 / n), as the subsets are drawn independently of each other.
    That the distances of few fakes in many dimensions do not lie on a line is a bias, of which the error says nothing.

    Args:
      real: Gaussian of the reals.
      features: features of the fakes [n, d].
      points: number of sizes, evenly spaced.
      smallest: size of the smallest subset; None takes a tenth of n.
      seed: of the subsets.

    Raises:
      InputError: for too few fakes or points.

    References:
      Chong, Forsyth (2020), Effectively unbiased FID and inception score, section 4. They take 15 sizes from
      5,000 to 50,000 and generate from quasi-random latents; here the fakes are those at hand.
    """
    features = np.asarray(features, np.float64)
    smallest = max(2, len(features) // 10) if smallest is None else smallest
    check_range("points", points, at_least=3)
    check_range("smallest", smallest, at_least=2, below=len(features), unit="(the number of examples)")
    rng = np.random.default_rng(seed)
    sizes = np.linspace(smallest, len(features), points).astype(int)
    distances = [
        real.distance(Gaussian(*moments(features[rng.permutation(len(features))[:n]]))) for n in sizes
    ]
    design = np.stack([np.ones(points), 1 / sizes], axis=1)
    weights, n = np.linalg.inv(design.T @ design)[0] @ design.T, len(features)
    one = float(frechet_influence(real, features).var(ddof=1))
    of_subsets = one * float((np.square(weights) * (1 / sizes - 1 / n)).sum())
    return float(weights @ distances), math.sqrt(one / n + of_subsets)


def intra_class_frechet(
    real: np.ndarray, real_labels: np.ndarray, fake: np.ndarray, fake_labels: np.ndarray
) -> tuple[float, float, dict[int, float]]:
    """Mean over classes of the Fréchet distance between the reals and the fakes of the class.

    Args:
      real: features of reals [n, d].
      real_labels: their classes, integers [n].
      fake: features of fakes [m, d].
      fake_labels: the classes that the generator was asked for, integers [m].

    Returns:
      The mean, its standard error (from `frechet_error` of each class), and the distance of each class.

    Raises:
      InputError: if a class of the reals has fewer than 2 reals or fakes.

    References:
      Miyato, Koyama (2018), cGANs with projection discriminator, section 4 (intra FID).
    """
    distances, errors = {}, []
    for label in np.unique(real_labels).tolist():
        x, y = real[real_labels == label], fake[fake_labels == label]
        if min(len(x), len(y)) < 2:
            raise InputError(
                f"intra_class_frechet: expected 2 reals and 2 fakes of class {label}, got {len(x)} and {len(y)}"
            )
        reals = Gaussian(*moments(x))
        distances[label] = reals.distance(Gaussian(*moments(y)))
        errors.append(frechet_error(reals, y))
    return float(np.mean(list(distances.values()))), math.hypot(*errors) / len(errors), distances


class MomentStream:
    """Mean and covariance of features that come in batches and stay on their devices.

    Only sums are kept, in float64 on the device, for each of `GROUPS` consecutive parts of all examples. So
    memory does not grow with the number of examples, and the result does not depend on batches and devices.
    """

    def __init__(self, n: int, groups: int = GROUPS) -> None:
        """Expects `n` examples in all."""
        self._n, self._seen, self._sums = n, 0, None
        self._ends = [n * (g + 1) // groups for g in range(groups)]

    def add(self, features: jax.Array | np.ndarray, valid: int | None = None) -> None:
        """Adds the next features [b, d]; only the first `valid` rows count."""
        valid = len(features) if valid is None else min(valid, len(features))
        start, stop = self._seen, self._seen + valid
        self._seen = stop
        with jax.enable_x64(True):
            if self._sums is None:
                d = features.shape[1]
                self._sums = [[0, np.zeros(d), np.zeros((d, d))] for _ in self._ends]
            low = 0
            for g, high in enumerate(self._ends):
                first, last = max(start, low), min(stop, high)
                if last > first:
                    count, total, outer = self._sums[g]
                    total, outer = _add(total, outer, features, first - start, last - start)
                    self._sums[g] = [count + last - first, total, outer]
                low = high

    def _gaussian(self, groups: Sequence[int]) -> Gaussian:
        assert self._sums is not None
        n = sum(self._sums[g][0] for g in groups)
        if n < 2:
            raise InputError(f"features: expected [n, d] with n >= 2, got n = {n}")
        total = sum(np.asarray(self._sums[g][1]) for g in groups)
        outer = sum(np.asarray(self._sums[g][2]) for g in groups)
        mean = np.asarray(total) / n
        return Gaussian(mean, (outer - n * np.outer(mean, mean)) / (n - 1))

    def gaussian(self) -> Gaussian:
        """The Gaussian of all examples so far. Raises InputError for fewer than two."""
        if self._sums is None:
            raise InputError("features: expected at least 2 examples, got none")
        return self._gaussian(range(len(self._ends)))

    def leave_one_out(self) -> list[Gaussian]:
        """The Gaussians of all examples but those of one group, for each group; none below 3 examples a group."""
        groups = range(len(self._ends))
        if self._sums is None or min(sums[0] for sums in self._sums) < 3:
            return []
        return [self._gaussian([g for g in groups if g != out]) for out in groups]


@partial(jax.jit, donate_argnums=(0, 1))
def _add(
    total: jax.Array, outer: jax.Array, features: Any, first: Any, last: Any
) -> tuple[jax.Array, jax.Array]:
    rows = jnp.arange(features.shape[0])
    kept = jnp.where(((rows >= first) & (rows < last))[:, None], features.astype(jnp.float64), 0.0)
    return total + kept.sum(0), outer + kept.T @ kept
