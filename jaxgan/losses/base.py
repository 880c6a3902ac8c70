"""What a loss is, what it may claim, and how criteria of logits are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgan.common.errors import InputError
from jaxgan.common.numerics import at_least_float32

Criterion = Callable[[jax.Array, jax.Array], jax.Array]

softplus = jax.nn.softplus


class Claim(NamedTuple):
    """What a loss is said to measure, in a form that `jaxgan losses check` and the tests verify.

    With a discriminator that may take any value at any point, the least loss it can reach for data p
    and fakes q is (offset - divergence(p, q)) / scale.

    Attributes:
      divergence: what it is called; a name in `divergences.DIVERGENCES`, or any text with `value`;
        "none" where no closed form is known.
      offset: see above; None: unstated, any offset will do.
      scale: see above, positive; None: unstated, any will do.
      critic: the optimal discriminator's logits, as a formula to read.
      optimum: (p, q) -> those logits, for arrays of positive probabilities; None: not checked.
      shift_invariant: adding one number to all logits changes nothing.
      value: (p, q) -> divergence, where `divergence` is not a name in the table. For a loss of
        features: (x, y) -> divergence, of two sets of feature vectors [n, k].
      constraint: "lipschitz" where the discriminator must be 1-Lipschitz, for points on a line;
        "features" where the logits are features [batch, k], the divergence is that of the two
        batches of features, and the generator's loss is it.
    """

    divergence: str
    offset: float | None = None
    scale: float | None = None
    critic: str = ""
    optimum: Callable[[Any, Any], Any] | None = None
    shift_invariant: bool = False
    value: Callable[[Any, Any], Any] | None = None
    constraint: str = ""


class Loss(NamedTuple):
    """A game: what the discriminator and the generator each minimise.

    Attributes:
      discriminator: (real_logits, fake_logits) -> [batch]; a function of single logits may keep
        their shape [batch, k], as the step takes the mean of all.
      generator: the same.
      accuracy: share of an example's two logits that lie on their right side, [batch], for losses
        whose logits classify; None where a logit's sign says nothing (Wasserstein).
      claim: the divergence behind the loss; None: nothing is stated.
      exempt: names of the laws (`laws.LAWS`) that the loss does not obey, as its docstring says.
    """

    discriminator: Criterion
    generator: Criterion
    accuracy: Criterion | None = None
    claim: Claim | None = None
    exempt: tuple[str, ...] = ()


def criterion(of_logits: Criterion) -> Criterion:
    """Makes [batch(, k)] -> [batch] of a function of two logit arrays that keeps their shape."""

    def checked(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
        value = of_logits(*same_shape(real_logits, fake_logits))
        return value.reshape(value.shape[0], -1).mean(1)

    return checked


def same_shape(real_logits: jax.Array, fake_logits: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Both in at least float32. Raises ValueError if their shapes differ."""
    if real_logits.shape != fake_logits.shape:
        raise InputError(
            "real_logits and fake_logits: expected one shape for both, "
            f"got {real_logits.shape} and {fake_logits.shape}"
        )
    return at_least_float32(real_logits), at_least_float32(fake_logits)


def make_loss(
    discriminator: Criterion,
    generator: Criterion,
    accuracy: Criterion | None = None,
    claim: Claim | None = None,
    exempt: tuple[str, ...] = (),
) -> Loss:
    """A `Loss` of functions that keep the shape of their logits."""
    accurate = criterion(accuracy) if accuracy else None
    return Loss(criterion(discriminator), criterion(generator), accurate, claim, exempt)


def threshold_accuracy(threshold: float) -> Criterion:
    """Reals belong above the threshold, fakes below."""
    return lambda real, fake: 0.5 * ((real > threshold).astype(jnp.float32) + (fake < threshold))


def paired_accuracy(real: jax.Array, fake: jax.Array) -> jax.Array:
    """Each real belongs above the fake beside it."""
    return (real > fake).astype(jnp.float32)


def check_smoothing(label_smoothing: float) -> None:
    """Raises ValueError for a number that is not in [0, 1)."""
    if isinstance(label_smoothing, float | int) and not 0 <= label_smoothing < 1:
        raise InputError(f"label_smoothing: expected 0 <= label_smoothing < 1, got {label_smoothing}")


def check_positive(name: str, value: float) -> None:
    """Raises ValueError for a number that is not positive."""
    if isinstance(value, float | int) and not value > 0:
        raise InputError(f"{name}: expected a positive number, got {value}")


def unless_smoothed(claim: Claim, label_smoothing: float) -> Claim | None:
    """The claim, which smoothed targets void."""
    return claim if isinstance(label_smoothing, float | int) and label_smoothing == 0 else None
