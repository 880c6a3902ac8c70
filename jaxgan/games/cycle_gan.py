"""CycleGAN: translation between two domains without pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.games.game import Batch, Critic, Game, Moves, Player, Turn
from jaxgan.games.pairs.direction import Translation
from jaxgan.games.pairs.pool import empty_pool, through_pool
from jaxgan.games.view import View
from jaxgan.losses import Loss


def cycle_gan(
    a_to_b: Player,
    b_to_a: Player,
    critic_a: Player,
    critic_b: Player,
    loss: Loss,
    *,
    cycle: float = 10.0,
    identity: float = 0.0,
    pool: tuple[int, int, tuple[int, ...], tuple[int, ...]] | None = None,
    halved: bool = False,
    moves: Moves = Moves(),  # noqa: B008  (frozen)
) -> Game:
    """Two translators that undo each other, and a critic for each domain.

    The batch holds examples of the domains as "a" and "b". Metrics: "d/loss", "g/loss", "g/adversarial", "g/cycle".

    Args:
      a_to_b: translator, a module (x, train) -> y.
      b_to_a: the other one.
      critic_a: judges domain a, a module (x, train) -> logits.
      critic_b: judges domain b.
      loss: of the critics and the translators, summed over both domains (the paper's is least squares).
      cycle: weight of the mean absolute difference of an example and its translation back (lambda of eq. 3).
      identity: weight, relative to `cycle`, of the difference that a translator makes to its own target
        domain (section 5.2; the authors take 0.5 for paintings).
      pool: images made before that each critic is shown among the new ones (section 4): how many, examples in a batch,
        and the shapes of an example of a and of b; None: new ones only. They are memory, "pool_a" and "pool_b", which
        goes with whole batches.
      halved: whether the critics' loss is divided by 2, as in the authors' code and section 7.1.
      moves: how the players move.

    References:
      Zhu, Park, Isola, Efros (2017), Unpaired image-to-image translation using cycle-consistent adversarial
      networks, eq. 1-3.
    """

    def sides(view: View) -> list[tuple[str, str, str, jax.Array, jax.Array]]:
        """Critic, its translator, the way back, real examples of its domain, fake ones."""
        a, b = view.batch["a"], view.batch["b"]
        fake_a, fake_b = view("b_to_a", b), view("a_to_b", a)
        return [("critic_a", "b_to_a", "a_to_b", a, fake_a), ("critic_b", "a_to_b", "b_to_a", b, fake_b)]

    def judge(view: View) -> jax.Array:
        total = jnp.zeros(())
        for critic, _, _, real, fake in sides(view):
            if pool is not None:
                own = f"pool_{critic[-1]}"
                fake, view.memory[own] = through_pool(view.memory[own], fake, view.keys(own))
            total += loss.discriminator(
                view.gathered(view(critic, real)), view.gathered(view(critic, fake))
            ).mean()
        return total / 2 if halved else total

    def translate(view: View) -> jax.Array:
        fooled, undone, same = jnp.zeros(()), jnp.zeros(()), jnp.zeros(())
        both = sides(view)
        for (critic, there, back, real, fake), source in zip(both, (both[1][3], both[0][3]), strict=True):
            fooled += loss.generator(
                view.gathered(view(critic, real)), view.gathered(view(critic, fake))
            ).mean()
            undone += jnp.abs(view(back, fake) - source).mean()
            if identity:
                same += jnp.abs(view(there, real) - real).mean()
        view.log("adversarial", fooled)
        return fooled + cycle * (view.log("cycle", undone) + identity * same)

    def inputs(batch: Batch) -> Mapping[str, tuple[Any, ...]]:
        a, b = (batch["a"][:2],), (batch["b"][:2],)
        return {"a_to_b": a, "b_to_a": b, "critic_a": a, "critic_b": b}

    averaged = all(player.average is not None for player in (a_to_b, b_to_a))
    there, back = (
        Translation(player, source, target, lambda network, batch, source=source: network(batch[source]))
        for player, source, target in (("a_to_b", "a", "b"), ("b_to_a", "b", "a"))
    )
    memory = {}
    if pool is not None:
        size, examples, *shapes = pool
        for name, shape in zip(("pool_a", "pool_b"), shapes, strict=True):
            memory[name] = lambda shape=shape: empty_pool(examples, shape, size)
    return Game(
        players={"a_to_b": a_to_b, "b_to_a": b_to_a, "critic_a": critic_a, "critic_b": critic_b},
        turns=(Turn("d", ("critic_a", "critic_b"), judge), Turn("g", ("a_to_b", "b_to_a"), translate)),
        inputs=inputs,
        memory=memory,
        moves=moves,
        translations={"a-to-b": there, "b-to-a": back} if averaged else {},
        critic=Critic(
            loss, lambda view: (view("critic_b", view.batch["b"]), view("critic_b", sides(view)[1][4]))
        ),
        compares=lambda: not loss.alone,
    )
