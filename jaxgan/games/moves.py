"""How two players move: variations of the training step, each a small pure piece, to be combined.

`Dynamics` says which are on; `make_step` puts them in. What belongs to an optimiser is one:
two time scales are two learning rates, optimistic Adam is `optimizers.optimistic_adam`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.common.errors import InputError, unknown

PyTree = Any
Schedule = Callable[[jax.Array], jax.Array]

UPDATES = ("alternating", "simultaneous", "extragradient")


@dataclass(frozen=True)
class Dynamics:
    """Variations of a training step; the defaults are algorithm 1 of Goodfellow et al. (2014).

    Attributes:
      updates: "alternating": the generator answers the updated discriminator. "simultaneous": both
        move from the same point. "extragradient": both make a trial step, and then move from where
        they were by the gradients found there, on the same examples (Gidel et al. 2019, A variational
        inequality perspective on GANs, eq. 10-11; the optimisers see both gradients, as in their
        algorithm 4, so their schedules count two updates a step). The last two take one discriminator
        update a step.
      unroll: the generator's loss is taken after so many further updates of the discriminator, and
        differentiated through them (Metz et al. 2017, Unrolled GANs, eq. 8).
      consensus: gamma; both players also descend gamma/2 ||v||^2, with v the gradients of both losses
        (Mescheder et al. 2017, The numerics of GANs, eq. 9).
      top_k: step -> share of the fakes, those with the highest logits, that the generator learns from
        (Sinha et al. 2020, Top-k training of GANs, eq. 3). A loss that compares examples still looks
        at the others; a loss of features has no such order and is refused.
      instance_noise: step -> standard deviation of the Gaussian noise that is added to all that the
        discriminator sees (Arjovsky, Bottou 2017, section 3; Sonderby et al. 2017, section 3.1.1).
      label_flip: probability with which a real and the fake beside it change places for the
        discriminator (Salimans et al. 2016 smooth labels instead; this is the stochastic form).
      pack: the discriminator judges so many examples at once, joined along their last axis, and gives
        one logit for all (Lin et al. 2018, PacGAN, section 2).
      lookahead: (k, alpha): every k steps both players go back to alpha of the way they made since the
        last time (Chavdarova et al. 2021, Taming GANs with lookahead-minmax, algorithm 1).

    Raises:
      ValueError: for numbers out of range.
    """

    updates: str = "alternating"
    unroll: int = 0
    consensus: Any = 0.0
    top_k: Schedule | None = None
    instance_noise: Schedule | None = None
    label_flip: Any = 0.0
    pack: int = 1
    lookahead: tuple[int, float] | None = None

    def __post_init__(self) -> None:
        """Checks the numbers that are numbers, and not traced."""
        if self.updates not in UPDATES:
            raise unknown("updates", self.updates, UPDATES)
        if self.unroll < 0:
            raise InputError(f"unroll: expected a number of updates >= 0, got {self.unroll}")
        if self.unroll and self.updates == "extragradient":
            raise InputError("unroll: expected 0 with extragradient updates, which look ahead themselves")
        if self.pack < 1:
            raise InputError(f"pack: expected a degree of at least 1, got {self.pack}")
        if isinstance(self.label_flip, float | int) and not 0 <= self.label_flip < 1:
            raise InputError(f"label_flip: expected a probability in [0, 1), got {self.label_flip}")
        if isinstance(self.consensus, float | int) and not self.consensus >= 0:
            raise InputError(f"consensus: expected a weight >= 0, got {self.consensus}")
        if self.lookahead is not None and (self.lookahead[0] < 1 or not 0 < self.lookahead[1] <= 1):
            raise InputError(f"lookahead: expected k >= 1 and 0 < alpha <= 1, got {self.lookahead}")

    @property
    def consensual(self) -> bool:
        """Whether the consensus term is on (a traced weight counts as on)."""
        return not isinstance(self.consensus, float | int) or self.consensus > 0

    @property
    def flips(self) -> bool:
        """Whether labels are flipped (a traced probability counts as on)."""
        return not isinstance(self.label_flip, float | int) or self.label_flip > 0


def mean_of_best(values: jax.Array, fake_logits: jax.Array, share: jax.Array) -> jax.Array:
    """Mean of the values of the ceil(share n) examples with the highest logits (at least one)."""
    n = values.shape[0]
    values = values.reshape(n, -1).mean(1)
    logits = jax.lax.stop_gradient(fake_logits).reshape(n, -1).mean(1)
    rank = jnp.argsort(jnp.argsort(-logits))
    count = jnp.ceil(share * n * (1 - 1e-6))  # a float32 share of 7/13 is not to keep 8 of 13
    kept = rank < jnp.clip(count, 1, n)
    return jnp.where(kept, values, 0.0).sum() / kept.sum()


def looked_ahead(
    slow: PyTree, fast: PyTree, step: jax.Array, lookahead: tuple[int, float]
) -> tuple[PyTree, PyTree]:
    """(slow, fast) after a step: every k steps slow moves alpha of the way to fast, and fast goes there."""
    interval, alpha = lookahead
    due = (step + 1) % interval == 0
    moved = jax.tree.map(lambda s, f: jnp.where(due, s + alpha * (f - s), s), slow, fast)
    return moved, jax.tree.map(lambda m, f: jnp.where(due, m, f), moved, fast)
