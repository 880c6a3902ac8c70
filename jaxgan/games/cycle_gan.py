"""CycleGAN: translation between two domains without pairs."""

from __future__ import annotations

from jaxgan.games.game import Critic, Game, Moves, Player, Turn
from jaxgan.games.pairs.cycle import Cycle, PoolSize, both_ways, domain_inputs, empty_pools
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
    pool: PoolSize | None = None,
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

    own = Cycle(loss, cycle, identity, pooled=pool is not None, halved=halved)
    averaged = all(player.average is not None for player in (a_to_b, b_to_a))
    return Game(
        players={"a_to_b": a_to_b, "b_to_a": b_to_a, "critic_a": critic_a, "critic_b": critic_b},
        turns=(
            Turn("d", ("critic_a", "critic_b"), own.judge),
            Turn("g", ("a_to_b", "b_to_a"), own.translate),
        ),
        inputs=domain_inputs,
        memory=empty_pools(pool),
        moves=moves,
        translations=both_ways() if averaged else {},
        critic=Critic(loss, own.judged),
        compares=lambda: not loss.alone,
    )
