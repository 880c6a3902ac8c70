"""LeCam regularisation: logits are drawn towards where those of the other side have been."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.common.checks import check_range
from jaxgan.common.numerics import at_least_float32
from jaxgan.penalties.base import Penalty, Scene, Term


def lecam(*, decay: float = 0.99, start: int = 0, rectified: bool = False) -> Penalty:
    """LeCam: (D(x) - a_F)^2 + (D(G(z)) - a_R)^2, with a_R, a_F averages of earlier logits.

    a_R and a_F are moving averages of the critic's mean logit on reals and on fakes, no gradient
    flowing through them; reals are held to the average of the *fakes* and vice versa. k logits of an
    example are averaged. The averages are those of all earlier updates, so the first update costs
    nothing (the authors' code counts in the batch at hand, with share 1 - decay); they are
    corrected for their start, as Adam's are. StudioGAN's BigGAN on CIFAR-10 has weight 0.3 from update
    1,000 on.

    Args:
      decay: share of the old average that each update keeps.
      start: discriminator updates before which the value is 0; the averages are taken from the
        first on.
      rectified: square max(0, D(x) - a_F) and max(0, a_R - D(G(z))), as the authors' code does and
        their equation does not: only logits on the right side of the other average cost.

    Raises:
      ValueError: if `decay` is not in [0, 1) or `start` is negative.

    References:
      Tseng et al. (2021), Regularizing generative adversarial networks under limited data, eq. 4.
    """
    check_range("decay", decay, at_least=0, below=1)
    check_range("start", start, at_least=0, unit="updates")

    def init() -> Any:
        zero = jnp.zeros((), jnp.float32)
        return {"updates": jnp.zeros((), jnp.int32), "real": zero, "fake": zero}

    def value(state: Any, scene: Scene, keys: jax.Array) -> tuple[jax.Array, Any]:
        logits = {"real": _rows(scene.critic(scene.reals)), "fake": _rows(scene.critic(scene.fakes))}
        above, below = logits["real"] - state["fake"], state["real"] - logits["fake"]
        if rectified:
            above, below = jax.nn.relu(above), jax.nn.relu(below)
        values = jnp.square(above).mean(1) + jnp.square(below).mean(1)
        updates = state["updates"]
        active = updates >= jnp.maximum(start, 1)
        # The share of the newest mean in the corrected average: 1 at first, then falling to 1 - decay.
        share = (1 - decay) / (1 - decay ** (updates + 1).astype(jnp.float32))
        new: dict[str, jax.Array] = {"updates": updates + 1}
        for side in logits:
            mean = jax.lax.stop_gradient(logits[side]).mean().astype(state[side].dtype)
            new[side] = state[side] + share * (mean - state[side])
        return jnp.where(active, values, 0.0), new

    return Penalty(Term(init, value))


def _rows(logits: jax.Array) -> jax.Array:
    return at_least_float32(logits).reshape(logits.shape[0], -1)
