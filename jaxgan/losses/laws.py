"""What every adversarial loss must obey, as functions that try to refute it.

A law takes a `Loss` and returns a line that says what was checked; it raises `Broken` with a line that
says how the loss breaks it, or `Skipped` where it does not apply. `check(loss)` runs them all. The
tests run them over LOSSES, and `jaxgan losses check FILE:NAME` over a loss of the user's own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.stats

from jaxgan.common.errors import nearest
from jaxgan.losses.base import Claim, Criterion, Loss
from jaxgan.losses.divergences import DIVERGENCES

HALVES = ("discriminator", "generator")
EXTREME = 1e4
DUALITY_TOLERANCE = 1e-4
# Counts of 12 draws: p and q far apart, near each other, lopsided, and equal.
PAIRS = (
    ((4, 3, 2, 2, 1), (1, 2, 2, 3, 4)),
    ((3, 3, 2, 2, 2), (2, 3, 2, 3, 2)),
    ((7, 2, 1, 1, 1), (1, 1, 2, 2, 6)),
    ((4, 3, 2, 2, 1), (4, 3, 2, 2, 1)),
)


_IMPLIED = {"wasserstein": "lipschitz"}


class Broken(Exception):
    """The loss breaks the law; the message says how."""


class Skipped(Exception):
    """The law does not apply; the message says why."""


@dataclass(frozen=True)
class Verdict:
    """What became of one law.

    Attributes:
      law: its name.
      outcome: "holds", "broken" or "skipped".
      detail: one line.
    """

    law: str
    outcome: str
    detail: str


Law = Callable[[Loss], str]


def check(loss: Loss) -> list[Verdict]:
    """Runs every law; those after a wrong shape or a failing function are skipped."""
    verdicts: list[Verdict] = []
    for name, law in LAWS.items():
        try:
            if name in loss.exempt:
                raise Skipped("the loss says that it is exempt")
            if verdicts and verdicts[0].outcome == "broken":
                raise Skipped("its shape is wrong already")
            verdicts.append(Verdict(name, "holds", law(loss)))
        except Broken as broken:
            verdicts.append(Verdict(name, "broken", str(broken)))
        except Skipped as skipped:
            verdicts.append(Verdict(name, "skipped", str(skipped)))
        except Exception as error:  # whatever a user's function raises is the finding
            first = (str(error).strip().splitlines() or [""])[0]
            verdicts.append(Verdict(name, "broken", f"raises {type(error).__name__}: {first}"))
    return verdicts


def _halves(loss: Loss) -> list[tuple[str, Criterion]]:
    return [("discriminator", loss.discriminator), ("generator", loss.generator)]


def _logits(shape: tuple[int, ...], seed: int, scale: float = 2.0, dtype: Any = np.float32) -> Any:
    real, fake = np.random.default_rng(seed).normal(0, scale, (2, *shape))
    return jnp.asarray(real, dtype), jnp.asarray(fake, dtype)


def _evaluated(half: Criterion) -> Callable[[Any, Any], tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(real, fake) -> values, and the gradients of their mean in real and in fake."""

    @jax.jit
    def evaluate(real: Any, fake: Any) -> Any:
        return half(real, fake), jax.grad(lambda r, f: half(r, f).mean(), (0, 1))(real, fake)

    def run(real: Any, fake: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        values, (real_slope, fake_slope) = evaluate(real, fake)
        return np.asarray(values), np.asarray(real_slope), np.asarray(fake_slope)

    return run


# --- form ----------------------------------------------------------------------------------------


def shape_law(loss: Loss) -> str:
    """One float32 value an example (or a logit), for logits [batch] and [batch, k], under jit."""
    for half_name, half in _halves(loss):
        for shape in ((6,), (1,), (6, 3)):
            real, fake = _logits(shape, 0)
            try:
                value: Any = jax.eval_shape(half, real, fake)
                _ = value.shape, value.dtype  # a tuple, say, has neither
            except Exception as error:  # whatever a user's function raises is the finding
                first = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise Broken(
                    f"{half_name}: raises {type(error).__name__} for logits {list(shape)}: {first}"
                ) from error
            if value.shape not in (shape[:1], shape):  # a function of single logits keeps their shape
                raise Broken(
                    f"{half_name}: expected one value an example, {list(shape[:1])} for logits {list(shape)}, "
                    f"got {list(value.shape)} (the caller averages over the batch)"
                )
            if value.dtype != jnp.float32:
                raise Broken(f"{half_name}: expected float32 values, got {value.dtype}")
    return "one float32 value an example, for logits [batch] and [batch, k]"


# --- gradients -----------------------------------------------------------------------------------


def gradient_law(loss: Loss) -> str:
    """Gradients of both halves, in both arguments, are those of finite differences (float64)."""
    worst, seen = 0.0, dict.fromkeys((("discriminator", 0), ("discriminator", 1), ("generator", 1)), 0.0)
    with jax.enable_x64(True):
        for half_name, half in _halves(loss):
            if jax.eval_shape(half, *_logits((7,), 1, 1.0, np.float64)).dtype != jnp.float64:
                raise Skipped(
                    f"the {half_name} computes in float32 whatever it is given: no check in float64"
                )
            for shape, scale in (((7,), 0.5), ((7,), 3.0), ((4, 2), 1.0)):
                logits = _logits(shape, 1, scale, np.float64)
                got = _evaluated(half)(*logits)[1:]
                for side, name in enumerate(("real_logits", "fake_logits")):
                    expected = _finite_difference(half, logits, side)
                    size = max(np.abs(expected).max(), 1e-3)
                    if (half_name, side) in seen:
                        seen[half_name, side] = max(seen[half_name, side], float(np.abs(expected).max()))
                    error = np.abs(got[side] - expected).max() / size
                    if not error < 1e-5:
                        if not got[side].any():
                            raise Broken(
                                f"{half_name}: the gradient in {name} is 0, but the value changes with them "
                                f"(by up to {np.abs(expected).max():.3g} a unit): it is cut, perhaps by stop_gradient "
                                "or a conversion to NumPy"
                            )
                        raise Broken(
                            f"{half_name}: the gradient in {name} differs from finite differences by "
                            f"{error:.2g} of its size"
                        )
                    worst = max(worst, error)
    for (half_name, side), size in seen.items():
        if not size > 1e-12:
            name = ("real_logits", "fake_logits")[side]
            raise Broken(f"{half_name}: its loss does not depend on {name}: are the arguments mixed up?")
    return f"equal to finite differences in float64, to {worst:.0e} of their size"


def _finite_difference(half: Criterion, logits: Any, side: int, step: float = 1e-5) -> np.ndarray:
    base = [np.asarray(x) for x in logits]
    moved = np.repeat(base[side][None], 2 * base[side].size, axis=0)
    for i, index in enumerate(np.ndindex(*base[side].shape)):
        moved[2 * i][index] += step
        moved[2 * i + 1][index] -= step
    pair = lambda x: (x, base[1]) if side == 0 else (base[0], x)
    values = np.asarray(jax.jit(jax.vmap(lambda x: half(*map(jnp.asarray, pair(x))).mean()))(moved))
    return ((values[::2] - values[1::2]) / (2 * step)).reshape(base[side].shape)


def extreme_law(loss: Loss) -> str:
    """At logits 0 and +-1e4, and at exact ties, float32 values and gradients are finite and right."""
    edge = np.asarray([(a, b) for a in (-EXTREME, 0, EXTREME) for b in (-EXTREME, 0, EXTREME)])
    ties = np.repeat(np.asarray([-EXTREME, -1.0, -1.0, -1.0, 0.0, 0.0, 1.0, 1.0, EXTREME])[:, None], 2, 1)
    batches = {"0 and +-1e4": edge, "exact ties": ties, "-1e4, alone": edge[:1], "+1e4, alone": edge[-1:]}
    for half_name, half in _halves(loss):
        evaluate = _evaluated(half)
        for where, batch in batches.items():
            low = evaluate(*(jnp.asarray(x, jnp.float32) for x in batch.T))
            with jax.enable_x64(True):
                high = evaluate(*(jnp.asarray(x, jnp.float64) for x in batch.T))
            for name, got, exact in zip(("value", "gradient", "gradient"), low, high, strict=True):
                if not np.isfinite(got).all():
                    bad = int(np.argmin(np.isfinite(got)))
                    raise Broken(
                        f"{half_name}: the {name} is {got[bad]} at real logit {batch[bad, 0]:g}, fake logit "
                        f"{batch[bad, 1]:g} (softplus and logsumexp stay finite where log and exp do not)"
                    )
                size = max(float(np.abs(exact).max()), 1.0 if name == "value" else 1e-3)
                error = float(np.abs(got.astype(np.float64) - exact).max()) / size
                if not error < 1e-4:
                    raise Broken(
                        f"{half_name}: the float32 {name} at logits {where} is off by {error:.2g} of its size from "
                        "that in float64"
                    )
    return "finite, and as in float64, at logits 0 and +-1e4 and at exact ties"


# --- invariances ---------------------------------------------------------------------------------


def permutation_law(loss: Loss) -> str:
    """The order of examples does not matter: values move with them."""
    real, fake = _logits((9,), 2)
    order = np.random.default_rng(0).permutation(9)
    for half_name, half in _halves(loss):
        expected, got = np.asarray(half(real, fake))[order], half(real[order], fake[order])
        if not np.allclose(got, expected, rtol=1e-4, atol=1e-5):
            raise Broken(f"{half_name}: the values of examples depend on their order in the batch")
    return "values move with their examples"


def batch_size_law(loss: Loss) -> str:
    """The mean does not depend on the batch size: by repetition, or (for pair sums) in expectation."""
    real, fake = _logits((8,), 3)
    for half_name, half in _halves(loss):
        once, twice = half(real, fake).mean(), half(jnp.tile(real, 2), jnp.tile(fake, 2)).mean()
        if np.allclose(once, twice, rtol=1e-4, atol=1e-5):
            continue
        draws = {n: _means_of_draws(half, n) for n in (4, 32)}
        (few, few_error), (many, many_error) = draws.values()
        if abs(few - many) > 4 * math.hypot(few_error, many_error):
            raise Broken(
                f"{half_name}: its mean depends on the batch size: {few:.4g} for batches of 4, {many:.4g} for 32"
            )
    return "the same mean for batches of any size"


def _means_of_draws(half: Criterion, n: int, draws: int = 4000) -> tuple[float, float]:
    rng = np.random.default_rng(5)
    real, fake = rng.normal(0.5, 1, (draws, n)), rng.normal(-0.5, 1.5, (draws, n))
    means = jax.jit(jax.vmap(lambda r, f: half(r, f).mean()))(
        jnp.asarray(real, jnp.float32), jnp.asarray(fake, jnp.float32)
    )
    values = np.asarray(means, np.float64)
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(draws))


def shift_law(loss: Loss) -> str:
    """A claimed shift invariance: one number added to all logits leaves D's loss as it is."""
    if loss.claim is None or not loss.claim.shift_invariant:
        raise Skipped("no shift invariance is claimed")
    real, fake = _logits((8,), 4)
    before, after = loss.discriminator(real, fake), loss.discriminator(real + 3, fake + 3)
    if not np.allclose(before.mean(), after.mean(), rtol=1e-4, atol=1e-5):
        raise Broken(
            "discriminator: claims that a common shift of all logits changes nothing, but its loss changes"
        )
    return "a common shift of all logits changes nothing"


# --- direction -----------------------------------------------------------------------------------


def gap_law(loss: Loss) -> str:
    """D gains as reals rise above fakes, G loses: at a small gap, and from inverted to right order."""
    with jax.enable_x64(True):  # a small gap: within the margin of any margin loss
        losses = {
            half_name: [float(half(jnp.full(4, g / 2), jnp.full(4, -g / 2)).mean()) for g in (0.0, 0.01)]
            for half_name, half in _halves(loss)
        }
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
    features = loss.claim is not None and loss.claim.constraint == "features"
    if not features:  # features have no order
        right, wrong = (
            float(loss.discriminator(jnp.full(4, s), jnp.full(4, -s)).mean()) for s in (0.5, -0.5)
        )
        if np.isclose(right, wrong, rtol=1e-6):
            raise Broken(
                "discriminator: it does not matter which of two logits is the real's; if they are features, say so: "
                'claim=Claim("none", constraint="features")'
            )
        if not right < wrong:
            raise Broken(
                "discriminator: it must prefer logits +0.5 for reals and -0.5 for fakes to the reverse, but its loss "
                "is "
                f"{right:.4g} against {wrong:.4g}"
            )
    return "D's loss falls and G's rises as the logits of reals and fakes part"


# --- duality -------------------------------------------------------------------------------------


def duality_law(loss: Loss) -> str:
    """The least discriminator loss over all critics is what the claimed divergence says."""
    claim = _stated(loss)
    if claim.constraint not in ("", "lipschitz", "features"):
        raise Broken(
            f"claim: expected the constraint '', 'lipschitz' or 'features', got {claim.constraint!r}"
        )
    if claim.constraint == "features":
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
    lipschitz = claim is not None and "lipschitz" in (claim.constraint, _IMPLIED.get(claim.divergence))
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
            got = float(loss.generator(jnp.asarray(x), jnp.asarray(y)).mean())
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


LAWS: dict[str, Law] = {
    "shape": shape_law,
    "gradient": gradient_law,
    "extreme": extreme_law,
    "permutation": permutation_law,
    "batch_size": batch_size_law,
    "shift": shift_law,
    "gap": gap_law,
    "duality": duality_law,
    "optimum": optimum_law,
}
