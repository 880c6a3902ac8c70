"""The turns of CycleGAN: two domains, a translator into each, and a critic of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgan.games.game import Batch
from jaxgan.games.pairs.direction import Translation
from jaxgan.games.pairs.pool import empty_pool, through_pool
from jaxgan.games.view import View
from jaxgan.losses import Loss

PoolSize = tuple[int, int, tuple[int, ...], tuple[int, ...]]
"""Images in a pool, examples in a batch, shapes of an example of each domain."""


class Side(NamedTuple):
    """One domain in a step.

    Attributes:
      critic: name of the player that judges it.
      there: name of its translator.
      back: name of the translator out of it.
      real: its examples.
      fake: examples of the other domain, translated.
    """

    critic: str
    there: str
    back: str
    real: jax.Array
    fake: jax.Array


@dataclass(frozen=True)
class Cycle:
    """What the players of CycleGAN minimise; see `jaxgan.games.cycle_gan`.

    Attributes:
      loss: of the critics and the translators.
      cycle: weight of the difference of an example and its translation back.
      identity: weight, relative to `cycle`, of what a translator changes in its own target domain.
      pooled: whether critics are shown images of pools, which memory holds.
      halved: whether the critics' loss is divided by 2.
    """

    loss: Loss
    cycle: float
    identity: float
    pooled: bool
    halved: bool

    def sides(self, view: View) -> tuple[Side, Side]:
        """Domain a and domain b, translated as they are now."""
        a, b = view.batch["a"], view.batch["b"]
        fake_a, fake_b = view("b_to_a", b), view("a_to_b", a)
        return Side("critic_a", "b_to_a", "a_to_b", a, fake_a), Side(
            "critic_b", "a_to_b", "b_to_a", b, fake_b
        )

    def judge(self, view: View) -> jax.Array:
        """The loss of both critics."""
        total = jnp.zeros(())
        for critic, _, _, real, fake in self.sides(view):
            if self.pooled:
                own = f"pool_{critic[-1]}"
                fake, view.memory[own] = through_pool(view.memory[own], fake, view.keys(own))
            total += self._of_both(self.loss.discriminator, view, critic, real, fake)
        return total / 2 if self.halved else total

    def translate(self, view: View) -> jax.Array:
        """The loss of both translators."""
        fooled, undone, same = jnp.zeros(()), jnp.zeros(()), jnp.zeros(())
        a, b = self.sides(view)
        for (critic, there, back, real, fake), source in ((a, b.real), (b, a.real)):
            fooled += self._of_both(self.loss.generator, view, critic, real, fake)
            undone += jnp.abs(view(back, fake) - source).mean()
            if self.identity:
                same += jnp.abs(view(there, real) - real).mean()
        view.log("adversarial", fooled)
        return fooled + self.cycle * (view.log("cycle", undone) + self.identity * same)

    def judged(self, view: View) -> tuple[jax.Array, jax.Array]:
        """Logits of real and of translated examples of domain b."""
        return view("critic_b", view.batch["b"]), view("critic_b", self.sides(view)[1].fake)

    def _of_both(
        self, side: Callable[..., jax.Array], view: View, critic: str, real: jax.Array, fake: jax.Array
    ) -> jax.Array:
        return side(view.gathered(view(critic, real)), view.gathered(view(critic, fake))).mean()


def domain_inputs(batch: Batch) -> Mapping[str, tuple[Any, ...]]:
    """What the four players are initialised with."""
    a, b = (batch["a"][:2],), (batch["b"][:2],)
    return {"a_to_b": a, "b_to_a": b, "critic_a": a, "critic_b": b}


def empty_pools(pool: PoolSize | None) -> dict[str, Callable[[], Any]]:
    """What makes the memory of both pools, "pool_a" and "pool_b"; nothing without pools."""
    if pool is None:
        return {}
    size, examples, *shapes = pool
    made = lambda shape: lambda: empty_pool(examples, shape, size)
    return {name: made(shape) for name, shape in zip(("pool_a", "pool_b"), shapes, strict=True)}


def both_ways() -> dict[str, Translation]:
    """The translations "a-to-b" and "b-to-a"."""
    way = lambda player, source, target: Translation(
        player, source, target, lambda network, batch: network(batch[source])
    )
    return {"a-to-b": way("a_to_b", "a", "b"), "b-to-a": way("b_to_a", "b", "a")}
