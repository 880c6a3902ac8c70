"""Losses on features: the critic is a map h to vectors, and the loss a distance of two point clouds.

Logits are [batch, k]; [batch] counts as k = 1. The critic learns features in which data and fakes
lie far apart, the generator brings them together. Pair sums are U-statistics: no point is compared
with itself, so the expectation does not depend on the batch size (single values may be negative).
Row i of a result holds what example i of each batch contributes; only the mean has a meaning.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.numerics import safe_root
from jaxgan.losses.base import Claim, Criterion, Loss, same_shape

Kernel = Callable[[jax.Array], jax.Array]


def _squared_distances(x: jax.Array, y: jax.Array) -> jax.Array:
    """||x_i - y_j||^2, [n, m]. Differences are exact at ties and do not cancel, unlike inner products."""
    return jnp.square(x[:, None] - y[None]).sum(-1)


def _rows(logits: jax.Array) -> jax.Array:
    return logits.reshape(logits.shape[0], -1)


def _others(pairs: jax.Array) -> jax.Array:
    """The mean over j != i of a square array, [n]."""
    n = pairs.shape[0]
    return jnp.where(jnp.eye(n, dtype=bool), 0.0, pairs).sum(1) / max(n - 1, 1)


def _contrast(kernel: Kernel) -> Criterion:
    """E k(x, x') + E k(y, y') - 2 E k(x, y) of squared distances, as [n] contributions."""

    def values(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
        x, y = (_rows(a) for a in same_shape(real_logits, fake_logits))
        cross = kernel(_squared_distances(x, y))
        within = _others(kernel(_squared_distances(x, x))) + _others(kernel(_squared_distances(y, y)))
        return within - cross.mean(0) - cross.mean(1)

    return values


def _zero_sum(distance: Criterion, claim: Claim) -> Loss:
    negative = lambda real, fake: -distance(real, fake)
    return Loss(negative, distance, compares=True, of_features=True, claim=claim)


def _features_claim(name: str, value: Callable[[np.ndarray, np.ndarray], float]) -> Claim:
    critic = "features that separate p from q most"
    return Claim(name, 0.0, 1.0, critic, shift_invariant=True, value=value)


def _numpy_contrast(kernel: Callable[[float], float]) -> Callable[[np.ndarray, np.ndarray], float]:
    """The same U-statistic by plain sums over pairs."""

    def value(x: np.ndarray, y: np.ndarray) -> float:
        k = lambda a, b: kernel(float(np.sum((a - b) ** 2)))
        n, m = len(x), len(y)
        xx = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
        yy = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
        return xx + yy - 2 * sum(k(a, b) for a in x for b in y) / (n * m)

    return value


def energy() -> Loss:
    """Energy distance of features: 2 E||h(x) - h(y)|| - E||h(x) - h(x')|| - E||h(y) - h(y')||.

    G minimises it, the critic maximises it. With one logit it is twice the Cramer distance. The paper's
    critic is trained on a surrogate with one more batch of fakes, ours on the distance itself. Like the
    paper's, it needs a gradient penalty, as features can grow without bound.

    References:
      Bellemare et al. (2017), The Cramer distance as a solution to biased Wasserstein gradients, section 5.
      Szekely, Rizzo (2013), Energy statistics.
    """
    return _zero_sum(
        _contrast(lambda squared: -safe_root(squared)),
        _features_claim("energy distance", _numpy_contrast(lambda squared: -np.sqrt(squared))),
    )


def _rbf(sigmas: tuple[float, ...]) -> Kernel:
    return lambda squared: sum(jnp.exp(-squared / (2 * s * s)) for s in sigmas)  # pyright: ignore


def _check_scales(name: str, scales: tuple[float, ...]) -> None:
    if not scales or any(not s > 0 for s in scales):
        raise InputError(f"{name}: expected positive numbers, got {scales}")


def mmd_rbf(*, sigmas: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0)) -> Loss:
    """Squared maximum mean discrepancy of features, kernel sum_s exp(-||a - b||^2 / (2 s^2)).

    G minimises it, the critic maximises it. The kernel sums over bandwidths (it is not their mean).

    Args:
      sigmas: bandwidths s.

    Raises:
      ValueError: for bandwidths that are not positive.

    References:
      Li et al. (2017), MMD GAN, eq. 1-4; Gretton et al. (2012), A kernel two-sample test, eq. 3.
    """
    _check_scales("sigmas", sigmas)
    numpy_kernel = lambda squared: sum(np.exp(-squared / (2 * s * s)) for s in sigmas)
    return _zero_sum(
        _contrast(_rbf(sigmas)), _features_claim("squared MMD, RBF kernels", _numpy_contrast(numpy_kernel))
    )


def mmd_rq(*, alphas: tuple[float, ...] = (0.2, 0.5, 1.0, 2.0, 5.0)) -> Loss:
    """Squared MMD of features, kernel sum_a (1 + ||u - v||^2 / (2 a))^-a (rational quadratic).

    Its tails are heavier than those of `mmd_rbf`: gradients survive where features are far apart.

    Args:
      alphas: shapes a.

    Raises:
      ValueError: for shapes that are not positive.

    References:
      Binkowski et al. (2018), Demystifying MMD GANs, section 2.1.
    """
    _check_scales("alphas", alphas)
    kernel = lambda squared: sum(jnp.exp(-a * jnp.log1p(squared / (2 * a))) for a in alphas)
    numpy_kernel = lambda squared: sum((1 + squared / (2 * a)) ** -a for a in alphas)
    claim = _features_claim("squared MMD, rational quadratic kernels", _numpy_contrast(numpy_kernel))
    return _zero_sum(_contrast(kernel), claim)  # pyright: ignore[reportArgumentType]


def mmd_repulsive(*, sigmas: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0)) -> Loss:
    """MMD with a repulsive critic: D minimises E k(x, x') - E k(y, y'), G the squared MMD of `mmd_rbf`.

    The critic spreads the features of reals and contracts those of fakes, instead of contracting
    both, so that it keeps looking at differences among reals. Its half does not compare reals with
    fakes, so the law "gap" does not apply to the loss.

    Args:
      sigmas: bandwidths of the kernel sum_s exp(-||a - b||^2 / (2 s^2)).

    Raises:
      ValueError: for bandwidths that are not positive.

    References:
      Wang, Sun, Halgamuge (2019), Improving MMD-GAN training with repulsive loss function, eq. 4.
    """
    _check_scales("sigmas", sigmas)
    kernel = _rbf(sigmas)

    def discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
        x, y = (_rows(a) for a in same_shape(real_logits, fake_logits))
        return _others(kernel(_squared_distances(x, x))) - _others(kernel(_squared_distances(y, y)))

    return mmd_rbf(sigmas=sigmas)._replace(discriminator=discriminator, exempt=("gap",))


def sinkhorn(*, epsilon: float = 1.0, iterations: int = 30) -> Loss:
    """Sinkhorn divergence of features: W(x, y) - 1/2 W(x, x) - 1/2 W(y, y), cost ||a - b||^2.

    W is entropic optimal transport, W = min <P, C> + epsilon KL(P || uniform), by `iterations` of the
    log-domain algorithm (averaged, symmetric updates), through which gradients flow. G minimises it,
    the critic maximises it. It tends to the squared Wasserstein-2 distance as epsilon goes to 0, and
    to ||mean x - mean y||^2 as it grows. Points are compared with themselves too, so the expectation
    over batches drawn anew depends a little on their size; repeating a batch changes nothing.

    Args:
      epsilon: blur, in units of the cost.
      iterations: enough of them make the value exact; few are needed unless the cost is large
        against epsilon.

    Raises:
      ValueError: if `epsilon` is not positive or `iterations` is below 1.

    References:
      Genevay, Peyre, Cuturi (2018), Learning generative models with Sinkhorn divergences, eq. 3.
      Feydy et al. (2019), Interpolating between optimal transport and MMD, eq. 3 and algorithm 1.
    """
    check_range("epsilon", epsilon, above=0)
    check_range("iterations", iterations, at_least=1)

    def soft_minimum(cost: jax.Array, potential: jax.Array) -> jax.Array:
        """-epsilon log mean_j exp((potential_j - cost_ij) / epsilon): [n]."""
        scaled = (potential[None] - cost) / epsilon
        return -epsilon * (jax.nn.logsumexp(scaled, axis=1) - jnp.log(cost.shape[1]))

    def potentials(cost: jax.Array) -> tuple[jax.Array, jax.Array]:
        def update(fg: tuple[jax.Array, jax.Array], _: None) -> tuple[tuple[jax.Array, jax.Array], None]:
            f, g = fg
            return (0.5 * (f + soft_minimum(cost, g)), 0.5 * (g + soft_minimum(cost.T, f))), None

        zero = jnp.zeros(cost.shape[0], cost.dtype)
        (f, g), _ = jax.lax.scan(update, (zero, zero), length=iterations)
        return soft_minimum(cost, g), soft_minimum(cost.T, f)

    def distance(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
        x, y = (_rows(a) for a in same_shape(real_logits, fake_logits))
        costs = jnp.stack([_squared_distances(a, b) for a, b in ((x, y), (x, x), (y, y))])
        f, g = jax.vmap(potentials)(costs)  # in one loop
        return f[0] - (f[1] + g[1]) / 2 + g[0] - (f[2] + g[2]) / 2

    claim = _features_claim("Sinkhorn divergence", lambda x, y: _numpy_sinkhorn(x, y, epsilon))
    return _zero_sum(distance, claim)


def _numpy_sinkhorn(x: np.ndarray, y: np.ndarray, epsilon: float) -> float:
    """The same divergence by scaling the kernel matrix until it converges, as the cost of the plan."""

    def transport(a: np.ndarray, b: np.ndarray) -> float:
        cost = ((a[:, None] - b[None]) ** 2).sum(-1)
        kernel, v = np.exp(-cost / epsilon), np.ones(len(b))
        for _ in range(5000):
            u = 1 / (kernel @ v) / len(a)
            v = 1 / (kernel.T @ u) / len(b)
        plan = u[:, None] * kernel * v[None]
        return float((plan * cost).sum() + epsilon * (plan * np.log(plan * len(a) * len(b))).sum())

    return transport(x, y) - 0.5 * transport(x, x) - 0.5 * transport(y, y)
