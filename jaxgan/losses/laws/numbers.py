"""Laws of numbers: shapes and types, gradients, and logits so large that careless code overflows."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.checking.laws import Broken, Skipped, first_line
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
            scales = [random_logits((7,), 1, scale, np.float64) for scale in (0.5, 3.0)]
            batches = [np.stack(scales), np.stack([random_logits((4, 2), 1, 1.0, np.float64)])]
            for found in _slopes(half, batches):
                for side, (got, expected) in enumerate(found):
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


def _slopes(half: Criterion, batches: list[np.ndarray], step: float = 1e-5) -> Any:
    """For each batch: the gradients of the mean in real and in fake, each with finite differences.

    `batches` are those of each shape, stacked: (real, fake) of each.
    """

    def ends(real: Any, fake: Any) -> Any:
        """Means of the batch with one logit moved: reals then fakes, up then down."""
        n = real.size
        ways = step * jnp.eye(2 * n, dtype=real.dtype)
        ways = jnp.concatenate([ways, -ways]).reshape(-1, 2, *real.shape)
        return jax.vmap(lambda way: half(real + way[0], fake + way[1]).mean())(ways).reshape(2, 2, n)

    def slopes(batch: Any) -> Any:
        real, fake = batch
        _, gradients = _value_and_slopes(half, real, fake)
        high, low = ends(real, fake)
        differences = ((high - low) / (2 * step)).reshape(2, *real.shape)
        return list(zip(gradients, differences, strict=True))

    every = jax.jit(lambda batches: [jax.vmap(slopes)(stack) for stack in batches])
    return _unstacked(jax.device_get(every(batches)), batches)


def _unstacked(found: list[Any], batches: list[np.ndarray]) -> list[Any]:
    """What was found of each batch, from what was found of those of each shape together."""
    return [
        jax.tree.map(lambda x, k=k: x[k], of_stack)
        for of_stack, stack in zip(found, batches, strict=True)
        for k in range(len(stack))
    ]


def _value_and_slopes(half: Criterion, real: Any, fake: Any) -> tuple[Any, Any]:
    """Values, and the gradients of their mean in real and in fake."""
    values, pull = jax.vjp(half, real, fake)
    return values, pull(jnp.full(values.shape, 1 / values.size, values.dtype))


def extreme_law(loss: Loss) -> str:
    """At logits 0 and +-1e4, and at exact ties, float32 values and gradients are finite and right."""
    edge = np.asarray([(a, b) for a in (-EXTREME, 0, EXTREME) for b in (-EXTREME, 0, EXTREME)])
    ties = np.repeat(np.asarray([-EXTREME, -1.0, -1.0, -1.0, 0.0, 0.0, 1.0, 1.0, EXTREME])[:, None], 2, 1)
    batches = {"0 and +-1e4": edge, "exact ties": ties, "-1e4, alone": edge[:1], "+1e4, alone": edge[-1:]}
    for half_name, half in halves(loss):
        low, high = _in_both_precisions(half, [np.stack([edge, ties]), np.stack([edge[:1], edge[-1:]])])
        for (where, batch), *found in zip(batches.items(), low, high, strict=True):
            for name, got, exact in zip(("value", "gradient", "gradient"), *found, strict=True):
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


def _in_both_precisions(half: Criterion, batches: list[np.ndarray]) -> list[list[Any]]:
    """In float32, then in float64: for each batch its values, and the gradients of their mean in real and in fake.

    `batches` are those of each shape, stacked: examples of (real, fake) of each.
    """

    def evaluate(batch: Any) -> Any:
        values, slopes = _value_and_slopes(half, *batch.T)
        return values, *slopes

    every = jax.jit(lambda batches: [jax.vmap(evaluate)(stack) for stack in batches])
    low = jax.device_get(every([stack.astype(np.float32) for stack in batches]))
    with jax.enable_x64(True):
        high = jax.device_get(every([stack.astype(np.float64) for stack in batches]))
    return [_unstacked(low, batches), _unstacked(high, batches)]
