"""The members of a training, one or many: the same pure step over seeds and over scalar hyper-parameters.

A member is what `jaxgan train --seed K` computes, to rounding: its weights, data order and noise
come from its own seed. Members never exchange anything. Where one program for all pays
(accelerators, fully connected networks) the step is mapped over them by `vmap`, and on several
devices each takes its share of the members; elsewhere one compiled step goes round them in a loop,
and on several devices each takes its share of every batch.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common import processes
from jaxgan.common.checks import check_range
from jaxgan.common.devices import (
    batch_sharded,
    choose_devices,
    in_parts,
    local,
    made_for,
    make_mesh,
    platform,
    put,
    replicated,
)
from jaxgan.common.errors import InputError, renamed
from jaxgan.config.config import Config
from jaxgan.config.data import open_fitting
from jaxgan.config.fields import to_json, with_fields
from jaxgan.config.looked_at import unread_fields
from jaxgan.config.members import check_members, slow_to_map, takes_shares
from jaxgan.data import Pipeline, Source, make_pipeline
from jaxgan.data.source import describe
from jaxgan.games.compile import compile_step, for_devices, mapped, options_of_loops
from jaxgan.games.game import Game, GameState, Metrics, init
from jaxgan.games.sharding import check_fsdp, placements, without_optimizers
from jaxgan.metrics import Evaluator, make_evaluator
from jaxgan.runs.checkpoint import abstract
from jaxgan.runs.images.making import maker_of
from jaxgan.train.clock import steps_per_dispatch

HOW = ("auto", "vmap", "loop")


def set_up(config: Config, *, source: Source | None = None, starts: Sequence[int] = ()) -> Members:
    """Sets up one member with the configuration's own seed; its devices share every batch.

    Args:
      config: what to do.
      source: data that are open already, or an outline of them.
      starts: steps at which training may begin, besides 0: those of the checkpoints.

    Raises:
      InputError: for anything in the configuration or the data that cannot be.
    """
    config.check()
    if config.compute.how == "pmap" and processes.several():
        raise InputError(f"compute.how: expected 'jit' with {processes.count()} processes, got 'pmap'")
    devices = len(choose_devices(config.compute.devices))
    members = Members(config, [config.seed], how="loop", devices=devices, source=source, starts=starts)
    processes.check_same(**to_json(config), **{"the data": members.data, "steps a program": members.repeat})
    return members


def evaluator_of(
    members: Members, features: str | None = None, poll: Callable[[], None] | None = None
) -> Evaluator | None:
    """The evaluator of the members; None where the game makes nothing, or there are no scores of what it makes.

    Args:
      members: to be scored.
      features: that they have been scored on so far, as of `make_evaluator`.
      poll: as of `make_evaluator`.
    """
    if members.sampler is None:
        return None
    evaluator = make_evaluator(members.source, features, poll)
    return evaluator if evaluator.main else None


class Members:
    """Members that differ in their seed and in scalar hyper-parameters, trained side by side.

    The states of all members are one value: a stacked `GameState` under "vmap", a list of them under
    "loop"; `member` and `joined` go between it and single states.

    Attributes:
      config: of all members.
      seeds: one for each member.
      source: the data.
      data: what run.json says of them.
      game: the first member's, which says of all what is sampled and scored.
      how: "vmap" or "loop".
      repeat: how many steps one dispatch makes.
      mesh: devices that share the members ("vmap") or every batch ("loop"); None: one device does all.
      sampler: of what the game makes; None if it makes nothing to look at.
    """

    def __init__(
        self,
        config: Config,
        seeds: Sequence[int],
        *,
        hyper: Mapping[str, Sequence[float]] | None = None,
        how: str = "auto",
        devices: int | Sequence[Any] | None = None,
        source: Source | None = None,
        starts: Sequence[int] = (),
    ) -> None:
        """Opens the data and prepares the program; compiles nothing yet.

        Args:
          config: of all members; its own seed is not used.
          seeds: one for each member.
          hyper: dotted names of fields that are real numbers, such as "g_optimizer.learning_rate" or
            "penalty.weights.r1", with one value for each member. They are inputs of the program, not
            constants in it: it is compiled once for all values. What is computed from them is
            computed in float32: 1 - b2 of an optimiser then differs from that of a constant by up
            to 1e-4 of itself.
          how: "vmap", "loop", or "auto": a loop on a CPU but for small fully connected networks, as
            XLA's mapped convolutions and batched products are slower there than single ones.
          devices: how many to use; None: for "vmap" as many local ones as divide the members, for "loop" one. Or
            the devices themselves, which need not be here: the program can then be compiled and not run.
          source: data that is open already.
          starts: steps at which training may begin, besides 0.

        Raises:
          InputError: for a configuration or data that cannot be, no seeds or repeated ones without
            `hyper`, hyper-parameters that are not real numbers, not one a member or out of range. One
            that decides what is computed may be refused as late as by `advance`.
        """
        config.check()
        self.config, self.seeds, self.hyper = config, list(seeds), dict(hyper or {})
        check_members(config, self.seeds, self.hyper)
        self.source = open_fitting(config) if source is None else source
        self.data = describe(self.source)
        self.game = self._build_all()
        self.how, self.mesh, self._pipelines = self._placed(how, devices)
        with made_for(self.mesh):
            self._target = platform()
        self.repeat = steps_per_dispatch(config, self._pipelines[0], self._target, starts)
        self.sampler: Any = maker_of(self.game, config, self.source.spec, self.source)
        placement = self._placement
        start = renamed(self.config.spoken())(lambda key: init(self.game, key, self.source.spec.batch()))
        self._at = placement  # where a state lies
        if in_parts(self.mesh):
            self._at = placements(jax.eval_shape(start, jax.random.key(0)), self.mesh)
        self._init = jax.jit(start, out_shardings=self._at)
        self._joined = jax.jit(without_optimizers, out_shardings=placement)
        self._stack = jax.jit(lambda trees: jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees))
        self._chain = jax.jit(lambda trees: jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *trees))
        self._take = jax.jit(lambda states, k: jax.tree.map(lambda x: x[k], states))
        self._program: tuple[int | None, Any] = None, None  # of a stage

    # --- what is checked and built ---

    def _build_all(self) -> Game:
        """The first member's; raises InputError if another's cannot be, or not with its numbers as inputs."""
        values = {name: list(map(float, values)) for name, values in self.hyper.items()}
        games = [
            self._build({name: own[k] for name, own in values.items()})
            for k in range(len(self.seeds) if values else 1)
        ]
        if values:
            traced = {name: jax.ShapeDtypeStruct((), jnp.float32) for name in values}
            with self._as_input_error():
                jax.eval_shape(lambda hyper: self._build(hyper) and None, traced)
        return games[0]

    def _build(self, values: Mapping[str, Any], stage: int | None = None) -> Game:
        own = {} if stage is None else {"stage": stage}
        return with_fields(self.config, **values).build(self.source.spec, **own)

    @contextlib.contextmanager
    def _as_input_error(self) -> Iterator[None]:
        try:
            with renamed(self.config.spoken()):
                yield
        except jax.errors.ConcretizationTypeError as error:  # a field decides what is computed
            names = ", ".join(self.hyper)
            raise InputError(
                f"hyper: one of these decides what is computed, and is no input: {names}"
            ) from error

    @functools.cached_property
    def unread(self) -> list[str]:
        """Fields of the configuration, of those meant for games, that the game does not read."""
        return unread_fields(self.config, self.source.spec)

    # --- devices, data and the program ---

    def _placed(self, how: str, devices: int | Sequence[Any] | None) -> tuple[str, Any, list[Pipeline]]:
        """How the members are trained, on which mesh, and the pipelines: one, or one a member where data stream."""
        if how not in HOW:
            raise InputError(f"how: expected one of {', '.join(HOW)}, got {how!r}")
        check_range("devices", devices, at_least=1)
        if how == "auto" and slow_to_map(self.config):
            how = "loop"
        mesh = self._shared_batch(devices) if how == "loop" else None
        pipelines = [self._pipeline(self.seeds[0], mesh)]
        if pipelines[0].streams:
            if how == "vmap":
                raise InputError("how: expected 'loop' for data that is streamed, got 'vmap'")
            how, mesh = "loop", self._shared_batch(devices)
            pipelines = [self._pipeline(seed, mesh) for seed in self.seeds]
        if how == "loop":
            return how, mesh, pipelines
        return "vmap", self._shared_members(devices), pipelines

    def _shared_batch(self, devices: int | Sequence[Any] | None) -> Any:
        chosen = choose_devices(1 if devices is None else devices)
        fsdp, how = self.config.compute.fsdp, self.config.compute.how
        check_fsdp(fsdp, len(chosen), members=len(self.seeds), how=how)
        alone = len(chosen) == 1 and (devices is None or isinstance(devices, int)) and not self._wants_pmap
        return None if alone else make_mesh(chosen, fsdp)

    def _shared_members(self, devices: int | Sequence[Any] | None) -> Any:
        local = choose_devices(devices)
        check_fsdp(self.config.compute.fsdp, len(local), members=len(self.seeds))
        n = max(k for k in range(1, len(local) + 1) if len(self.seeds) % k == 0)
        if devices is not None and n != len(local):
            raise InputError(f"devices: expected a divisor of {len(self.seeds)} members, got {len(local)}")
        return make_mesh(local[:n]) if n > 1 else None

    @functools.cached_property
    def _own(self) -> Any:
        """Seeds and hyper-parameters: of all members, or a list of each one's; placed once, as nothing moves later."""
        hypers = {name: np.asarray(values, np.float32) for name, values in self.hyper.items()}
        own: Any = (np.asarray(self.seeds, np.uint32), hypers)
        if self.how == "vmap":
            return jax.device_put(own, None if self.mesh is None else batch_sharded(self.mesh))
        rows = [jax.tree.map(lambda x, k=k: x[k], own) for k in range(len(self.seeds))]
        return [put(row, self._placement) for row in rows]

    @property
    def _wants_pmap(self) -> bool:
        """Of a member by itself; several go round one program of jit."""
        return self.config.compute.how == "pmap" and len(self.seeds) == 1 and not self.hyper

    @property
    def _placement(self) -> Any:
        """Of a single member's state: None on one device."""
        return replicated(self.mesh) if self.how == "loop" and self.mesh is not None else None

    def _pipeline(self, seed: Any, mesh: Any) -> Pipeline:
        config = self.config
        return make_pipeline(
            self.source,
            batch_size=config.batch_size,
            d_steps=config.d_steps,
            seed=seed,
            flip=config.data.flip,
            pipeline=config.data.pipeline,
            mesh=mesh,
        )

    def _dispatch(self, repeat: int, stage: int | None) -> Callable[..., tuple[GameState, Metrics]]:
        """(state, inputs, seed, hyper) -> (state, metrics [repeat]): data and steps of one member, in a stage."""

        def dispatch(state: GameState, inputs: Any, seed: jax.Array, hyper: Mapping[str, jax.Array]) -> Any:
            step, pipeline, own = self.config.step(self._build(hyper, stage)), self._pipelines[0], seed
            one = self.mesh if self.how == "loop" and not self.hyper else None
            if one is not None and takes_shares(self.config, one.size):
                step = mapped(step, one)
            if pipeline.streams:  # batches come in the member's own order; flips need its seed here
                pipeline, own = self._pipeline(seed, self.mesh), None

            def once(state: GameState, _: None) -> tuple[GameState, Metrics]:
                return step(state, pipeline.prepare(inputs, state.step, own))

            if repeat > 1:
                return jax.lax.scan(once, state, length=repeat)
            return _with_axis(once(state, None))

        return dispatch

    def _compiled(self, repeat: int, stage: int | None = None) -> Callable[..., Any]:
        made = self.mesh if self.how == "loop" and self.mesh is not None else self._target
        one, mesh = for_devices(self._dispatch(repeat, stage), made), self.mesh
        with made_for(self._target):
            options = options_of_loops(repeat > 1, self.config.compute.remat)
        jit = functools.partial(jax.jit, donate_argnums=0, compiler_options=options)
        if self.how == "loop":
            return jit(lambda *args: _with_axis(one(*args)), out_shardings=(self._at, self._placement))
        mapped = jax.vmap(one, in_axes=(0, None, 0, 0))
        if mesh is None:
            return jit(mapped)
        split, whole = batch_sharded(mesh), replicated(mesh)
        return jit(mapped, in_shardings=(split, whole, split, split), out_shardings=(split, split))

    def _program_at(self, step: int | None) -> Callable[..., Any]:
        """The program of the steps from `step` on: one a stage, where networks grow; None: of any steps."""
        by_pmap = self.how == "loop" and self._wants_pmap
        stage = None if step is None or by_pmap else self.config.stage(self.source.spec, step, self.repeat)
        if self._program[1] is None or self._program[0] != stage:
            self._program = stage, self._pmapped() if by_pmap else self._compiled(self.repeat, stage)
        return self._program[1]

    def _pmapped(self) -> Callable[..., Any]:
        pipeline, step = self._pipelines[0], self.config.step(self.game)
        prepare, compiled = jax.jit(pipeline.prepare), compile_step(step, self.mesh, how="pmap")

        def program(state: GameState, inputs: Any, *_: Any) -> tuple[GameState, Metrics]:
            return _with_axis(_with_axis(compiled(state, prepare(inputs, state.step))))

        return program

    @property
    def nbytes(self) -> int:
        """Bytes of the data that a program receives on one device."""
        return self._pipelines[0].nbytes

    def lowered(self) -> Any:
        """Lowers one step of one member of a loop under jit. The result can be compiled, and asked what it costs.

        Nothing is put on the devices, which need not be here.
        """
        own = abstract(
            (np.zeros((), np.uint32), {name: np.zeros((), np.float32) for name in self.hyper}),
            self._placement,
        )
        return self._compiled(1).lower(self.like(), self._pipelines[0].like(), *own)

    # --- states ---

    def like(self) -> GameState:
        """Shapes, types and placement of a single member's state, for `Checkpoints.restore`."""
        return abstract(jax.eval_shape(self._init, jax.random.key(0)), self._at)

    def init_member(self, k: int) -> GameState:
        """The state that member k starts from: that of `jaxgan train --seed`."""
        state = self._init(jax.random.key(self.seeds[k]))
        # placed for good, as the data are: else the second step compiles again
        return state if self._placement is not None else jax.device_put(state, jax.local_devices()[0])

    def init(self) -> Any:
        """All members' first states."""
        return self.joined([self.init_member(k) for k in range(len(self.seeds))])

    def joined(self, states: Sequence[GameState]) -> Any:
        """Makes one value of the states of all members."""
        if self.how == "loop":
            return list(states)
        stacked = self._stack(list(states))
        return stacked if self.mesh is None else jax.device_put(stacked, batch_sharded(self.mesh))

    def member(self, states: Any, k: int) -> GameState:
        """Takes the state of member `k` out of those of all."""
        if self.how == "loop":
            return states[k]
        own = self._take(states, k)
        return own if self.mesh is None else jax.device_put(own, self.mesh.devices.flat[0])

    def whole(self, state: GameState) -> GameState:
        """The state of one member, whole, on devices of this process; of one in parts, without that of optimisers."""
        return local(self._joined(state) if in_parts(self.mesh) else state)

    # --- training ---

    def inputs(self, first_step: int) -> list[Any]:
        """Iterators over the data that `advance` needs, from `first_step` on."""
        iterators = [pipeline.inputs(first_step) for pipeline in self._pipelines]
        if self.how == "loop" or self.mesh is None:
            return iterators
        return [itertools.repeat(jax.device_put(next(iterators[0]), replicated(self.mesh)))]

    def advance(self, states: Any, inputs: Sequence[Any], step: int | None = None) -> tuple[Any, Metrics]:
        """Makes `repeat` steps with every member; returns new states and metrics [members, repeat]. Consumes `states`.

        Args:
          states: of the members.
          inputs: of `inputs`.
          step: of the states. Networks that grow are then compiled once a stage, as they are in it; None: for all
            stages in one program.
        """
        batches, program, own = [next(iterator) for iterator in inputs], self._program_at(step), self._own
        with self._as_input_error(), jax.transfer_guard("disallow"):
            if self.how == "vmap":
                return program(states, batches[0], *own)
            moved = [program(state, batches[k % len(batches)], *own[k]) for k, state in enumerate(states)]
            metrics = [measured for _, measured in moved]
            return [state for state, _ in moved], metrics[0] if len(moved) == 1 else self._chain(metrics)


def _with_axis(result: tuple[GameState, Metrics]) -> tuple[GameState, Metrics]:
    """The metrics with a first axis of length 1."""
    state, metrics = result
    return state, jax.tree.map(lambda x: x[None], metrics)
