"""Laws of meaning: what a loss may depend on, what it says of its logits, and which way it pushes them."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.checking.laws import Broken, Skipped
from jaxgan.losses.base import Criterion, Loss
from jaxgan.losses.laws.probes import halves, random_logits


def permutation_law(loss: Loss) -> str:
    """The order of examples does not matter: values move with them."""
    real, fake = random_logits((9,), 2)
    order = np.random.default_rng(0).permutation(9)
    for half_name, half in halves(loss):
        orders = jax.jit(jax.vmap(half))(np.stack([real, real[order]]), np.stack([fake, fake[order]]))
        values, got = np.asarray(orders)
        if not np.allclose(got, values[order], rtol=1e-4, atol=1e-5):
            raise Broken(f"{half_name}: the values of examples depend on their order in the batch")
    return "values move with their examples"


def batch_size_law(loss: Loss) -> str:
    """The mean does not depend on the batch size: by repetition, or (for pair sums) in expectation."""
    real, fake = random_logits((8,), 3)
    for half_name, half in halves(loss):
        once, twice = jax.device_get(
            jax.jit(lambda r, f, half=half: (half(r, f).mean(), half(jnp.tile(r, 2), jnp.tile(f, 2)).mean()))(
                real, fake
            )
        )
        if np.allclose(once, twice, rtol=1e-4, atol=1e-5):
            continue
        (few, few_error), (many, many_error) = (
            _means_of_draws(half, n, draws) for n, draws in ((4, 4000), (32, 1000))
        )
        if abs(few - many) > 4 * math.hypot(few_error, many_error):
            raise Broken(
                f"{half_name}: its mean depends on the batch size: {few:.4g} for batches of 4, {many:.4g} for 32"
            )
    return "the same mean for batches of any size"


def _means_of_draws(half: Criterion, n: int, draws: int) -> tuple[float, float]:
    rng = np.random.default_rng((5, n))
    real, fake = rng.normal(0.5, 1, (draws, n)), rng.normal(-0.5, 1.5, (draws, n))
    means = jax.jit(jax.vmap(lambda r, f: half(r, f).mean()))(
        jnp.asarray(real, jnp.float32), jnp.asarray(fake, jnp.float32)
    )
    values = np.asarray(means, np.float64)
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(draws))


def comparison_law(loss: Loss) -> str:
    """Logits are compared with each other if, and only if, the loss says so."""
    comparing = [name for name, half in halves(loss) if _compares(half)]
    if comparing and not loss.compares:
        raise Broken(
            f"{comparing[0]}: the loss of an example depends on what its logits are compared with; "
            "say so: compares=True"
        )
    if loss.compares and not comparing:
        raise Broken(
            "compares: the loss of every example is a term of its real logit plus a term of its fake logit, so "
            "nothing is compared; leave compares=True out"
        )
    if loss.comparison is not None:
        _check_comparison(loss, loss.comparison)
    return "logits are compared with each other" if comparing else "every logit counts alone"


def _compares(half: Criterion) -> bool:
    """Whether values are not a term of each real logit plus a term of each fake logit."""
    (real, fake), (other_real, other_fake) = random_logits((8,), 6), random_logits((8,), 7)

    @jax.jit
    def every(reals: Any, fakes: Any) -> Any:
        """Values of each real logit alone with its fake one, and of each batch of reals with each batch of fakes."""
        alone = jax.vmap(lambda r, f: half(r[None], f[None])[0])(reals[0], fakes[0])
        return alone, jax.vmap(lambda r: jax.vmap(lambda f: half(r, f))(fakes))(reals)

    reals, fakes = np.stack([real, other_real]), np.stack([fake, other_fake])
    alone, table = jax.device_get(every(reals, fakes))
    values, exchanged = table[0, 0], table[0, 1] + table[1, 0] - table[1, 1]
    size = max(1.0, float(np.abs(table).max()))
    return not all(np.allclose(values, x, rtol=0, atol=1e-4 * size) for x in (alone, exchanged))


def _check_comparison(loss: Loss, comparison: Criterion) -> None:
    if not loss.compares:
        raise Broken("comparison: it is given, but the loss compares nothing; declare a threshold instead")
    high, low = np.ones(4, np.float32), -np.ones(4, np.float32)
    share = jax.jit(lambda real, fake: comparison(real, fake).mean())
    right, wrong = float(share(high, low)), float(share(low, high))
    if (right, wrong) != (1, 0):
        raise Broken(
            "comparison: expected 1 where all reals are above all fakes and 0 where they are below, "
            f"got {right:g} and {wrong:g}"
        )


def threshold_law(loss: Loss) -> str:
    """A declared threshold is the logit that D prefers where reals and fakes are alike."""
    if loss.threshold is None:
        raise Skipped("no threshold is declared")
    if _shift_invariant(loss):
        raise Broken(
            "threshold: a common shift of all logits leaves the discriminator's loss as it is, so no single logit "
            f"means anything; expected None, got {float(loss.threshold):g}"
        )
    with jax.enable_x64(True):
        logits = float(loss.threshold) + np.linspace(-5, 5, 2001)
        alike = jax.jit(jax.vmap(lambda v: loss.discriminator(v[None], v[None]).mean()))
        costs = np.asarray(alike(logits))
    best, declared = int(np.argmin(costs)), len(logits) // 2
    if not costs[declared] - costs[best] <= 1e-6 * max(1.0, abs(costs[best])):
        raise Broken(
            "threshold: where reals and fakes are alike, the discriminator prefers the logit "
            f"{logits[best]:.3g} to the declared {logits[declared]:.3g}"
        )
    return f"where reals and fakes are alike, no logit is better than {logits[declared]:.3g}"


def shift_law(loss: Loss) -> str:
    """A claimed shift invariance: one number added to all logits leaves D's loss as it is."""
    if loss.claim is None or not loss.claim.shift_invariant:
        raise Skipped("no shift invariance is claimed")
    if not _shift_invariant(loss):
        raise Broken(
            "discriminator: claims that a common shift of all logits changes nothing, but its loss changes"
        )
    return "a common shift of all logits changes nothing"


def _shift_invariant(loss: Loss) -> bool:
    real, fake = random_logits((8,), 4)
    shifted = jax.jit(jax.vmap(lambda by: loss.discriminator(real + by, fake + by).mean()))
    before, after = np.asarray(shifted(np.asarray([0, 3], np.float32)))
    return np.allclose(before, after, rtol=1e-4, atol=1e-5)


def gap_law(loss: Loss) -> str:
    """D gains as reals rise above fakes, G loses: at a small gap, and from inverted to right order."""
    with jax.enable_x64(True):  # a small gap: within the margin of any margin loss
        losses = _at_gaps(dict(halves(loss)), (0.0, 0.01))
    narrow, wide = losses["discriminator"]
    if not wide < narrow:
        raise Broken(
            f"discriminator: its loss must fall as the logits of reals rise above those of fakes, but it goes from "
            f"{narrow:.6g} to {wide:.6g}: a sign may be flipped"
        )
    narrow, wide = losses["generator"]
    if not wide > narrow:
        raise Broken(
            f"generator: its loss must rise as the logits of fakes fall below those of reals, but it goes from "
            f"{narrow:.6g} to {wide:.6g}: a sign may be flipped"
        )
    if not loss.of_features:  # features have no order
        right, wrong = _at_gaps({"discriminator": loss.discriminator}, (1.0, -1.0))["discriminator"]
        if np.isclose(right, wrong, rtol=1e-6):
            raise Broken(
                "discriminator: it does not matter which of two logits is the real's; if they are features, say so: "
                "of_features=True"
            )
        if not right < wrong:
            raise Broken(
                "discriminator: it must prefer logits +0.5 for reals and -0.5 for fakes to the reverse, but its loss "
                f"is {right:.4g} against {wrong:.4g}"
            )
    return "D's loss falls and G's rises as the logits of reals and fakes part"


def _at_gaps(halves: dict[str, Criterion], gaps: tuple[float, ...]) -> dict[str, list[float]]:
    """Means of four examples whose real logits are above the fake ones by each of the gaps."""

    @jax.jit
    def means(gaps: Any) -> Any:
        mean = lambda half: lambda gap: half(jnp.full(4, gap / 2), jnp.full(4, -gap / 2)).mean()
        return {name: jax.vmap(mean(half))(gaps) for name, half in halves.items()}

    return {name: found.tolist() for name, found in jax.device_get(means(jnp.asarray(gaps))).items()}
