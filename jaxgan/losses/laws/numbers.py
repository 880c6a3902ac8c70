"""Laws of numbers: shapes and types, gradients, and logits so large that careless code overflows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.laws import Broken, Skipped, first_line
from jaxgan.losses.base import Criterion, Loss
from jaxgan.losses.laws.probes import halves, random_logits

EXTREME = 1e4
_SIDES = ("real_logits", "fake_logits")


def shape_law(loss: Loss) -> str:
    """One float32 value an example (or a logit), for logits [batch] and [batch, k], under jit."""
    for half_name, half in halves(loss):
        for shape in ((6,), (1,), (6, 3)):
            real, fake = random_logits(shape, 0)
            try:
                value: Any = jax.eval_shape(half, real, fake)
                _ = value.shape, value.dtype  # a tuple, say, has neither
            except Exception as error:  # whatever a user's function raises is the finding
                raise Broken(
                    f"{half_name}: raises {type(error).__name__} for logits {list(shape)}: {first_line(error)}"
                ) from error
            if value.shape not in (shape[:1], shape):  # a function of single logits keeps their shape
                raise Broken(
                    f"{half_name}: expected one value an example, {list(shape[:1])} for logits {list(shape)}, "
                    f"got {list(value.shape)} (the caller averages over the batch)"
                )
            if value.dtype != jnp.float32:
                raise Broken(f"{half_name}: expected float32 values, got {value.dtype}")
    return "one float32 value an example, for logits [batch] and [batch, k]"


def gradient_law(loss: Loss) -> str:
    """Gradients of both halves, in both arguments, are those of finite differences (float64)."""
    worst, largest = 0.0, {("discriminator", 0): 0.0, ("discriminator", 1): 0.0, ("generator", 1): 0.0}
    with jax.enable_x64(True):
        for half_name, half in halves(loss):
            if jax.eval_shape(half, *random_logits((7,), 1, 1.0, np.float64)).dtype != jnp.float64:
                raise Skipped(
                    f"the {half_name} computes in float32 whatever it is given: no check in float64"
                )
            slopes = _slopes(half)
            for shape, scale in (((7,), 0.5), ((7,), 3.0), ((4, 2), 1.0)):
                for side, (got, expected) in enumerate(slopes(*random_logits(shape, 1, scale, np.float64))):
                    worst = max(
                        worst, _gradient_error(f"{half_name}: the gradient in {_SIDES[side]}", got, expected)
                    )
                    if (half_name, side) in largest:
                        largest[half_name, side] = max(
                            largest[half_name, side], float(np.abs(expected).max())
                        )
    for (half_name, side), size in largest.items():
        if not size > 1e-12:
            raise Broken(
                f"{half_name}: its loss does not depend on {_SIDES[side]}: are the arguments mixed up?"
            )
    return f"equal to finite differences in float64, to {worst:.0e} of their size"


def _gradient_error(which: str, got: np.ndarray, expected: np.ndarray) -> float:
    size = float(np.abs(expected).max())
    error = float(np.abs(got - expected).max()) / max(size, 1e-3)
    if error < 1e-5:
        return error
    if not got.any():
        raise Broken(
            f"{which} is 0, but the value changes with them (by up to {size:.3g} a unit): it is cut, perhaps by "
            "stop_gradient or a conversion to NumPy"
        )
    raise Broken(f"{which} differs from finite differences by {error:.2g} of its size")


def _slopes(half: Criterion, step: float = 1e-5) -> Callable[[Any, Any], list[tuple[np.ndarray, np.ndarray]]]:
    """(real, fake) -> the gradients of the mean in real and in fake, each with what finite differences give."""
    mean = lambda real, fake: half(real, fake).mean()

    @jax.jit
    def slopes(real: Any, fake: Any) -> Any:
        found = []
        for x, alone, gradient in zip(
            (real, fake),
            (lambda x: mean(x, fake), lambda x: mean(real, x)),
            jax.grad(mean, (0, 1))(real, fake),
            strict=True,
        ):
            ways = step * jnp.eye(x.size, dtype=x.dtype).reshape(-1, *x.shape)
            ends = jax.vmap(alone)(jnp.concatenate([x + ways, x - ways]))
            found.append((gradient, ((ends[: x.size] - ends[x.size :]) / (2 * step)).reshape(x.shape)))
        return found

    return lambda real, fake: jax.tree.map(np.asarray, slopes(real, fake))


def _evaluated(half: Criterion) -> Callable[[Any, Any], tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(real, fake) -> values, and the gradients of their mean in real and in fake."""

    @jax.jit
    def evaluate(real: Any, fake: Any) -> Any:
        return half(real, fake), jax.grad(lambda r, f: half(r, f).mean(), (0, 1))(real, fake)

    def run(real: Any, fake: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        values, (real_slope, fake_slope) = evaluate(real, fake)
        return np.asarray(values), np.asarray(real_slope), np.asarray(fake_slope)

    return run


def extreme_law(loss: Loss) -> str:
    """At logits 0 and +-1e4, and at exact ties, float32 values and gradients are finite and right."""
    edge = np.asarray([(a, b) for a in (-EXTREME, 0, EXTREME) for b in (-EXTREME, 0, EXTREME)])
    ties = np.repeat(np.asarray([-EXTREME, -1.0, -1.0, -1.0, 0.0, 0.0, 1.0, 1.0, EXTREME])[:, None], 2, 1)
    batches = {"0 and +-1e4": edge, "exact ties": ties, "-1e4, alone": edge[:1], "+1e4, alone": edge[-1:]}
    for half_name, half in halves(loss):
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
