"""Several discriminators against one generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.common.errors import InputError
from jaxgan.games.game import Batch, Critic, Game, Moves, Output, Player, Turn
from jaxgan.games.view import View
from jaxgan.losses import Loss
from jaxgan.models.latents import Latent


def many_critics(
    generator: Player,
    critics: Sequence[Player],
    loss: Loss,
    latent: Latent,
    *,
    moves: Moves = Moves(),  # noqa: B008  (frozen)
    example: str = "image",
) -> Game:
    """One generator that plays against the mean of several discriminators, which all learn alone.

    Args:
      generator: module (z, label, train) -> x, averaged.
      critics: modules (x, label, train) -> logits of one shape; players "critic_0", "critic_1", ...
      loss: of all.
      latent: prior of z.
      moves: how the players move.
      example: name of the array in the batch that is imitated.

    Raises:
      ValueError: without a critic, for one that has `terms` of its own, or for a generator that grows and has a
        `detail` to show the reals in: this game has no use for them.

    References:
      Durugkar, Gemp, Mahadevan (2017), Generative multi-adversarial networks, section 3.2 (arithmetic mean).
    """
    players = {"generator": generator} | {f"critic_{k}": critic for k, critic in enumerate(critics)}
    names = list(players)[1:]
    _hold_plain(players)

    def logits(view: View) -> list[tuple[jax.Array, jax.Array]]:
        x, z = view.batch[example], latent.sample(view.keys("latents"), view.n)
        fake = view("generator", z, None)
        return [tuple(view.gathered(view(name, y, None)) for y in (x, fake)) for name in names]  # pyright: ignore

    def judge(view: View) -> jax.Array:
        return sum((loss.discriminator(*pair).mean() for pair in logits(view)), jnp.zeros(()))

    def forge(view: View) -> jax.Array:
        return jnp.stack([loss.generator(*pair).mean() for pair in logits(view)]).mean()

    def judged(view: View) -> tuple[jax.Array, jax.Array]:
        real, fake = zip(*logits(view), strict=True)
        return sum(real) / len(names), sum(fake) / len(names)  # pyright: ignore[reportReturnType]

    def inputs(batch: Batch) -> Mapping[str, tuple[Any, ...]]:
        x = (batch[example][:2], None)
        return {"generator": (jnp.zeros((2, latent.dim)), None), **dict.fromkeys(names, x)}

    return Game(
        players=players,
        turns=(Turn("d", tuple(names), judge), Turn("g", ("generator",), forge)),
        inputs=inputs,
        moves=moves,
        output=Output("generator", latent),
        critic=Critic(loss, judged),
        compares=lambda: not loss.alone,
    )


def _hold_plain(players: Mapping[str, Player]) -> None:
    """Raises InputError without a critic, or for networks with parts that the game would leave out."""
    if len(players) < 2:
        raise InputError("critics: expected at least one player, got none")
    for name, player in players.items():
        part = "detail" if name == "generator" else "terms"
        if hasattr(player.module, part):
            raise InputError(
                f"{name}: expected a network without {part!r}, which this game leaves out, got one"
            )
