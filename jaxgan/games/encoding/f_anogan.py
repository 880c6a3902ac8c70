"""f-AnoGAN: a GAN, and then an encoder that inverts its generator, which stands still."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.games.encoding.base import Encoding
from jaxgan.games.game import Batch, Game, Moves, Player, Schedule, Turn, ema_schedule
from jaxgan.games.view import View


def f_anogan(
    gan: Game,
    encoder: Player,
    gan_steps: int,
    *,
    kappa: float = 1.0,
    stage: int | None = None,
    example: str = "image",
) -> Game:
    """The game `gan` for `gan_steps` steps, and from then on an encoder alone: training "izi_f".

    The encoder minimises the mean squared difference of an image x and G(E(x)), plus kappa times that of the
    discriminator's features of both. It is trained against the averaged generator, which stands still from then on.
    Metrics of its turn: "e/pixels" and "e/features".

    Args:
      gan: of players "generator" and "discriminator", whose discriminator takes features=True, as of `GAN`.
      encoder: module (x, train) -> z.
      gan_steps: steps before the encoder's first.
      kappa: weight of the features.
      stage: 0 for the steps of the GAN alone, 1 for those of the encoder; None for all.
      example: name of the array in the batch that is encoded.

    Raises:
      ValueError: for numbers out of range, or a GAN whose moves go over all turns.

    References:
      Schlegl et al. (2019), f-AnoGAN: fast unsupervised anomaly detection with generative adversarial networks,
      section 2.2, eq. 4.
    """
    _check(gan.moves, gan_steps, kappa)

    def invert(view: View) -> jax.Array:
        x = view.batch[example]
        label = view.batch.get("label")
        made = view.averaged("generator", view("encoder", x), label)
        _, seen = view.ask("discriminator", x, label, features=True)
        _, remade = view.ask("discriminator", made, label, features=True)
        pixels = view.log("pixels", jnp.square(made - x).mean())
        return pixels + kappa * view.log("features", jnp.square(remade - seen).mean())

    def inputs(batch: Batch) -> Mapping[str, tuple[Any, ...]]:
        return {**gan.inputs(batch), "encoder": (batch[example][:2],)}

    generator = gan.players["generator"]
    assert generator.average is not None
    still = generator._replace(average=until(gan_steps, generator.average))
    if encoder.average is not None:
        encoder = encoder._replace(average=ema_schedule(0.999, start=gan_steps))
    first = tuple(turn._replace(during=(0, gan_steps)) for turn in gan.turns)
    last = Turn("e", ("encoder",), invert, gan.turns[0].examples, during=(gan_steps, None))
    plain = lambda *turns: tuple(turn._replace(during=(0, None)) for turn in turns)
    turns = {None: (*first, last), 0: plain(*first), 1: plain(last)}[stage]
    return dataclasses.replace(
        gan,
        players={**gan.players, "generator": still, "encoder": encoder},
        turns=turns,
        inputs=inputs,
        encoding=Encoding("encoder"),
    )


def _check(moves: Moves, gan_steps: int, kappa: float) -> None:
    """Raises InputError as `f_anogan` does."""
    check_range("gan_steps", gan_steps, at_least=1)
    check_range("kappa", kappa, at_least=0, below=math.inf)
    if moves.updates != "alternating" or moves.unroll or moves.consensual or moves.lookahead is not None:
        raise InputError(
            "moves: expected players that move one after another, as the encoder does alone, got others"
        )


def until(step: int, average: Schedule) -> Schedule:
    """The schedule of an average that stands still from a step on."""
    return lambda now: jnp.where(jnp.asarray(now) >= step, 1.0, average(now))


def stage_of(gan_steps: int, first: int, steps: int) -> int | None:
    """The stage in which all of `steps` steps from `first` on are: 0 before `gan_steps`, 1 after; None: both."""
    if first >= gan_steps:
        return 1
    return 0 if first + steps <= gan_steps else None
