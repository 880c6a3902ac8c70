"""Adversarial losses: pairs of pure functions of the discriminator's logits.

Every entry of LOSSES is a function of hyper-parameters (all with defaults) that returns a
`Loss`. Both halves of a `Loss` take `(real_logits, fake_logits)`, float32 of shape [batch] or
[batch, k], and return one value an example, [batch]; k logits of one example are averaged. The
caller takes the mean over the batch. Both are to be minimised.

Logits are what the discriminator returns before any sigmoid, so D = sigmoid(logit) in the
formulas below, and log D = -softplus(-logit), which stays finite and has exact gradients for
every float32 logit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgan.errors import InputError, lookup
from jaxgan.precision import at_least_float32

Array = jax.Array
Criterion = Callable[[Array, Array], Array]


class Loss(NamedTuple):
    """A game: what the discriminator and the generator each minimise.

    Attributes:
      discriminator: (real_logits, fake_logits) -> [batch].
      generator: (real_logits, fake_logits) -> [batch].
      accuracy: share of an example's two logits that lie on their right side, [batch], for losses
        whose logits classify; None where a logit's sign says nothing (Wasserstein).
    """

    discriminator: Criterion
    generator: Criterion
    accuracy: Criterion | None = None


def _criterion(elementwise: Criterion) -> Criterion:
    """Turns an elementwise function of two logits into one of [batch(, k)] -> [batch]."""

    def criterion(real_logits: Array, fake_logits: Array) -> Array:
        if real_logits.shape != fake_logits.shape:
            raise InputError(
                "real_logits and fake_logits: expected one shape for both, "
                f"got {real_logits.shape} and {fake_logits.shape}"
            )
        value = elementwise(at_least_float32(real_logits), at_least_float32(fake_logits))
        return value.reshape(value.shape[0], -1).mean(1)

    return criterion


def _loss(discriminator: Criterion, generator: Criterion, accuracy: Criterion | None = None) -> Loss:
    return Loss(_criterion(discriminator), _criterion(generator), _criterion(accuracy) if accuracy else None)


def _threshold_accuracy(threshold: float) -> Criterion:
    return lambda real, fake: 0.5 * ((real > threshold).astype(jnp.float32) + (fake < threshold))


def _check_smoothing(label_smoothing: float) -> None:
    if isinstance(label_smoothing, float | int) and not 0 <= label_smoothing < 1:
        raise InputError(f"label_smoothing: expected 0 <= label_smoothing < 1, got {label_smoothing}")


softplus = jax.nn.softplus


def minimax(*, label_smoothing: float = 0.0) -> Loss:
    """The original zero-sum game: D maximises, G minimises log D(x) + log(1 - D(G(z))).

    The generator's gradient vanishes where the discriminator wins; see `non_saturating`.

    Args:
      label_smoothing: s, one-sided: the real target is 1 - s, so D minimises
        -(1 - s) log D(x) - s log(1 - D(x)) - log(1 - D(G(z))).

    Raises:
      ValueError: if `label_smoothing` is not in [0, 1).

    References:
      Goodfellow et al. (2014), Generative adversarial nets, eq. 1.
      Salimans et al. (2016), Improved techniques for training GANs, section 3.4 (smoothing).
    """
    _check_smoothing(label_smoothing)
    return _loss(
        # softplus(l) - softplus(-l) = l: the smoothed target adds s * l
        lambda real, fake: softplus(-real) + label_smoothing * real + softplus(fake),
        lambda real, fake: -softplus(fake),
        _threshold_accuracy(0.0),
    )


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
        generator=_criterion(lambda real, fake: softplus(-fake))
    )


def least_squares(
    *,
    fake_target: float = 0.0,
    real_target: float = 1.0,
    generator_target: float = 1.0,
    label_smoothing: float = 0.0,
) -> Loss:
    """Squares to targets: D 1/2 (D(x) - b)^2 + 1/2 (D(G(z)) - a)^2, G 1/2 (D(G(z)) - c)^2.

    The factor 1/2 is the paper's and TF-GAN's; some libraries leave it out.

    Args:
      fake_target: a.
      real_target: b.
      generator_target: c. (a, b, c) = (-1, 1, 0) minimises the Pearson chi-squared divergence.
      label_smoothing: s moves the real target to b - s (b - a).

    Raises:
      ValueError: if `label_smoothing` is not in [0, 1).

    References:
      Mao et al. (2017), Least squares generative adversarial networks, eq. 2, 8, 9.
    """
    _check_smoothing(label_smoothing)
    a, b, c = fake_target, real_target, generator_target
    smoothed = b - label_smoothing * (b - a)
    return _loss(
        lambda real, fake: 0.5 * jnp.square(real - smoothed) + 0.5 * jnp.square(fake - a),
        lambda real, fake: 0.5 * jnp.square(fake - c),
        _threshold_accuracy(0.5 * (a + b)),
    )


def wasserstein() -> Loss:
    """Difference of the critic's means: critic D(G(z)) - D(x), generator -D(G(z)).

    Minus the critic's loss estimates the Wasserstein-1 distance only while the critic is
    1-Lipschitz: use it with `gradient_penalty` (or weight clipping).

    References:
      Arjovsky, Chintala, Bottou (2017), Wasserstein GAN, eq. 2 and algorithm 1.
    """
    return _loss(lambda real, fake: fake - real, lambda real, fake: -fake)


def hinge() -> Loss:
    """Margins: D max(0, 1 - D(x)) + max(0, 1 + D(G(z))), G -D(G(z)).

    At an exact tie (a logit on its margin) the gradient is 0.

    References:
      Lim, Ye (2017), Geometric GAN; Miyato et al. (2018), Spectral normalization for GANs, eq. 16-17.
    """
    return _loss(
        lambda real, fake: jax.nn.relu(1 - real) + jax.nn.relu(1 + fake),
        lambda real, fake: -fake,
        _threshold_accuracy(0.0),
    )


def relativistic_paired(*, label_smoothing: float = 0.0) -> Loss:
    """Real against fake, in pairs: D softplus(-(D(x) - D(G(z)))), G softplus(D(x) - D(G(z))).

    Example i of the real batch meets example i of the fake batch. Both losses depend on the
    difference of logits only; the generator's needs the logits of reals.

    Args:
      label_smoothing: s, one-sided: D minimises -(1 - s) log P - s log(1 - P) with
        P = sigmoid(D(x) - D(G(z))).

    Raises:
      ValueError: if `label_smoothing` is not in [0, 1).

    References:
      Jolicoeur-Martineau (2019), The relativistic discriminator (there: RSGAN).
      Huang et al. (2024), The GAN is dead; long live the GAN! (R3GAN), eq. 2.
    """
    _check_smoothing(label_smoothing)
    return _loss(
        lambda real, fake: softplus(fake - real) + label_smoothing * (real - fake),
        lambda real, fake: softplus(real - fake),
        lambda real, fake: (real > fake).astype(jnp.float32),
    )


LOSSES: dict[str, Callable[..., Loss]] = {
    "minimax": minimax,
    "non_saturating": non_saturating,
    "least_squares": least_squares,
    "wasserstein": wasserstein,
    "hinge": hinge,
    "relativistic_paired": relativistic_paired,
}


def get_loss(name: str, **options: float) -> Loss:
    """The loss called `name`, built with `options`.

    Raises:
      ValueError: if there is no such loss, or an option's value is out of range.
      TypeError: if the loss has no such option.
    """
    return lookup("loss", name, LOSSES)(**options)
