"""What a loss is, what it may claim, and how its functions of logits are made."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.numerics import at_least_float32, is_number

Criterion = Callable[[jax.Array, jax.Array], jax.Array]

softplus = jax.nn.softplus


class Claim(NamedTuple):
    """What a loss is said to measure, in a form that `jaxgan losses check` and the tests verify.

    With a discriminator that may take any value at any point, the least loss it can reach for data p
    and fakes q is (offset - divergence(p, q)) / scale. The discriminator of a `Loss` that is
    `of_features` has no such optimum: there, the divergence is that of the two batches of features, and
    the generator's loss is it.

    Attributes:
      divergence: a name in `divergences.DIVERGENCES`, any other name if `value` is given, or "none"
        where no closed form is known.
      offset: see above; None leaves it open, and the laws find the one that fits.
      scale: see above, positive; None leaves it open.
      critic: the optimal discriminator's logits, as a formula to read.
      optimum: (p, q) -> those logits, for arrays of positive probabilities; None is not checked.
      shift_invariant: whether the loss stays the same when one number is added to all logits.
      value: (p, q) -> divergence, for a divergence that has no name in the table. For a loss of
        features it takes two sets of feature vectors [n, k].
      constraint: "lipschitz" where the discriminator must be 1-Lipschitz, for points on a line.
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
    """What the discriminator and the generator each minimise, and what code must know of their logits.

    A loss of logits that stand alone, such as `hinge`, has a threshold. One that compares logits, such as
    the relativistic ones, has none, and says itself which comparisons are right. The Wasserstein loss
    has neither, and so no accuracy. `jaxgan losses check` reports a loss that declares what it is not.

    Attributes:
      discriminator: (real_logits, fake_logits) -> [batch]; a function of single logits may keep
        their shape [batch, k], as the step takes the mean of all.
      generator: the same.
      threshold: the logit of an example that is as likely real as fake: reals belong above it and fakes
        below. None where the value of a single logit says nothing.
      compares: whether logits are compared with each other, so that the loss of an example is more than
        a term of its real logit plus a term of its fake logit.
      of_features: whether the k logits of an example are a vector of features, without order, instead
        of k judgements to be averaged.
      comparison: for a loss that compares, (real_logits, fake_logits) -> [batch], the share of an
        example's two logits that lie on their right side of what they are compared with.
      claim: the divergence behind the loss; None states nothing.
      exempt: names of the laws (`laws.LAWS`) that the loss does not obey, as its docstring says.
    """

    discriminator: Criterion
    generator: Criterion
    threshold: float | jax.Array | None = None
    compares: bool = False
    of_features: bool = False
    comparison: Criterion | None = None
    claim: Claim | None = None
    exempt: tuple[str, ...] = ()

    @property
    def alone(self) -> bool:
        """Whether the loss of an example is seen to depend on its own two logits, and on no others of the batch.

        Tried with small and with large logits, on values and on slopes. False also where it cannot be seen: where
        numbers in it are traced, or where it does not take one logit an example.
        """

        def apart(half: Criterion, real: jax.Array, fake: jax.Array) -> jax.Array:
            """How far, in ratio, the losses of a batch are from those of its examples, each by itself.

            Or how steep those of one half of the batch are in the logits of the other half.
            """
            single = jax.vmap(lambda r, f: half(r[None], f[None])[0])(real, fake)
            found, slopes = jax.vjp(half, real, fake)
            first, last = (jnp.zeros_like(found).at[part].set(1) for part in (slice(4), slice(4, None)))
            others = *(x[4:] for x in slopes(first)), *(x[:4] for x in slopes(last)), found - single
            return jnp.stack([jnp.abs(x).max() for x in others]).max() / (1 + jnp.abs(single).max())

        def worst(reals: jax.Array, fakes: jax.Array) -> jax.Array:
            halves = self.discriminator, self.generator
            return jnp.stack([jax.vmap(partial(apart, half))(reals, fakes) for half in halves]).max()

        # arguments of the program: each operation on what is in it would be evaluated by itself
        sizes = np.asarray([[1.0], [30.0]])
        reals, fakes = (np.float32(sizes * wave(np.arange(8))) for wave in (np.sin, np.cos))

        with jax.ensure_compile_time_eval(), jax.transfer_guard("allow"):
            try:
                return float(jax.jit(worst)(reals, fakes)) < 1e-4
            except Exception:  # whatever a loss of the user's own raises
                return False

    @property
    def accuracy(self) -> Criterion | None:
        """(real_logits, fake_logits) -> [batch], the share of an example's two logits that are right.

        None for a loss that has neither a `threshold` nor a `comparison`.
        """
        threshold = self.threshold
        if threshold is None:
            return self.comparison
        return criterion(
            lambda real, fake: 0.5 * ((real > threshold).astype(jnp.float32) + (fake < threshold))
        )


def criterion(of_logits: Criterion) -> Criterion:
    """Wraps a function of two logit arrays that keeps their shape, so that it averages an example's logits.

    Returns:
      A function of logits [batch] or [batch, k] that returns [batch], in at least float32. It raises
      ValueError if the shapes of the two arrays differ.
    """

    def checked(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
        value = of_logits(*same_shape(real_logits, fake_logits))
        return value.reshape(value.shape[0], -1).mean(1)

    return checked


def same_shape(real_logits: jax.Array, fake_logits: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns both arrays in at least float32. Raises ValueError if their shapes differ."""
    if real_logits.shape != fake_logits.shape:
        raise InputError(
            "real_logits and fake_logits: expected one shape for both, "
            f"got {real_logits.shape} and {fake_logits.shape}"
        )
    return at_least_float32(real_logits), at_least_float32(fake_logits)


def make_loss(
    discriminator: Criterion, generator: Criterion, *, comparison: Criterion | None = None, **facts: Any
) -> Loss:
    """Builds a `Loss` of functions that keep the shape of their logits; `facts` are its other attributes."""
    compared = criterion(comparison) if comparison else None
    return Loss(criterion(discriminator), criterion(generator), comparison=compared, **facts)


def paired_accuracy(real: jax.Array, fake: jax.Array) -> jax.Array:
    """Is 1 where a real lies above the fake beside it, and 0 elsewhere."""
    return (real > fake).astype(jnp.float32)


def check_smoothing(label_smoothing: float) -> None:
    """Raises ValueError for a number that is not in [0, 1)."""
    check_range("label_smoothing", label_smoothing, at_least=0, below=1)


def unless_smoothed(claim: Claim, label_smoothing: float) -> Claim | None:
    """Returns the claim, or None where targets are smoothed, as they void it."""
    return claim if is_number(label_smoothing) and label_smoothing == 0 else None
