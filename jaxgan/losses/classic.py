"""The classic losses: cross-entropies, least squares, Wasserstein, margins, and a contrastive one."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.numerics import is_number
from jaxgan.losses.base import (
    Claim,
    Loss,
    check_smoothing,
    criterion,
    make_loss,
    paired_accuracy,
    softplus,
    unless_smoothed,
)
from jaxgan.losses.divergences import LOG2

_log_ratio = lambda p, q: np.log(p / q)
_CROSS_ENTROPY = Claim("jensen_shannon", LOG2, 0.5, "log(p/q)", _log_ratio)


def minimax(*, label_smoothing: float = 0.0) -> Loss:
    """The original zero-sum game: D maximises, G minimises log D(x) + log(1 - D(G(z))).

    The optimal D's loss is 2 log 2 - 2 JSD(data, fakes). The generator's gradient vanishes where the
    discriminator wins; see `non_saturating`.

    Args:
      label_smoothing: s, one-sided: the real target is 1 - s, so D minimises
        -(1 - s) log D(x) - s log(1 - D(x)) - log(1 - D(G(z))).

    Raises:
      ValueError: if `label_smoothing` is not in [0, 1).

    References:
      Goodfellow et al. (2014), Generative adversarial nets, eq. 1.
      Salimans et al. (2016), Improved techniques for training GANs, section 3.4 (smoothing).
    """
    check_smoothing(label_smoothing)
    return make_loss(
        # softplus(l) - softplus(-l) = l: the smoothed target adds s * l
        lambda real, fake: softplus(-real) + label_smoothing * real + softplus(fake),
        lambda real, fake: -softplus(fake),
        threshold=_even_logit(label_smoothing),
        claim=unless_smoothed(_CROSS_ENTROPY, label_smoothing),
    )


def _even_logit(label_smoothing: float) -> Any:
    """The best logit where real and fake are equally likely: D = (1 - s) / 2."""
    log1p = math.log1p if is_number(label_smoothing) else jnp.log1p
    return log1p(-label_smoothing) - log1p(label_smoothing)


def non_saturating(*, label_smoothing: float = 0.0) -> Loss:
    """Cross-entropy for D; G minimises -log D(G(z)), whose gradient does not vanish when D wins.

    Args:
      label_smoothing: s, one-sided: the real target is 1 - s, as in `minimax`.

    Raises:
      ValueError: if `label_smoothing` is not in [0, 1).

    References:
      Goodfellow et al. (2014), Generative adversarial nets, section 3.
    """
    return minimax(label_smoothing=label_smoothing)._replace(
        generator=criterion(lambda real, fake: softplus(-fake))
    )


def least_squares(
    *,
    fake_target: float = 0.0,
    real_target: float = 1.0,
    generator_target: float = 1.0,
    label_smoothing: float = 0.0,
) -> Loss:
    """Squares to targets: D minimises 1/2 (D(x) - b)^2 + 1/2 (D(G(z)) - a)^2, G 1/2 (D(G(z)) - c)^2.

    The factor 1/2 is the paper's and TF-GAN's; some libraries leave it out. The optimal D's loss is
    (b - a)^2 (2 - t) / 8 with t the triangular discrimination.

    Args:
      fake_target: a.
      real_target: b, more than a.
      generator_target: c.
      label_smoothing: s moves the real target to b - s (b - a).

    Raises:
      ValueError: if `label_smoothing` is not in [0, 1), or b is not more than a.

    References:
      Mao et al. (2017), Least squares generative adversarial networks, eq. 2, 8, 9.
    """
    check_smoothing(label_smoothing)
    a, b, c = fake_target, real_target, generator_target
    if is_number(a) and is_number(b) and not a < b:
        raise InputError(f"real_target: expected more than fake_target = {a}, got {b}")
    smoothed = b - label_smoothing * (b - a)
    claim = Claim(
        "triangular",
        2.0,
        8 / (b - a) ** 2,
        "(b p + a q) / (p + q)",
        lambda p, q: (b * p + a * q) / (p + q),
    )
    return make_loss(
        lambda real, fake: 0.5 * jnp.square(real - smoothed) + 0.5 * jnp.square(fake - a),
        lambda real, fake: 0.5 * jnp.square(fake - c),
        threshold=0.5 * (a + smoothed),
        claim=unless_smoothed(claim, label_smoothing),
    )


def pearson_least_squares(*, label_smoothing: float = 0.0) -> Loss:
    """Least squares with targets a = -1, b = 1, c = 0.

    At the optimal discriminator, 1/2 E_p[(D - c)^2] + 1/2 E_q[(D - c)^2] is half the triangular
    discrimination sum (p - q)^2 / (p + q), which the paper calls Pearson's chi-squared of p + q and 2 q.

    Raises:
      ValueError: if `label_smoothing` is not in [0, 1).

    References:
      Mao et al. (2017), Least squares generative adversarial networks, eq. 8 and 11.
    """
    return least_squares(
        fake_target=-1.0, real_target=1.0, generator_target=0.0, label_smoothing=label_smoothing
    )


def wasserstein() -> Loss:
    """Difference of the critic's means: the critic minimises D(G(z)) - D(x), the generator -D(G(z)).

    Minus the critic's loss estimates the Wasserstein-1 distance only while the critic is
    1-Lipschitz: use it with `gradient_penalty` (or weight clipping).

    References:
      Arjovsky, Chintala, Bottou (2017), Wasserstein GAN, eq. 2 and algorithm 1.
    """
    claim = Claim(
        "wasserstein",
        0.0,
        1.0,
        "a Kantorovich potential",
        shift_invariant=True,
        constraint="lipschitz",
    )
    return make_loss(lambda real, fake: fake - real, lambda real, fake: -fake, claim=claim)


def hinge() -> Loss:
    """Margins: D minimises max(0, 1 - D(x)) + max(0, 1 + D(G(z))), G minimises -D(G(z)).

    At an exact tie (a logit on its margin) the gradient is 0. The optimal D's loss is 2 - 2 TV.

    References:
      Lim, Ye (2017), Geometric GAN; Miyato et al. (2018), Spectral normalization for GANs, eq. 16-17.
    """
    return geometric()


def geometric(*, margin: float = 1.0, slack: float = 1.0) -> Loss:
    """A support vector machine with soft margins: D minimises C (max(0, m - D(x)) + max(0, m + D(G(z)))).

    G minimises -D(G(z)), and so moves along the normal of the separating hyperplane. The paper's other term,
    1/2 ||w||^2 of the last layer's weights, is weight decay on that layer and belongs to the optimiser.
    With the defaults this is `hinge`.

    Args:
      margin: m, positive.
      slack: C, the weight of the margins against the decay of w, positive.

    Raises:
      ValueError: if `margin` or `slack` is not positive.

    References:
      Lim, Ye (2017), Geometric GAN, eq. 10-13.
    """
    check_range("margin", margin, above=0)
    check_range("slack", slack, above=0)
    claim = Claim(
        "total_variation",
        1.0,
        1 / (2 * slack * margin),
        "m sign(p - q)",
        lambda p, q: margin * np.sign(p - q),
    )
    return make_loss(
        lambda real, fake: slack * (jax.nn.relu(margin - real) + jax.nn.relu(margin + fake)),
        lambda real, fake: -fake,
        threshold=0.0,
        claim=claim,
    )


def dual_contrastive() -> Loss:
    """Each real against all fakes of the batch, and each fake against all reals.

    D minimises two softmax cross-entropies, with y the fakes,
    log(1 + sum_j exp(D(y_j) - D(x_i))) + log(1 + sum_j exp(D(y_i) - D(x_j))), and G maximises them: the
    minimax form of the paper. The sums run over the batch, so the loss
    grows with the logarithm of the batch size (it is exempt from the law "batch_size"). The optimal D
    is log p/q up to a constant; no closed form of its loss is known.

    References:
      Yu et al. (2021), Dual contrastive loss and attention for GANs, eq. 2-4.
    """

    def discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
        among_fakes = softplus(jax.nn.logsumexp(fake, axis=0) - real)
        among_reals = softplus(fake + jax.nn.logsumexp(-real, axis=0))
        return among_fakes + among_reals

    return make_loss(
        discriminator,
        lambda real, fake: -discriminator(real, fake),
        compares=True,
        comparison=paired_accuracy,
        claim=Claim("none", shift_invariant=True),
        exempt=("batch_size",),
    )
