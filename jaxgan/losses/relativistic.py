"""Losses that compare: the discriminator learns which of two is more real, not what is real.

Jolicoeur-Martineau (2019), The relativistic discriminator: a key element missing from standard GAN.
In the paired losses, example i of the real batch meets example i of the fake batch; in the average ones,
each logit meets the mean logit of the other side. Only differences of logits count, and the generator's loss needs the
logits of reals.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.checks import check_range
from jaxgan.losses.base import (
    Claim,
    Criterion,
    Loss,
    check_smoothing,
    make_loss,
    paired_accuracy,
    softplus,
    unless_smoothed,
)
from jaxgan.losses.divergences import LOG2

_log_ratio = lambda p, q: np.log(p / q)
_balance = lambda p, q: (p - q) / (p + q)
_NONE = Claim("none", shift_invariant=True)


def _comparing(
    discriminator: Criterion, generator: Criterion, comparison: Criterion, claim: Claim | None
) -> Loss:
    return make_loss(discriminator, generator, compares=True, comparison=comparison, claim=claim)


def _average(to_real: Criterion) -> Criterion:
    """to_real(a, b) is the cost of a as real and b as fake; means are over the batch."""
    return lambda real, fake: to_real(real - fake.mean(0), fake - real.mean(0))


def _average_accuracy(real: jax.Array, fake: jax.Array) -> jax.Array:
    return 0.5 * ((real > fake.mean(0)).astype(jnp.float32) + (fake < real.mean(0)))


def relativistic_paired(*, label_smoothing: float = 0.0) -> Loss:
    """Logistic, in pairs: D minimises softplus(D(G(z)) - D(x)), G minimises softplus(D(x) - D(G(z))).

    The optimal D is log p/q, and D's loss is then log 2 minus the Jensen-Shannon divergence of
    (real, fake) pairs from (fake, real) pairs.

    Args:
      label_smoothing: s, one-sided: D minimises -(1 - s) log P - s log(1 - P) with
        P = sigmoid(D(x) - D(G(z))).

    Raises:
      ValueError: if `label_smoothing` is not in [0, 1).

    References:
      Jolicoeur-Martineau (2019), The relativistic discriminator (there: RSGAN).
      Huang et al. (2024), The GAN is dead; long live the GAN! (R3GAN), eq. 2.
    """
    check_smoothing(label_smoothing)
    claim = Claim("paired_jensen_shannon", LOG2, 1.0, "log(p/q) + any constant", _log_ratio, True)
    return _comparing(
        lambda real, fake: softplus(fake - real) + label_smoothing * (real - fake),
        lambda real, fake: softplus(real - fake),
        paired_accuracy,
        unless_smoothed(claim, label_smoothing),
    )


def relativistic_paired_hinge(*, margin: float = 1.0) -> Loss:
    """Hinge, in pairs: D minimises max(0, m - (D(x) - D(G(z)))), G max(0, m + (D(x) - D(G(z)))).

    Args:
      margin: m, positive.

    Raises:
      ValueError: if `margin` is not positive.

    References:
      Jolicoeur-Martineau (2019), The relativistic discriminator; (2020), On relativistic f-divergences.
    """
    check_range("margin", margin, above=0)
    return _comparing(
        lambda real, fake: jax.nn.relu(margin - (real - fake)),
        lambda real, fake: jax.nn.relu(margin + (real - fake)),
        paired_accuracy,
        _NONE,
    )


def relativistic_paired_least_squares() -> Loss:
    """Squares, in pairs: D minimises 1/2 (D(x) - D(G(z)) - 1)^2, G 1/2 (D(G(z)) - D(x) - 1)^2.

    Targets are 1 and the factor 1/2 is that of `least_squares`.

    References:
      Jolicoeur-Martineau (2019), The relativistic discriminator; (2020), On relativistic f-divergences.
    """
    claim = Claim("paired_least_squares", 1.0, 2.0, "proportional to (p - q) / (p + q)", None, True)
    return _comparing(
        lambda real, fake: 0.5 * jnp.square(real - fake - 1),
        lambda real, fake: 0.5 * jnp.square(fake - real - 1),
        paired_accuracy,
        claim._replace(optimum=_paired_squares_optimum),
    )


def _paired_squares_optimum(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    c = _balance(p, q)
    t = np.sum((p - q) * c)  # sum (p - q)^2 / (p + q)
    return c * 2 / (2 + t)


def relativistic_average(*, label_smoothing: float = 0.0) -> Loss:
    """Logistic, against averages: D minimises softplus(mean D(G) - D(x)) + softplus(D(G(z)) - mean D(x)).

    G minimises the same with reals and fakes exchanged. Some implementations halve the sum; ours
    does not. The batch means make the value depend a little on the batch size.

    Args:
      label_smoothing: s, one-sided: the real target is 1 - s.

    Raises:
      ValueError: if `label_smoothing` is not in [0, 1).

    References:
      Jolicoeur-Martineau (2019), The relativistic discriminator, section 4 (RaSGAN).
    """
    check_smoothing(label_smoothing)
    return _comparing(
        _average(lambda real, fake: softplus(-real) + label_smoothing * real + softplus(fake)),
        _average(lambda real, fake: softplus(real) + softplus(-fake)),
        _average_accuracy,
        unless_smoothed(_NONE, label_smoothing),
    )


def relativistic_average_hinge(*, margin: float = 1.0) -> Loss:
    """Hinge, to averages: D minimises max(0, m - (D(x) - mean D(G))) + max(0, m + (D(G(z)) - mean D(x))).

    G minimises the same with reals and fakes exchanged.

    Args:
      margin: m, positive.

    Raises:
      ValueError: if `margin` is not positive.

    References:
      Jolicoeur-Martineau (2019), The relativistic discriminator, appendix (RaHingeGAN).
    """
    check_range("margin", margin, above=0)
    return _comparing(
        _average(lambda real, fake: jax.nn.relu(margin - real) + jax.nn.relu(margin + fake)),
        _average(lambda real, fake: jax.nn.relu(margin + real) + jax.nn.relu(margin - fake)),
        _average_accuracy,
        _NONE,
    )


def relativistic_average_least_squares() -> Loss:
    """Squares, to averages: D minimises 1/2 (D(x) - mean D(G) - 1)^2 + 1/2 (D(G(z)) - mean D(x) + 1)^2.

    G minimises the same with reals and fakes exchanged. The factor 1/2 is that of `least_squares`.

    References:
      Jolicoeur-Martineau (2019), The relativistic discriminator, section 4 (RaLSGAN).
    """
    claim = Claim("average_least_squares", 1.0, 1.0, "proportional to (p - q) / (p + q)", None, True)
    return _comparing(
        _average(lambda real, fake: 0.5 * jnp.square(real - 1) + 0.5 * jnp.square(fake + 1)),
        _average(lambda real, fake: 0.5 * jnp.square(real + 1) + 0.5 * jnp.square(fake - 1)),
        _average_accuracy,
        claim._replace(optimum=_average_squares_optimum),
    )


def _average_squares_optimum(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    c = _balance(p, q)
    t = np.sum((p - q) * c)
    return c * 4 / (2 + 3 * t)
