"""Laws of duality: at its best, the discriminator measures the divergence that the loss claims."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.stats

from jaxgan.common.checking.laws import Broken, Skipped
from jaxgan.common.errors import nearest
from jaxgan.losses.base import Claim, Criterion, Loss
from jaxgan.losses.divergences import DIVERGENCES

DUALITY_TOLERANCE = 1e-4
# Counts of 12 draws: p and q far apart, near each other, lopsided, and equal.
PAIRS = (
    ((4, 3, 2, 2, 1), (1, 2, 2, 3, 4)),
    ((3, 3, 2, 2, 2), (2, 3, 2, 3, 2)),
    ((7, 2, 1, 1, 1), (1, 1, 2, 2, 6)),
    ((4, 3, 2, 2, 1), (4, 3, 2, 2, 1)),
)
_CONSTRAINT_OF = {"wasserstein": "lipschitz"}  # of a divergence, where the claim states none


def duality_law(loss: Loss) -> str:
    """The least discriminator loss over all critics is what the claimed divergence says."""
    claim = _stated(loss)
    if claim.constraint not in ("", "lipschitz"):
        raise Broken(f"claim: expected the constraint '' or 'lipschitz', got {claim.constraint!r}")
    if loss.of_features:
        return _features_duality(loss, claim)
    value = _closed_form(claim)
    least, divergences = [], []
    for (p, q), (_, reached) in zip(PAIRS, best_critics(loss), strict=True):
        least.append(reached)
        divergences.append(value(np.asarray(p) / sum(p), np.asarray(q) / sum(q)))
    offset, scale = _relation(claim, np.asarray(least), np.asarray(divergences))
    if not scale > 0:
        raise Broken(f"claim: expected a positive scale, got {scale:.4g}: a sign may be flipped")
    size = min(1.0, float(np.ptp(divergences)))  # a divergence in small units is held to as many digits
    errors = [abs(offset - scale * low - d) / size for low, d in zip(least, divergences, strict=True)]
    if not max(errors) < DUALITY_TOLERANCE:
        worst = int(np.argmax(errors))
        raise Broken(
            f"discriminator: at the optimal critic its loss is {least[worst]:.5f}, which makes the divergence "
            f"{offset - scale * least[worst]:.5f}; {claim.divergence} in closed form is {divergences[worst]:.5f}"
        )
    return (
        f"{claim.divergence} = {offset:.4g} - {scale:.4g} x the least loss, to {max(errors):.0e}, "
        f"on {len(PAIRS)} pairs of distributions"
    )


def _stated(loss: Loss) -> Claim:
    if loss.claim is None:
        raise Skipped("no divergence is stated (claim=Claim(...))")
    if loss.claim.divergence == "none":
        raise Skipped("states that no closed form is known")
    return loss.claim


def _closed_form(claim: Claim) -> Callable[[Any, Any], float]:
    if claim.value is not None:
        return claim.value
    if claim.divergence == "wasserstein":
        points = np.arange(5.0)
        return lambda p, q: float(scipy.stats.wasserstein_distance(points, points, p, q))
    if claim.divergence not in DIVERGENCES:
        known = ["none", "wasserstein", *DIVERGENCES]
        raise Broken(
            f"claim: unknown divergence {claim.divergence!r}; {nearest(claim.divergence, known)}"
            f"known: {', '.join(known)} (or give value=)"
        )
    return DIVERGENCES[claim.divergence]


def _relation(claim: Claim, least: np.ndarray, divergences: np.ndarray) -> tuple[float, float]:
    """Offset and scale as stated, or else those that fit best."""
    if claim.offset is not None and claim.scale is not None:
        return claim.offset, claim.scale
    if claim.scale is not None:
        return float(np.mean(divergences + claim.scale * least)), claim.scale
    if claim.offset is not None:
        return claim.offset, float(np.sum((claim.offset - divergences) * least) / np.sum(least**2))
    slope, offset = np.polyfit(least, divergences, 1)
    if slope >= 0:
        raise Broken(
            f"discriminator: its least loss must fall as {claim.divergence} grows, but it rises: a sign may be flipped"
        )
    return float(offset), float(-slope)


def best_critics(loss: Loss, steps: int = 4000) -> list[tuple[np.ndarray, float]]:
    """For each of PAIRS, logits of every point and D's loss, of the best critic.

    The critic is a free table of logits, found by Adam in float64. The batch holds every pair of a
    draw from p and a draw from q as often as its probability demands, so that its mean is the
    expectation, whether a loss looks at examples, pairs or batch means.

    Args:
      loss: whose discriminator half is minimised; under the constraint "lipschitz" the points lie on
        a line, at distance 1 of each other, and the table's slope stays within -1 and 1.
      steps: of Adam, with cosine decay.

    Returns:
      (logits [points], least loss) of each pair.
    """
    claim = loss.claim
    lipschitz = claim is not None and "lipschitz" in (claim.constraint, _CONSTRAINT_OF.get(claim.divergence))
    return _best_critics(loss.discriminator, lipschitz, steps)


@functools.lru_cache(maxsize=8)
def _best_critics(half: Criterion, lipschitz: bool, steps: int) -> list[tuple[np.ndarray, float]]:
    batches = []
    for counts in PAIRS:
        draws = [np.repeat(np.arange(len(c)), c) for c in counts]
        batches.append([grid.ravel() for grid in np.meshgrid(*draws)])

    def logits(free: Any) -> Any:
        return jnp.concatenate([jnp.zeros(1), jnp.cumsum(jnp.tanh(free[1:]))]) if lipschitz else free

    def solve(batch: Any) -> Any:
        objective = lambda free: half(logits(free)[batch[0]], logits(free)[batch[1]]).mean()
        optimizer = optax.adam(optax.cosine_decay_schedule(0.1, steps), 0.9, 0.99)

        def update(carry: Any, _: None) -> Any:
            free, opt_state = carry
            updates, opt_state = optimizer.update(jax.grad(objective)(free), opt_state)
            return (optax.apply_updates(free, updates), opt_state), None

        start = jnp.zeros(len(PAIRS[0][0]), jnp.float64)
        (free, _), _ = jax.lax.scan(update, (start, optimizer.init(start)), length=steps)
        return logits(free), objective(free)

    with jax.enable_x64(True):
        tables, least = jax.jit(jax.vmap(solve))(jnp.asarray(batches))
    return [(np.asarray(table), float(value)) for table, value in zip(tables, least, strict=True)]


def _features_duality(loss: Loss, claim: Claim) -> str:
    if claim.value is None:
        raise Broken(
            f"claim: {claim.divergence!r} of features needs value=, a function of two sets of features"
        )
    errors = []
    for seed, size in ((0, 1), (1, 3)):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(0, 0.7, (9, size)), rng.normal(0.4, 0.9, (9, size))
        with jax.enable_x64(True):
            got = float(jax.jit(lambda x, y: loss.generator(x, y).mean())(x, y))
        expected = claim.value(x, y)
        errors.append(abs(got - expected))
        if not errors[-1] < DUALITY_TOLERANCE:
            raise Broken(
                f"generator: {claim.divergence} of two sets of features is {expected:.5f} by direct sums, "
                f"the loss gives {got:.5f}"
            )
    return f"the generator's loss is the {claim.divergence} by direct sums, to {max(errors):.0e}"


def optimum_law(loss: Loss) -> str:
    """The best critic has the claimed form."""
    claim = _stated(loss)
    if claim.optimum is None:
        raise Skipped(f"the optimum is not stated as a function ({claim.critic or 'nothing'})")
    worst = 0.0
    for (p, q), (table, _) in zip(PAIRS, best_critics(loss), strict=True):
        expected = np.asarray(claim.optimum(np.asarray(p) / sum(p), np.asarray(q) / sum(q)))
        free = np.asarray(p) != np.asarray(q)  # at ties a margin loss has no unique optimum
        if not free.any():
            continue
        table, expected = table[free], expected[free]
        if claim.shift_invariant:
            table, expected = table - table.mean(), expected - expected.mean()
        error = np.abs(table - expected).max() / max(1.0, np.abs(expected).max())
        if not error < 1e-2:
            raise Broken(
                f"discriminator: the best critic is {np.round(table, 3).tolist()}, "
                f"but {claim.critic} is {np.round(expected, 3).tolist()}"
            )
        worst = max(worst, float(error))
    return f"the best critic is {claim.critic}, to {worst:.0e}"
