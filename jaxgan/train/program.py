"""Data and steps, compiled into one program."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax

from jaxgan.common.devices import replicated
from jaxgan.common.errors import InputError
from jaxgan.config.config import Config
from jaxgan.data import Pipeline
from jaxgan.games.compile import compile_step
from jaxgan.games.game import Game, GameState, Metrics
from jaxgan.games.step import make_step


def steps_per_dispatch(config: Config, pipeline: Pipeline, backend: str, starts: Sequence[int] = ()) -> int:
    """How many steps one program makes: a divisor of every interval and start, so that each ends with one.

    Raises:
      InputError: if the configuration asks for a number that cannot be.
    """
    intervals = (
        config.steps,
        config.log_every,
        config.sample_every,
        config.checkpoint_every,
        config.evaluate_every,
    )
    common = math.gcd(*intervals)
    asked = config.compute.steps_per_dispatch
    if pipeline.streams or config.compute.how == "pmap":
        if asked not in (None, 1):
            raise InputError(
                f"compute.steps_per_dispatch: expected 1 with pmap or streamed data, got {asked}"
            )
        return 1
    if asked is not None:
        if common % asked:
            raise InputError(
                f"compute.steps_per_dispatch: expected a divisor of all intervals and of steps ({common}), got {asked}"
            )
        return math.gcd(asked, *starts)
    most = 1 if backend == "cpu" and config.model.convolutional else 16
    return max(k for k in range(1, most + 1) if math.gcd(common, *starts) % k == 0)


def compile_program(gan: Game, pipeline: Pipeline, mesh: Any, how: str, repeat: int) -> Any:
    """(state, inputs of the pipeline) -> (state, metrics of shape [repeat]): data and steps in one program."""
    step = make_step(gan)
    if how == "pmap":
        prepare, mapped = jax.jit(pipeline.prepare), compile_step(step, mesh, how="pmap")

        def run_mapped(state: GameState, inputs: Any) -> tuple[GameState, Metrics]:
            state, metrics = mapped(state, prepare(inputs, state.step))
            return state, jax.tree.map(lambda x: x[None], metrics)

        return run_mapped

    def one(state: GameState, inputs: Any) -> tuple[GameState, Metrics]:
        return step(state, pipeline.prepare(inputs, state.step))

    def several(state: GameState, inputs: Any) -> tuple[GameState, Metrics]:
        if repeat == 1:
            state, metrics = one(state, inputs)
            return state, jax.tree.map(lambda x: x[None], metrics)
        return jax.lax.scan(lambda state, _: one(state, inputs), state, length=repeat)

    out = None if mesh is None else (replicated(mesh), replicated(mesh))
    return jax.jit(several, donate_argnums=0, out_shardings=out)
